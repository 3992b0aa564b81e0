"""What the ledger gives back: intents, trades, postings, as plain values."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import TypeAdapter

from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.notify.alert_log import Alert
from arbsaga.saga.messages import ENDS, LegResult, Phase, TradePlan

TERMS = TypeAdapter(OrderTerms)
PLAN = TypeAdapter(TradePlan)
LEGS = TypeAdapter(tuple[LegResult, ...])
EVIDENCE = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Intent:
    """An order as it was written down before it was sent, and the last recorded state of it.

    `phase` is the recorded phase of its trade, None while the trade has recorded nothing yet.
    """

    terms: OrderTerms
    order_id: str
    account: str
    workflow_id: str
    lease_id: str
    state: OrderState
    phase: Phase | None


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One trade at a glance. Money in USD; `decided_ms` and `updated_ms` in ms since the epoch.

    `payout` is what the held units pay in every state of the world, `profit` = `payout` - `spent`.
    """

    trade_id: str
    account: str
    phase: Phase
    reason: str
    plan: TradePlan
    legs: tuple[LegResult, ...]
    hedged: Size
    payout: Usd
    spent: Usd
    fees: Usd
    profit: Usd
    decided_ms: int
    updated_ms: int

    @property
    def ended(self) -> bool:
        """Whether its workflow is over, HELD included."""
        return self.phase in ENDS


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of the books: `amount` of `unit` (USD or a token) in `book`, because of `entry`."""

    entry: str
    book: str
    unit: str
    amount: Decimal
    time_ms: int


@dataclass(frozen=True, slots=True)
class TradeStory:
    """All that is kept of one trade: each order with its fills and evidence, the books, the pages.

    `row` is None while orders were intended but nothing was recorded yet. `alerts` needs a ledger that was opened
    with the alert log.
    """

    row: TradeRow | None
    orders: tuple[OrderView, ...]
    postings: tuple[Posting, ...]
    alerts: tuple[Alert, ...]
