"""Compares two titles: do they ask for the same or for opposite things, is one the narrower, where do they differ?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rapidfuzz import fuzz

from arbsaga.pairs.pair import Orientation, Relation
from arbsaga.pairs.reading import Date, Reading, read

SAME_NAME = 85
"""Likeness (0 to 100) from which two spellings count as one name: Award and Awards, Zelensky and Zelenskyy."""
_DEADLINES = ("by", "before", "until", "through")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two titles seem to say about each other.

    `relation` is None where `conflicts` show that they ask different things. `doubts` are what a person must look at.
    """

    orientation: Orientation
    relation: Relation | None
    conflicts: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Extent:
    """How two thresholds or dates compare: `narrower` is +1 where `a` is the narrower, -1 where `b` is, else 0."""

    narrower: int = 0
    conflict: str = ""
    doubt: str = ""


def compare(a: str, b: str) -> Comparison:
    """Compare two titles, each with all that its question needs to be understood."""
    first, second = read(a), read(b)
    opposite = _opposite(first, second)
    extents = (_numbers(first, second, opposite=opposite), _dates(first, second, opposite=opposite))
    conflicts = [extent.conflict for extent in extents if extent.conflict]
    ways = {extent.narrower for extent in extents if extent.narrower}
    if len(ways) > 1:
        conflicts.append("the one has the narrower number, the other the earlier date")
    doubts = [extent.doubt for extent in extents if extent.doubt]
    doubts += _doubts(first, second, opposite=opposite, nested=bool(ways))
    orientation = Orientation.OPPOSITE if opposite else Orientation.SAME
    relation = None if conflicts else _relation(orientation, sum(ways))
    return Comparison(orientation, relation, tuple(conflicts), tuple(doubts))


def _relation(orientation: Orientation, narrower: int) -> Relation:
    if orientation is Orientation.OPPOSITE:
        return Relation.COMPLEMENT
    return {1: Relation.SUBSET, -1: Relation.SUPERSET, 0: Relation.IDENTITY}[narrower]


def _opposite(a: Reading, b: Reading) -> bool:
    """Each of a negation, a way and a result on both sides can turn one against the other; two turn it back."""
    turns = [a.denied != b.denied, a.way * b.way < 0, a.won * b.won < 0]
    return sum(turns) % 2 == 1


def _numbers(a: Reading, b: Reading, *, opposite: bool) -> _Extent:
    only_a, only_b = sorted(a.numbers - b.numbers), sorted(b.numbers - a.numbers)
    if not only_a or not only_b:
        return _Extent(doubt=_one_sided("number", only_a, only_b))
    one_each = len(only_a) == len(only_b) == 1
    if one_each and not opposite and a.way and a.way == b.way:
        return _Extent(a.upward if only_a[0] > only_b[0] else -a.upward)
    return _Extent(conflict=f"different numbers: {_list(only_a)} against {_list(only_b)}")


def _dates(a: Reading, b: Reading, *, opposite: bool) -> _Extent:
    only_a = [date for date in a.dates if not any(date.agrees(other) for other in b.dates)]
    only_b = [date for date in b.dates if not any(date.agrees(other) for other in a.dates)]
    if not only_a or not only_b:
        return _Extent(doubt=_one_sided("date", only_a, only_b))
    ordered = len(only_a) == len(only_b) == 1 and (only_a[0].year is None) == (only_b[0].year is None)
    if ordered and not opposite and a.deadline in _DEADLINES and b.deadline in _DEADLINES:
        earlier = 1 if only_a[0].last < only_b[0].last else -1
        return _Extent(-earlier if a.denied else earlier)
    return _Extent(conflict=f"different dates: {_list(only_a)} against {_list(only_b)}")


def _one_sided(what: str, only_a: Sequence[object], only_b: Sequence[object]) -> str:
    if not only_a and not only_b:
        return ""
    return f"only the {'first' if only_a else 'second'} names the {what} {_list(only_a or only_b)}"


def _doubts(a: Reading, b: Reading, *, opposite: bool, nested: bool) -> Iterator[str]:
    if a.way and b.way and not nested:
        yield from _boundary(a, b)
    elif bool(a.way) != bool(b.way):
        yield f"only the {_which(a.way)} says above or below"
    if a.won * b.won < 0:
        yield "one wins where the other loses: a draw is neither"
    elif bool(a.won) != bool(b.won) and -1 in (a.won, b.won):
        yield f"only the {_which(a.won)} says win or lose"
    if a.denied or b.denied:
        both = "both deny" if a.denied and b.denied else f"the {_which(a.denied)} denies"
        yield f"{both}: read what counts as YES"
    if a.deadline != b.deadline:
        yield f"{a.deadline or 'no word'!r} against {b.deadline or 'no word'!r} before the date"
    yield from _names(a, b)
    if opposite:
        yield "they seem to ask for opposite things"


def _boundary(a: Reading, b: Reading) -> Iterator[str]:
    """A threshold's own value: the same way both count it or neither does, opposite ways exactly one does."""
    if a.upward == b.upward and a.counts_threshold != b.counts_threshold:
        yield "at the threshold itself they differ: ≥ against >"
    if a.upward != b.upward and a.counts_threshold == b.counts_threshold:
        yield f"at the threshold itself {'both are' if a.counts_threshold else 'neither is'} YES"


def _names(a: Reading, b: Reading) -> Iterator[str]:
    only_a, only_b = _unknown(a, b), _unknown(b, a)
    if only_a and only_b:
        yield f"different names: {_list(only_a)} against {_list(only_b)}"
    elif only_a or only_b:
        yield _one_sided("name", only_a, only_b)


def _unknown(a: Reading, b: Reading) -> list[str]:
    """Names of `a` that no word of `b` is like."""
    return sorted(name for name in a.names if not any(fuzz.ratio(name, word) >= SAME_NAME for word in b.words))


def _which(in_first: object) -> str:
    return "first" if in_first else "second"


def _list(items: Sequence[str | Decimal | Date | object]) -> str:
    return ", ".join(f"{item:,f}" if isinstance(item, Decimal) else str(item) for item in items)
