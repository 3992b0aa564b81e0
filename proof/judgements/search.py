"""Depth first through every reachable state of a space, each once.

A state is a point in the story (`stories`) together with a world (`venue`). From each state either one thing
happens at the exchange, or a person aborts, or the story's request gets one of its possible answers. A state
that is met again on its own path is a life without an end.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from arbsaga.domain.orders import FillStatus, OrderTerms
from arbsaga.saga.simulator.requests import All, Call
from arbsaga.saga.trade import Trade
from proof.judgements.invariants import Invariants
from proof.judgements.replies import Replies
from proof.judgements.requests import Heard
from proof.judgements.space import START_MS, Space, plan_of
from proof.judgements.stories import ABORT, Node, Stories
from proof.judgements.venue import Match, Settled, World, happenings

LOOK_MS = 60_000
"""When the watch over a HELD trade looks again: whatever was in flight has arrived or never will."""
ON_PATH = -1


class Move(NamedTuple):
    """One transition: its words, and the state it leads to."""

    words: str
    node: Node
    world: int


class Violation(NamedTuple):
    """A breach: the sentence, and the choices from the first state that lead to it."""

    sentence: str
    path: tuple[int, ...]


Stack = list[tuple[tuple[int, int], list[Move], int, int]]
"""The path of the search: each state, its moves, which of them is next, and the longest life below so far."""


@dataclass(slots=True)
class Found:
    """What the search of one space came to. `longest`: transitions of the longest life; 0 when it was cut short."""

    space: str
    states: int = 0
    transitions: int = 0
    points: int = 0
    longest: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    breaches: int = 0
    whole: bool = True


class Search:
    """One space. `states` bounds what is visited; a space that is larger than that is not whole."""

    def __init__(self, space: Space, *, states: int = 6_000_000, first_only: bool = False) -> None:
        self.space, self._limit, self._first_only = space, states, first_only
        plan = plan_of(space)
        self._stories = Stories(plan)
        self._replies = Replies(space, plan, self._stories.views)
        self._invariants = Invariants(plan)
        self._worlds: list[World] = []
        self._world_of: dict[World, int] = {}
        self._happenings: dict[int, list[tuple[str, int]]] = {}
        self._unsound: dict[int, list[str]] = {}
        self._sentences: Counter[str] = Counter()
        self.first = Move("the trade is decided", self._stories.first, self._number(World()))

    def run(self) -> Found:
        """Visit every state. The order, and so every number, is the same in each run."""
        found = Found(self.space.name)
        seen: dict[tuple[int, int], int] = {}
        stack: Stack = []
        self._visit(self.first, seen, stack, found)
        while stack and not (found.breaches and self._first_only):
            state, moves, at, longest = stack.pop()
            if at == len(moves):
                seen[state] = longest
                if stack:
                    below, siblings, place, best = stack[-1]
                    stack[-1] = (below, siblings, place, max(best, longest + 1))
                continue
            stack.append((state, moves, at + 1, longest))
            move = moves[at]
            known = seen.get((move.node.number, move.world))
            if known is None:
                if len(seen) >= self._limit:
                    found.whole = False
                    break
                self._visit(move, seen, stack, found)
            elif known == ON_PATH:
                self._breach(found, "I7: a life without an end: the same state again", _path(stack))
            else:
                below, siblings, place, best = stack[-1]
                stack[-1] = (below, siblings, place, max(best, known + 1))
        found.states, found.points = len(seen), len(self._stories.nodes)
        found.longest = max(0, seen[self.first.node.number, self.first.world])
        return found

    def _visit(
        self,
        move: Move,
        seen: dict[tuple[int, int], int],
        stack: Stack,
        found: Found,
    ) -> None:
        state = (move.node.number, move.world)
        seen[state] = ON_PATH
        path = _path(stack)
        try:
            moves = self.moves(move.node, move.world)
            broken = list(self.breaches(move.node, move.world))
        except Exception as error:  # noqa: BLE001 - whatever breaks the story is a finding, told with its path
            moves, broken = [], [f"I7: the story itself breaks: {type(error).__name__}: {error}"]
        found.transitions += len(moves)
        stack.append((state, moves, 0, 0))
        for sentence in broken:
            self._breach(found, sentence, path)
        match move.node.request:
            case Call("record", record):
                found.ends[record.phase] += 1

    def _breach(self, found: Found, sentence: str, path: tuple[int, ...]) -> None:
        """Each kind of breach is told once, with its path; every one is counted."""
        found.breaches += 1
        kind = "".join(letter for letter in sentence if not letter.isdigit())
        self._sentences[kind] += 1
        if self._sentences[kind] == 1:
            found.violations.append(Violation(sentence, path))

    def breaches(self, node: Node, number: int) -> Iterator[str]:
        """What of the promise is broken in this state."""
        world = self._worlds[number]
        if number not in self._unsound:
            self._unsound[number] = list(self._invariants.of_world(world))
        yield from self._unsound[number]
        match node.request:
            case Call("place_legs", ask):
                told = world if node.trade is None else _as_told(world, node.trade)
                yield from self._invariants.of_sending(told, ask.orders, node.now_ms, node.last.abort)
            case All(calls) if calls[0].name == "exit_leg":
                assert node.trade is not None
                told = _as_told(world, node.trade)
                yield from self._invariants.of_sending(told, _orders(calls), node.now_ms, node.last.abort)
            case Call("record", record):
                yield from self._invariants.of_end(world, record)
            case None if node.trade is not None and world.over and not self.moves(node, number):
                assert node.record is not None
                yield from self._invariants.of_money(world, node.record)

    def moves(self, node: Node, number: int) -> list[Move]:
        """Every transition out of a state."""
        world = self._worlds[number]
        if node.request is None:
            return self._after_end(node, number)
        moves = [Move(words, node, after) for words, after in self._happen(number)]
        if self.space.aborts and not world.aborted:
            moves.append(Move("a person aborts", node, self._number(world._replace(aborted=True))))
        for reply in self._replies.to(node, world):
            heard = Heard(reply.value, reply.now_ms, ABORT if reply.world.aborted else "")
            after, shift = self._stories.hear(node, reply.key, heard)
            there = reply.world.at(reply.now_ms).shifted(shift)
            moves.append(Move(reply.words, after, self._number(there)))
        return moves

    def _after_end(self, node: Node, number: int) -> list[Move]:
        """COMMITTED, FLAT and REFUSED are over; a HELD trade is watched on until a person resolves it, at any point."""
        if node.trade is None:
            return []
        moves = [Move(words, node, after) for words, after in self._happen(number)]
        world = self._worlds[number].at(START_MS + LOOK_MS)
        views = tuple(dict.fromkeys(node.trade.open + node.trade.unexplained + node.trade.unsettled))
        if views:
            seen = self._replies.look_again(views, world, START_MS + LOOK_MS)
            after = self._stories.look_again(node, seen, START_MS + LOOK_MS)
            if after is not node:
                moves.append(Move("the watch over the held trade looks", after, self._number(world)))
        return moves

    def _happen(self, number: int) -> list[tuple[str, int]]:
        if number not in self._happenings:
            space = self.space
            things = happenings(
                self._worlds[number],
                part=Decimal(space.part),
                fills=space.fills,
                ghosts=space.ghosts,
                wipes=space.wipes,
            )
            self._happenings[number] = [(words, self._number(world)) for words, world in things]
        return self._happenings[number]

    def _number(self, world: World) -> int:
        number = self._world_of.setdefault(world, len(self._worlds))
        if number == len(self._worlds):
            self._worlds.append(world)
        return number


def _as_told(world: World, trade: Trade) -> World:
    """The world, but a fill that has FAILED since the trade last looked still stands: nobody could know it."""
    failed = {
        (view.terms.leg, view.terms.attempt): {fill.fill_id for fill in view.fills if fill.status is FillStatus.FAILED}
        for view in trade.orders
    }
    orders = []
    for order in world.orders:
        told = failed.get((order.name.leg, order.name.attempt), set())
        fills = tuple(
            match
            if match.settled != Settled.FAILED or f"{trade.plan.trade_id}/{order.name}:{index}" in told
            else Match(match.size, Settled.MATCHED)
            for index, match in enumerate(order.fills)
        )
        orders.append(order._replace(fills=fills))
    return world._replace(orders=tuple(orders))


def _orders(calls: tuple[Call, ...]) -> list[OrderTerms]:
    return [terms for call in calls for terms in call.ask.orders]


def _path(stack: Stack) -> tuple[int, ...]:
    return tuple(at - 1 for _, _, at, _ in stack)


def trace(search: Search, path: tuple[int, ...]) -> list[str]:
    """The words of the transitions along a path, one line each."""
    at, lines = search.first, []
    for choice in path:
        at = search.moves(at.node, at.world)[choice]
        lines.append(at.words)
    return [*lines, *search.breaches(at.node, at.world)]
