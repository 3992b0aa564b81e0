"""Finds out what became of our orders: by id, by trades, by what the user stream told, by a cancel.

That an order is not found proves nothing by itself: the venue hides finished orders, a trade can be
listed late, and a post can arrive late. So "nobody knows it" is only noted, with its time; what it
proves after how long is for whoever asks to say.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from polymarket import AsyncSecureClient
from polymarket.errors import PolymarketError

from arbsaga.domain.evidence import MAX_EVIDENCE, merge
from arbsaga.domain.orders import OrderState, OrderView
from arbsaga.errors import VenueError
from arbsaga.venues.polymarket.account import Account
from arbsaga.venues.polymarket.evidence import add
from arbsaga.venues.polymarket.records import OrderSeen
from arbsaga.venues.polymarket.tape import Trades
from arbsaga.venues.polymarket.user_stream import UserStream

LISTED_BEFORE_MS = 15_000
"""Trades are listed from this long before an order was made: the venue's clock is not ours."""
CANCEL_EVERY_MS = 1_000
"""An order that nobody knows is cancelled by id this often: cancels have a rate limit (80 a second)."""
MAX_TRIED = 10_000
"""Orders whose last such cancel is remembered."""
GONE_MS = 15_000
"""An accepted order that nobody knows any more for this long, cancels included, is over: trades are listed by then."""
SAY_EVERY_MS = 5_000
"""Every open order asks ten times a second: of an outage the log has one line of a kind this often."""
_NOT_FOUND = ("not found", "can't be found")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the venue said of one order. `order` None: not known by id. `trades` None, `asked` False: no answer."""

    order: OrderSeen | None
    asked: bool
    trades: Trades | None

    @property
    def negative(self) -> bool:
        """Whether it was asked by id and by trades, and is not known by id."""
        return self.asked and self.order is None and self.trades is not None and self.trades.complete


@dataclass(frozen=True, slots=True)
class _Withdrawal:
    """What a cancel by id said. Neither flag: it failed, or the order cannot be cancelled (now)."""

    canceled: bool
    unknown: bool
    text: str


class Prover:
    """Looks and cancels for one account. `clock` is the wall clock in ms, `timeout_ms` bounds a cancel."""

    def __init__(
        self,
        client: AsyncSecureClient,
        account: Account,
        stream: UserStream,
        *,
        timeout_ms: int,
        clock: Callable[[], int],
    ) -> None:
        self._client, self._account, self._stream, self._clock = client, account, stream, clock
        self._timeout_s = timeout_ms / 1000
        self._tried_ms: dict[str, int] = {}
        self._said_ms: dict[str, int] = {}
        self._unsaid: Counter[str] = Counter()

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """See `Venue.look`. What the user stream has just told in full needs no request.

        But for an order of which nothing was known: what the stream remembers of it may be old (a trade run again).
        """
        told = tuple(map(self.told, known))
        if told != tuple(known) and all(map(_exists, known)) and all(map(_in_full, told)):
            return told
        answers = await self._ask(known)
        seen = [self._fold(view, answer) for view, answer in zip(known, answers, strict=True)]
        return tuple(await asyncio.gather(*map(self._withdraw_unknown, seen, answers)))

    async def cancel(self, known: OrderView) -> OrderView:
        """See `Venue.cancel`."""
        withdrawal = await self._withdraw(known.order_id)
        (answer,) = await self._ask([known])
        return self._after(_note(self._fold(known, answer), withdrawal.text), answer, withdrawal)

    def told(self, view: OrderView) -> OrderView:
        """The view with what the user stream has told."""
        for record in self._stream.read(view.order_id):
            view = add(view, record, "stream")
        return view

    async def _ask(self, known: Sequence[OrderView]) -> list[_Answers]:
        if not known:
            return []
        after_ms = min(view.terms.created_ms for view in known) - LISTED_BEFORE_MS
        trades, orders = await asyncio.gather(self._listed(after_ms), asyncio.gather(*map(self._by_id, known)))
        return [replace(answer, trades=trades) for answer in orders]

    async def _listed(self, after_ms: int) -> Trades | None:
        try:
            return await self._account.trades(after_ms)
        except VenueError as error:
            self._warn("trades cannot be read", error)
            return None

    async def _by_id(self, view: OrderView) -> _Answers:
        """Not asked for an order that is over and whose fills are all seen: only its trades can still change."""
        if view.explained and view.state is not OrderState.ABSENT:
            return _Answers(None, asked=False, trades=None)
        try:
            return _Answers(await self._account.order(view.order_id), asked=True, trades=None)
        except VenueError as error:
            self._warn("order cannot be read", error, order_id=view.order_id)
            return _Answers(None, asked=False, trades=None)

    def _warn(self, event: str, error: VenueError, **facts: str) -> None:
        """Log it, with how many of its kind were left out since the last line."""
        now_ms = self._clock()
        if now_ms - self._said_ms.get(event, 0) < SAY_EVERY_MS:
            self._unsaid[event] += 1
            return
        self._said_ms[event] = now_ms
        log.warning(event, error=str(error), left_out=self._unsaid.pop(event, 0), **facts)

    def _fold(self, view: OrderView, answer: _Answers) -> OrderView:
        told = seen = self.told(view)
        if answer.order is not None:
            seen = add(seen, answer.order, "by id")
        for trade in answer.trades.of(view.order_id) if answer.trades else ():
            seen = add(seen, trade, "trades")
        if seen.fills != told.fills:
            self._stream.expect(view.order_id)
        shown = answer.order is not None or (_exists(seen) and seen != told)
        return replace(seen, denied_ms=0) if shown else seen

    async def _withdraw_unknown(self, view: OrderView, answer: _Answers) -> OrderView:
        """Cancel what should exist and nobody knows: a post that arrives later finds nothing to trade for long."""
        if view.state not in (OrderState.UNKNOWN, OrderState.PENDING) or not answer.negative:
            return view
        now_ms = self._clock()
        if now_ms - self._tried_ms.get(view.order_id, 0) < CANCEL_EVERY_MS:
            return view
        if len(self._tried_ms) >= MAX_TRIED:
            self._tried_ms.clear()
        self._tried_ms[view.order_id] = now_ms
        return self._after(view, answer, await self._withdraw(view.order_id))

    def _after(self, view: OrderView, answer: _Answers, withdrawal: _Withdrawal) -> OrderView:
        """What the cancel adds, once the look after it has been folded in."""
        if view.state.final or not answer.negative:
            return view  # a cancel alone never ends an order: what filled before it must be seen first
        if withdrawal.canceled:
            if not _exists(view):
                view = replace(view, denied_ms=0)  # it came after it was denied, and may have filled since
            view = merge(view, "cancel", state=OrderState.LIVE)  # the cancel proves that it existed
        elif not withdrawal.unknown:
            return view
        if view.state is OrderState.UNKNOWN:
            return replace(view, denied_ms=self._clock())
        since_ms = view.denied_ms or self._clock()
        if self._clock() - since_ms >= GONE_MS:
            return merge(view, "cancel", state=OrderState.DONE, reason="no longer at the venue")
        return replace(view, denied_ms=since_ms)

    async def _withdraw(self, order_id: str) -> _Withdrawal:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.cancel_order(order_id=order_id)
        except (PolymarketError, TimeoutError) as error:
            text = str(error) or type(error).__name__
            return _Withdrawal(canceled=False, unknown=_says_not_found(text), text=f"cancel failed: {text}")
        if order_id in {canceled.lower() for canceled in answer.canceled}:
            return _Withdrawal(canceled=True, unknown=False, text="canceled")
        reason = next((why for key, why in answer.not_canceled.items() if key.lower() == order_id), "")
        return _Withdrawal(canceled=False, unknown=_says_not_found(reason), text=f"not canceled: {reason}")


def _exists(view: OrderView) -> bool:
    return view.state not in (OrderState.UNKNOWN, OrderState.ABSENT)


def _in_full(view: OrderView) -> bool:
    """Whether the order can fill no more and each of its fills is seen; only their settlement can still move."""
    return view.state is OrderState.DONE and view.explained


def _says_not_found(text: str) -> bool:
    return any(known in text.lower() for known in _NOT_FOUND)


def _note(view: OrderView, text: str) -> OrderView:
    line = f"cancel: {text}"
    if line in view.evidence:
        return view
    return replace(view, evidence=(*view.evidence, line)[-MAX_EVIDENCE:])
