"""Bugs re-created in the venue of Kalshi: each function gives the replacements (owner, name, value) of its bug."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.money import NO_SIZE, NO_USD, ZERO, Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.venues.kalshi import account, orders, outcome, posting, seen, user_stream
from arbsaga.venues.kalshi.account import Account
from arbsaga.venues.kalshi.frames import Feed, Numbers, Place
from arbsaga.venues.kalshi.outcome import Outcome as Proved
from arbsaga.venues.kalshi.posting import Poster
from arbsaga.venues.kalshi.prover import Prover
from arbsaga.venues.kalshi.rest import Answer
from arbsaga.venues.kalshi.seen import FillSeen, OrderSeen
from arbsaga.venues.port import Funds
from proof.mutations.mutation import Patch

TRIES = 5


def error_is_zero_filled() -> list[Patch]:
    """A create without an answer is booked as 0 filled."""

    def of_error(error: BaseException, **_: bool) -> Proved:
        return Proved(OrderState.DONE, reason=f"failed: {error}")

    return [(posting, "of_error", of_error)]


def retry_without_the_id() -> list[Patch]:
    """A create without an answer is sent again, as another order."""
    return [(Poster, "post", _again_while(Poster.post, lambda view: view.state is OrderState.UNKNOWN, tries=1))]


def paused_is_sent_again() -> list[Patch]:
    """409 trading_is_paused is taken for a hiccup: the order is sent again and again."""
    return [(Poster, "post", _again_while(Poster.post, lambda view: "trading_is_paused" in view.reason, tries=TRIES))]


def _again_while(right: Any, wants: Callable[[OrderView], bool], *, tries: int) -> Callable[..., Any]:  # noqa: ANN401
    """`Poster.post` which sends what `wants` says anew, as attempts of other numbers."""

    async def post(self: Poster, terms: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        views: tuple[OrderView, ...] = await right(self, terms)
        for number in range(1, tries + 1):
            if not any(map(wants, views)):
                break
            late = await right(self, [replace(view.terms, attempt=view.terms.attempt + 100 * number) for view in views])
            views = tuple(
                replace(anew, terms=view.terms, order_id=view.order_id) if wants(view) else view
                for view, anew in zip(views, late, strict=True)
            )
        return views

    return post


def whole_contracts() -> list[Patch]:
    """`int(size)`: an order is sent for whole contracts only."""
    right = orders.create_body

    def create_body(terms: OrderTerms) -> bytes:
        return right(replace(terms, size=Size(Decimal(int(terms.size)))))

    return [(posting, "create_body", create_body)]


def whole_fills() -> list[Patch]:
    """Fractions of a contract that filled are cut off."""
    return _fills_read(lambda fill: replace(fill, size=Size(Decimal(int(fill.size)))))


def fees_are_nothing() -> list[Patch]:
    """What was billed is not read."""
    return _fills_read(lambda fill: replace(fill, fee=NO_USD))


def _fills_read(wrong: Callable[[FillSeen], FillSeen]) -> list[Patch]:
    right = seen.read_fill

    def read_fill(raw: Mapping[str, Any]) -> FillSeen:
        return wrong(right(raw))

    return [(account, "read_fill", read_fill), (user_stream, "read_fill", read_fill)]


def no_at_its_own_price() -> list[Patch]:
    """An order for NO is sent with NO's price, not with that of YES."""

    def own_price(_outcome: Outcome, yes_price: Decimal) -> Price:
        return Price(yes_price)

    return [(orders, "own_price", own_price)]


def on_shard_0() -> list[Patch]:
    """Every order goes to the first shard."""
    right = orders.create_body

    def create_body(terms: OrderTerms) -> bytes:
        return json.dumps({**json.loads(right(terms)), "exchange_index": 0}).encode()

    return [(posting, "create_body", create_body)]


def shards_are_one_purse() -> list[Patch]:
    """Money is money, whichever shard it is on."""

    async def funds(self: Account, _buys: Sequence[Instrument]) -> Funds:
        return Funds(await self.free())

    return [(Account, "funds", funds)]


def used_id_is_refused() -> list[Patch]:
    """409 order_already_exists counts as a no."""
    refuses = outcome.REFUSES_409 | {outcome.DUPLICATE}
    return [(outcome, "DUPLICATE", "nothing"), (outcome, "REFUSES_409", refuses)]


def no_409_is_a_no() -> list[Patch]:
    """409 is one thing: whatever its code, nobody knows."""
    return [(outcome, "REFUSES_409", frozenset())]


def only_201_is_read() -> list[Patch]:
    """A create that is answered with 200 made nothing."""
    right = outcome.of_answer

    def of_answer(terms: OrderTerms, order_id: str, answer: Answer) -> Proved:
        return Proved(OrderState.DONE, reason="None") if answer.status == 200 else right(terms, order_id, answer)

    return [(posting, "of_answer", of_answer)]


def any_success_is_an_order() -> list[Patch]:
    """2xx without an order_id counts as accepted."""
    right = outcome.of_answer

    def of_answer(terms: OrderTerms, order_id: str, answer: Answer) -> Proved:
        proved = right(terms, order_id, answer)
        lacks_id = 200 <= answer.status < 300 and proved.state is OrderState.UNKNOWN
        return Proved(OrderState.LIVE) if lacks_id else proved

    return [(posting, "of_answer", of_answer)]


def gone_is_filled() -> list[Patch]:
    """Filled = count - remaining, which is all of a cancelled order."""
    right = seen.read_order

    def read_order(raw: Mapping[str, Any]) -> OrderSeen:
        order = right(raw)
        return replace(order, matched=Size(order.size - Decimal(raw["remaining_count_fp"])))

    return [(account, "read_order", read_order), (user_stream, "read_order", read_order)]


def gone_is_not_filled() -> list[Patch]:
    """404 to a cancel: the order is gone, with what was known of it."""
    right = Prover.cancel

    async def cancel(self: Prover, known: OrderView) -> OrderView:
        view = await right(self, known)
        gone = any("not canceled: 404" in line for line in view.evidence)
        return replace(view, state=OrderState.DONE, reason="canceled") if gone else view

    return [(Prover, "cancel", cancel)]


def not_listed_yet_is_gone() -> list[Patch]:
    """A read that lags does not know the order: it is over, and never filled."""
    right = Prover._by_id
    gone = OrderSeen("", "", "", True, ZERO, NO_SIZE, NO_SIZE, OrderState.DONE, "not found", 0)

    async def by_id(self: Prover, venue_id: str) -> OrderSeen | None:
        return await right(self, venue_id) or gone

    return [(Prover, "_by_id", by_id)]


def increment_is_the_size() -> list[Patch]:
    """A delta is read as the level's new size."""
    right = Feed._delta

    def delta(self: Feed, market: Any, msg: Mapping[str, Any]) -> bool | None:  # noqa: ANN401 - a private class
        at, mirror = self._price(msg["price_dollars"])
        is_bid = msg["side"] == "yes"
        (market.bids if is_bid else market.asks).pop(at if is_bid or self.yes_prices else mirror, None)
        return right(self, market, {**msg, "delta_fp": msg["delta_fp"].removeprefix("-")})

    return [(Feed, "_delta", delta)]


def gaps_are_nothing() -> list[Patch]:
    """Nobody looks at the numbers of messages."""

    def place(self: Numbers, seq: int, _data: bytes) -> Place:
        self.expected = seq + 1
        return Place.NEXT

    return [(Numbers, "place", place)]
