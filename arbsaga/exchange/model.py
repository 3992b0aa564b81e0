"""The exchange's nouns: events, markets, accounts, orders, trades, and what can happen to them.

All amounts are base-unit integers (see units.py): USD and shares in 1e-6, prices in 1e-6 USD per share.
Times are wall-clock milliseconds unless the name says otherwise.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from arbsaga.exchange.units import ONE

Side = Literal["BUY", "SELL"]
OrderType = Literal["GTC", "GTD", "FOK", "FAK"]
Version = Literal["v1", "v2"]
MatchKind = Literal["complementary", "mint", "merge"]
TradeStatus = Literal["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"]
AckStatus = Literal["live", "matched", "delayed", "unmatched"]
OrderStatus = Literal[
    "LIVE",
    "DELAYED",
    "MATCHED",
    "CANCELED",
    "CANCELED_MARKET_RESOLVED",
    "CANCELED_NOT_ENOUGH_BALANCE",
    "CANCELED_EXPIRED_ORDER",
]
"""Statuses of the user channel. REST knows LIVE, MATCHED, CANCELED and CANCELED_MARKET_RESOLVED only."""

YES, NO = 0, 1
CASH = ""
"""The asset key of USD, where a token id is the key of shares."""
UNLIMITED = 2**256 - 1
"""The allowance a wallet normally gives (uint256 max)."""


@dataclass(frozen=True, slots=True)
class Event:
    """A question with one or more markets.

    In a neg-risk event at most one market resolves YES: exactly one where the list is exhaustive, possibly
    none where it is `augmented` (an unlisted outcome can win).
    """

    event_id: str
    title: str
    slug: str
    neg_risk: bool
    augmented: bool
    version: Version
    market_ids: tuple[str, ...]
    neg_risk_market_id: str = ""


@dataclass(slots=True)
class Market:
    """One YES/NO question. `token_ids` are (YES, NO); `winner` is 0 for YES, 1 for NO, None while open, and None for
    good where it was decided for neither (`split`: 50/50).

    `outcome` is how it will resolve where that is settled beforehand, and told to nobody; None: by chance.
    """

    condition_id: str
    event_id: str
    question: str
    slug: str
    version: Version
    token_ids: tuple[str, str]
    neg_risk: bool = False
    tick: int = 10_000
    min_size: int = 5 * ONE
    fee_rate: Decimal = Decimal(0)
    fee_exponent: int = 1
    taker_delay_ms: int = 0
    active: bool = True
    closed: bool = False
    accepting_orders: bool = True
    opened_ms: int = 0
    resolves_ms: int | None = None
    winner: int | None = None
    outcome: int | None = None
    description: str = ""
    split: bool = False

    @property
    def decided(self) -> bool:
        """Whether it has paid out."""
        return self.split or self.winner is not None

    def complement(self, token_id: str) -> str:
        """The other token of the same market."""
        return self.token_ids[1 - self.token_ids.index(token_id)]


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it arrives: the signed fields that matter to matching, and how it came in.

    Amounts are base units: a BUY gives `maker_amount` USD for `taker_amount` shares, a SELL the reverse.
    """

    order_id: str
    maker: str
    owner: str
    token_id: str
    side: Side
    maker_amount: int
    taker_amount: int
    order_type: OrderType
    expiration: int = 0
    post_only: bool = False
    received_ns: int = 0
    received_ms: int = 0
    salt: int = 0
    timestamp_ms: int = 0
    delay_ms: int = 0
    metadata: str = ""

    @property
    def shares(self) -> int:
        """Shares asked or offered at the limit price."""
        return self.taker_amount if self.side == "BUY" else self.maker_amount

    @property
    def usd(self) -> int:
        """USD offered or asked at the limit price."""
        return self.maker_amount if self.side == "BUY" else self.taker_amount

    @property
    def immediate(self) -> bool:
        """FOK or FAK: never rests, and a BUY of these targets USD instead of shares."""
        return self.order_type in ("FOK", "FAK")


@dataclass(slots=True)
class Order:
    """An accepted order. `matched` is shares, `spent` the USD of its fills.

    A FAK/FOK BUY may match more than `size`: price improvement gives it more shares for its USD.
    """

    order_id: str
    maker: str
    owner: str
    condition_id: str
    token_id: str
    side: Side
    price: int
    size: int
    usd: int
    order_type: OrderType
    expiration: int
    post_only: bool
    created_ms: int
    house: bool
    status: OrderStatus = "LIVE"
    matched: int = 0
    spent: int = 0
    due_ms: int = 0
    """When a DELAYED order will be matched."""
    resting: bool = False
    """Whether it is in the book now."""
    held: int = 0
    """What is kept aside for it: USD for a BUY, shares for a SELL."""
    trade_ids: list[str] = field(default_factory=list)

    def copy(self) -> "Order":
        """The order as it is now."""
        return replace(self, trade_ids=list(self.trade_ids))

    @property
    def asset(self) -> str:
        """What the order gives: CASH for a BUY, its token for a SELL."""
        return CASH if self.side == "BUY" else self.token_id

    @property
    def remaining(self) -> int:
        """Shares still open, never below 0."""
        return max(self.size - self.matched, 0)

    @property
    def immediate(self) -> bool:
        """FOK or FAK."""
        return self.order_type in ("FOK", "FAK")

    @property
    def open(self) -> bool:
        """Resting, or waiting for its delay to end."""
        return self.status in ("LIVE", "DELAYED")


