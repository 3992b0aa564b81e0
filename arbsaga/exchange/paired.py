"""Questions that both simulated venues list at the same time: what they ask, what they are worth, how they end.

Everything here is a function of (seed, moment), so that two processes which share a clock agree without a word: the
fair price of a question, when the traders of one venue drift away from it, and the outcome. Each question lives for a
while, resolves at both venues in the same way, and is followed by a new one on the same subject. Base units (1e-6).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from arbsaga.exchange.fair import GRID
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.units import ONE

Relation = Literal["identity", "complement", "wider"]
"""What Polymarket's question is to Kalshi's: the same, its opposite, or one that is also true whenever Kalshi's is."""
Where = Literal["polymarket", "kalshi"]

SPREAD: Final = 10_000
"""How far quotes are from the fair price, at both venues."""
NESTED_GAP: Final = 40_000
"""By how much the wider question is likelier than the narrower."""

_KNOT_MS: Final = 5_000
_LOWEST, _HIGHEST, _STEP = 350_000, 620_000, 30
_FIRST_MS, _REST_MS = 3_000, 6_000
"""A question is quoted fairly at its beginning, and at its end so long that capital turns over."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One pair of questions. `{end}` in a text is the moment it is about.

    `series`, `category` and `exchange_index` (shard) are Kalshi's; `fee_rate` is Polymarket's. `maker_fees` and
    `tapered` choose Kalshi's fees and price grid.
    """

    name: str
    relation: Relation
    polymarket: str
    description: str
    series: str
    category: str
    kalshi: str
    rules: str
    fee_rate: Decimal
    exchange_index: int = 0
    maker_fees: bool = False
    tapered: bool = False


SUBJECTS: Final = (
    Subject(
        name="treaty",
        relation="identity",
        polymarket="Will the treaty be signed by {end}?",
        description=(
            'This market resolves to "Yes" if both governments have signed the treaty by {end}, as told by their '
            'official announcements; otherwise, a postponement included, to "No".'
        ),
        series="KXTREATY",
        category="Politics",
        kalshi="Will the treaty be signed by {end}?",
        rules=(
            "If both governments have signed the treaty by {end}, as told by their official announcements, then the "
            "market resolves to Yes; otherwise, a postponement included, it resolves to No."
        ),
        fee_rate=Decimal("0.04"),
    ),
    Subject(
        name="rate",
        relation="complement",
        polymarket="Will the central bank cut its rate by {end}?",
        description=(
            'This market resolves to "Yes" if the central bank announces a lower rate by {end}, and to "No" if it '
            "leaves the rate unchanged or raises it, or announces nothing."
        ),
        series="KXHOLD",
        category="Economics",
        kalshi="Will the central bank not cut its rate by {end}?",
        rules=(
            "If the central bank leaves its rate unchanged or raises it by {end}, or announces nothing, then the "
            "market resolves to Yes; if it announces a lower rate, it resolves to No."
        ),
        fee_rate=Decimal("0.05"),
    ),
    Subject(
        name="coin",
        relation="wider",
        polymarket="Will Bitcoin be above $100,000 at {end}?",
        description=(
            'This market resolves to "Yes" if the price of Bitcoin is above $100,000 at {end} by the exchange index, '
            'otherwise to "No".'
        ),
        series="KXBTC",
        category="Crypto",
        kalshi="Will Bitcoin be above $101,000 at {end}?",
        rules=(
            "If the price of Bitcoin is above $101,000 at {end} by the exchange index, then the market resolves to "
            "Yes; otherwise it resolves to No."
        ),
        fee_rate=Decimal("0.03"),
        exchange_index=2,
        maker_fees=True,
        tapered=True,
    ),
)


@dataclass(frozen=True, slots=True)
class PairedSettings:
    """`since_ms`: when the first questions opened (ms since the epoch); each lives for `life_ms`."""

    since_ms: int
    seed: int = 0
    life_ms: int = 60_000
    subjects: tuple[Subject, ...] = SUBJECTS


@dataclass(frozen=True, slots=True)
class Drift:
    """The traders of one venue are off the fair price by `shift`, from `begin_ms` to `end_ms` after the opening."""

    begin_ms: int
    end_ms: int
    where: Where
    shift: int


