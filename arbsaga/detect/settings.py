"""Everything that can be set of detection, with units and defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from arbsaga.domain.pricing import Gates


@dataclass(frozen=True, slots=True)
class BookSettings:
    """When a live book is no longer believed.

    A book that stays crossed for `crossed_ms` is stale: crossing for a moment is normal on a stream
    (poly-websockets #25). Per token, at most `max_waiting` changes are kept until its snapshot.
    """

    crossed_ms: int = 500
    max_waiting: int = 2_000


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How tokens are spread over streams, and when a stream is begun anew; times in ms.

    `max_tokens` per stream is no more than the venue's adapter puts on one socket: a frame of a
    socket proves the socket's books only. A stream is restarted when a book on it was caught wrong,
    when a snapshot is missing for `snapshot_ms`, and after `silent_ms` without a frame (a socket that
    only answers pings is dead, py-clob-client #292); `restart_min_ms` doubles up to `restart_max_ms`
    while that recurs. Beyond `max_streams` the smallest are joined.
    """

    max_tokens: int = 100
    max_streams: int = 64
    tend_ms: int = 250
    snapshot_ms: int = 3_000
    silent_ms: int = 15_000
    restart_min_ms: int = 500
    restart_max_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class BasketSettings:
    """Which baskets are built.

    `complement`: YES + NO of each market too; pointless where the venue's two books mirror each
    other. `max_legs`: more are not traded (Polymarket takes 15 orders in one POST /orders).
    """

    complement: bool = False
    max_legs: int = 15


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """How often a basket may be entered; times in ms.

    At most `max_starts` trades in any `pass_ms`. After a trade that failed the basket rests for
    `cooldown_ms`, doubled for each failure in a row while that is under `cooldown_max_ms`. A basket that was
    unwound `churn_unwinds` times within `churn_window_ms` rests for `churn_pause_ms`.
    """

    max_starts: int = 3
    pass_ms: int = 3_000
    cooldown_ms: int = 10_000
    cooldown_max_ms: int = 300_000
    churn_unwinds: int = 3
    churn_window_ms: int = 600_000
    churn_pause_ms: int = 3_600_000

    def __post_init__(self) -> None:
        assert self.max_starts > 0 < self.pass_ms, "a pass has a length and may start a trade"
        assert self.cooldown_ms >= 0 <= self.cooldown_max_ms, "a cooldown is a time"
        assert self.churn_unwinds > 0, "a first unwind is not churn yet"


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """All of the scanner.

    Books proved more than `max_book_age_ms` ago (or what `max_age_ms_by_venue` says for their venue) are stale. Books
    of one venue proved more than `max_book_skew_ms` apart are torn, and books of several venues more than
    `max_cross_skew_ms`. Events are listed anew every `discovery_ms`, and soon after a market has closed.
    """

    gates: Gates = field(default_factory=Gates)
    max_book_age_ms: int = 2_000
    max_book_skew_ms: int = 500
    max_age_ms_by_venue: Mapping[str, int] = field(default_factory=dict)
    max_cross_skew_ms: int = 2_000
    discovery_ms: int = 2_000
    baskets: BasketSettings = field(default_factory=BasketSettings)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    books: BookSettings = field(default_factory=BookSettings)
    streams: StreamSettings = field(default_factory=StreamSettings)

    def __post_init__(self) -> None:
        assert self.gates.min_edge < Decimal(1), "an edge of the whole payout does not exist"
