"""Where a story can stand: a node is a trade at the start of a step and the answers it has heard since.

The same node is reached by many worlds; the real story runs once for each node, not for each state.

Time is counted from now: at the start of a step every time is shifted so that now is START_MS. When an order that
is over was sent matters to no judgement, except that the last order's time starts the settlement limit; so those
that are over are all dated like the last one. `tests/proof/test_judgements.py` holds the judge to that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from arbsaga.domain.orders import OrderView
from arbsaga.saga import judge, story
from arbsaga.saga.messages import Phase, Seen, TradePlan, TradeRecord
from arbsaga.saga.simulator.requests import Request
from arbsaga.saga.trade import Trade
from proof.judgements.requests import Heard, Story, run
from proof.judgements.space import START_MS

ABORT = "a person asked"


@dataclass(slots=True, eq=False)
class Node:
    """A point in a story. `request` None: it has ended, with `record`; a HELD one goes on being watched.

    `trade` is what was known when the step began (None while entering), `abort` whether the story has heard of one.
    """

    number: int
    trade: Trade | None
    start: Heard
    heard: tuple[Heard, ...]
    request: Request | None
    record: TradeRecord | None = None
    after: dict[tuple[Any, ...], tuple["Node", int]] = field(default_factory=dict)

    @property
    def last(self) -> Heard:
        """The last answer: it carries the time and the abort wish as the story sees them."""
        return self.heard[-1] if self.heard else self.start

    @property
    def now_ms(self) -> int:
        """The story's time."""
        return self.last.now_ms


class Views:
    """One object for each equal view, so that views are compared by identity."""

    def __init__(self) -> None:
        self._views: dict[OrderView, OrderView] = {}
        self._kept: set[int] = set()
        self._moved: dict[tuple[int, int, int], OrderView] = {}

    def one(self, view: OrderView) -> OrderView:
        """The one object that is equal to `view`, its evidence lines left out: nothing is judged by them."""
        if id(view) in self._kept:
            return view
        if view.evidence:
            view = replace(view, evidence=())
        view = self._views.setdefault(view, view)
        self._kept.add(id(view))
        return view

    def moved(self, orders: Iterable[OrderView], now_ms: int) -> tuple[OrderView, ...]:
        """The views with times counted from START_MS as now, and those that are over dated like the last one."""
        orders = [self.one(view) for view in orders]
        last = max(view.terms.created_ms for view in orders)
        return tuple(self._move(view, last, now_ms - START_MS) for view in orders)

    def _move(self, view: OrderView, last_ms: int, shift: int) -> OrderView:
        key = (id(view), last_ms, shift)
        if key not in self._moved:
            over = view.state.final
            life = view.terms.send_by_ms - view.terms.created_ms
            created = (last_ms if over else view.terms.created_ms) - shift
            terms = replace(view.terms, created_ms=created, send_by_ms=created + life)
            denied = view.denied_ms - shift if view.denied_ms and not over else 0
            self._moved[key] = self.one(replace(view, terms=terms, denied_ms=denied))
        return self._moved[key]


class Stories:
    """Every node of one plan's story, made as they are reached."""

    def __init__(self, plan: TradePlan) -> None:
        self.plan, self.views = plan, Views()
        self.nodes: list[Node] = []
        self._steps: dict[tuple[Any, ...], Node] = {}
        self.first = self._at(None, Heard(None, START_MS, ""), ())[0]

    def hear(self, node: Node, key: tuple[Any, ...], answer: Heard) -> tuple[Node, int]:
        """The node after an answer, and by how many ms the times were shifted. `key` names the answer's value."""
        full = (*key, answer.now_ms, answer.abort)
        if full not in node.after:
            node.after[full] = self._at(node.trade, node.start, (*node.heard, answer))
        return node.after[full]

    def look_again(self, node: Node, seen: Seen, now_ms: int) -> Node:
        """What `workflows/held.py` keeps of a HELD trade after one more look at its orders."""
        assert node.trade is not None
        assert node.record is not None
        after = judge.conclude(node.trade.with_orders(seen.orders), now_ms)
        return self._held(after, node.record)

    def _at(self, trade: Trade | None, start: Heard, heard: tuple[Heard, ...]) -> tuple[Node, int]:
        plan = self.plan
        tell: Story = (lambda fx: story.take_step(fx, trade)) if trade else (lambda fx: story.enter(fx, plan))
        came = run(tell, start, heard)
        if isinstance(came, TradeRecord):
            return self._ended(came), 0
        if not isinstance(came, Trade):
            return self._new(Node(len(self.nodes), trade, start, heard, came)), 0
        now_ms = heard[-1].now_ms
        shift = now_ms - START_MS
        blind_ms = came.blind_ms - shift if came.blind_ms else 0
        moved = replace(came, orders=self.views.moved(came.orders, now_ms), blind_ms=blind_ms)
        return self._step(moved, heard[-1].abort), shift

    def _step(self, trade: Trade, abort: str) -> Node:
        key = (*map(id, trade.orders), trade.fruitless, trade.cancels, trade.paged, trade.blind_ms, abort)
        if key not in self._steps:
            self._steps[key] = self._at(trade, Heard(None, START_MS, abort), ())[0]
        return self._steps[key]

    def _ended(self, record: TradeRecord) -> Node:
        if record.phase is Phase.HELD:
            return self._held(Trade(record.plan, record.orders), record)
        return self._new(Node(len(self.nodes), None, Heard(None, START_MS, ""), (), None, record))

    def _held(self, trade: Trade, record: TradeRecord) -> Node:
        orders = self.views.moved(trade.orders, START_MS)
        key = ("held", *map(id, orders))
        if key not in self._steps:
            kept = Trade(self.plan, orders)
            record = kept.record(Phase.HELD, "", START_MS)
            node = Node(len(self.nodes), kept, Heard(None, START_MS, ""), (), None, record)
            self._steps[key] = self._new(node)
        return self._steps[key]

    def _new(self, node: Node) -> Node:
        self.nodes.append(node)
        return node
