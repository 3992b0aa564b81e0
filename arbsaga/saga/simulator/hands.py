"""A worker's hands at the exchange, with everything that can go wrong between the two.

It posts, looks and cancels by the rules of `activities/trading.py` and the Polymarket prover: an order is
written down before it is sent, what was written before is looked up instead, no byte leaves after
`send_by`, and that an order is not known is said only after its id, its trades and a cancel said so.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial

from arbsaga.domain.books import Book, Level
from arbsaga.domain.evidence import merge
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose
from arbsaga.saga.messages import CancelLeg, Market, PlaceLegs, ReadBooks, Seen, TradePlan, TradeRecord
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.exchange import BALANCE_REFUSAL, DUPLICATED, Cancelled, Gate, Shown, SimExchange, order_id
from arbsaga.saga.simulator.verdict import Witness
from arbsaga.saga.simulator.weather import LATEST_MS, Luck

HEARTBEAT_MS = 2_000
"""A worker that is silent for so long is declared dead (`workflows/runtime.py`)."""
GONE_MS = 15_000
"""An accepted order that nobody knows any more for so long, cancels included, is over (the Polymarket prover)."""
BUSY = {
    "425 the engine restarts": OrderState.UNKNOWN,
    "429 Too Many Requests": OrderState.DONE,
    "500 order timed out": OrderState.UNKNOWN,
    "503 trading is disabled": OrderState.UNKNOWN,
    "503 post-only mode": OrderState.DONE,
}
"""What an answer proves: UNKNOWN nothing, DONE that nothing rests or filled (`venues/polymarket/outcome.py`)."""


class Hands:
    """`intents` are the orders written down before they were sent; they outlive every worker and reset."""

    def __init__(self, plan: TradePlan, clock: Clock, exchange: SimExchange, witness: Witness) -> None:
        self.plan, self.clock, self.exchange, self.witness = plan, clock, exchange, witness
        self.luck: Luck = exchange.luck
        self.intents: dict[str, OrderTerms] = {}
        self.instruments = {leg.instrument.token: leg.instrument for leg in plan.basket.legs}
        self.instruments |= {leg.instrument.complement: leg.instrument.other() for leg in plan.basket.legs}
        self.halted = ""
        self.crashes = 0

    def entered(self) -> bool:
        """Whether the plan's orders were written down before."""
        return bool(self.intents)

    def place(self, ask: PlaceLegs, answer: Callable[[Seen], None], *, entry: bool) -> None:
        """Intents first, then every order at once. What was written before is looked up, never sent again."""
        fresh = [terms for terms in ask.orders if terms.key not in self.intents]
        stop = self._stop(ask) if entry and len(fresh) == len(ask.orders) else ""
        if stop:
            views = [self._blank(terms, OrderState.ABSENT, stop) for terms in ask.orders]
            self._answer(ask, views, self._latency(), answer)
            return
        self.intents |= {terms.key: terms for terms in fresh}
        if not self.luck.strikes("zombie"):
            self._send(ask, fresh, answer, self.clock.now_ms)
            return
        pause, asked_ms = self.luck.between(100, 10_000), self.clock.now_ms
        if pause < HEARTBEAT_MS:
            self.clock.after(pause, lambda: self._send(ask, fresh, answer, asked_ms))
            return
        self._answer(ask, self._unknown(ask), HEARTBEAT_MS, answer)
        self.clock.after(pause, lambda: self._send(ask, fresh, _nobody, asked_ms))

    def _stop(self, ask: PlaceLegs) -> str:
        """Why nothing more is entered."""
        undoing = ask.follows and any(terms.purpose is not Purpose.ENTER for terms in self.intents.values())
        return self.halted or ("undoing has begun" if undoing else "")

    def _send(self, ask: PlaceLegs, fresh: list[OrderTerms], answer: Callable[[Seen], None], asked_ms: int) -> None:
        """Post what is fresh; a worker that dies before, between or after the posts leaves them UNKNOWN."""
        dies = self.luck.choice(("before", "between", "after")) if self.luck.strikes("crash") else ""
        leaves = {"before": 0, "between": 1}.get(dies, len(fresh))
        posted = [self._post(terms, asked_ms) for terms in fresh[:leaves]]
        if dies:
            self.crashes += 1
            self.clock.tell("worker", f"dies {dies} the posts")
            self._answer(ask, self._unknown(ask), self.luck.between(500, 3_000), answer)
            return
        views = {view.terms.key: view for view, _ in posted}
        before = [self.intents[terms.key] for terms in ask.orders if terms.key not in views]
        views |= {terms.key: self.look(self._blank(terms)) for terms in before}
        wait = max([self._latency(), *(latency for _, latency in posted)])
        self._answer(ask, [views[terms.key] for terms in ask.orders], wait, answer)

    def _answer(self, ask: PlaceLegs, views: list[OrderView], wait: int, answer: Callable[[Seen], None]) -> None:
        seen = Seen(ask.trade_id, tuple(views), self.clock.now_ms + wait)
        self.clock.after(wait, lambda: answer(seen))

    def _unknown(self, ask: PlaceLegs) -> list[OrderView]:
        return [self._blank(self.intents[terms.key]) for terms in ask.orders]

    @staticmethod
    def _blank(terms: OrderTerms, state: OrderState = OrderState.UNKNOWN, reason: str = "") -> OrderView:
        return OrderView(terms, order_id(terms), state, reason=reason)

    def _latency(self) -> int:
        return self.luck.between(1, self.luck.weather.latency_ms)

    def _post(self, terms: OrderTerms, asked_ms: int) -> tuple[OrderView, int]:
        """One order: what its poster learns, and after how many ms."""
        if too_late(terms, self.clock.now_ms):
            self.clock.tell("worker", f"does not send {terms.key}: too late")
            return self._blank(terms, OrderState.ABSENT, "not sent: too late"), 0
        self.witness.sends(terms, asked_ms)
        gate = self.exchange.gate(terms.instrument)
        if gate is Gate.DOWN:
            return self._blank(terms), self._latency()
        if gate is Gate.PAUSED:
            return self._blank(terms, OrderState.DONE, "409 trading_is_paused"), self._latency()
        if gate is Gate.POST_ONLY:
            return self._blank(terms, OrderState.DONE, "503 post-only mode"), self._latency()
        if self._unheard(terms):
            return self._blank(terms), self.plan.patience.http
        return self._answered(terms), self._latency()

    def _unheard(self, terms: OrderTerms) -> bool:
        """Whether no answer comes: the order never arrives, arrives late, or its answer is lost."""
        if self.luck.strikes("lost"):
            return True
        if self.luck.strikes("late"):
            self.clock.after(self.luck.between(1, self.luck.weather.late_ms), partial(self.exchange.deliver, terms))
            return True
        if self.luck.strikes("drop"):
            self.exchange.deliver(terms)
            return True
        return False

    def _answered(self, terms: OrderTerms) -> OrderView:
        if self.luck.strikes("refuse"):
            return self._blank(terms, OrderState.DONE, BALANCE_REFUSAL)
        if self.luck.strikes("busy"):
            return self._busy(terms)
        refusal = self.exchange.deliver(terms)
        if self.luck.strikes("repeated"):
            refusal = self.exchange.deliver(terms)
        if refusal == DUPLICATED:
            return self._blank(terms)  # it proves that an order arrived, and nothing of its fate
        return self._blank(terms, OrderState.DONE, refusal) if refusal else self._accepted(self._blank(terms))

    def _busy(self, terms: OrderTerms) -> OrderView:
        text = self.luck.choice(tuple(BUSY))
        if text.startswith("500") and self.luck.random() < 0.5:
            self.exchange.deliver(terms)
        return self._blank(terms, BUSY[text], text if BUSY[text].final else "")

    def _accepted(self, blank: OrderView) -> OrderView:
        """The answer states the matched size; the fills come by the stream, before it or after."""
        shown = self.exchange.orders[blank.order_id].versions[-1]
        fills = shown.fills if self.luck.random() < 0.5 else ()
        return merge(blank, "post", state=shown.state, fills=fills, matched=shown.matched)

    def look(self, view: OrderView) -> OrderView:
        """What every source says of an order. One that should exist and nobody knows is cancelled by id."""
        if self._fails(view.terms.instrument):
            return view
        seen, negative = self._read(view)
        if negative and seen.state in (OrderState.UNKNOWN, OrderState.PENDING):
            return self._after(seen, self.exchange.cancel(view.order_id))
        return seen

    def cancel(self, ask: CancelLeg) -> Seen:
        """Cancel by id, then look. A cancel that fails, or whose answer is lost, proves nothing."""
        instrument = ask.known.terms.instrument
        said = None if self._fails(instrument) else self.exchange.cancel(ask.known.order_id)
        if self.luck.strikes("mute"):
            said = None
        seen, negative = (ask.known, False) if self._fails(instrument) else self._read(ask.known)
        if said is not None and negative:
            seen = self._after(seen, said)
        return Seen(ask.trade_id, (seen,), self.clock.now_ms)

    def _fails(self, instrument: Instrument) -> bool:
        return self.luck.strikes("error") or self.exchange.gate(instrument) is Gate.DOWN

    def _read(self, view: OrderView) -> tuple[OrderView, bool]:
        """The view with what reading adds, and whether the order is not known by its id."""
        shown, by_id = self._shown(view)
        if shown is None:
            return view, True
        if by_id:
            seen = merge(view, "by id", state=shown.state, fills=shown.fills, matched=shown.matched)
        elif shown.fills:
            seen = merge(view, "trades", state=OrderState.LIVE, fills=shown.fills)
            if seen.filled + seen.failed >= view.terms.size:
                seen = merge(seen, "trades", state=OrderState.DONE)
        else:
            return view, True
        if self.luck.strikes("echo"):
            old = self.exchange.orders[view.order_id].versions[0]
            seen = merge(seen, "stream", state=old.state, fills=old.fills, matched=old.matched)
        return (replace(seen, denied_ms=0) if seen.denied_ms else seen), not by_id

    def _shown(self, view: OrderView) -> tuple[Shown | None, bool]:
        """What a reader is shown of an order, and whether it is found by its id.

        Evidence may come late and by halves, but after `LATEST_MS` the venue shows that an order exists.
        """
        order, now_ms = self.exchange.orders.get(view.order_id), self.clock.now_ms
        if order is None:
            return None, False
        certain = now_ms >= view.terms.send_by_ms + LATEST_MS - 1
        as_of = now_ms
        if self.exchange.silent:
            as_of = self.exchange.frozen[0]
        elif now_ms - order.versions[-1].time_ms < 5_000 and self.luck.strikes("stale"):
            as_of -= self.luck.between(1, 5_000)
        shown = next((shown for shown in reversed(order.versions) if shown.time_ms <= as_of), None)
        if shown is None and certain:
            shown = order.versions[0]
        hideable = order.over or now_ms - order.accepted_ms < 5_000
        return shown, certain or not (hideable and self.luck.strikes("hidden"))

    def _after(self, seen: OrderView, said: Cancelled) -> OrderView:
        """What a cancel adds to a look that did not find the order by its id."""
        if seen.state.final or said is Cancelled.HELD_BACK:
            return seen
        if said is Cancelled.DONE:
            seen = merge(replace(seen, denied_ms=0), "cancel", state=OrderState.LIVE)
        now_ms = self.clock.now_ms
        if seen.state is OrderState.UNKNOWN:
            return replace(seen, denied_ms=now_ms)
        since_ms = seen.denied_ms or now_ms
        if now_ms - since_ms >= GONE_MS:
            return merge(seen, "cancel", state=OrderState.DONE, reason="no longer at the venue")
        return replace(seen, denied_ms=since_ms)

    def read_books(self, ask: ReadBooks) -> Market:
        """Fresh books, sellable shares, the orders asked about, and those that a reset made forgotten."""
        forgotten = self._forgotten({*ask.others, *(view.terms.key for view in ask.known)})
        readable = [token for token in ask.tokens if not self._fails(self.instruments[token])]
        books = tuple(self._book(self.instruments[token]) for token in readable)
        sellable = tuple((token, self._sellable(token)) for token in readable)
        orders = tuple(self.look(view) for view in (*ask.known, *forgotten))
        return Market(ask.trade_id, books, sellable, orders, self.clock.now_ms)

    def left_out(self, record: TradeRecord) -> Seen:
        """The orders that were written down and that this record does not name."""
        forgotten = self._forgotten({view.terms.key for view in record.orders})
        return Seen(record.plan.trade_id, tuple(self.look(view) for view in forgotten), self.clock.now_ms)

    def _forgotten(self, known: set[str]) -> list[OrderView]:
        return [self._blank(terms) for key, terms in self.intents.items() if key not in known]

    def _sellable(self, token: str) -> Size:
        """What the venue says; its cached balance can say nothing, or count what is not settled."""
        if self.luck.strikes("balance"):
            return Size(self.luck.choice((Decimal(0), self.exchange.position(token) + 10)))
        return self.exchange.sellable(token)

    def _book(self, instrument: Instrument) -> Book:
        """A book around the last price, moved and thinned by luck; sometimes there is none to speak of."""
        tick, move, luck = self.exchange.tick(instrument), self.luck.weather.move, self.luck
        anchor = self.exchange.reference.get(instrument.token, Price(Decimal("0.5")))
        mid = round((float(anchor) + luck.uniform(-move, move)) / float(tick))
        at = min(int(1 / tick) - 3, max(3, mid))
        depth = 0 if luck.strikes("dry") else luck.between(5, 60)
        bids = (Level(Price((at - 1) * tick), Size(Decimal(depth))),) if depth else ()
        asks = (Level(Price((at + 1) * tick), Size(Decimal(depth))),) if depth else ()
        return Book(instrument.token, bids, asks, 1, self.clock.now_ms, self.clock.now_ms)


def too_late(terms: OrderTerms, now_ms: int) -> bool:
    """The fence of every post: a paused worker that wakes up late sends nothing."""
    return now_ms > terms.send_by_ms


def _nobody(seen: Seen) -> None:
    """Hears what a worker says that was declared dead."""
