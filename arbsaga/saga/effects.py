"""The port between a trade's story and the world. Two runtimes implement it.

`workflows/runtime.py` turns each effect into a Temporal activity, timer or signal;
`arbsaga/saga/simulator/` runs the same story on a virtual clock with seeded faults. The story
combines effects only through `all_in_order` and `first_of`, because everything else
(`TaskGroup`, `asyncio.wait`, `timeout`) was measured to replay differently, or to hide it.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from arbsaga.saga.messages import (
    CancelLeg,
    DepthReport,
    Market,
    Page,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradeRecord,
    ValidateDepth,
)

T = TypeVar("T")

DEADLINE = "deadline"
ABORT = "abort"


@dataclass(frozen=True, slots=True)
class First(Generic[T]):
    """What `first_of` ended with: the effect's name and answer, or DEADLINE or ABORT without one."""

    name: str
    answer: T | None


class Effects(Protocol):
    """What a story can do. Every method may raise `Interrupted` only where it says so."""

    def now_ms(self) -> int:
        """The time that replays the same, in ms since the epoch."""

    def jitter(self) -> float:
        """A number in [0, 1) that replays the same."""

    def abort_reason(self) -> str:
        """Empty, or why a person (or a UI cancel) wants this trade ended."""

    def show(self, record: TradeRecord) -> None:
        """Publish where the trade stands: search attribute, status query, live view. Costs no hop."""

    async def validate_depth(self, ask: ValidateDepth) -> DepthReport:
        """Check fresh books, balance, allowance, lease and halt. A harmless read."""

    async def place_legs(self, ask: PlaceLegs) -> Seen:
        """Send the entry orders at once. Shielded. What could not be proved comes back UNKNOWN."""

    async def exit_leg(self, ask: PlaceLegs) -> Seen:
        """Send one reducing order (complete, exit, hedge). Shielded, never blocked by a halt."""

    async def poll_fills(self, ask: PollFills) -> Seen:
        """Watch for news of orders. Interruptible: only ever awaited through `first_of`."""

    async def cancel_leg(self, ask: CancelLeg) -> Seen:
        """Cancel one order by id. Shielded."""

    async def read_books(self, ask: ReadBooks) -> Market:
        """Fresh books and sellable balances. A harmless read."""

    async def record(self, record: TradeRecord) -> Seen:
        """Write the trade's orders, fills and postings to the ledger; the answer names no order. Idempotent.

        Where the trade sent orders that the record leaves out (a run that a reset took back), nothing is
        written, and the answer is what is known of those.
        """

    async def page(self, page: Page) -> None:
        """Tell a person. Idempotent by the page's key; returns when it is delivered or on the alert log."""

    async def sleep(self, ms: int) -> None:
        """Wait at least `ms`, on a durable timer."""

    async def all_in_order(self, effects: Sequence[Awaitable[T]]) -> list[T]:
        """Run effects at once and answer in the order given. If one raises, the others are awaited first."""

    async def first_of(self, name: str, effect: Awaitable[T], deadline_ms: int, *, abort: bool) -> First[T]:
        """The effect's answer, or DEADLINE at `deadline_ms`, or ABORT when a person asks and `abort` is set.

        The effect is interrupted when it is not the first.
        """
