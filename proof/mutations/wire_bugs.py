"""Bugs re-created in the venue, the activities, the ledger and the pager: replacements (owner, name, value)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from polymarket.models.clob.order_response import AcceptedOrder, RejectedOrder

from activities import depth
from activities.trading import TradingActivities
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, OrderState, OrderTerms, OrderView
from arbsaga.ledger import Ledger
from arbsaga.notify import Alert, Pager
from arbsaga.risk.funded import FundedOrders
from arbsaga.saga.messages import CancelLeg, Page, Seen
from arbsaga.venues.polymarket import evidence, orders, outcome, posting, signing
from arbsaga.venues.polymarket.account import Account
from arbsaga.venues.polymarket.outcome import Outcome
from arbsaga.venues.polymarket.posting import Poster
from arbsaga.venues.polymarket.prover import Prover
from arbsaga.venues.polymarket.records import TradeSeen
from arbsaga.venues.polymarket.tape import Trades
from proof.mutations.mutation import Patch


def retry_with_a_new_id() -> list[Patch]:
    """A post without an answer is signed anew and posted again."""
    right = Poster.post

    async def post(self: Poster, terms: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        views = await right(self, terms)
        if all(view.state is not OrderState.UNKNOWN for view in views):
            return views
        again = await right(self, [replace(one, attempt=one.attempt + 100) for one in terms])
        return tuple(
            replace(late, terms=view.terms, order_id=view.order_id) if view.state is OrderState.UNKNOWN else view
            for view, late in zip(views, again, strict=True)
        )

    return [(Poster, "post", post)]


def delayed_is_failed() -> list[Patch]:
    """The answer `delayed` counts as a refusal."""
    right = outcome._accepted

    def accepted(terms: OrderTerms, answer: AcceptedOrder) -> Outcome:
        return Outcome(OrderState.DONE, reason="pending") if answer.status == "delayed" else right(terms, answer)

    return [(outcome, "_accepted", accepted)]


def cancel_is_not_looked_after() -> list[Patch]:
    """A cancel ends the order in our books, whatever it answered and whatever filled before it."""

    async def cancel(self: Prover, known: OrderView) -> OrderView:
        await self._withdraw(known.order_id)
        return replace(known, state=OrderState.DONE, reason="canceled")

    return [(Prover, "cancel", cancel)]


def stale_book_is_taken() -> list[Patch]:
    """Nobody asks how old a book is."""
    return [(depth, "trouble", lambda *_, **__: None)]


def duplicate_is_refused() -> list[Patch]:
    """`Duplicated` counts as a proof that nothing rests or filled."""
    return [(outcome, "REFUSES_ORDER", (*outcome.REFUSES_ORDER, "duplicated"))]


def no_send_by() -> list[Patch]:
    """Orders go out however late it is."""

    async def trace(self: Any, event: str, _: dict[str, Any]) -> None:  # noqa: ANN401 - a private class
        self.sent = self.sent or event.endswith(".send_request_headers.started")

    return [(posting._Envelope, "trace", trace)]


def timeout_is_not_filled() -> list[Patch]:
    """A post without an answer counts as zero filled."""

    def of_error(error: BaseException, **_: bool) -> Outcome:
        return Outcome(OrderState.DONE, reason=f"failed: {error}")

    return [(posting, "of_error", of_error)]


def intent_after_the_post() -> list[Patch]:
    """An order is written down once the venue has answered."""

    async def send(self: TradingActivities, funded: FundedOrders, *, entry: bool) -> Seen:
        known = [self._before(terms) for terms in funded.ask.orders]
        fresh = [terms for terms, view in zip(funded.ask.orders, known, strict=True) if view is None]
        posted = await self._post(fresh)
        await asyncio.to_thread(self._write_down, funded, "", entry)
        looked = await self._look([view for view in known if view is not None])
        answers = {view.terms.key: view for view in (*posted, *looked)}
        return Seen(funded.ask.trade_id, tuple(answers[terms.key] for terms in funded.ask.orders), depth.now_ms())

    return [(TradingActivities, "_send", send)]


def every_attempt_is_fresh() -> list[Patch]:
    """The ledger does not say that an attempt was sent before."""
    right = Ledger.intend

    def intend(self: Ledger, wanted: Sequence[tuple[OrderTerms, str]], **names: Any) -> tuple[bool, ...]:  # noqa: ANN401
        right(self, wanted, **names)
        return tuple(True for _ in wanted)

    return [(Ledger, "intend", intend)]


def page_is_swallowed() -> list[Patch]:
    """A page is said to be delivered and is nowhere."""

    def write_down(_self: Pager, _page: Page) -> tuple[Alert | None, bool]:
        return None, True

    return [(Pager, "_write_down", write_down)]


def halt_blocks_the_way_out() -> list[Patch]:
    """A halt stops cancels and reducing orders too."""
    send, cancel = TradingActivities._send, TradingActivities.cancel_leg

    async def send_entry(self: TradingActivities, funded: FundedOrders, *, entry: bool) -> Seen:
        del entry
        return await send(self, funded, entry=True)

    async def cancel_unless_halted(self: TradingActivities, ask: CancelLeg) -> Seen:
        if self._ledger.halted():
            return Seen(ask.trade_id, (ask.known,), depth.now_ms())
        return await cancel(self, ask)

    return [(TradingActivities, "_send", send_entry), (TradingActivities, "cancel_leg", cancel_unless_halted)]


def one_fill_per_order() -> list[Patch]:
    """Fills are named by their order, although an order can have several."""
    right = evidence.taken

    def taken(trade: TradeSeen, fee: FeeSchedule) -> tuple[Fill, ...]:
        return tuple(replace(fill, fill_id=trade.taker.order_id) for fill in right(trade, fee))

    return [(evidence, "taken", taken)]


def fees_are_nothing() -> list[Patch]:
    """A hard-coded fee of 0."""

    def nothing(_fee: FeeSchedule, _size: Size, _price: Price) -> Usd:
        return NO_USD

    return [(evidence, "_fee", nothing)]


def unmatched_is_refused() -> list[Patch]:
    """What the official client calls rejected is believed to be over."""

    def refuses(_answer: RejectedOrder) -> bool:
        return True

    return [(outcome, "_refuses", refuses)]


def hidden_is_never_placed() -> list[Patch]:
    """An order that is not found by id was never placed; nobody looks at the trades."""

    async def trades(_self: Account, _after_ms: int) -> Trades:
        return Trades((), complete=True)

    return [(Account, "trades", trades)]


def neg_risk_is_forgotten() -> list[Patch]:
    """Every order is signed for the standard exchange."""

    def standard(_instrument: Instrument) -> orders.Exchange:
        return orders.STANDARD

    return [(orders, "exchange_of", standard), (signing, "exchange_of", standard)]


def one_odd_entry_fails_the_batch() -> list[Patch]:
    """A batch whose answer lacks an entry counts as failed as a whole."""

    def answered(views: Sequence[OrderView], answers: Sequence[object]) -> list[OrderView]:
        if len(answers) != len(views):
            return [replace(view, state=OrderState.DONE, reason="batch failed") for view in views]
        return right(views, answers)  # type: ignore[arg-type]  # what the real one takes

    right = posting._answered
    return [(posting, "_answered", answered)]
