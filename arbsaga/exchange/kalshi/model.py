"""The nouns of the simulated Kalshi exchange, and what can happen to them.

Amounts are base-unit integers (units.py): USD, contracts and prices in 1e-6. Prices are of YES: a bid buys YES, an ask
sells YES or, beyond what is held, buys NO at 1 - price. Times are wall-clock ms unless the name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from arbsaga.exchange import model as base
from arbsaga.exchange.units import ONE

BookSide = Literal["bid", "ask"]
TimeInForce = Literal["fill_or_kill", "good_till_canceled", "immediate_or_cancel"]
SelfTrade = Literal["taker_at_cross", "maker"]
OrderStatus = Literal["resting", "canceled", "executed"]
FeeType = Literal["quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat"]
MarketStatus = Literal["initialized", "inactive", "active", "closed", "determined", "disputed", "amended", "finalized"]
Result = Literal["", "yes", "no", "scalar"]
Reason = Literal[
    "",
    "Trade",
    "Decrease",
    "Amend",
    "UserCancel",
    "MarginCancel",
    "SelfTradeCancel",
    "ExpiryCancel",
    "CloseCancel",
    "HaltCancel",
    "GroupCancel",
    "PostOnlyCrossCancel",
    "ReduceOnlyCancel",
    "ImmediateOrCancel",
]
"""Why an order was last updated: the venue's `last_update_reason`, and four of our own (UserCancel, GroupCancel,
ImmediateOrCancel, and "" for a new order) that the wire leaves out."""
LifecycleKind = Literal[
    "created", "activated", "deactivated", "closed", "determined", "disputed", "amended", "settled",
    "price_level_structure_updated", "paused", "resumed",
]  # fmt: skip
GroupChange = Literal["created", "limit_updated", "triggered", "reset", "deleted"]

CENT_CONTRACT = 10_000
"""0.01 contract in base units: the step of every count."""
GROUP_WINDOW_MS = 15_000
"""Over which an order group counts its fills."""
WHOLE_CENTS = ((0, ONE, 10_000),)
"""The price_ranges of a linear_cent market: (start, end, step) in base units."""


@dataclass(frozen=True, slots=True)
class Series:
    """A family of events with one fee schedule. `texts` is what the wire shows and the engine never reads."""

    ticker: str
    fee_type: FeeType = "quadratic"
    fee_multiplier: Decimal = Decimal(1)
    texts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A question with its markets. `mutually_exclusive` (MECNET): at most one market resolves YES, perhaps none."""

    event_ticker: str
    series_ticker: str
    mutually_exclusive: bool = False
    exchange_index: int = 0
    fee_type_override: FeeType | None = None
    fee_multiplier_override: Decimal | None = None
    texts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Market:
    """One YES/NO question. `value` is USD per YES contract once determined, 0..1 in base units."""

    ticker: str
    event_ticker: str
    open_ms: int = 0
    close_ms: int | None = None
    settlement_timer_seconds: int = 60
    price_ranges: tuple[tuple[int, int, int], ...] = WHOLE_CENTS
    status: MarketStatus = "active"
    paused: bool = False
    result: Result = ""
    value: int | None = None
    determined_ms: int = 0
    settled_ms: int = 0
    fee_waiver_until_ms: int = 0
    texts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it arrives. `expiration_time` is unix seconds, as on the wire; `received_ns` the monotonic clock."""

    account_id: str
    ticker: str
    side: BookSide
    price: int
    count: int
    time_in_force: TimeInForce = "good_till_canceled"
    self_trade_prevention: SelfTrade = "taker_at_cross"
    client_order_id: str = ""
    post_only: bool = False
    reduce_only: bool = False
    cancel_order_on_pause: bool = False
    expiration_time: int | None = None
    order_group_id: str = ""
    received_ms: int = 0
    received_ns: int = 0


@dataclass(slots=True)
class Order:
    """An accepted order. `slip` is the order of YES that the book and the matching know; costs and fees are USD.

    `slip.size` is what was last asked for and shrinks by a decrease; `initial_count` stays. `carry` is the
    rounding accumulator of its fees (below one precision unit, unless capped).
    """

    new: NewOrder
    slip: base.Order
    client_order_id: str
    initial_count: int
    expiration_time: int | None
    status: OrderStatus = "resting"
    reason: Reason = ""
    updated_ms: int = 0
    taker_cost: int = 0
    maker_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    carry: int = 0

    @property
    def order_id(self) -> str:
        """The venue's id."""
        return self.slip.order_id

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.slip.maker

    @property
    def ticker(self) -> str:
        """Its market."""
        return self.slip.condition_id

    @property
    def side(self) -> BookSide:
        """bid buys YES, ask sells YES or buys NO."""
        return "bid" if self.slip.side == "BUY" else "ask"

    @property
    def price(self) -> int:
        """Limit, of YES."""
        return self.slip.price

    @property
    def fill_count(self) -> int:
        """Contracts filled."""
        return self.slip.matched

    @property
    def remaining_count(self) -> int:
        """Contracts that still rest: 0 once it is over."""
        return self.slip.remaining if self.status == "resting" else 0

    @property
    def created_ms(self) -> int:
        """When it was accepted."""
        return self.slip.created_ms

    @property
    def house(self) -> bool:
        """Whether it is of the exchange's own traders."""
        return self.slip.house

    def copy(self) -> "Order":
        """The order as it is now."""
        return replace(self, slip=self.slip.copy())


