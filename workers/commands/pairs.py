"""`arbsaga pairs`: suggest, approve, list and check pairs of markets. Only a person approves one."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from arbsaga.domain.money import Usd, ceil_to
from arbsaga.errors import Unavailable, UserError, VenueError
from arbsaga.pairs import Disabled, MarketRef, Orientation, Pair, Relation
from arbsaga.pairs.approving import Approval, approve
from arbsaga.pairs.asking import Stated, ask, states
from arbsaga.pairs.checking import when
from arbsaga.pairs.polarity import compare
from arbsaga.pairs.registry import load
from arbsaga.pairs.suggest import Candidate
from arbsaga.pairs.suggest import suggest as find
from arbsaga.pairs.writing import change
from arbsaga.venues.port import Question, Venue
from workers import console
from workers.commands.options import ConfigFile, DataDir, Json, number, read
from workers.console import show
from workers.site import open_venues, pairs_file, venues_of

pairs = typer.Typer(help="Pairs of markets that a person has compared and approved.", no_args_is_help=True)

_Answer = TypeVar("_Answer")
_Name = Annotated[str, typer.Argument(help="The pair's name: small letters, digits, hyphens.")]
_Market = typer.Option(metavar="VENUE:MARKET", help="polymarket:CONDITION_ID or kalshi:TICKER.")


@pairs.command("suggest")
def suggest_command(
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many, likeliest first.")] = 10,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Look for markets of two venues that may ask the same, and show both rule texts."""
    config, folder = read(config_file, data_dir)
    known = [pair.markets for pair in load(pairs_file(config, folder)).pairs]
    names = venues_of(config, folder)
    if len(names) < 2:
        raise UserError('suggestions need two venues: set venues = ["polymarket", "kalshi"]')

    async def look(venues: Mapping[str, Venue]) -> list[tuple[Candidate, Question, Question]]:
        first, second = (venues[name] for name in names[:2])
        listed = await asyncio.gather(first.events(), second.events())
        found = await asyncio.to_thread(find, *listed, known=known, limit=limit)
        return [(one, await ask(one.a, venues), await ask(one.b, venues)) for one in found]

    found = _asked(open_venues(config, folder), look)
    shown = [_side_by_side(a, b, _why(candidate)) for candidate, a, b in found]
    value = [asdict(candidate) | {"text_a": asdict(a), "text_b": asdict(b)} for candidate, a, b in found]
    show({"suggestions": value}, Group(*shown) if shown else "No two open markets look alike.", as_json=as_json)


