"""Which basket may be entered now: one trade at a time, not too many at once, not again at once after a failure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from arbsaga.detect.settings import AdmissionSettings
from arbsaga.saga.messages import Phase

FAILED = frozenset({Phase.REFUSED, Phase.FLAT})


@dataclass(slots=True)
class _Record:
    """How a basket has fared: failures in a row, when it was unwound (ms), and until when it rests."""

    failures: int = 0
    unwound: deque[int] = field(default_factory=deque)
    rests_until: int = 0
    why: str = ""


class Admission:
    """In-flight baskets, cooldowns, and the pass limit. Times in ms since the epoch, given by the caller."""

    def __init__(self, settings: AdmissionSettings) -> None:
        self._settings = settings
        self._in_flight: dict[str, frozenset[str]] = {}
        self._records: dict[str, _Record] = {}
        self._starts: deque[int] = deque()

    def refusal(self, key: str, tokens: Sequence[str], now_ms: int, others: Sequence[str] = ()) -> str:
        """Why no trade on this basket may be started now, or empty. The text before a colon is its kind.

        `others` are the other outcomes of those tokens whose venue holds one signed position a market: bought there
        while a trade holds the other, a token would close that trade's leg and open none.
        """
        if key in self._in_flight:
            return "in flight"
        record = self._records.get(key)
        if record is not None and now_ms < record.rests_until:
            return record.why
        if any(not used.isdisjoint(tokens) for used in self._in_flight.values()):
            return "token in use: another trade takes from the same book"
        if others and any(not used.isdisjoint(others) for used in self._in_flight.values()):
            return "other side in use: the venue would close another trade's leg with this one"
        while self._starts and now_ms - self._starts[0] >= self._settings.pass_ms:
            self._starts.popleft()
        return "pass limit" if len(self._starts) >= self._settings.max_starts else ""

    def started(self, key: str, tokens: Iterable[str], now_ms: int) -> None:
        """A trade on this basket was started now."""
        self._in_flight[key] = frozenset(tokens)
        self._starts.append(now_ms)

    def resumed(self, key: str, tokens: Iterable[str]) -> None:
        """A trade on this basket was started before, by an earlier process: it is in flight."""
        self._in_flight[key] = frozenset(tokens)

    def ended(self, key: str, phase: Phase, now_ms: int) -> None:
        """The basket's trade ended. HELD keeps it blocked: a person decides, and then it ends once more."""
        if phase is Phase.HELD:
            self._in_flight.setdefault(key, frozenset())
            return
        self._in_flight.pop(key, None)
        if phase in FAILED:
            self._fail(self._records.setdefault(key, _Record()), phase, now_ms)
        elif key in self._records:
            self._records[key].failures = 0

    def _fail(self, record: _Record, phase: Phase, now_ms: int) -> None:
        limits = self._settings
        record.failures += 1
        longest = max(limits.cooldown_ms, limits.cooldown_max_ms)
        pause = min(limits.cooldown_ms << min(record.failures - 1, 30), longest)
        record.rests_until, record.why = now_ms + pause, f"cooling down: {record.failures} failures in a row"
        if phase is Phase.FLAT:
            record.unwound.append(now_ms)
        while record.unwound and now_ms - record.unwound[0] >= limits.churn_window_ms:
            record.unwound.popleft()
        if len(record.unwound) >= limits.churn_unwinds:
            record.rests_until = now_ms + limits.churn_pause_ms
            record.why = f"churn: unwound {len(record.unwound)} times"

    def prune(self, now_ms: int) -> None:
        """Forget failures that are long past, so that baskets which no longer exist leave nothing behind."""
        horizon = now_ms - self._settings.churn_window_ms
        self._records = {key: record for key, record in self._records.items() if record.rests_until > horizon}

    @property
    def in_flight(self) -> frozenset[str]:
        """The keys of the baskets whose trade has not ended, or is held."""
        return frozenset(self._in_flight)
