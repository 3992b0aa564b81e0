"""What the story says to its effects and what it hears back: one serialisable value each.

Every answer echoes the trade and what was asked, so that a runtime which mixes answers up is
caught at once (a TaskGroup that cancelled siblings gave legs each other's results on replay).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.baskets import Basket
from arbsaga.domain.books import Book, BookRef
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import OrderTerms, OrderView


class Phase(StrEnum):
    """Where a trade stands; also its search attribute."""

    VALIDATING = "VALIDATING"
    PLACING = "PLACING"
    WATCHING = "WATCHING"
    HEDGED = "HEDGED"
    SETTLING = "SETTLING"
    UNWINDING = "UNWINDING"
    REFUSED = "REFUSED"
    COMMITTED = "COMMITTED"
    FLAT = "FLAT"
    HELD = "HELD"


ENDS = (Phase.REFUSED, Phase.COMMITTED, Phase.FLAT, Phase.HELD)
"""Phases in which a trade's workflow is over. A HELD trade still waits for a person."""


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """One leg as decided: up to `size` shares at `limit` USD a share or better."""

    size: Size
    limit: Price


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the story waits for what; all in ms, all settings.

    `entry`: an entry order's life before the rest is cancelled (the user's 5 s order watch).
    `poll`: pause between requests for fills while the user stream is away (the user's 100 ms).
    `undo`: the life of one reducing order. `send_by`: after a decision no byte is sent later than this.
    `prove`: quiet time after `send_by` + HTTP timeout before "it never existed" may be concluded.
    `http`: the limit around a post. `settle`: SETTLING longer than this becomes HELD.
    `one_sided`: a sibling filled and a leg unknown for this long pages a person.
    `retry_min`/`retry_max`: pauses between undo rounds, with jitter. `beat`: a worker that watches this trade and is
    silent for so long is dead.
    """

    entry: int = 5_000
    poll: int = 100
    undo: int = 2_000
    send_by: int = 1_000
    http: int = 2_000
    prove: int = 20_000
    settle: int = 600_000
    one_sided: int = 3_000
    retry_min: int = 50
    retry_max: int = 500
    beat: int = 2_000


@dataclass(frozen=True, slots=True)
class UndoLimits:
    """What undoing may cost and how often it is tried.

    `loss_budget`: USD that the whole trade may lose by a way out; a dearer one is not taken. `rounds`: how
    many undo orders a trade may send for each of its legs. `residue`: shares per leg that may be left over
    when they are too few for any order; `residue_usd` caps what they cost, all legs together.
    """

    loss_budget: Usd = Usd(Decimal(5))
    rounds: int = 12
    residue: Size = Size(Decimal(5))
    residue_usd: Usd = Usd(Decimal(5))


@dataclass(frozen=True, slots=True)
class TradePlan:
    """A trade as the scanner decided it: the input of the workflow, carried through retry and reset.

    `decided_ms` is when (ms since the epoch), `decided_ns` the same on the deciding process's
    monotonic clock (only ever compared with the exchange's, for latency). `reserved` is the capital
    taken from the lease `lease_id`, whose expiry no order may outlive. `first` names the legs (their positions)
    that are entered first: the others follow once those have ended, sized to what filled. Empty: all at once.
    `cap` bounds what all trades of the basket's pair may have out, in USD; None where it is no pair's.
    """

    trade_id: str
    account: str
    basket: Basket
    units: Size
    legs: tuple[PlannedLeg, ...]
    cost: Usd
    fees: Usd
    edge: Usd
    reserved: Usd
    lease_id: str
    lease_expires_ms: int
    decided_ms: int
    decided_ns: int
    books: tuple[BookRef, ...]
    patience: Patience = Patience()
    undo: UndoLimits = UndoLimits()
    first: tuple[int, ...] = ()
    cap: Usd | None = None

    def __post_init__(self) -> None:
        assert len(self.legs) == len(self.basket.legs), "one planned leg for each leg of the basket"
        positions = range(len(self.legs))
        assert len(set(self.first)) == len(self.first), "a leg is entered once"
        assert all(leg in positions for leg in self.first), "the legs that go first are the basket's"
        assert len(self.first) < len(self.legs), "a leg that goes first is followed by another"


@dataclass(frozen=True, slots=True)
class ValidateDepth:
    """Read fresh books of every leg, balance, allowance and halt, just before entering."""

    plan: TradePlan


@dataclass(frozen=True, slots=True)
class DepthReport:
    """Whether the trade may be entered now; `refusal` is empty or the reason in a trader's words."""

    trade_id: str
    refusal: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class PlaceLegs:
    """Send these orders at once, each exactly as its terms say, none after its `send_by_ms`.

    `follows`: entries for what the first legs filled. They are not sent where an undo order of the trade was written
    down, whatever run of it that was: what they would match may be gone.
    """

    trade_id: str
    orders: tuple[OrderTerms, ...]
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The evidence for each order asked about, in the order asked, and when it was gathered."""

    trade_id: str
    orders: tuple[OrderView, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class PollFills:
    """Watch these orders until one of them shows something new, or until `until_ms`.

    `known` is what the story has already seen. `poll` is in ms, as in `Patience`. With `settled`, news that decide
    nothing are left out: the answer comes when every fill is final or one more than known has FAILED.
    """

    trade_id: str
    known: tuple[OrderView, ...]
    until_ms: int
    poll: int
    settled: bool = False


@dataclass(frozen=True, slots=True)
class CancelLeg:
    """Cancel this order by id and say what is known of it afterwards. Never blocked by a halt."""

    trade_id: str
    known: OrderView


@dataclass(frozen=True, slots=True)
class ReadBooks:
    """Read fresh books of these tokens, how many shares of each can be sold now, and the latest of these orders.

    The orders are those with unsettled fills: a fill that has FAILED meanwhile must not be undone again. `others`
    are the keys of the trade's other orders: one that is in neither was sent by a run of the trade that a reset
    took back, and must not be undone again either.
    """

    trade_id: str
    tokens: tuple[str, ...]
    known: tuple[OrderView, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """What undoing decides on: the books, the settled shares that can be sold now, and the orders asked about.

    A token whose book could not be read is left out; every order is answered, and those that the story had
    forgotten come after them.
    """

    trade_id: str
    books: tuple[Book, ...]
    sellable: tuple[tuple[str, Size], ...]
    orders: tuple[OrderView, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page to a person. `key` makes it idempotent: the same key is delivered once.

    `facts` are (name, text) rows: what filled, what did not, cost, exposure, what was tried.
    """

    trade_id: str
    key: str
    headline: str
    facts: tuple[tuple[str, str], ...]
    to_do: str


@dataclass(frozen=True, slots=True)
class LegResult:
    """One leg at the end: shares held of it (bought less sold, complement counted off), and its spend."""

    token: str
    title: str
    held: Size
    surplus: Size
    spent: Usd


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """Everything the ledger keeps of a trade, at an end or between: idempotent by `trade_id` and order."""

    plan: TradePlan
    phase: Phase
    orders: tuple[OrderView, ...]
    legs: tuple[LegResult, ...]
    hedged: Size
    payout: Usd
    spent: Usd
    fees: Usd
    profit: Usd
    reason: str
    time_ms: int