@pairs.command("approve")
def approve_command(
    *,
    name: _Name,
    a: Annotated[str, _Market],
    b: Annotated[str, _Market],
    relation: Annotated[Relation, typer.Option(help="What YES of a says about YES of b; see docs/pairs.md.")],
    by: Annotated[str, typer.Option(metavar="PERSON", help="Who has read both texts.")],
    void: Annotated[str, typer.Option(metavar="TEXT", help="How both resolve a cancelled event; none: there is none.")],
    tie: Annotated[str, typer.Option(metavar="TEXT", help="How both resolve a draw; none: there can be none.")],
    cap: Annotated[str | None, typer.Option(metavar="USD", help="At most so much in the pair at a time.")] = None,
    orientation: Annotated[
        Orientation | None, typer.Option(help="Overrules the test of the titles: same or opposite questions.")
    ] = None,
    notes: Annotated[str, typer.Option(metavar="TEXT", help="Whatever the next reader should know.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the typed word.")] = False,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show both rule texts and, once the relation is typed, approve the pair or approve it anew."""
    config, folder = read(config_file, data_dir)
    refs, file = (MarketRef.parse(a), MarketRef.parse(b)), pairs_file(config, folder)
    registry = load(file)
    cap_usd = config.pairs.cap if cap is None else _usd(cap)
    words = _said("--void", "a cancelled event", void), _said("--tie", "a draw", tie)
    approval = Approval(name, relation, by, Usd(cap_usd), orientation, *words, notes)

    async def both(venues: Mapping[str, Venue]) -> tuple[Question, Question]:
        first, second = await asyncio.gather(*(ask(ref, venues) for ref in refs))
        return first, second

    first, second = _asked(open_venues(config, folder), both)
    pair = approve(approval, first, second, _now_ms())
    registry.with_pair(pair)
    if not as_json or not yes:
        Console(stderr=True).print(_side_by_side(first, second, _doubts(first, second)))
    if not yes:
        _require_typed(relation)
    change(file, lambda now: now.with_pair(pair))  # another one may have been approved meanwhile
    human = Text(f"Approved {name}: {relation}, at most ${pair.cap_usd}; written to {file}")
    show({"approved": name, "relation": relation, "cap_usd": pair.cap_usd, "file": str(file)}, human, as_json=as_json)


@pairs.command("list")
def list_command(config_file: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the pairs with their state, days until both markets pay, and cap."""
    found = _stated(config_file, data_dir)
    show({"pairs": [_brief(one) for one in found]}, _table(found), as_json=as_json)


@pairs.command("check")
def check_command(config_file: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> int:
    """Ask the venues whether every pair is still as it was approved; exit code 1 where one is disabled."""
    found = _stated(config_file, data_dir)
    lines = [f"{one.pair.name}: {_reason(one) or 'live'} ({_rules(one.pair)})" for one in found]
    lines = lines or ["There are no pairs."]
    show({"pairs": [_brief(one) for one in found]}, Text("\n".join(lines)), as_json=as_json)
    return console.FAILED if any(isinstance(one.state, Disabled) for one in found) else console.OK


def _stated(config_file: ConfigFile, data_dir: DataDir) -> tuple[Stated, ...]:
    config, folder = read(config_file, data_dir)
    registry = load(pairs_file(config, folder))
    if not registry.pairs:
        return ()
    paper = config.mode == "paper"
    return _asked(open_venues(config, folder), lambda venues: states(registry.pairs, venues, _now_ms(), paper=paper))


def _asked(venues: Mapping[str, Venue], question: Callable[[Mapping[str, Venue]], Awaitable[_Answer]]) -> _Answer:
    """Ask the venues, and release their connections. Reads need no start. Raises Unavailable, UnknownThing."""

    async def run() -> _Answer:
        async with AsyncExitStack() as stack:
            for venue in venues.values():
                stack.push_async_callback(venue.close)
            try:
                return await question(venues)
            except VenueError as error:
                said = " ".join(str(error).split())
                raise Unavailable(
                    f"a venue gave no usable answer ({said}): try again, or run `arbsaga doctor`"
                ) from None

    return asyncio.run(run())


def _require_typed(relation: Relation) -> None:
    """Raises UserError for any other word, and where nobody can type one."""
    sys.stderr.write(f"Type {relation} to approve: ")
    typed = sys.stdin.readline()
    if not typed:
        raise UserError("nobody is there to type the relation: give --yes to approve without it")
    if typed.strip() != relation:
        raise UserError(f"not approved: {typed.strip()!r} is not {relation}")


def _said(option: str, what: str, text: str) -> str:
    """The person's words. Raises UserError for none: two texts that treat it differently are no pair."""
    if not text.strip():
        raise UserError(f"{option} is empty: say how both resolve {what}, or none where neither text can meet it")
    return text.strip()


def _usd(text: str) -> Decimal:
    amount = number(text, f"--cap {text!r} is not a number of USD")
    if not 0 <= amount <= 1_000_000:
        raise UserError(f"--cap {text} is not between 0 and 1000000 USD")
    return amount


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _side_by_side(a: Question, b: Question, caption: RenderableType) -> RenderableType:
    table = Table(show_lines=True, expand=True)
    for question in (a, b):
        table.add_column(Text(f"{question.venue}:{question.market}"), ratio=1, overflow="fold")
    table.add_row(*(Text(question.title, "bold") for question in (a, b)))
    table.add_row(*(Text(f"{question.status}, closes {when(question.closes_ms)}") for question in (a, b)))
    table.add_row(*(Text(question.rules or "no rules text") for question in (a, b)))
    return Group(table, caption)


def _why(candidate: Candidate) -> RenderableType:
    command = f"arbsaga pairs approve NAME --a {candidate.a} --b {candidate.b} --relation {candidate.relation} --by YOU"
    command += " --void HOW --tie HOW"
    lines = [f"score {candidate.score}: {', '.join(candidate.why)}", f"looks like {candidate.relation}"]
    return Text("\n".join([*lines, *(f"look at: {doubt}" for doubt in candidate.doubts), command, ""]))


def _doubts(a: Question, b: Question) -> RenderableType:
    compared = compare(a.title, b.title)
    return Text("\n".join(f"look at: {line}" for line in (*compared.conflicts, *compared.doubts)), "yellow")


def _table(found: tuple[Stated, ...]) -> RenderableType:
    if not found:
        return "There are no pairs. `arbsaga pairs suggest` looks for some."
    table = Table("pair", "relation", "state", "days", "cap USD", "markets")
    for one in found:
        told = Text(_reason(one) or "live", "red" if _reason(one) else "green")
        markets = Text(f"{one.pair.a}\n{one.pair.b}")
        days = _days(one)
        table.add_row(
            one.pair.name,
            one.pair.relation,
            told,
            "?" if days is None else str(days),
            str(one.pair.cap_usd),
            markets,
        )
    return table


def _brief(one: Stated) -> dict[str, Any]:
    pair = one.pair
    return {
        "name": pair.name,
        "a": str(pair.a),
        "b": str(pair.b),
        "relation": pair.relation,
        "state": "disabled" if _reason(one) else "live",
        "reason": _reason(one),
        "days": _days(one),
        "cap_usd": pair.cap_usd,
        "approved_by": pair.approved_by,
        "void_rule": pair.void_rule,
        "tie_rule": pair.tie_rule,
    }


def _rules(pair: Pair) -> str:
    return f"void: {pair.void_rule or 'not said'}; tie: {pair.tie_rule or 'not said'}"


def _days(one: Stated) -> Decimal | None:
    """In tenths, rounded up: capital is locked so long."""
    return None if one.days is None else ceil_to(one.days, Decimal("0.1"))


def _reason(one: Stated) -> str:
    return one.state.reason if isinstance(one.state, Disabled) else ""
