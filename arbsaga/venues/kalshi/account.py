"""The account as the venue's REST API tells it: free cash by shard, net positions, orders and fills.

Reads lag writes by 0.1 to 2 s (how far, GET /exchange/user_data_timestamp tells). Collateral is kept by shard, and one
market's YES and NO are one signed position. Subaccounts are not used: all is of the primary one.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.money import NO_USD, ZERO, Size, Usd
from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.kalshi.names import Names
from arbsaga.venues.kalshi.orders import own_price
from arbsaga.venues.kalshi.records import outcome_of, token
from arbsaga.venues.kalshi.rest import PAGE, Params, RefusedRead, Rest
from arbsaga.venues.kalshi.seen import FillSeen, OrderSeen, read_fill, read_order, readable, side_of
from arbsaga.venues.kalshi.user_stream import NetPosition, UserStream
from arbsaga.venues.kalshi.wire import decimal, moment_ms
from arbsaga.venues.port import AccountFill, Funds, OpenOrder

_Seen = TypeVar("_Seen")

ORDERS: Final = "/portfolio/orders"
FILLS: Final = "/portfolio/fills"
LAG_MS: Final = 10_000
"""Reads are further behind than this only when something is wrong; 0.1 to 2 s were seen."""
FEW: Final = 5
"""Orders that are asked for one by one; a listing costs as much as five."""
LIVED_S: Final = 600
"""Orders that filled were made at most this long before, as a rule; the others are asked for one by one."""
AT_ONCE: Final = 8
"""Requests of one listing that run side by side: the venue limits their rate."""


@dataclass(frozen=True, slots=True)
class Listed(Generic[_Seen]):
    """The records of a listing that could be read, of as many as there were."""

    seen: tuple[_Seen, ...]
    count: int

    @property
    def whole(self) -> bool:
        """Whether none was left out: else what is not in here may be there all the same."""
        return len(self.seen) == self.count


class Account:
    """Reads of one account. Raises VenueError for an answer that cannot be used. `clock` is the wall clock in ms."""

    def __init__(self, rest: Rest, names: Names, stream: UserStream, clock: Callable[[], int]) -> None:
        self._rest, self._names, self._stream, self._clock = rest, names, stream, clock
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def order(self, venue_id: str) -> OrderSeen | None:
        """One order by the venue's id, in any state; None: not known (yet, as reads lag)."""
        try:
            raw = (await self._rest.get(f"{ORDERS}/{venue_id}")).get("order")
        except RefusedRead as refused:
            if refused.status == 404 and refused.fault.own:
                return None
            raise
        if not isinstance(raw, dict):
            raise BadMessage(f"{ORDERS}: an answer without the order")
        return read_order(raw)

    async def orders(self, params: Params) -> Listed[OrderSeen]:
        """The orders of a listing, all pages; what they are called is learned."""
        raw = await self._rest.listing(ORDERS, "orders", {"limit": PAGE, **params})
        found = Listed(readable(read_order, raw), len(raw))
        for one in found.seen:
            self._names.learn(one.client_id, one.venue_id)
        return found

    async def fills(self, params: Params) -> Listed[FillSeen]:
        """The fills of a listing, all pages."""
        raw = await self._rest.listing(FILLS, "fills", {"limit": PAGE, **params})
        return Listed(readable(read_fill, raw), len(raw))

    async def as_of_ms(self) -> int:
        """The moment of which reads tell now, by the venue's clock."""
        raw = await self._rest.get("/exchange/user_data_timestamp")
        try:
            return moment_ms(raw["as_of_time"])
        except (KeyError, ValueError) as error:
            raise BadMessage(f"a user_data_timestamp that cannot be read: {error!r}") from error

    async def free(self, pocket: str = "") -> Usd:
        """USD of a shard (of all together without one) that is not kept aside for resting orders.

        `balance_dollars` only: the unit of the amounts by shard in the same answer is not documented.
        """
        raw = await self._rest.get("/portfolio/balance", {"exchange_index": pocket} if pocket else {})
        try:
            return Usd(decimal(raw["balance_dollars"]))
        except (KeyError, ValueError) as error:
            raise BadMessage(f"a balance that cannot be read: {error!r}") from error

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """Free cash of the shard that pays for these buys; of all shards together where there are none."""
        pockets = sorted({buy.rules.pocket for buy in buys})
        if len(pockets) > 1:
            raise VenueError(f"these are paid from several shards ({', '.join(pockets)}): ask for each")
        pocket = pockets[0] if pockets else ""
        cash = Usd(max(await self.free(pocket), NO_USD))
        elsewhere = await self.free() if pocket and not cash else NO_USD
        if elsewhere <= 0:
            return Funds(cash)
        have = f"{elsewhere.normalize():f} USD is on other shards"
        return Funds(cash, f"exchange_index {pocket} has no collateral ({have}): transfer some to it")

    async def cash(self) -> Usd:
        """USD of all shards, with what resting orders keep aside: the venue's balance leaves that out.

        The venue's own reserve for their fees is not known, and left out.
        """
        free, resting, nets = await asyncio.gather(self.free(), self.resting(), self._nets())
        kept = (_kept(orders, nets.get(ticker, ZERO)) for ticker, orders in _by_ticker(resting).items())
        return Usd(free + sum(kept, ZERO))

    async def resting(self, ticker: str = "") -> tuple[OrderSeen, ...]:
        """Orders that rest, in one market or in all."""
        return (await self.orders({"status": "resting", **({"ticker": ticker} if ticker else {})})).seen

    async def sellable(self, token: str) -> Size:
        """Contracts of the outcome, less what resting orders that would close them hold.

        The fewer of what is listed and what a fill has told just now: of two fills the later may have gone untold.
        """
        ticker, outcome = outcome_of(token)
        listed, resting = await asyncio.gather(self._listed(ticker), self.resting(ticker))
        known = [one for one in (listed.get(ticker), self._told(ticker)) if one is not None]
        held = min((_held(outcome, one.net) for one in known), default=ZERO)
        closing = (one.left for one in resting if one.bid == (outcome is Outcome.NO))
        return Size(max(held - sum(closing, ZERO), ZERO))

    async def positions(self, tokens: Sequence[str]) -> dict[str, Size]:
        """Contracts of each token: of a market's two outcomes only one is ever held. A settled market holds none."""
        wanted = {each: outcome_of(each) for each in tokens}
        nets = await self._nets() if wanted else {}
        return {each: Size(_held(outcome, nets.get(ticker, ZERO))) for each, (ticker, outcome) in wanted.items()}

    async def holds(self) -> bool:
        """Whether there is any position that is not settled."""
        return any((await self._nets()).values())

    async def _nets(self) -> dict[str, Decimal]:
        """Signed positions by market, in all that are not settled."""
        listed = await self._listed()
        newest = {one: self._newest(one, listed.get(one)) for one in {*listed, *self._stream.moved()}}
        return {one: found.net for one, found in newest.items() if found is not None}

    async def _listed(self, ticker: str = "") -> dict[str, NetPosition]:
        """Positions by market, in one or in all that are not settled, as REST tells them."""
        params: Params = {"limit": PAGE, **({"ticker": ticker} if ticker else {})}
        raw = await self._rest.listing("/portfolio/positions", "market_positions", params)
        return dict(_read_position(each) for each in raw)

    def _newest(self, ticker: str, listed: NetPosition | None) -> NetPosition | None:
        """What was listed, or what a fill has told since: reads lag, and selling twice would open the other side."""
        told = self._told(ticker)
        if told is None:
            return listed  # one that is listed no more was settled
        return told if listed is None or told.time_ms > listed.time_ms else listed

    def _told(self, ticker: str) -> NetPosition | None:
        """The position after the newest fill that was told, as long as reads may lag it: the stream drops messages."""
        told = self._stream.position(ticker)
        return None if told is None or self._clock() - told.time_ms > LAG_MS else told

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every order of the account that rests; one that was made without an id of its maker has the venue's."""
        return tuple(_open_order(seen, self._names) for seen in await self.resting() if seen.left > 0)

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """Every fill at or after this time, oldest first.

        A bid counts as YES bought, an ask as NO bought, whatever they closed.
        """
        fills = (await self.fills({"min_ts": after_ms // 1000})).seen
        await self._identify({fill.venue_id for fill in fills}, after_ms // 1000 - LIVED_S)
        return tuple(
            AccountFill(
                order_id=self._names.order_id(fill.venue_id) or fill.venue_id,
                token=token(fill.ticker, fill.outcome),
                side=side_of(fill.bid, fill.outcome),
                fill=fill.fill(fill.outcome),
            )
            for fill in sorted(fills, key=lambda fill: fill.time_ms)
            if fill.time_ms >= after_ms
        )

    async def _identify(self, venue_ids: Iterable[str], after_s: int) -> None:
        """Learn which of these orders are ours: a fill of REST names its order by the venue's id only."""
        strange = [one for one in venue_ids if not self._names.order_id(one)]
        if len(strange) > FEW:
            await self.orders({"min_ts": max(after_s, 0)})
        await asyncio.gather(*(self.identify(one) for one in strange if not self._names.order_id(one)))

    async def identify(self, venue_id: str) -> OrderSeen | None:
        """Ask for an order and learn what it is called; None where the venue does not show it."""
        async with self._gate:
            seen = await self.order(venue_id)
        if seen is not None:
            self._names.learn(seen.client_id, seen.venue_id)
        return seen


def _held(outcome: Outcome, net: Decimal) -> Decimal:
    return max(net if outcome is Outcome.YES else -net, ZERO)


def _read_position(raw: Any) -> tuple[str, NetPosition]:  # noqa: ANN401  JSON
    """(ticker, position). Never left out when it cannot be read: none would be shown where one is held."""
    try:
        return str(raw["ticker"]), NetPosition(decimal(raw["position_fp"]), moment_ms(raw["last_updated_ts"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadMessage(f"a position that cannot be read: {error!r}") from error


def _by_ticker(orders: Iterable[OrderSeen]) -> dict[str, list[OrderSeen]]:
    found: dict[str, list[OrderSeen]] = {}
    for one in orders:
        found.setdefault(one.ticker, []).append(one)
    return found


def _kept(orders: Iterable[OrderSeen], net: Decimal) -> Decimal:
    """USD that a market's resting orders keep aside: the price of what they would open beyond what they close."""
    closable = {True: max(-net, ZERO), False: max(net, ZERO)}
    total = ZERO
    for one in sorted(orders, key=lambda order: order.created_ms):
        closes = min(closable[one.bid], one.left)
        closable[one.bid] -= closes
        total += (one.left - closes) * own_price(Outcome.YES if one.bid else Outcome.NO, one.yes_price)
    return total


def _open_order(seen: OrderSeen, names: Names) -> OpenOrder:
    outcome = Outcome.YES if seen.bid else Outcome.NO
    return OpenOrder(
        order_id=names.order_id(seen.venue_id) or seen.venue_id,
        token=token(seen.ticker, outcome),
        side=side_of(seen.bid, outcome),
        price=own_price(outcome, seen.yes_price),
        size=seen.size,
        matched=seen.matched,
        created_ms=seen.created_ms,
    )
