"""The exchanges of one trade, in memory on virtual time. Their record, not the story's, says what happened.

It computes fees and balances on its own: it is the judge. How much of an order fills, when, at what
price and whether it settles is drawn from the seed. A venue whose markets net is of Kalshi's kind: what is bought or
sold is final at once, a sale of more than is held opens the other side, and balances are rounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, ROUND_UP, Decimal
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
DEAD_MS = (60_000, 300_000, 900_000)
"""How long at most a dead venue answers nothing, or a paused one takes nothing: less and more than a trade waits."""
NET_FEE_STEP = Decimal("0.000001")


class Cancelled(Enum):
    """What the engine says to a cancel. NO_SUCH: not known, or over already; HELD_BACK: it cannot be cancelled yet."""

    DONE = "canceled"
    NO_SUCH = "order can't be found - already canceled or matched"
    HELD_BACK = "order is delayed"


class Gate(Enum):
    """What the engine takes now. PAUSED: no order; it shows books and takes cancels."""

    OPEN = "open"
    PAUSED = "paused"
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
    """The exchange's own record of one accepted order. `phantom`: shares its matched count says too many.

    `rounded`: USD that rounding the balance has taken and not given back.
    """

    terms: OrderTerms
    order_id: str
    accepted_ms: int
    state: OrderState = OrderState.LIVE
    fills: dict[str, Fill] = field(default_factory=dict)
    phantom: Size = Size(ZERO)
    versions: list[Shown] = field(default_factory=list)
    rounded: Decimal = ZERO

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
    """One account's orders in the markets `listed`, of one venue or two; one class for both, as fates are drawn alike.

    `accepted` counts orders by their trade, leg and attempt.
    """

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
        self.dead = self._outage("dead")
        self.paused = self._outage("paused")
        if luck.strikes("tick"):
            clock.after(luck.between(0, luck.choice((20, 8_000))), self._change_ticks)

    def _outage(self, kind: str) -> tuple[str, int, int]:
        """A venue of the trade, and from when until when (ms) this strikes it."""
        luck = self.luck
        if not luck.strikes(kind):
            return "", 0, 0
        start = self.clock.now_ms + luck.between(0, luck.choice((20, 8_000)))
        found = luck.choice(self.listed).venue, start, start + luck.between(1_000, luck.choice(DEAD_MS))
        self.clock.tell("exchange", f"{found[0]} will be {kind} from {found[1]} to {found[2]}")
        return found

    def gate(self, instrument: Instrument) -> Gate:
        """Whether the instrument's venue is dead, paused or restarting now."""
        now_ms = self.clock.now_ms
        for (venue, begins, ends), found in ((self.dead, Gate.DOWN), (self.paused, Gate.PAUSED)):
            if begins <= now_ms < ends and venue == instrument.venue:
                return found
        start, end = self.down
        if now_ms < start or now_ms >= end + POST_ONLY_MS or instrument.rules.nets:
            return Gate.OPEN
        return Gate.DOWN if now_ms < end else Gate.POST_ONLY

    @property
    def silent(self) -> bool:
        """Whether streams bring nothing and reads see nothing new."""
        return self.frozen[0] <= self.clock.now_ms < self.frozen[1]

    def tick(self, instrument: Instrument) -> Decimal:
        """The market's tick now (USD)."""
        return self.ticks.get(instrument.market, instrument.rules.tick)

    def _change_ticks(self) -> None:
        for instrument in [one for one in self.listed if not one.rules.bands]:
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
        if self.luck.strikes("delayed") and not terms.instrument.rules.nets:
            order.state = OrderState.PENDING
            self.clock.after(self.luck.between(250, 3_000), lambda: self._match(order))
            self._happened(order)
        else:
            self._match(order)
        return ""

    def _refusal(self, terms: OrderTerms) -> str:
        if not self._on_grid(terms):
            return TICK_REFUSAL
        nets = terms.instrument.rules.nets
        if terms.side is Side.SELL and not nets and terms.size > self.sellable(terms.instrument.token):
            return BALANCE_REFUSAL
        return ""

    def _on_grid(self, terms: OrderTerms) -> bool:
        bands = terms.instrument.rules.bands
        if not bands:
            return terms.limit % self.tick(terms.instrument) == 0
        return any(b.start <= terms.limit <= b.end and (terms.limit - b.start) % b.tick == 0 for b in bands)

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
            if not fill.status.final:
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
        nets = terms.instrument.rules.nets
        fee = self._net_fee(order, size, price) if nets else fee_of(size, price, terms.instrument.rules.fee.rate)
        status = FillStatus.CONFIRMED if nets else FillStatus.MATCHED
        return Fill(fill_id, Size(size), Price(price), fee, status, self.clock.now_ms)

    @staticmethod
    def _net_fee(order: Resting, size: Decimal, price: Decimal) -> Usd:
        """Kalshi's fee of one fill: the balance is kept in whole units, and what rounding took comes back in such.

        The bookkeeping is per order (docs.kalshi.com, getting_started/fee_rounding).
        """
        rules, sign = order.terms.instrument.rules, -1 if order.terms.side is Side.BUY else 1
        unit = Decimal(rules.fee.rounding)
        fee = (size * rules.fee.rate * price * (1 - price)).quantize(NET_FEE_STEP, ROUND_UP)
        moved = sign * size * price - fee
        order.rounded += moved - moved.quantize(unit, ROUND_FLOOR)
        back = min(order.rounded, moved - moved.quantize(unit, ROUND_FLOOR) + fee).quantize(unit, ROUND_FLOOR)
        order.rounded -= back
        return Usd(fee + moved - moved.quantize(unit, ROUND_FLOOR) - back)

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
