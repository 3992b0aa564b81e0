"""The promise, checked: each order as it leaves, and the whole when the trade has ended.

What the exchange recorded is the judge. What the trade had been told by then decides only whether an
order was sent in spite of it.
"""

from collections.abc import Iterable
from decimal import Decimal

from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.money import ZERO
from arbsaga.domain.orders import FillStatus, OrderState, OrderTerms, OrderView, Purpose
from arbsaga.saga.messages import Page, Phase, TradePlan, TradeRecord
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.exchange import FEE_STEP, SimExchange
from arbsaga.saga.simulator.weather import LATEST_MS

PAGE_SLACK_MS = 10_000
"""An answer under way, and a paging service that is slow: a page may come so much later than it is due."""
SETTLED = (FillStatus.CONFIRMED, FillStatus.FAILED)
LONGEST_MS = 2 * 3_600_000
"""A trade ends within this: the worst seen in ten million is far below (I7)."""


class Witness:
    """Sees every order that leaves and every answer the trade hears. `found` are breaches, in words."""

    def __init__(self, plan: TradePlan, clock: Clock, exchange: SimExchange) -> None:
        self.plan, self.clock, self.exchange = plan, clock, exchange
        self.found: list[str] = []
        self.sent: dict[str, OrderTerms] = {}
        self.told: dict[str, OrderView] = {}
        self.pages: dict[str, int] = {}
        self.stopped_ms: int | None = None
        self.away_ms = 0
        self._filled_ms: dict[str, int] = {}
        self._unknown: dict[str, int] = {}

    def pages_one(self, page: Page) -> None:
        """A page was delivered."""
        self.pages.setdefault(page.key, self.clock.now_ms)

    def hears(self, views: Iterable[OrderView]) -> None:
        """The trade is told these."""
        for view in views:
            key = view.terms.key
            self.told[key] = view
            if view.known > 0:
                self._filled_ms.setdefault(key, self.clock.now_ms)
            else:
                self._filled_ms.pop(key, None)
            if view.state is OrderState.UNKNOWN:
                self._unknown.setdefault(key, self.clock.now_ms)
            elif key in self._unknown:
                self._judge_page(key)

    def stops(self) -> None:
        """A person aborts, or trading is halted."""
        self.stopped_ms = self.clock.now_ms if self.stopped_ms is None else self.stopped_ms

    def forgets(self) -> None:
        """A reset: what the trade owes a person counts anew from what it is told from now on."""
        self._filled_ms.clear()
        self._unknown.clear()

    def sends(self, terms: OrderTerms, asked_ms: int) -> None:
        """An order's bytes leave now; its worker was asked to send them at `asked_ms`."""
        breaches = [*self._fence(terms, asked_ms), *self._risk(terms)]
        if terms.key in self.sent:
            breaches.append("it was sent before")
        self.found += [f"{terms.purpose} {terms.key} was sent although {breach}" for breach in breaches]
        self.sent[terms.key] = terms
        self.clock.tell("wire", f"{terms.purpose} {terms.key} {terms.side} {terms.size} @ {terms.limit}")

    def _fence(self, terms: OrderTerms, asked_ms: int) -> Iterable[str]:
        entering = terms.purpose is Purpose.ENTER
        made_ms = self.plan.decided_ms if entering and not self._follows(terms) else terms.created_ms
        late_ms = self.clock.now_ms - made_ms - self.plan.patience.send_by
        if late_ms > 0:
            yield f"it was {late_ms} ms too late"
        if entering and terms.created_ms != made_ms:
            yield "it is stamped with another time than the decision"
        if entering and self.stopped_ms is not None and self.stopped_ms < asked_ms:
            yield "the trade was aborted or trading halted before"

    def _risk(self, terms: OrderTerms) -> Iterable[str]:
        """Whether it can only lower what is at risk, by what the trade had been told."""
        if terms.purpose is Purpose.ENTER:
            yield from self._following(terms) if self._follows(terms) else ()
            return
        held = [self._held_as_told(leg) for leg in range(len(self.plan.legs))]
        if terms.purpose is not Purpose.COMPLETE:
            if terms.size > max(ZERO, held[terms.leg]):
                yield f"only {held[terms.leg]} shares of leg {terms.leg} were held"
            return
        if held[terms.leg] + terms.size > max(ZERO, *held):  # below zero: a hedge whose leg FAILED
            yield f"leg {terms.leg} would have more than any other leg"
        for other in self.sent.values():
            if other.created_ms < terms.created_ms and not self._over_as_told(other):
                yield f"the fate of {other.key} was not known"

    def _follows(self, terms: OrderTerms) -> bool:
        """Whether it is the entry of a leg that waits for others."""
        return bool(self.plan.first) and terms.leg not in self.plan.first and terms.purpose is Purpose.ENTER

    def _following(self, terms: OrderTerms) -> Iterable[str]:
        """Whether the legs that went first are over, and have filled as much."""
        for other in self.sent.values():
            if not self._follows(other) and not self._over_as_told(other):
                yield f"the fate of {other.key}, which went first, was not known"
        ratios = [leg.ratio for leg in self.plan.basket.legs]
        units = min(self._held_as_told(leg) / ratios[leg] for leg in self.plan.first)
        if terms.size > units * ratios[terms.leg]:
            yield f"only {units} units had filled"
        if terms.send_by_ms > self.plan.lease_expires_ms:
            yield "it could outlive the capital's lease"

    def _held_as_told(self, leg: int) -> Decimal:
        views = [view for view in self.told.values() if view.terms.leg == leg]
        adding = (Purpose.ENTER, Purpose.COMPLETE)
        return sum((view.filled if view.terms.purpose in adding else -view.filled for view in views), ZERO)

    def _over_as_told(self, terms: OrderTerms) -> bool:
        view = self.told[terms.key]
        proved_ms = terms.created_ms + self.plan.patience.send_by + LATEST_MS - 1
        over = view.state in (OrderState.DONE, OrderState.ABSENT)
        return over or (view.state is OrderState.UNKNOWN and view.denied_ms >= proved_ms)

    def _judge_page(self, key: str) -> None:
        """A leg was unknown until now: was a person told in time that another had filled?"""
        told_ms, created_ms = self._unknown.pop(key), self.told[key].terms.created_ms
        filled_ms = min(self._filled_ms.values(), default=self.clock.now_ms)
        due_ms = max(created_ms + self.plan.patience.one_sided, told_ms, filled_ms) + PAGE_SLACK_MS + self.away_ms
        until_ms = min(self.clock.now_ms, created_ms + self.plan.patience.send_by + LATEST_MS)
        paged_ms = self.pages.get(f"{self.plan.trade_id}/one-sided")
        if until_ms > due_ms and (paged_ms is None or paged_ms > due_ms):
            self.found.append(f"{key} was unknown beside a filled leg, and nobody was paged in time")

    def records(self, record: TradeRecord) -> None:
        """The trade is booked: what it says is settled must be so by now."""
        if record.phase in (Phase.COMMITTED, Phase.FLAT):
            for order in self.exchange.orders.values():
                moving = [fill for fill in order.fills.values() if fill.status not in SETTLED]
                self.found += [f"{record.phase} while {fill.fill_id} is {fill.status}" for fill in moving]

    def ends(self, record: TradeRecord) -> None:
        """The story is over."""
        for key in tuple(self._unknown):
            self._judge_page(key)
        lasted_ms = self.clock.now_ms - self.plan.decided_ms
        if lasted_ms > LONGEST_MS:
            self.found.append(f"it took {lasted_ms // 1000} s")
        if record.phase is Phase.HELD and f"{self.plan.trade_id}/held" not in self.pages:
            self.found.append("held without a page")

    def verdict(self, record: TradeRecord) -> tuple[str, ...]:
        """Every breach, once everything that was ever under way has happened."""
        twice = [f"{key} was accepted {count} times" for key, count in self.exchange.accepted.items() if count > 1]
        ended = [] if record.phase is Phase.HELD else [*self._ended(record), *self._books(record)]
        return (*self.found, *twice, *self._limits(record), *ended)

    def _limits(self, record: TradeRecord) -> Iterable[str]:
        """No leg beyond its plan (but for residue that cannot be sold), and no entry beyond the capital reserved."""
        for leg, planned in enumerate(record.plan.legs):
            if (held := self.exchange.held(leg)) >= planned.size + record.plan.undo.residue:
                yield f"leg {leg}: holds {held} of {planned.size} planned"
        entries = [order for order in self.exchange.orders.values() if order.terms.purpose is Purpose.ENTER]
        fills = [fill for order in entries for fill in order.fills.values() if fill.status is not FillStatus.FAILED]
        spent = sum((fill.size * fill.price + fill.fee for fill in fills), ZERO)
        rounded = FEE_STEP * len(
            fills
        )  # the venue rounds each fill's fee up: more than one fill, more than was reserved
        if spent > record.plan.reserved + rounded:
            yield f"the entries spent {spent} USD of {record.plan.reserved} reserved"

    def _ended(self, record: TradeRecord) -> Iterable[str]:
        """Nothing rests, and the legs are equal but for residue."""
        for order in self.exchange.orders.values():
            if not order.over:
                yield f"{order.order_id} still rests"
        if record.phase is Phase.REFUSED and self.exchange.orders:
            yield "refused, but orders were sent"
        held = [self.exchange.held(leg) for leg in range(len(record.legs))]
        hedged = max(ZERO, min(held))
        for leg, shares in enumerate(held):
            if shares != record.legs[leg].held:
                yield f"leg {leg}: the exchange has {shares} shares, the trade says {record.legs[leg].held}"
            if abs(shares - hedged) >= record.plan.undo.residue:
                yield f"leg {leg}: {shares - hedged} shares are naked"
        if record.phase is Phase.FLAT and hedged > 0:
            yield f"flat, but {hedged} units are held"

    def _books(self, record: TradeRecord) -> Iterable[str]:
        """What was booked is what the exchange billed, and what is held pays at least what was promised."""
        spent, fees = self.exchange.billed()
        if (record.spent, record.fees) != (spent, fees):
            yield f"booked {record.spent} USD with {record.fees} of fees, billed {spent} with {fees}"
        if record.payout > (pays := self._worst_payout()):
            yield f"booked a payout of {record.payout} USD, but it can be {pays}"

    def _worst_payout(self) -> Decimal:
        """What is held pays at least: over every winner its YES and the NO of each other market; or over YES and NO."""
        legs = [leg.instrument for leg in self.plan.basket.legs]
        position = self.exchange.position
        if self.plan.basket.kind is BasketKind.IDENTITY:
            here, there = legs  # YES of one and NO of the other
            yes = position(here.token) + position(there.complement)
            return min(yes, position(here.complement) + position(there.token))
        pays = [position(instrument.token) for instrument in legs]
        no = [position(instrument.complement) for instrument in legs]
        return min(pays[winner] + sum(no) - no[winner] for winner in range(len(legs)))
