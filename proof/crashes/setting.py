"""What all processes around one account know: where things are. And a case: a scenario and a cut."""

from dataclasses import dataclass, replace
from pathlib import Path

from arbsaga.errors import UnknownThing
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.venues.kalshi import KalshiSettings, KalshiVenue
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from arbsaga.venues.port import Venue
from arbsaga.venues.several import Several
from proof.crashes.cuts import Cut
from proof.crashes.scenario import PATIENCE, Scenario
from proof.crashes.scenarios import BY_NAME

CASH = 1_000_000
"""USD that an account begins with; at Kalshi on each of its shards."""
MEMBER, KEY_ID = "paper", "5b1f1a3c-0000-4000-8000-000000000001"
"""The account's name and key at Kalshi."""
SHARDS = (0, 2, 3)
TRUTH = "truth-kalshi.jsonl"


@dataclass(frozen=True, slots=True)
class Setting:
    """One account with an exchange, a ledger and a task queue of its own; several share the Temporal server.

    `kalshi` is the URL of its exchange at the other venue, with the key of the account there; empty where it has none.
    """

    folder: Path
    temporal: str
    exchange: str
    key: str
    wallet: str
    account: str
    mutation: str = ""
    kalshi: str = ""
    kalshi_key: str = ""

    @property
    def queue(self) -> str:
        """Where the trades' tasks go."""
        return f"trades-{self.account}"

    @property
    def desk_queue(self) -> str:
        """Where the desk's tasks go: its worker is never cut, so that a trade's moments are its own."""
        return f"desk-{self.account}"

    @property
    def truth(self) -> Path:
        """The exchange's own record."""
        return self.folder / "truth.jsonl"

    @property
    def truths(self) -> dict[str, Path]:
        """The records of all its exchanges, by venue."""
        return {"polymarket": self.truth} | ({"kalshi": self.folder / TRUTH} if self.kalshi else {})

    @property
    def alerts(self) -> Path:
        """Every page."""
        return self.folder / "alerts.jsonl"

    @property
    def ledger_file(self) -> Path:
        """The account's ledger."""
        return self.folder / "ledger.sqlite"

    def ledger(self) -> Ledger:
        """The account's ledger, opened."""
        return Ledger.open(f"sqlite:///{self.ledger_file}", durability="normal", alert_log=self.alerts)

    def pager(self) -> Pager:
        """A pager that only writes down."""
        return Pager([], self.alerts, lambda _: None)

    def venue(self) -> Venue:
        """The account at its exchange, or at both; not yet connected."""
        if not self.kalshi:
            return self._part("polymarket")
        return Several({name: self._part(name) for name in ("polymarket", "kalshi")}, self._part)

    def _part(self, name: str) -> Venue:
        if name == "polymarket":
            settings = PolymarketSettings.at(self.exchange, self.key)
            return PolymarketVenue(replace(settings, post_timeout_ms=PATIENCE.http))
        there = KalshiSettings.at(self.kalshi, KEY_ID, self.kalshi_key)
        return KalshiVenue(replace(there, post_timeout_ms=PATIENCE.http))


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a scenario: cut, uncut, or on a worker that remembers no workflow between its tasks."""

    scenario: str
    cut: Cut | None = None
    forgetful: bool = False

    @property
    def story(self) -> Scenario:
        """What befalls the trade."""
        return BY_NAME[self.scenario]

    def __str__(self) -> str:
        return f"{self.scenario}/{self.cut or ('forgetful' if self.forgetful else 'uncut')}"

    @classmethod
    def read(cls, text: str) -> "Case":
        """The case of this name. Raises UserError for a cut that is none, UnknownThing for a scenario."""
        name, _, cut = text.partition("/")
        if name not in BY_NAME:
            raise UnknownThing(f"no scenario {name!r}: choose one of {', '.join(BY_NAME)}")
        if cut in ("", "uncut", "forgetful"):
            return cls(name, forgetful=cut == "forgetful")
        return cls(name, Cut.read(cut))


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case ended. `reached`: its cut was made (an uncut one always is). `trace`: the moments of an uncut run."""

    case: Case
    violations: tuple[str, ...]
    reached: bool
    phase: str = ""
    seconds: float = 0.0
    replays: int = 0
    trace: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