@dataclass(frozen=True, slots=True)
class Fill:
    """One order's part of a trade, in that order's own token and price. `fee` is USD (0 for makers)."""

    order_id: str
    owner: str
    address: str
    token_id: str
    side: Side
    price: int
    shares: int
    usd: int
    fee: int
    house: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """One taker order against the resting orders of one price and one kind of match. Settles or fails as a whole."""

    trade_id: str
    condition_id: str
    kind: MatchKind
    taker: Fill
    makers: tuple[Fill, ...]
    status: TradeStatus
    transaction_hash: str
    matched_ms: int
    updated_ms: int
    bucket_index: int = 0

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The taker's part, then each maker's."""
        return (self.taker, *self.makers)

    @property
    def terminal(self) -> bool:
        """CONFIRMED or FAILED."""
        return self.status in ("CONFIRMED", "FAILED")


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to an accepted order. BUY: making is USD and taking shares; SELL: the reverse. 0 = nothing matched."""

    order_id: str
    status: AckStatus
    making_amount: int = 0
    taking_amount: int = 0
    trade_ids: tuple[str, ...] = ()
    transaction_hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BookView:
    """One token's side of the shared book: (price, shares) levels, bids ascending and asks descending (best last)."""

    condition_id: str
    token_id: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    hash: str
    timestamp: int
    last_trade_price: int | None


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The new absolute size of one price level of one token; 0 removes it."""

    token_id: str
    side: Side
    price: int
    size: int


@dataclass(frozen=True, slots=True)
class BookChanged:
    """Levels changed, told for both tokens (the books mirror each other)."""

    condition_id: str
    levels: tuple[LevelChange, ...]
    cause_order_id: str
    ms: int


@dataclass(frozen=True, slots=True)
class BookReset:
    """A full snapshot of this token's book is due: after a trade and after a tick change."""

    condition_id: str
    token_id: str
    ms: int


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """A trade on the tape, in the taker's token."""

    condition_id: str
    token_id: str
    price: int
    size: int
    side: Side
    transaction_hash: str
    ms: int


@dataclass(frozen=True, slots=True)
class OrderUpdated:
    """A non-house order was placed, matched or canceled. `order` is a copy of that moment."""

    order: Order
    kind: Literal["PLACEMENT", "UPDATE", "CANCELLATION"]
    ms: int


@dataclass(frozen=True, slots=True)
class TradeUpdated:
    """A trade that touches a non-house account has a new status."""

    trade: Trade


@dataclass(frozen=True, slots=True)
class TickChanged:
    """The tick of a market changed; a BookReset of both tokens follows."""

    condition_id: str
    old_tick: int
    new_tick: int
    ms: int


@dataclass(frozen=True, slots=True)
class MarketOpened:
    """A new market takes orders."""

    market: Market


@dataclass(frozen=True, slots=True)
class MarketResolved:
    """A market is decided: `winner` 0 YES, 1 NO; a split decision has none, and `winning_token_id` is empty."""

    condition_id: str
    winner: int | None
    winning_token_id: str
    ms: int


@dataclass(frozen=True, slots=True)
class BalanceChanged:
    """A settled balance of a non-house account moved: USD where `token_id` is None, else shares."""

    address: str
    token_id: str | None
    delta: int
    balance: int
    why: str
    ref: str


Happening = (
    BookChanged
    | BookReset
    | TradePrinted
    | OrderUpdated
    | TradeUpdated
    | TickChanged
    | MarketOpened
    | MarketResolved
    | BalanceChanged
)


@dataclass(slots=True)
class Account:
    """A wallet. Keys of the reserves are token ids, and CASH for USD.

    `open` is kept aside for resting orders and `matched` for trades that have not settled: the venue's
    "sum of active orders" and "sum of matched orders".
    """

    address: str
    house: bool
    cash: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    allowances: dict[str, int] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    matched: dict[str, int] = field(default_factory=dict)
    phantom: dict[str, int] = field(default_factory=dict)
    """What the fault `phantom_matched` leaves standing in the matched sum."""
    incoming: dict[str, int] = field(default_factory=dict)
    """Shares bought that have not settled, by token."""

    def balance(self, asset: str) -> int:
        """Settled balance of an asset (a token id, or CASH)."""
        return self.cash if asset == CASH else self.shares.get(asset, 0)

    def matched_sum(self, asset: str) -> int:
        """The venue's "sum of matched orders": given away by trades that have not settled."""
        return self.matched.get(asset, 0) + self.phantom.get(asset, 0)
