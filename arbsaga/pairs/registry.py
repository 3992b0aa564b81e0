"""`pairs.toml`: the pairs a person has approved, read and checked. Every mistake is one line.

Written by `arbsaga.pairs.writing`, which keeps the person's own comments.
"""

import difflib
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from arbsaga.domain.money import Usd
from arbsaga.errors import ConfigError, UnknownThing, UserError
from arbsaga.pairs.pair import NAME, VENUES, MarketRef, Orientation, Pair, Relation


@dataclass(frozen=True, slots=True)
class Registry:
    """Pairs without a mistake among them, in the order of the file. Raises UserError, one line for each mistake."""

    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        if found := list(mistakes(self.pairs)):
            raise UserError("\n".join(found))

    def get(self, name: str) -> Pair:
        """The pair of this name. Raises UnknownThing."""
        found = {pair.name: pair for pair in self.pairs}
        if name not in found:
            close = difflib.get_close_matches(name, found, n=1)
            hint = f"did you mean {close[0]}?" if close else "`arbsaga pairs list` shows them"
            raise UnknownThing(f"no pair {name!r}: {hint}")
        return found[name]

    def with_pair(self, pair: Pair) -> "Registry":
        """With this pair added, or in the place of the one of its name. Raises UserError for a mistake.

        A name stays with its two markets: trades and their capital are remembered by it.
        """
        before = {known.name: known for known in self.pairs}
        if pair.name in before and before[pair.name].markets != pair.markets:
            taken = before[pair.name]
            raise UserError(f"the name {pair.name} is taken by {taken.a} and {taken.b}: choose another")
        return Registry(tuple((before | {pair.name: pair}).values()))


def load(path: Path) -> Registry:
    """The registry in this file, empty where there is none yet. Raises ConfigError, one line for each mistake."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        return Registry()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    try:
        read = _File.model_validate(written)
        return Registry(tuple(entry.pair() for entry in read.pair))
    except ValidationError as error:
        lines = [_explain(detail, written) for detail in error.errors(include_input=True, include_url=False)]
    except UserError as error:
        lines = str(error).splitlines()
    raise ConfigError("\n".join(f"{path}: {line}" for line in dict.fromkeys(lines)))


def mistakes(pairs: Sequence[Pair]) -> Iterator[str]:
    """What no single entry shows, and what its own keys contradict: one line for each mistake."""
    for pair in pairs:
        if pair.a.market.lower() == pair.b.market.lower():
            yield f"pair {pair.name} pairs {pair.a} with itself: name two markets"
        if pair.orientation is not Orientation.of(pair.relation):
            yield (
                f"pair {pair.name} is inverted: relation {pair.relation} needs orientation "
                f"{Orientation.of(pair.relation)}, not {pair.orientation}; read both texts again"
            )
        for ref in (pair.a, pair.b):
            if ref.venue not in VENUES:
                yield f"pair {pair.name}: no venue {ref.venue!r}, known are {', '.join(VENUES)}"
    for name, times in Counter(pair.name for pair in pairs).items():
        if times > 1:
            yield f"{times} pairs are named {name}: each needs a name of its own"
    for first, second in combinations(pairs, 2):
        if first.markets == second.markets and first.name != second.name:
            yield f"pairs {first.name} and {second.name} are over the same two markets: remove one"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Market(_Table):
    venue: str
    market: str = Field(min_length=1)
    closes: AwareDatetime
    status: str = Field(min_length=1)
    text_sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Pair(_Table):
    name: str = Field(pattern=NAME)
    relation: Relation
    orientation: Orientation
    cap_usd: Annotated[Decimal, Field(ge=0, le=1_000_000)]
    approved_by: str = ""
    approved_at: AwareDatetime | None = None
    void_rule: str = ""
    tie_rule: str = ""
    notes: str = ""
    a: _Market
    b: _Market

    @model_validator(mode="after")
    def _approved_whole(self) -> "_Pair":
        if self.approved_by and self.approved_at is None:
            raise ValueError("approved_at is missing beside approved_by")
        return self

    def pair(self) -> Pair:
        a, b = self.a, self.b
        return Pair(
            name=self.name,
            a=MarketRef(a.venue, a.market),
            b=MarketRef(b.venue, b.market),
            relation=self.relation,
            orientation=self.orientation,
            cutoffs=(_ms(a.closes), _ms(b.closes)),
            statuses=(a.status, b.status),
            hashes=(a.text_sha256, b.text_sha256),
            cap_usd=Usd(self.cap_usd),
            approved_by=self.approved_by,
            approved_ms=_ms(self.approved_at) if self.approved_by and self.approved_at else 0,
            void_rule=self.void_rule,
            tie_rule=self.tie_rule,
            notes=self.notes,
        )


class _File(_Table):
    pair: tuple[_Pair, ...] = ()


def _ms(time: AwareDatetime) -> int:
    return round(time.timestamp() * 1000)


def _explain(detail: ErrorDetails, written: Mapping[str, Any]) -> str:
    """One line: which pair, which key, what is wrong, how to mend it."""
    loc = detail["loc"]
    if len(loc) < 3 and detail["type"] in ("model_type", "dict_type"):
        return f"{_name_of(loc, written)} is {detail['input']!r}: pairs are written as [[pair]] tables"
    if len(loc) < 2:
        wrong = "unknown key" if detail["type"] == "extra_forbidden" else "wrong value of"
        return f"{wrong} {loc[0]}: pairs are written as [[pair]] tables"
    return f"{_name_of(loc, written)}: {_wrong('.'.join(map(str, loc[2:])), detail)}"


def _wrong(key: str, detail: ErrorDetails) -> str:
    known = {
        "missing": f"{key} is missing",
        "extra_forbidden": f"no such key {key}",
        "value_error": detail["msg"].removeprefix("Value error, "),
    }
    if detail["type"] in ("model_type", "dict_type"):
        return f"{key} is {detail['input']!r}: it is written as a [pair.{key}] table"
    if detail["type"] in known:
        return known[detail["type"]]
    if detail["type"] == "enum":
        choices = Orientation if key == "orientation" else Relation
        return f"unknown {key} {detail['input']!r}, choose one of {', '.join(choices)}"
    if key.endswith("text_sha256"):
        return f"{key} is no SHA-256 of 64 hex digits: approve the pair again to write it"
    if key == "name":
        return "a name is 1 to 60 small letters, digits and hyphens"
    return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]}".removeprefix(": ")


def _name_of(loc: tuple[int | str, ...], written: Mapping[str, Any]) -> str:
    number = loc[1] if len(loc) > 1 else 0
    entry = written["pair"][number] if isinstance(number, int) and isinstance(written.get("pair"), list) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"pair {name}" if isinstance(name, str) and name else f"pair number {int(number) + 1}"
