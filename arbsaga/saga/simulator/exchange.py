"""An exchange in memory on virtual time. Its record, not the story's, says what happened.

It computes fees and balances on its own: it is the judge. How much of an order fills, when, at what
price and whether it settles is drawn from the seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_UP, Decimal
from enum import Enum

from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import ZERO, Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, Purpose, TimeInForce
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.weather import Luck

TICKS = (Decimal("0.01"), Decimal("0.001"))
FEE_STEP = Decimal("0.00001")
TICK_REFUSAL = "order is invalid. Price breaks minimum tick size rule"
BALANCE_REFUSAL = "not enough balance / allowance: the balance is not enough"
DUPLICATED = "order is invalid. Duplicated."
POST_ONLY_MS = 120_000
"""After a restart only post-only orders are taken for two minutes."""


class Cancelled(Enum):
    """What the engine says to a cancel. NO_SUCH: not known, or over already; HELD_BACK: it cannot be cancelled yet."""

    DONE = "canceled"
    NO_SUCH = "order can't be found - already canceled or matched"
    HELD_BACK = "order is delayed"


class Gate(Enum):
    """What the engine takes now."""

    OPEN = "open"
    POST_ONLY = "post-only"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Shown:
    """An order as a reader could see it from `time_ms` on."""

    time_ms: int
    state: OrderState
    fills: tuple[Fill, ...]
    matched: Size


@dataclass(slots=True)
class Resting:
    """The exchange's own record of one accepted order. `phantom`: shares its matched count says too many."""

    terms: OrderTerms
    order_id: str
    accepted_ms: int
    state: OrderState = OrderState.LIVE
    fills: dict[str, Fill] = field(default_factory=dict)
    phantom: Size = Size(ZERO)
    versions: list[Shown] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether it can fill no more."""
        return self.state is OrderState.DONE

    @property
    def alive(self) -> Decimal:
        """Shares matched and not taken back."""
        return sum((fill.size for fill in self.fills.values() if fill.status is not FillStatus.FAILED), ZERO)

    @property
    def confirmed(self) -> Decimal:
        """Shares settled."""
        return sum((fill.size for fill in self.fills.values() if fill.status is FillStatus.CONFIRMED), ZERO)

    @property
    def matched(self) -> Decimal:
        """Shares ever matched; a FAILED fill still counts, as on Polymarket."""
        return sum((fill.size for fill in self.fills.values()), ZERO)

    @property
    def may_fill(self) -> Decimal:
        """Shares that are filled or can still be."""
        return self.alive if self.over else self.alive + self.terms.size - self.matched

    @property
    def adds(self) -> bool:
        """Whether it adds to its leg; EXIT and HEDGE reduce it."""
        return self.terms.purpose in (Purpose.ENTER, Purpose.COMPLETE)


class SimExchange:
    """One account's orders in the markets `listed`. `accepted` counts them by their trade, leg and attempt."""

    def __init__(self, clock: Clock, luck: Luck, listed: Sequence[Instrument]) -> None:
        self.clock, self.luck, self.listed = clock, luck, listed
        self.orders: dict[str, Resting] = {}
        self.accepted: dict[str, int] = {}
        self.waiting: list[Callable[[], None]] = []
        self.reference: dict[str, Price] = {}
        self.ticks: dict[str, Decimal] = {}
        self.frozen = (0, 0)
        self.down = (0, 0)
        if luck.strikes("frozen"):
            start = clock.now_ms + luck.between(0, 10_000)
            self.frozen = (start, start + luck.between(100, 10_000))
        if luck.strikes("restart"):
            start = clock.now_ms + luck.between(0, luck.choice((20, 8_000)))
            self.down = (start, start + luck.between(100, 20_000))
        if luck.strikes("tick"):
            clock.after(luck.between(0, luck.choice((20, 8_000))), self._change_ticks)

    @property
    def gate(self) -> Gate:
        """Whether the engine is restarting now."""
        start, end = self.down
        if start <= self.clock.now_ms < end:
            return Gate.DOWN
        return Gate.POST_ONLY if end <= self.clock.now_ms < end + POST_ONLY_MS else Gate.OPEN

    @property
    def silent(self) -> bool:
        """Whether streams bring nothing and reads see nothing new."""
        return self.frozen[0] <= self.clock.now_ms < self.frozen[1]

    def tick(self, instrument: Instrument) -> Decimal:
        """The market's tick now (USD)."""
        return self.ticks.get(instrument.market, instrument.rules.tick)

    def _change_ticks(self) -> None:
        for instrument in self.listed:
            self.ticks[instrument.market] = TICKS[1 - TICKS.index(self.tick(instrument))]
        self.clock.tell("exchange", f"ticks are now {self.ticks}")

    def deliver(self, terms: OrderTerms) -> str:
        """The engine receives an order; the answer is its refusal, or empty.

        A delivered order fills in whole, in part or not at all, and the rest rests.
        """
        if order_id(terms) in self.orders:
            return DUPLICATED
        if refusal := self._refusal(terms):
            self.clock.tell("exchange", f"refuses {terms.key}: {refusal}")
            return refusal
        order = Resting(terms, order_id(terms), self.clock.now_ms)
        self.orders[order.order_id] = order
        self.accepted[terms.key] = self.accepted.get(terms.key, 0) + 1
        self.reference.setdefault(terms.instrument.token, terms.limit)
        if self.luck.strikes("delayed"):
            order.state = OrderState.PENDING
            self.clock.after(self.luck.between(250, 3_000), lambda: self._match(order))
            self._happened(order)
        else:
            self._match(order)
        return ""

    def _refusal(self, terms: OrderTerms) -> str:
        if terms.limit % self.tick(terms.instrument) != 0:
            return TICK_REFUSAL
        if terms.side is Side.SELL and terms.size > self.sellable(terms.instrument.token):
            return BALANCE_REFUSAL
        return ""

    def _match(self, order: Resting) -> None:
        order.state = OrderState.LIVE
        part = Decimal(1)
        if self.luck.strikes("thin"):
            part = ZERO
        elif self.luck.strikes("part"):
            part = Decimal(self.luck.between(1, 99)) / 100
        if self.luck.strikes("phantom"):
            self._haunt(order)
        self._fill(order, order.terms.instrument.floor_size(order.terms.size * part))
        if order.state is OrderState.LIVE and self.luck.strikes("slow"):
            self.clock.after(self.luck.between(1, 6_000), lambda: self._trickle(order))

    def _trickle(self, order: Resting) -> None:
        """What rests fills later: some of it, or all."""
        if order.state is OrderState.LIVE:
            rest = order.terms.size - order.matched
            part = order.terms.instrument.floor_size(rest * self.luck.between(1, 4) / 4)
            self._fill(order, part)

    def _haunt(self, order: Resting) -> None:
        """The matched count says a share more than the fills do, for a while or for ever."""
        order.phantom = Size(min(Decimal(1), order.terms.size))
        if self.luck.random() < 0.8:
            self.clock.after(self.luck.between(500, 30_000), lambda: self._exorcise(order))

    def _exorcise(self, order: Resting) -> None:
        order.phantom = Size(ZERO)
        self._happened(order)

    def _fill(self, order: Resting, size: Decimal) -> None:
        size = min(size, order.terms.size - order.matched)
        if size > 0:
            fill = self._made(order, size)
            order.fills[fill.fill_id] = fill
            self.clock.after(self.luck.between(1, self.luck.weather.settle_ms), lambda: self._settle(order, fill))
        if order.matched >= order.terms.size or order.terms.time_in_force is not TimeInForce.GTC:
            order.state = OrderState.DONE
        self._happened(order)

    def _made(self, order: Resting, size: Decimal) -> Fill:
        """A GTC order gets its shares; a FOK or FAK buy spends its dollars, so that better prices bring more shares."""
        terms = order.terms
        price = Decimal(terms.limit)
        if self.luck.strikes("improve"):
            better = self.luck.between(1, 5) * self.tick(terms.instrument)
            price = max(price - better, TICKS[1]) if terms.side is Side.BUY else min(price + better, 1 - TICKS[1])
        if terms.time_in_force is not TimeInForce.GTC and terms.side is Side.BUY:
            size = terms.instrument.floor_size(size * terms.limit / price)
        fill_id = f"{order.order_id}:{len(order.fills) + 1}"
        fee = fee_of(size, price, terms.instrument.rules.fee.rate)
        return Fill(fill_id, Size(size), Price(price), fee, FillStatus.MATCHED, self.clock.now_ms)

    def _settle(self, order: Resting, fill: Fill) -> None:
        if self.luck.strikes("retry"):
            self._mark(order, fill, FillStatus.MINED)
            self.clock.after(self.luck.between(1, 500), lambda: self._mark(order, fill, FillStatus.RETRYING))
        status = FillStatus.FAILED if self.luck.strikes("ghost") else FillStatus.CONFIRMED
        self.clock.after(self.luck.between(501, 1_000), lambda: self._mark(order, fill, status))

    def _mark(self, order: Resting, fill: Fill, status: FillStatus) -> None:
        order.fills[fill.fill_id] = replace(fill, status=status, time_ms=self.clock.now_ms)
        self._happened(order)

    def _happened(self, order: Resting) -> None:
        matched = Size(min(order.matched + order.phantom, order.terms.size))
        order.versions.append(Shown(self.clock.now_ms, order.state, tuple(order.fills.values()), matched))
        if self.clock.told is not None:
            fills = ", ".join(f"{fill.size} @ {fill.price} {fill.status}" for fill in order.fills.values())
            self.clock.tell("exchange", f"{order.order_id} {order.state}, matched {matched}: {fills or 'no fill'}")
        if self.silent:
            return
        waiting, self.waiting = self.waiting, []
        for wake in waiting:
            wake()

    def cancel(self, wanted: str) -> Cancelled:
        """Cancel an order that rests."""
        order = self.orders.get(wanted)
        if order is not None and order.state is OrderState.PENDING:
            return Cancelled.HELD_BACK
        if order is None or order.state is not OrderState.LIVE:
            return Cancelled.NO_SUCH
        if self.luck.strikes("race"):
            self._fill(order, order.terms.size)
        order.state = OrderState.DONE
        self._happened(order)
        return Cancelled.DONE

    def held(self, leg: int) -> Decimal:
        """Shares of a leg: what added to it less what reduced it, FAILED fills left out."""
        return sum(
            (order.alive if order.adds else -order.alive for order in self.orders.values() if order.terms.leg == leg),
            ZERO,
        )

    def position(self, token: str) -> Decimal:
        """Shares of a token bought less sold, FAILED fills left out."""
        orders = [order for order in self.orders.values() if order.terms.instrument.token == token]
        return sum((order.alive if order.terms.side is Side.BUY else -order.alive for order in orders), ZERO)

    def billed(self) -> tuple[Usd, Usd]:
        """USD spent (received is less), fees included, and the fees alone; FAILED fills left out."""
        spent = fees = ZERO
        for order in self.orders.values():
            sign = 1 if order.terms.side is Side.BUY else -1
            for fill in order.fills.values():
                if fill.status is not FillStatus.FAILED:
                    spent += sign * fill.size * fill.price + fill.fee
                    fees += fill.fee
        return Usd(spent), Usd(fees)

    def sellable(self, token: str) -> Size:
        """Settled shares of a token, less what sells took or reserve."""
        total = ZERO
        for order in self.orders.values():
            if order.terms.instrument.token == token:
                total += order.confirmed if order.terms.side is Side.BUY else -order.may_fill
        return Size(max(ZERO, total))


def fee_of(size: Decimal, price: Decimal, rate: Decimal) -> Usd:
    """The venue's fee: size * rate * p * (1 - p) USD, rounded up to its step."""
    return Usd((size * rate * price * (1 - price)).quantize(FEE_STEP, ROUND_UP))


def order_id(terms: OrderTerms) -> str:
    """The venue's id of an order: a function of its terms, as an EIP-712 digest is."""
    return f"{terms.key}@{terms.created_ms}"
