"""What a scenario is: a trade, and what goes wrong in it before its worker is cut off as well.

Faults are the exchanges' own (arbsaga/exchange/faults.py); `{0}`, `{1}` in them stand for the tokens of the legs (at
Kalshi: for their tickers).
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.money import Usd
from arbsaga.saga.messages import Patience, Phase, UndoLimits

PATIENCE = Patience(
    entry=1_000,
    undo=800,
    send_by=3_500,
    http=1_000,
    prove=300,
    settle=60_000,
    one_sided=1_000,
    retry_min=50,
    retry_max=200,
)
"""`send_by` outlives a worker's death (2 s), so that its successor could send, and must know better."""
HASTY = replace(PATIENCE, send_by=1_000)
"""As in production: after a death it is too late to send."""
LIMITS = UndoLimits(loss_budget=Usd(Decimal(20)))
NO_LOSS = UndoLimits(loss_budget=Usd(Decimal(0)), rounds=2)
"""No way out is cheap enough: the trade ends HELD."""
SHORT_BALANCE = "not enough balance / allowance"


class Do(StrEnum):
    """What is done to a trade from outside."""

    ABORT = "abort"
    CANCEL = "cancel"
    """In the Temporal UI."""
    TERMINATE = "terminate"
    """In the Temporal UI; then the same plan is run again."""
    RESET = "reset"
    """In the Temporal UI, to its first task."""
    RESET_LAST = "reset-last"
    """In the Temporal UI, to its last task."""
    HALT = "halt"
    KILL = "kill"
    """The exchange of Kalshi, by SIGKILL; it comes back after the scenario's `away_s`."""
    PAUSE = "pause"
    """Trading at Kalshi, for the scenario's `away_s`: every order is a 409, cancels are taken."""


@dataclass(frozen=True, slots=True)
class Act:
    """`do` it once the truth journal has `count` lines of `kind` on this trade; count 0: as soon as it was started.

    `venue` says whose journal.
    """

    do: Do
    kind: str = "order"
    count: int = 0
    venue: str = "polymarket"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trade and what befalls it. `story` says it in a sentence; `ends` are the ends of an uncut run.

    `emptied`: legs whose limit takes in the whole book, so that `lose_leg` leaves none of it to complete from.
    `linger_s`: how long after the end something may still arrive at the exchange. `across`: leg 0 is at Polymarket,
    leg 1 at Kalshi; `kalshi` are the faults there, `first` as in a plan, `away_s` how long Kalshi is dead or paused
    by an act. `size` in shares.
    """

    name: str
    story: str
    legs: int = 2
    faults: tuple[str, ...] = ()
    patience: Patience = PATIENCE
    undo: UndoLimits = LIMITS
    emptied: tuple[int, ...] = ()
    acts: tuple[Act, ...] = ()
    halted: bool = False
    deskless: bool = False
    linger_s: float = 0
    across: bool = False
    kalshi: tuple[str, ...] = ()
    first: tuple[int, ...] = ()
    away_s: float = 0
    size: str = "10"
    ends: frozenset[Phase] = field(default=frozenset({Phase.COMMITTED}))


DONE = frozenset({Phase.COMMITTED})
FLAT = frozenset({Phase.FLAT})
EITHER = frozenset({Phase.COMMITTED, Phase.FLAT})
HELD = frozenset({Phase.HELD})
REFUSED = frozenset({Phase.REFUSED})
ANY_END = frozenset({Phase.COMMITTED, Phase.FLAT, Phase.REFUSED, Phase.HELD})
