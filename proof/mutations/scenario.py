"""One trade of the wire layer, what befalls it, and how it may end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.saga.messages import Patience, Phase, UndoLimits
from proof.mutations.cross_stage import Across
from proof.mutations.effects import WireEffects
from proof.mutations.stage import PATIENCE, UNDO, Stage

COMMITTED = frozenset({Phase.COMMITTED})
UNDONE = frozenset({Phase.COMMITTED, Phase.FLAT})
NOT_SENT = frozenset({Phase.COMMITTED, Phase.FLAT, Phase.REFUSED})
"""A loaded machine may be too late for orders whose last moment is near."""
REFUSED = frozenset({Phase.REFUSED})

Act = Callable[[Stage, WireEffects], Awaitable[None]]
Setting = Callable[[Stage], Awaitable[None]]


async def nothing(_stage: Stage, _fx: WireEffects) -> None:
    """Nothing happens."""


async def as_it_is(_stage: Stage) -> None:
    """Nothing is set."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One trade and what befalls it.

    `setting`: what is done before the trade is decided. `faults` are in force from the entries on. `before`/`after`:
    what happens just before the entries are sent and once they were answered. `ends`: how it may end. `orders`: how
    many the exchange may accept, None for any number. `twice`: a proxy sends each post again. `dies`: the worker dies
    once the first post was answered, and another process runs the same plan from its beginning. `lingers_s`: how long
    after the entries something may still arrive. `across`: two venues instead of one.
    """

    name: str
    what: str
    faults: tuple[str, ...] = ()
    setting: Setting = as_it_is
    before: Act = nothing
    after: Act = nothing
    ends: frozenset[Phase] = COMMITTED
    orders: int | None = None
    twice: bool = False
    dies: bool = False
    lingers_s: float = 0
    patience: Patience = PATIENCE
    undo: UndoLimits = UNDO
    wire: WireSettings = field(default_factory=WireSettings)
    across: Across | None = None
