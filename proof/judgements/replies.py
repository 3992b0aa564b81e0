"""What the world may answer to each request of the story, and what becomes of the world by it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

from arbsaga.domain.evidence import decided, merge
from arbsaga.domain.money import NO_SIZE, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView, Purpose
from arbsaga.saga.effects import ABORT, DEADLINE, First
from arbsaga.saga.messages import DepthReport, Market, PlaceLegs, PollFills, ReadBooks, Seen, TradePlan
from arbsaga.saga.simulator.requests import All, Call, Race
from proof.judgements.space import LATE_MS, START_MS, Post, Space, books_of
from proof.judgements.stories import Node, Views
from proof.judgements.venue import Name, Order, Status, World, fill, name_of

STATES = {
    Status.PENDING: OrderState.PENDING,
    Status.LIVE: OrderState.LIVE,
    Status.DONE: OrderState.DONE,
}
FILL_STATUS = (FillStatus.MATCHED, FillStatus.CONFIRMED, FillStatus.FAILED)
HALTED = "trading is halted"
NO_DEPTH = "only 3 shares at the limit"


class Reply(NamedTuple):
    """One possible answer: in words, the world after it, a key that names `value`, and the time it comes."""

    words: str
    world: World
    key: tuple[Any, ...]
    value: Any
    now_ms: int


class _Seen(NamedTuple):
    """How one request to the venue may go for one order: words, the order afterwards, and what is known then."""

    words: str
    order: Order | None
    view: OrderView


class Replies:
    """All answers of one space."""

    def __init__(self, space: Space, plan: TradePlan, views: Views) -> None:
        self._space, self._plan, self._views = space, plan, views
        self._books = {depth: books_of(plan, depth) for depth in space.markets}
        self._looked: dict[tuple[Any, ...], OrderView] = {}
        self._names: dict[tuple[Any, ...], Name] = {}

    def to(self, node: Node, world: World) -> Iterator[Reply]:
        """Every answer to the node's request in this world."""
        match node.request:
            case Race(_, Call(_, ask), deadline_ms, abort):
                yield from self._race(ask, deadline_ms, abort, node.now_ms, world)
            case All(calls):
                yield from self._all(calls, node.now_ms, world)
            case Call("place_legs", ask):
                yield from self._place(ask, node.now_ms, world)
            case Call("read_books", ask):
                yield from self._read_books(ask, node.now_ms, world)
            case Call("validate_depth", _):
                yield from self._depth(node.now_ms, world)
            case Call("sleep", ms):
                yield Reply("time passes", world, ("slept",), None, node.now_ms + ms)
            case Call("page", page):
                paged = world.paged or page.key.endswith("/held")
                yield Reply(
                    f"a person is paged: {page.headline}", world._replace(paged=paged), ("paged",), None, node.now_ms
                )
            case Call("record", record):
                left_out = Seen(record.plan.trade_id, (), node.now_ms)
                yield Reply(f"recorded {record.phase}: {record.reason}", world, ("recorded",), left_out, node.now_ms)

    def look_again(self, views: Sequence[OrderView], world: World, now_ms: int) -> Seen:
        """What the watch over a HELD trade sees of these orders."""
        return Seen(self._plan.trade_id, tuple(self._look(view, world, now_ms) for view in views), now_ms)

    def _depth(self, now_ms: int, world: World) -> Iterator[Reply]:
        late = now_ms + self._plan.patience.send_by
        for words, refusal, when in (("in time", "", now_ms), ("too late", "", late), (NO_DEPTH, NO_DEPTH, now_ms)):
            report = DepthReport(self._plan.trade_id, refusal, when)
            yield Reply(f"depth is checked: {words}", world, ("depth", refusal), report, when)

    def _place(self, ask: PlaceLegs, now_ms: int, world: World) -> Iterator[Reply]:
        """Where the legs are alike, the same outcomes in another order are the same trade under other names."""
        posts = self._space.posts
        deals = (
            combinations_with_replacement(posts, len(ask.orders))
            if self._space.alike
            else product(posts, repeat=len(ask.orders))
        )
        for deal in deals:
            outcomes = [self._post(terms, post, world) for terms, post in zip(ask.orders, deal, strict=True)]
            yield self._posted(ask.trade_id, outcomes, deal, now_ms, world)
        halted = [OrderView(terms, terms.key, OrderState.ABSENT, reason=HALTED) for terms in ask.orders]
        yield Reply(HALTED, world, (HALTED,), Seen(ask.trade_id, tuple(map(self._views.one, halted)), now_ms), now_ms)

    def _posted(
        self, trade_id: str, outcomes: Sequence[_Seen], deal: Sequence[Post], now_ms: int, world: World
    ) -> Reply:
        sent = tuple(outcome.order for outcome in outcomes if outcome.order is not None)
        views = tuple(outcome.view for outcome in outcomes)
        then = now_ms + (self._plan.patience.http if Post.UNKNOWN in deal else 0)
        after = world._replace(orders=world.orders + sent)
        words = "; ".join(outcome.words for outcome in outcomes)
        return Reply(words, after, tuple(map(id, views)), Seen(trade_id, views, then), then)

    def _post(self, terms: OrderTerms, post: Post, world: World) -> _Seen:
        """One order on the wire. The venue refuses a sale of more than it has settled, unless it nets outcomes."""
        name = self._name(terms)
        order, view = Order(name, Status.LOST, 0, ()), OrderView(terms, terms.key, OrderState.UNKNOWN)
        unsold = name.purpose is Purpose.EXIT and name.size > world.sellable(name.token) and not name.unit
        if unsold and post is not Post.UNSENT:
            post = Post.REFUSED
        match post:
            case Post.REFUSED:
                view = replace(view, state=OrderState.DONE, reason="refused")
            case Post.UNSENT:
                view = replace(view, state=OrderState.ABSENT, reason="not sent: too late")
            case Post.UNKNOWN:
                order = order._replace(status=Status.FLIGHT, until_ms=terms.send_by_ms + LATE_MS)
            case Post.RESTS:
                order = order._replace(status=Status.LIVE)
            case Post.DELAYED:
                order = order._replace(status=Status.PENDING)
            case Post.FILLS | Post.COUNTED:
                order = fill(order, name.size)
        view = self._views.one(view)
        if post in (Post.RESTS, Post.DELAYED, Post.FILLS, Post.COUNTED):
            view = self._seen(view, order, counts=post is Post.COUNTED)
        words = f"order {name} ({name.purpose} {name.size / 100:g} {name.token} @ {name.price}) {post.value}"
        return _Seen(words, order, view)

    def _name(self, terms: OrderTerms) -> Name:
        key = (terms.leg, terms.attempt, terms.purpose, terms.instrument.token, terms.size, terms.limit)
        if key not in self._names:
            self._names[key] = name_of(terms)
        return self._names[key]

    def _all(self, calls: Sequence[Call], now_ms: int, world: World) -> Iterator[Reply]:
        if calls[0].name == "exit_leg":
            orders = [call.ask.orders[0] for call in calls]
            for deal in product(self._space.exits, repeat=len(orders)):
                outcomes = [self._post(terms, post, world) for terms, post in zip(orders, deal, strict=True)]
                reply = self._posted(self._plan.trade_id, outcomes, deal, now_ms, world)
                seen = [Seen(self._plan.trade_id, (view,), reply.now_ms) for view in reply.value.orders]
                yield reply._replace(value=seen)
            return
        for outcome in product(*(self._cancels(call.ask.known, world, now_ms) for call in calls)):
            after = world
            for one in outcome:
                after = after if one.order is None else after.with_order(one.order)
            seen = [Seen(self._plan.trade_id, (one.view,), now_ms) for one in outcome]
            key = tuple(id(one.view) for one in outcome)
            yield Reply("; ".join(one.words for one in outcome), after, key, seen, now_ms)

    def _cancels(self, view: OrderView, world: World, now_ms: int) -> list[_Seen]:
        """How a cancel by id and the look after it may go. Held back or unknown to the venue: it cancels nothing."""
        order = world.order(view.terms.leg, view.terms.attempt)
        name = f"{view.terms.leg}/{view.terms.attempt}"
        ends = [(f"cancel of {name}: nothing to cancel", order)]
        if order is not None and order.status == Status.LIVE:
            ends = [(f"cancel of {name} wins", order._replace(status=Status.DONE))]
            if self._space.races:
                ends.append((f"cancel of {name} loses to a fill", fill(order, order.open)))
        found = [_Seen(words, end, self._reading(view, end, now_ms)) for words, end in ends]
        if self._space.errors:
            found += [_Seen(f"{words}, not seen", end, view) for words, end in ends]
            if order is not None and order.status == Status.LIVE:
                found.append(_Seen(f"cancel of {name} fails", order, view))
        return list({(one.order, id(one.view)): one for one in reversed(found)}.values())

    def _race(self, ask: PollFills, deadline_ms: int, abort: bool, now_ms: int, world: World) -> Iterator[Reply]:
        until = max(now_ms, ask.until_ms)
        seen = tuple(self._look(view, world, now_ms) for view in ask.known)
        if decided(zip(ask.known, seen, strict=True), settled=ask.settled):
            yield self._polled("seen", ask, seen, now_ms, world)
            if self._space.lags:
                counted = tuple(self._look(view, world, now_ms, counts=True) for view in ask.known)
                if counted != seen and decided(zip(ask.known, counted, strict=True), settled=ask.settled):
                    yield self._polled("counted", ask, counted, now_ms, world)
        else:
            then = world.at(until)
            seen = tuple(self._look(view, then, until) for view in ask.known)
            yield self._polled("no news in time", ask, seen, until, then)
        if self._space.errors:
            first: First[Seen] = First(DEADLINE, None)
            late = max(now_ms, deadline_ms)
            yield Reply("no answer in time", world.at(late), (DEADLINE,), first, late)
        if abort and world.aborted:
            first = First(ABORT, None)
            yield Reply("the abort is heard", world, (ABORT,), first, now_ms)

    def _polled(self, words: str, ask: PollFills, seen: tuple[OrderView, ...], now_ms: int, world: World) -> Reply:
        value = First("fills", Seen(ask.trade_id, seen, now_ms))
        return Reply(words, world, tuple(map(id, seen)), value, now_ms)

    def _read_books(self, ask: ReadBooks, now_ms: int, world: World) -> Iterator[Reply]:
        looks = {tuple(self._look(view, world, now_ms) for view in ask.known): ""}
        if self._space.errors:
            looks.setdefault(ask.known, ", orders not read")
        settled = tuple((token, Size(Decimal(world.sellable(token)) / 100)) for token in ask.tokens)
        sellables = {settled: ""}
        if self._space.unsettled:
            sellables.setdefault(tuple((token, NO_SIZE) for token in ask.tokens), ", nothing sellable yet")
        for depth, (orders, look), (sellable, ready) in product(self._books, looks.items(), sellables.items()):
            books = tuple(self._books[depth][token] for token in ask.tokens if token in self._books[depth])
            market = Market(ask.trade_id, books, sellable, orders, now_ms)
            key = (depth, sellable, *map(id, orders))
            yield Reply(f"books show {depth}{look}{ready}", world, key, market, now_ms)

    def _look(self, view: OrderView, world: World, now_ms: int, *, counts: bool = False) -> OrderView:
        return self._reading(view, world.order(view.terms.leg, view.terms.attempt), now_ms, counts=counts)

    def _reading(self, view: OrderView, order: Order | None, now_ms: int, *, counts: bool = False) -> OrderView:
        """What every source together shows of an order. That nobody knows it is only noted, with its time."""
        if order is not None and order.status in STATES:
            return self._seen(view, order, counts=counts)
        if view.state is not OrderState.UNKNOWN:
            return self._views.one(view)
        return self._views.one(replace(view, denied_ms=now_ms))

    def _seen(self, view: OrderView, order: Order, *, counts: bool) -> OrderView:
        view = self._views.one(view)
        key = (id(view), order, counts)
        if key not in self._looked:
            fills = () if counts else tuple(_fill_of(order, index, view.terms) for index in range(len(order.fills)))
            matched = Size(Decimal(sum(match.size for match in order.fills)) / 100)
            self._looked[key] = self._views.one(
                merge(replace(view, denied_ms=0), "venue", state=STATES[order.status], fills=fills, matched=matched)
            )
        return self._looked[key]


def _fill_of(order: Order, index: int, terms: OrderTerms) -> Fill:
    match = order.fills[index]
    size = Size(Decimal(match.size) / 100)
    fee = terms.instrument.rules.fee.taker_fee(size, terms.limit)
    if order.name.unit:  # such a venue bills with the fill
        fee = Usd(order.name.fee(match.size))
    return Fill(f"{terms.key}:{index}", size, terms.limit, fee, FILL_STATUS[match.settled], START_MS)