@dataclass(frozen=True, slots=True)
class Paired:
    """One question at both venues, from `opens_ms` to `ends_ms`. `number` counts those on its subject, from 0."""

    subject: Subject
    seed: int
    number: int
    opens_ms: int
    ends_ms: int

    @property
    def name(self) -> str:
        """E.g. `treaty-s4k2p0`: never given again, since the moment of its opening is in it."""
        return f"{self.subject.name}-{_in_letters(self.opens_ms // 1000)}"

    @property
    def event_ticker(self) -> str:
        """Kalshi's event."""
        return f"{self.subject.series}-{_in_letters(self.opens_ms // 1000).upper()}"

    @property
    def ticker(self) -> str:
        """Kalshi's market."""
        return f"{self.event_ticker}-T"

    @property
    def ids(self) -> tuple[str, tuple[str, str]]:
        """Polymarket's condition id and (YES, NO) token ids."""
        return v1_ids(f"paired {self.seed} {self.name}")

    def text(self, text: str) -> str:
        """A text of the subject, with the moment that it is about."""
        return text.format(end=datetime.fromtimestamp(self.ends_ms / 1000, UTC).strftime("%H:%M:%S UTC on %B %-d, %Y"))

    def fair(self, where: Where, now_ms: int) -> int:
        """What YES is really worth at a venue."""
        price = _between(_plan(self).knots, now_ms - self.opens_ms)
        return price if where == "polymarket" else self._at_kalshi(price)

    def quoted(self, where: Where, now_ms: int) -> int:
        """What the traders of a venue believe: the fair price, or where they have drifted to."""
        age = now_ms - self.opens_ms
        shifts = (one.shift for one in _plan(self).drifts if one.where == where and one.begin_ms <= age < one.end_ms)
        return self.fair(where, now_ms) + next(shifts, 0)

    def is_yes(self, where: Where) -> bool:
        """How the question resolves at a venue: drawn by the last fair price, and never against the relation."""
        drawn, last = _plan(self).drawn, self.fair("polymarket", self.ends_ms)
        at_polymarket = drawn < last
        if where == "polymarket" or self.subject.relation == "identity":
            return at_polymarket
        return not at_polymarket if self.subject.relation == "complement" else drawn < last - NESTED_GAP

    def _at_kalshi(self, price: int) -> int:
        match self.subject.relation:
            case "identity":
                return price
            case "complement":
                return ONE - price
            case "wider":
                return price - NESTED_GAP


def current(settings: PairedSettings, now_ms: int) -> list[Paired]:
    """The question of every subject that is open now. Their ends are spread over a life."""
    count = len(settings.subjects)
    return [_at(settings, subject, at * settings.life_ms // count, now_ms) for at, subject in
            enumerate(settings.subjects)]  # fmt: skip


def _at(settings: PairedSettings, subject: Subject, ahead_ms: int, now_ms: int) -> Paired:
    begin_ms = settings.since_ms - ahead_ms
    number = max(0, now_ms - begin_ms) // settings.life_ms
    opens_ms = begin_ms + number * settings.life_ms
    return Paired(subject, settings.seed, number, opens_ms, opens_ms + settings.life_ms)


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that chance decides of one question: prices every `_KNOT_MS`, drifts, and the draw of the outcome."""

    knots: tuple[int, ...]
    drifts: tuple[Drift, ...]
    drawn: int


@lru_cache(maxsize=64)
def _plan(paired: Paired) -> _Plan:
    rng = random.Random(f"paired {paired.seed} {paired.subject.name} {paired.number}")
    life_ms = paired.ends_ms - paired.opens_ms
    knots = [rng.randrange(400_000, 580_000, GRID)]
    for _ in range(life_ms // _KNOT_MS + 1):
        moved = knots[-1] + GRID * rng.randint(-_STEP, _STEP)
        knots.append(min(max(moved, _LOWEST), _HIGHEST))
    drifts = tuple(_drifts(rng, paired.subject.relation, life_ms))
    return _Plan(tuple(knots), drifts, rng.randrange(ONE))


def _drifts(rng: random.Random, relation: Relation, life_ms: int) -> Iterator[Drift]:
    """One after the other, with rests between. Nested questions drift the one way that makes them a basket."""
    begin = _FIRST_MS + rng.randint(0, 2_000)
    while (end := begin + rng.randint(2_000, 4_000)) < life_ms - _REST_MS:
        where: Where = rng.choice(("polymarket", "kalshi"))
        shift = GRID * rng.randint(90, 130)
        if relation == "wider":
            shift = (shift + NESTED_GAP) * (1 if where == "kalshi" else -1)
        else:
            shift *= rng.choice((-1, 1))
        yield Drift(begin, end, where, shift)
        begin = end + rng.randint(2_000, 5_000)


def _between(knots: tuple[int, ...], age_ms: int) -> int:
    """The price at this age on the straight line between two knots, on the grid."""
    age_ms = min(max(age_ms, 0), (len(knots) - 1) * _KNOT_MS - 1)
    at, rest = divmod(age_ms, _KNOT_MS)
    return (knots[at] + (knots[at + 1] - knots[at]) * rest // _KNOT_MS) // GRID * GRID


def _in_letters(number: int) -> str:
    """A number in the digits 0-9a-z."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
