"""A desk that trades one event on the real engine and books what it did, for comparisons of both records."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal as D
from pathlib import Path

from ledger_make import ACCOUNT, START_MS, plan

from arbsaga.domain.baskets import no_of_some, yes_of_all
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.journal import Journal
from arbsaga.exchange.model import Event, Market, NewOrder
from arbsaga.exchange.truth import Truth
from arbsaga.exchange.units import ONE, to_decimal
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.saga.trade import Trade

HOUSE = "0xHouse"


@dataclass
class Clock:
    """Wall clock in ms that only tests move."""

    ms: int = START_MS

    def __call__(self) -> int:
        return self.ms


@dataclass
class Desk:
    """One account with $1000 on an exhaustive event of two markets, and its ledger."""

    engine: Engine
    clock: Clock
    path: Path
    ledger: Ledger
    yes: list[Instrument]
    terms: list[OrderTerms] = field(default_factory=list)
    sent: int = 0

    def plan(self, trade_id: str = "t1", *, no: bool = False) -> TradePlan:
        """Ten units of all YES, or of all NO, at 0.40 a leg."""
        legs = [one.other() for one in self.yes] if no else self.yes
        basket = no_of_some("event", "Who?", legs) if no else yes_of_all("event", "Who?", legs)
        return replace(plan(trade_id), basket=basket)

    def offer(self, instrument: Instrument, price: str = "0.40", size: str = "10", side: str = "SELL") -> None:
        """The house offers (or wants) shares."""
        self.sent += 1
        self.engine.submit(_new(f"0xhouse{self.sent}", HOUSE, instrument.token, side, D(price), D(size)))

    def order(self, of: TradePlan, leg: int, attempt: int = 1, **other: object) -> OrderTerms:
        """A leg's order for ten shares at 0.40."""
        made = OrderTerms(
            trade_id=of.trade_id,
            leg=leg,
            attempt=attempt,
            purpose=Purpose.ENTER,
            instrument=of.basket.legs[leg].instrument,
            side=Side.BUY,
            size=D(10),
            limit=D("0.40"),
            time_in_force=TimeInForce.GTC,
            created_ms=START_MS,
            send_by_ms=START_MS + 1_000,
        )
        return replace(made, **other)

    def send(self, terms: OrderTerms, *, intend: bool = True, order_id: str = "") -> None:
        """Intend the order and post it."""
        order_id = order_id or f"0x{terms.key}"
        if intend:
            self.ledger.intend([(terms, order_id)], account=ACCOUNT, workflow_id="w", lease_id="l")
            self.terms.append(terms)
        self.engine.submit(
            _new(order_id, ACCOUNT, terms.instrument.token, terms.side, terms.limit, terms.size, salt=terms.salt)
        )

    def settle(self) -> None:
        """Let every trade reach its end."""
        for _ in range(200):
            self.clock.ms += 100
            self.engine.advance()

    def views(self, trade_id: str = "t1") -> list[OrderView]:
        """The evidence of a trade's orders, as a faultless venue would give it."""
        return [self._view(terms) for terms in self.terms if terms.trade_id == trade_id]

    def record(self, of: TradePlan, phase: Phase = Phase.COMMITTED, views: Sequence[OrderView] | None = None) -> None:
        """Book the trade."""
        orders = tuple(self.views(of.trade_id) if views is None else views)
        self.ledger.record(Trade(of, orders).record(phase, "test", self.clock.ms))

    def truth(self) -> Truth:
        """The account by the exchange's own record."""
        return Truth.read(self.path, ACCOUNT)

    def pay_out(self, winner: Instrument) -> None:
        """Decide the event and book what was paid."""
        self.engine.resolve(winner.market, 0)
        for token, shares in self.ledger.positions(ACCOUNT).items():
            usd = shares * self.truth().worth[token]
            self.ledger.book_payout(ACCOUNT, "polymarket", token, shares, usd, f"resolved {token}")

    def _view(self, terms: OrderTerms) -> OrderView:
        order_id = f"0x{terms.key}"
        order = self.engine.order(order_id)
        assert order is not None
        fills = tuple(
            Fill(
                trade.trade_id,
                to_decimal(fill.shares),
                to_decimal(fill.price),
                to_decimal(fill.fee),
                FillStatus(trade.status),
                trade.matched_ms,
            )
            for trade in self.engine.trades(ACCOUNT)
            for fill in trade.fills
            if fill.order_id == order_id
        )
        state = OrderState.LIVE if order.open else OrderState.DONE
        return OrderView(terms, order_id, state, fills, to_decimal(order.matched), "", ("test",))


def open_desk(folder: Path, ledger: Ledger, *faults: str) -> Desk:
    """Two markets with a fee of 4 %, the house, and our account."""
    clock, path = Clock(), folder / "truth.jsonl"
    engine = Engine(Journal(path, clock), clock, EngineSettings(), random.Random(5), FaultPlan(3, faults))
    markets = []
    for name in ("a", "b"):
        condition_id, tokens = v1_ids(name)
        fee = D("0.04")
        markets.append(
            Market(condition_id, "event", "Who?", name, "v1", tokens, neg_risk=True, fee_rate=fee, tick=10_000)
        )
    conditions = tuple(market.condition_id for market in markets)
    engine.open_event(Event("event", "Who?", "who", True, False, "v1", conditions), markets)
    engine.create_account(HOUSE, house=True)
    engine.deposit(ACCOUNT, 1_000 * ONE)
    ledger.open_account(ACCOUNT, "polymarket", D(1_000))
    rules = MarketRules(D("0.01"), fee=FeeSchedule(D("0.04")), neg_risk=True)
    yes = [
        Instrument("polymarket", market.condition_id, *market.token_ids, Outcome.YES, market.slug, rules)
        for market in markets
    ]
    return Desk(engine, clock, path, ledger, yes)


def _new(order_id: str, maker: str, token: str, side: str, price: D, size: D, salt: int = 0) -> NewOrder:
    shares, usd = int(size * ONE), int(size * price * ONE)
    given, taken = (usd, shares) if side == "BUY" else (shares, usd)
    return NewOrder(order_id, maker, f"key {maker}", token, side, given, taken, "GTC", salt=salt)
