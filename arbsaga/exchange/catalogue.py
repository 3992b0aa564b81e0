"""What the seeded events are about: titles, questions, outcomes and the fee category of each.

Fee rates are the categories of docs.polymarket.com, trading/fees (September 2026): crypto 0.07, sports 0.03 to 0.05,
weather and culture 0.05, politics 0.04, geopolitics free.
"""

import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from arbsaga.exchange.model import Version


@dataclass(frozen=True, slots=True)
class Topic:
    """A family of events. `{about}` in a text is replaced by one of `abouts`, `{outcome}` by an outcome.

    `rest` is the outcome that makes a list of named ones exhaustive; "" where the outcomes are ranges, which are
    exhaustive by themselves. An augmented event lists named outcomes without the rest.
    """

    title: str
    question: str
    abouts: tuple[str, ...]
    outcomes: tuple[str, ...] = ()
    rest: str = ""
    unit: str = ""
    start: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """How the events of one slot of the world look; each slot always has one event open."""

    topic: Topic
    version: Version
    fee_rate: Decimal
    least: int
    most: int
    augmented: bool = False
    tick: int = 10_000


@dataclass(frozen=True, slots=True)
class Wording:
    """The title of an event, and the (label, question) of each of its markets."""

    title: str
    markets: tuple[tuple[str, str], ...]


_PARTIES: Final = ("Alliance", "Liberals", "Labour", "Greens", "Conservatives", "Reform", "Centre", "National Union")
_TEAMS: Final = ("Bruins", "Oilers", "Rangers", "Kings", "Stars", "Jets", "Panthers", "Avalanche", "Devils")
_FILMS: Final = ("Night Ferry", "The Cartographer", "Salt Road", "Half Light", "Orchard", "Meridian", "Low Tide", "Ash")
_DRIVERS: Final = ("Verstappen", "Norris", "Leclerc", "Piastri", "Russell", "Hamilton", "Antonelli", "Sainz")
_COUNTRIES: Final = ("Denmark", "Portugal", "Chile", "Ghana", "New Zealand", "Japan", "Uruguay", "Norway", "Kenya")
_CITIES: Final = ("NYC", "London", "Chicago", "Seoul", "Paris", "Toronto", "Buenos Aires", "Miami")
_DATES: Final = tuple(f"December {day}" for day in range(1, 31))

ELECTION: Final = Topic(
    "{about}: which party wins the most seats?",
    "Will {outcome} win the most seats in {about}?",
    _COUNTRIES,
    _PARTIES,
    "another party",
)
LEADER: Final = Topic(
    "{about}: who leads the talks?",
    "Will {outcome} lead the talks in {about}?",
    _COUNTRIES,
    ("the foreign minister", "the president", "the UN envoy", "the prime minister", "the army chief", "a mediator"),
    "someone else",
)
RACE: Final = Topic(
    "{about}: race winner",
    "Will {outcome} win the {about}?",
    tuple(f"{place} Grand Prix" for place in ("Qatar", "Abu Dhabi", "Las Vegas", "Monza", "Suzuka", "Spa", "Austin")),
    _DRIVERS,
    "another driver",
)
TROPHY: Final = Topic(
    "{about}: champion",
    "Will the {outcome} win the {about}?",
    ("Winter Classic Cup", "Atlantic Division", "Pacific Division", "Spring Trophy", "Presidents' Cup"),
    _TEAMS,
    "field",
)
FILM: Final = Topic(
    "Best Picture at the {about}?",
    "Will {outcome} win Best Picture at the {about}?",
    ("Critics' Awards", "Guild Awards", "Festival of Lights", "Golden Reel", "Academy Night"),
    _FILMS,
    "another film",
)
WEATHER: Final = Topic(
    "Highest temperature in {about}?",
    "Will the highest temperature in {about} be {outcome}?",
    tuple(f"{city} on {date}" for city in _CITIES for date in _DATES),
    unit="{}°F",
    start=38,
    width=2,
)
BITCOIN: Final = Topic(
    "Bitcoin price on {about}?",
    "Will the price of Bitcoin be {outcome} on {about}?",
    _DATES,
    unit="${:,}",
    start=88_000,
    width=2_000,
)
ETHER: Final = Topic(
    "Ethereum price on {about}?",
    "Will the price of Ethereum be {outcome} on {about}?",
    _DATES,
    unit="${:,}",
    start=3_000,
    width=100,
)

SHAPES: Final = (
    Shape(ELECTION, "v1", Decimal("0.04"), 3, 4),
    Shape(WEATHER, "v1", Decimal("0.05"), 4, 5),
    Shape(LEADER, "v2", Decimal(0), 3, 3),
    Shape(TROPHY, "v1", Decimal("0.05"), 4, 6, augmented=True),
    Shape(BITCOIN, "v2", Decimal("0.07"), 4, 4),
    Shape(FILM, "v1", Decimal(0), 4, 5, tick=1_000),
    Shape(RACE, "v2", Decimal("0.03"), 3, 5, augmented=True),
    Shape(ETHER, "v1", Decimal("0.07"), 6, 8),
)
"""The slots of neg-risk events, repeated where a world has more of them."""

_SKIES: Final = ("Snow in Oslo on Sunday?", "Rain in Lisbon on Monday?", "Frost in Nice this week?")
_COINS: Final = ("Bitcoin up this hour?", "Ethereum up this hour?", "Solana up this hour?")
_TALKS: Final = ("Treaty signed by Friday?", "Summit held this month?", "Ceasefire by Sunday?")

BINARIES: Final = (
    Shape(Topic("{about}", "{about}", _SKIES), "v1", Decimal("0.05"), 1, 1),
    Shape(Topic("{about}", "{about}", _COINS), "v2", Decimal("0.07"), 1, 1),
    Shape(Topic("{about}", "{about}", _TALKS), "v1", Decimal(0), 1, 1, tick=1_000),
)
"""The slots of binary events."""


def word(shape: Shape, rng: random.Random) -> Wording:
    """The words of one event of a shape."""
    about = rng.choice(shape.topic.abouts)
    count = rng.randint(shape.least, shape.most)
    labels = ("Yes",) if count == 1 else _labels(shape, count, rng)
    question = shape.topic.question
    return Wording(
        shape.topic.title.format(about=about),
        tuple((label, question.format(about=about, outcome=label)) for label in labels),
    )


def _labels(shape: Shape, count: int, rng: random.Random) -> tuple[str, ...]:
    topic = shape.topic
    if topic.width:
        return _ranges(topic, count, rng)
    if shape.augmented:
        return tuple(rng.sample(topic.outcomes, count))
    return (*rng.sample(topic.outcomes, count - 1), topic.rest)


def _ranges(topic: Topic, count: int, rng: random.Random) -> tuple[str, ...]:
    """`count` ranges that cover every value: the first open downwards, the last upwards."""
    first = topic.start + topic.width * rng.randint(0, 6)
    edges = [first + topic.width * step for step in range(count - 1)]
    shown = [topic.unit.format(edge) for edge in edges]
    between = [f"from {low} to under {high}" for low, high in pairwise(shown)]
    return (f"under {shown[0]}", *between, f"{shown[-1]} or more")


def slug(text: str) -> str:
    """The text in lower-case words joined by hyphens, as in the venue's addresses."""
    kept = "".join(char if char.isalnum() and char.isascii() else " " for char in text.lower())
    return "-".join(kept.split())
