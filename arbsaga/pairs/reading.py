"""Reads a question's title: what it denies, which way it points, its numbers, dates and names. By rule, not by guess.

Good enough to raise a doubt, never to settle one: a person reads both texts before anything is traded.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

MONTHS: Final = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)}  # fmt: skip
_MONTH: Final = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_DAY: Final = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_DATES: Final = tuple(
    re.compile(rf"\b{pattern}\b", re.IGNORECASE)
    for pattern in (
        r"(?P<year>20\d\d)-(?P<month>[01]\d)-(?P<day>[0-3]\d)",
        rf"(?P<month>{_MONTH})\.?\s+{_DAY}(?:,?\s+(?P<year>20\d\d))?(?!,?\d)",
        rf"{_DAY}\s+(?:of\s+)?(?P<month>{_MONTH})\.?(?:,?\s+(?P<year>20\d\d))?",
        rf"(?P<month>{_MONTH})\.?,?\s+(?P<year>20\d\d)",
        r"(?P<year>20\d\d)",
        rf"(?:(?<=\bin )|(?<=\bby )|(?<=\bbefore ))(?P<month>{_MONTH})",
    )
)
"""The most exact form first: what one form has read is blank for the next."""
_NUMBER: Final = re.compile(
    r"(?<![A-Za-z\d.])(?P<sign>[-−](?=\d))?\$?(?P<digits>\d[\d,]*(?:\.\d+)?)\s?"
    r"(?P<unit>k|m|mn|million|b|bn|billion|trillion|thousand|bps|bp|basis points)?(?![A-Za-z\d])",
    re.IGNORECASE,
)
_UNITS: Final = {
    "k": "1e3", "thousand": "1e3", "m": "1e6", "mn": "1e6", "million": "1e6", "b": "1e9", "bn": "1e9",
    "billion": "1e9", "trillion": "1e12", "bps": "1e-2", "bp": "1e-2", "basis points": "1e-2",
}  # fmt: skip
_PHRASES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\bwon['’]t\b", "will not"),
        (r"\bcan['’]t\b", "can not"),
        (r"n['’]t\b", " not"),
        (r"\bcannot\b", "can not"),
        (r"\b(?:no|not) (?:more|greater|higher) than\b", " at most "),
        (r"\b(?:no|not) (?:less|fewer|lower) than\b", " at least "),
        (r"\b(?:no|not) later than\b", " by "),
        (r"\b(?:greater|more|higher) than or equal to\b|>=|≥", " at least "),
        (r"\b(?:less|lower|fewer) than or equal to\b|<=|≤", " at most "),
        (r"\bor (?:more|higher|above|greater|over)\b|(?<=\d)\+", " at least "),
        (r"\bor (?:less|lower|below|fewer|under)\b", " at most "),
        (r"\bmore than\b|>", " above "),
        (r"\bless than\b|\bfewer than\b|<", " below "),
        (r"(?<=\d)(?:st|nd|rd|th)\b", ""),
    )
)
"""Phrases whose words would mislead one by one, and what they come to."""
_NEGATIONS: Final = frozenset(
    ("not", "no", "never", "without", "fail", "fails", "failed", "neither", "nobody", "none", "nor")
)
_UP: Final = frozenset(
    ("above", "over", "higher", "greater", "exceed", "exceeds", "up", "rise", "rises", "increase", "increases",
     "gain", "gains", "hit", "hits", "reach", "reaches", "atleast")
)  # fmt: skip
_DOWN: Final = frozenset(
    ("below", "under", "lower", "fewer", "less", "down", "fall", "falls", "drop", "drops", "decrease", "decreases",
     "decline", "declines", "atmost")
)  # fmt: skip
_INCLUSIVE: Final = frozenset(("atleast", "atmost", "reach", "reaches", "hit", "hits"))
_WIN: Final = frozenset(("win", "wins", "won", "beat", "beats", "defeat", "defeats"))
_LOSE: Final = frozenset(("lose", "loses", "lost"))
_DEADLINE: Final = re.compile(r"\b(by|before|until|through|after|on|in)\s+(?:the end of\s+)?§", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W\d_][\w'’&.-]*[\w]|[^\W\d_]")
_PLAIN: Final = frozenset((
    "a", "an", "and", "any", "are", "at", "be", "become", "before", "best", "between", "by", "can", "close", "closes",
    "did", "do", "does", "for", "from", "game", "has", "have", "highest", "how", "if", "in", "is", "it", "its",
    "least", "lowest", "many", "market", "may", "match", "more", "most", "much", "next", "of", "on", "or", "party",
    "person", "price", "race", "season", "than", "that", "the", "there", "this", "time", "to", "was", "were", "what",
    "when", "where", "which", "who", "whom", "will", "win", "winner", "wins", "with", "yes", "§",
))  # fmt: skip
"""Words that are no name though they may stand first, or in a title that has every word in capitals."""


@dataclass(frozen=True, slots=True)
class Date:
    """A date as far as a title tells it; None is what it leaves open."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def agrees(self, other: "Date") -> bool:
        """Whether both can be the same day."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)

    @property
    def last(self) -> tuple[int, int, int]:
        """Sorts by the last day that it can mean."""
        return (self.year or 0, self.month or 13, self.day or 32)

    def __str__(self) -> str:
        month = list(MONTHS)[self.month - 1].title() if self.month else None
        return " ".join(str(part) for part in (self.day, month, self.year) if part is not None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a title says.

    `denied`: an odd number of negations. `way`: +1 above or up, -1 below or down, 0 neither or both. `inclusive`:
    whether the threshold itself counts. `won`: +1 win, -1 lose, 0 neither. `deadline`: the word before its date.
    """

    text: str
    denied: bool
    way: int
    inclusive: bool
    won: int
    deadline: str
    numbers: frozenset[Decimal]
    dates: tuple[Date, ...]
    names: frozenset[str]
    words: frozenset[str]

    @property
    def upward(self) -> int:
        """`way`, with the negation worked in: not above is at most."""
        return -self.way if self.denied else self.way

    @property
    def counts_threshold(self) -> bool:
        """`inclusive`, with the negation worked in."""
        return self.inclusive != self.denied