@dataclass(frozen=True, slots=True)
class Fill:
    """One order's part of a trade. `price` is of YES; `revenue` is USD before the fee, negative where it paid.

    `fee` is the venue's `fee_cost`; `position` the net position after it (+ YES, - NO).
    """

    fill_id: str
    trade_id: str
    order_id: str
    client_order_id: str
    account_id: str
    ticker: str
    exchange_index: int
    side: BookSide
    price: int
    count: int
    is_taker: bool
    revenue: int
    fee: int
    position: int
    ms: int
    house: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """A taker met one resting order, at its price."""

    trade_id: str
    ticker: str
    price: int
    count: int
    taker_side: BookSide
    ms: int


@dataclass(slots=True)
class Position:
    """The net of one account in one market: + YES, - NO. `cost` is what its open contracts cost, fees apart.

    `realized` is USD gained or lost on contracts closed or settled, `traded` all USD moved, `fees` all fees.
    """

    net: int = 0
    cost: int = 0
    realized: int = 0
    traded: int = 0
    fees: int = 0
    updated_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a decided market paid one account: `position` before it, `value` USD per YES, `revenue` USD, fee apart."""

    account_id: str
    ticker: str
    exchange_index: int
    result: Result
    value: int
    position: int
    cost: int
    revenue: int
    fee: int
    ms: int


@dataclass(slots=True)
class Account:
    """A member (or one subaccount of it: the wire names those). `cash` is by exchange shard, reserves included."""

    account_id: str
    house: bool
    cash: dict[int, int] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    client_ids: set[str] = field(default_factory=set)
    """Client order ids ever used: never freed."""
    netting: set[int] = field(default_factory=set)
    """Shards on which collateral of mutually exclusive events is returned (off for new accounts)."""
    advanced: dict[str, int] = field(default_factory=dict)
    """Collateral returned, by event."""


@dataclass(slots=True)
class Group:
    """An order group: when its fills within 15 s exceed `limit` its orders are canceled, until it is reset."""

    group_id: str
    account_id: str
    exchange_index: int
    limit: int
    triggered: bool = False
    fills: list[tuple[int, int]] = field(default_factory=list)
    """(ms, contracts) of the window before the latest fill, since the last reset."""
    order_ids: list[str] = field(default_factory=list)
    """Orders of it that rest."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to an accepted order. Averages are USD per contract, None where nothing filled."""

    order_id: str
    client_order_id: str
    fill_count: int
    remaining_count: int
    average_fill_price: Decimal | None
    average_fee_paid: Decimal | None
    ms: int


@dataclass(frozen=True, slots=True)
class Reduced:
    """The answer to a cancel, decrease or amend: contracts taken off and contracts that go on resting."""

    order_id: str
    client_order_id: str
    reduced_by: int
    remaining_count: int
    ms: int


@dataclass(frozen=True, slots=True)
class Halts:
    """What is halted now on a shard: trading (cancels are taken), or the whole exchange (nothing is)."""

    trading: bool = False
    exchange: bool = False


@dataclass(frozen=True, slots=True)
class BookLevel:
    """A level of the YES book changed by `delta` contracts to `size`; 0 removes it. `cause` is the order behind it."""

    ticker: str
    side: BookSide
    price: int
    delta: int
    size: int
    cause: str
    ms: int


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """A trade on the tape."""

    trade: Trade


@dataclass(frozen=True, slots=True)
class OrderUpdated:
    """A non-house order was placed, filled, changed or ended. `order` is a copy of that moment."""

    order: Order
    ms: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A non-house order was filled."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """The position of a non-house account changed. `position` is a copy of that moment."""

    account_id: str
    ticker: str
    position: Position


@dataclass(frozen=True, slots=True)
class BalanceChanged:
    """The cash of a non-house account on one shard moved by `delta` USD to `balance`."""

    account_id: str
    exchange_index: int
    delta: int
    balance: int
    why: str
    ref: str


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A market came, went, or changed. `market` is a copy of that moment."""

    kind: LifecycleKind
    market: Market
    ms: int


@dataclass(frozen=True, slots=True)
class FeesChanged:
    """An event's own fees, None where its series' apply again."""

    event_ticker: str
    fee_type: FeeType | None
    fee_multiplier: Decimal | None


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """An order group was created, changed, triggered or reset. `group` is a copy; `kind` says which."""

    kind: GroupChange
    group: Group
    ms: int


Happening = (
    BookLevel
    | TradePrinted
    | OrderUpdated
    | Filled
    | PositionChanged
    | BalanceChanged
    | Lifecycle
    | FeesChanged
    | GroupChanged
)