def read(text: str) -> Reading:
    """Read a title."""
    blanked, dates = _take_dates(text)
    plain = blanked
    for pattern, put in _PHRASES:
        plain = pattern.sub(put, plain)
    words = _WORD.findall(plain.lower().replace("at least", "atleast").replace("at most", "atmost"))
    deadline = _DEADLINE.search(plain)
    return Reading(
        text=text,
        denied=sum(word in _NEGATIONS for word in words) % 2 == 1,
        way=_sign(words, _UP, _DOWN),
        inclusive=any(word in _INCLUSIVE for word in words),
        won=_sign(words, _WIN, _LOSE),
        deadline=deadline[1].lower() if deadline else "",
        numbers=frozenset(map(_number, _NUMBER.finditer(plain))),
        dates=tuple(dates),
        names=_names(plain),
        words=frozenset(words),
    )


def _take_dates(text: str) -> tuple[str, list[Date]]:
    """The text with `§` for each date, so that no part of one is read as a number or a name; and the dates."""
    found: list[Date] = []

    def take(match: re.Match[str]) -> str:
        parts = match.groupdict()
        month = parts.get("month")
        number = (int(month) if month.isdecimal() else MONTHS[month[:3].lower()]) if month else None
        found.append(Date(_int(parts.get("year")), number, _int(parts.get("day"))))
        return " § "

    for pattern in _DATES:
        text = pattern.sub(take, text)
    return text, found


def _int(text: str | None) -> int | None:
    return int(text) if text else None


def _sign(words: list[str], plus: frozenset[str], minus: frozenset[str]) -> int:
    """Both (a range, "between") say nothing about the way."""
    return any(word in plus for word in words) - any(word in minus for word in words)


def _number(match: re.Match[str]) -> Decimal:
    size = Decimal(_UNITS.get((match["unit"] or "").lower(), "1"))
    value = Decimal(match["digits"].replace(",", "")) * size
    return (-value if match["sign"] else value).normalize()


def _names(text: str) -> frozenset[str]:
    words = _WORD.findall(text)
    return frozenset(word.lower() for word in words if word[0].isupper() and not _is_plain(word.lower()))


def _is_plain(word: str) -> bool:
    return word in _PLAIN | _NEGATIONS | _UP | _DOWN | _WIN | _LOSE
