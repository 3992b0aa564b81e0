"""One flow: after every step the exchange and the brute force must agree, and nothing may be lost."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import TypeVar

from arbsaga.errors import NotCanceled, Rejected
from arbsaga.exchange.model import Ack, OrderUpdated, TradePrinted, TradeUpdated
from arbsaga.exchange.units import ONE
from proof.matching.flow import Drawn, Flow
from proof.matching.reference import Part, Reference, Traded, Wallets, fee_of
from proof.matching.scene import HOUSE, USERS, Scene, conservation

T = TypeVar("T")
STEPS = 250
BALANCE = "not enough balance"
KILLED = ("FOK orders are fully filled or killed", "FAK orders are partially filled or killed")
POST_ONLY, SMALL = "invalid post-only order", "min size: $1"


class Differs(Exception):
    """The exchange and the brute force disagree, or something was lost."""


@dataclass
class Compared:
    """How much of one flow was compared, and what differed (empty: nothing)."""

    seed: int
    orders: int = 0
    trades: int = 0
    settled: int = 0
    failed: int = 0
    refused: int = 0
    wrong: str = ""


@dataclass
class Comparison:
    """The exchange and the brute force, side by side."""

    scene: Scene
    flow: Flow
    compared: Compared
    reference: Reference = field(default_factory=Reference)
    wallets: Wallets = field(default_factory=Wallets)
    known: dict[str, Drawn] = field(default_factory=dict)
    delayed: dict[str, int] = field(default_factory=dict)
    expiring: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for account in self.scene.engine.accounts():
            for asset, amount in (("", account.cash), *account.shares.items()):
                self.wallets.add(account.address, asset, amount)
        self.deposited = self.scene.money

    # -- steps

    def run(self, steps: int) -> None:
        """Random steps, then the end of the market. Raises Differs."""
        rng = self.flow.rng
        for _ in range(steps):
            self.scene.told.clear()
            what = rng.choices(("order", "cancel", "wait", "tick", "cancel all"), (82, 8, 8, 1, 1))[0]
            getattr(self, f"_{what.replace(' ', '_')}")()
            self._equal()
        self._end()

    def _order(self) -> None:
        drawn = self.flow.draw()
        order = drawn.order
        self.compared.orders += 1
        trial = self.reference.copy()
        matches = self._submit_to(trial, drawn)
        tried = [] if drawn.bad else self._as_if_kept(drawn) if matches is None else matches
        reasons = drawn.bad or tuple(self._reasons(drawn, matches, tried))
        try:
            answer = self.scene.engine.submit(order)
        except Rejected as refusal:
            self.compared.refused += 1
            _must(any(reason in refusal.text for reason in reasons), f"refused: {refusal.text}; wanted: {reasons}")
            if any(text in refusal.text for text in KILLED) and not drawn.house:
                self.flow.used.append(order.order_id)
            return
        _must(not reasons, f"order {order} was taken; wanted: {reasons}")
        self.known[order.order_id] = drawn
        if not drawn.house:
            self.flow.used.append(order.order_id)
        if tried and self._delays(drawn):
            _must(answer.status == "delayed", f"{order} was answered {answer.status}, not delayed")
            self.delayed[order.order_id] = self.scene.clock.ms + order.delay_ms
            return
        assert matches is not None, "a killed order is refused"
        self.reference = trial
        self._traded(drawn, matches)
        self._answered(drawn, matches, answer)
        self._rests(drawn)

    def _submit_to(self, reference: Reference, drawn: Drawn) -> list[Traded] | None:
        order = drawn.order
        if order.token_id not in self.scene.market.token_ids:
            return None
        token = self.scene.market.token_ids.index(order.token_id)
        shares, usd = order.shares, order.usd
        return reference.submit(order.order_id, token, order.side, drawn.price, shares, usd, order.order_type)

    def _reasons(self, drawn: Drawn, matches: list[Traded] | None, tried: list[Traded]) -> Iterator[str]:
        """Why the exchange must refuse a well-formed order. `matches` None: it is killed, but `tried` to trade."""
        order = drawn.order
        if tried and order.post_only:
            yield POST_ONLY
        elif (tried or order.immediate) and order.side == "BUY" and order.usd < ONE:
            yield SMALL
        elif not drawn.house and self._short(drawn, tried):
            yield BALANCE
        elif matches is None and not (tried and self._delays(drawn)):
            yield KILLED[0] if order.order_type == "FOK" else KILLED[1]

    def _as_if_kept(self, drawn: Drawn) -> list[Traded]:
        """What a killed order would have matched: its funds are checked before it is killed."""
        order = drawn.order
        token = self.scene.market.token_ids.index(order.token_id)
        kept = self.reference.copy()
        return kept.submit("", token, order.side, drawn.price, order.shares, order.usd, "FAK") or []

    def _delays(self, drawn: Drawn) -> bool:
        return bool(drawn.order.delay_ms) and not drawn.house

    def _short(self, drawn: Drawn, matches: list[Traded]) -> bool:
        """Whether the maker cannot give what the order may take, fees included."""
        order, asset = drawn.order, "" if drawn.order.side == "BUY" else drawn.order.token_id
        needed = order.shares
        if order.side == "BUY":
            spent = sum(one.taker_usd for one in matches)
            rest = max(order.shares - sum(one.shares for one in matches), 0)
            costs = spent if order.immediate else spent + ceil(rest * drawn.price)
            needed = max(order.usd, costs) + sum(self._fee(one) for one in matches)
        return self.wallets.free(order.maker, asset, self._kept(order.maker, asset)) < needed

    def _kept(self, address: str, asset: str) -> int:
        """What open and delayed orders of an address keep aside."""
        kept = 0
        for one in self.reference.resting:
            order = self.known[one.order_id].order
            if order.maker == address and asset == ("" if order.side == "BUY" else order.token_id):
                kept += ceil(one.left * one.price) if order.side == "BUY" else one.left
        for order_id in self.delayed:
            kept += self._held_back(self.known[order_id], address, asset)
        return kept

    @staticmethod
    def _held_back(drawn: Drawn, address: str, asset: str) -> int:
        order = drawn.order
        if order.maker != address or asset != ("" if order.side == "BUY" else order.token_id):
            return 0
        if order.side == "SELL":
            return order.shares
        return order.usd if order.immediate else ceil(order.shares * drawn.price)

    def _fee(self, one: Traded) -> int:
        market, settings = self.scene.market, self.scene.engine.settings
        return fee_of(one, Fraction(market.fee_rate), market.fee_exponent, settings.fee_rounding)

    def _cancel(self) -> None:
        if not self.known:
            return
        order_id = self.flow.rng.choice(list(self.known)[-14:])
        maker = self.known[order_id].order.maker
        rests = any(one.order_id == order_id for one in self.reference.resting)
        whose = maker if self.flow.rng.random() < 0.9 else self.flow.rng.choice(USERS)
        try:
            self.scene.engine.cancel(whose, order_id)
        except NotCanceled:
            _must(not rests or whose != maker, f"{order_id} rests and was not canceled")
            return
        _must(rests and whose == maker, f"{order_id} was canceled by {whose}, resting: {rests}")
        self.reference.cancel(order_id)

    def _cancel_all(self) -> None:
        whose = self.flow.rng.choice(USERS)
        mine = [one.order_id for one in self.reference.resting if self.known[one.order_id].order.maker == whose]
        _must(sorted(self.scene.engine.cancel_all(whose)) == sorted(mine), f"not all of {whose} was canceled")
        for order_id in mine:
            self.reference.cancel(order_id)

    def _tick(self) -> None:
        """Resting orders keep their prices, on whatever grid they were made."""
        self.scene.engine.change_tick(self.scene.market.condition_id, self.flow.tick())

    def _wait(self) -> None:
        self._pass(self.flow.rng.choice((200, 1_500, 6_000, 61_000)))

    def _pass(self, ms: int) -> None:
        """Time goes by; what it ends or lets go is done by the brute force in the same moment."""
        end = self.scene.clock.ms + ms
        while True:
            due = [(at, order_id) for order_id, at in (*self.delayed.items(), *self.expiring.items()) if at <= end]
            at, order_id = min(due, default=(end + 1, ""))
            self._to(min(at - 1, end))
            if not order_id:
                return
            if order_id in self.delayed:
                self._release(order_id, at)
            else:
                del self.expiring[order_id]
                self.reference.cancel(order_id)
                self._to(at)

    def _to(self, ms: int) -> None:
        """Up to a moment in which nothing but settlements happens."""
        self.scene.clock.ms = max(self.scene.clock.ms, ms)
        self.scene.told.clear()
        self.scene.engine.advance()
        self._settle()

    def _release(self, order_id: str, at: int) -> None:
        drawn, order = self.known[order_id], self.known[order_id].order
        del self.delayed[order_id]
        trial = self.reference.copy()
        matches = self._submit_to(trial, drawn)
        short = self._short(drawn, matches if matches is not None else self._as_if_kept(drawn))
        self.scene.clock.ms = at
        self.scene.told.clear()
        self.scene.engine.advance()
        ended = [one.order.status for one in self._heard(OrderUpdated) if one.order.order_id == order_id]
        if short or matches is None:
            wanted = "CANCELED_NOT_ENOUGH_BALANCE" if short else "CANCELED"
            _must(wanted in ended, f"delayed {order} is {ended}, not {wanted}")
        else:
            _must(not any(one.startswith("CANCELED") for one in ended), f"delayed {order} is {ended}")
            self.reference = trial
            self._traded(drawn, matches)
            self._rests(drawn)
        self._settle()

    def _rests(self, drawn: Drawn) -> None:
        order = drawn.order
        if order.order_type == "GTD" and any(one.order_id == order.order_id for one in self.reference.resting):
            self.expiring[order.order_id] = (order.expiration - 60) * 1000

    # -- what must be equal

    def _traded(self, drawn: Drawn, matches: list[Traded]) -> None:
        """The same makers, prices, shares, USD and fees, in trades of one price and kind, best price first."""
        ranks = {price: rank for rank, price in enumerate(dict.fromkeys(one.price for one in matches))}
        ordered = sorted(matches, key=lambda one: (ranks[one.price], one.kind))
        groups = [list(group) for _, group in groupby(ordered, key=lambda one: (one.price, one.kind))]
        self.compared.trades += len(groups)
        printed = [(one.price, one.size) for one in self._heard(TradePrinted)]
        wanted = [(int(group[0].price * ONE), sum(one.shares for one in group)) for group in groups]
        _must(printed == wanted, f"trades {printed}, should be {wanted}")
        ours = [group for group in groups if not all(self._is_house(drawn, one) for one in group)]
        told = [one.trade for one in self._heard(TradeUpdated) if one.trade.status == "MATCHED"]
        _must(len(told) == len(ours), f"{len(told)} trades of users, should be {len(ours)}")
        for trade, group in zip(told, ours, strict=True):
            taker = self._part(drawn, group)
            makers = [(one.maker, one.shares, one.maker_usd) for one in group]
            got = [(fill.order_id, fill.shares, fill.usd) for fill in trade.makers]
            _must(got == makers, f"makers {got}, should be {makers}")
            mine = (trade.taker.shares, trade.taker.usd, trade.taker.fee, trade.kind)
            due = (taker.shares, taker.usd, taker.fee, group[0].kind)
            _must(mine == due, f"the taker's part is {mine}, should be {due}")
            parts = (taker, *(self._maker_part(one) for one in group))
            self.wallets.unsettled[trade.trade_id] = tuple(part for part in parts if part.address != HOUSE)

    def _is_house(self, drawn: Drawn, one: Traded) -> bool:
        return drawn.house and self.known[one.maker].house

    def _part(self, drawn: Drawn, group: list[Traded]) -> Part:
        order = drawn.order
        shares, usd, fee = (
            sum(each) for each in zip(*((g.shares, g.taker_usd, self._fee(g)) for g in group), strict=True)
        )
        return Part(order.maker, order.side, order.token_id, shares, usd, fee)

    def _maker_part(self, one: Traded) -> Part:
        order = self.known[one.maker].order
        return Part(order.maker, order.side, order.token_id, one.shares, one.maker_usd, 0)

    def _answered(self, drawn: Drawn, matches: list[Traded], answer: Ack) -> None:
        shares, usd = sum(one.shares for one in matches), sum(one.taker_usd for one in matches)
        wanted = ("matched" if matches else "live", *((usd, shares) if drawn.order.side == "BUY" else (shares, usd)))
        got = (answer.status, answer.making_amount, answer.taking_amount)
        _must(got == wanted, f"answered {got}, should be {wanted}")

    def _settle(self) -> None:
        """Money and shares move at the configured status, and never for a trade that FAILED."""
        moved_at = (self.scene.engine.settings.settled_at, "CONFIRMED", "FAILED")
        for trade in (one.trade for one in self._heard(TradeUpdated)):
            if trade.status in moved_at and trade.trade_id in self.wallets.unsettled:
                failed = trade.status == "FAILED"
                self.wallets.over(trade.trade_id, failed=failed)
                self.compared.failed += failed
                self.compared.settled += not failed

    def _equal(self) -> None:
        engine, market = self.scene.engine, self.scene.market
        for number, token in enumerate(market.token_ids):
            view = engine.book(token)
            got, wanted = (list(view.bids), list(view.asks)), self.reference.book(number)
            _must(got == wanted, f"the book of token {number} is {got}, should be {wanted}")
        lost = conservation(engine, self.deposited)
        _must(not lost, lost)
        for user in USERS:
            mine = [one.order_id for one in self.reference.resting if self.known[one.order_id].order.maker == user]
            mine += [order_id for order_id in self.delayed if self.known[order_id].order.maker == user]
            got_open = sorted(order.order_id for order in engine.open_orders(user))
            _must(got_open == sorted(mine), f"{user} has {got_open} open, should have {mine}")
            self._rich(user)

    def _rich(self, user: str) -> None:
        account = self.scene.engine.account(user)
        assert account is not None
        for asset in ("", *self.scene.market.token_ids):
            got, wanted = account.balance(asset), self.wallets.settled.get((user, asset), 0)
            _must(got == wanted, f"{user} has {got} of {asset[:8] or 'USD'}, should have {wanted}")

    def _end(self) -> None:
        """The market is decided: nothing rests, a winning share pays $1, a losing one nothing."""
        self.scene.told.clear()
        winner = self.flow.rng.randrange(2)
        self.scene.engine.resolve(self.scene.market.condition_id, winner)
        for _ in range(3):
            self.scene.clock.ms += 20_000
            self.scene.engine.advance()
        self._settle()
        for user in USERS:
            _must(not self.scene.engine.open_orders(user), f"{user} has orders open on a decided market")
            for number, token in enumerate(self.scene.market.token_ids):
                shares = self.wallets.settled.pop((user, token), 0)
                self.wallets.add(user, "", shares if number == winner else 0)
            self._rich(user)
        lost = conservation(self.scene.engine, self.deposited)
        _must(not lost, lost)

    def _heard(self, kind: type[T]) -> list[T]:
        return [one for one in self.scene.told if isinstance(one, kind)]


def _must(holds: bool, words: str) -> None:
    if not holds:
        raise Differs(words)


def compare(seed: int, folder: Path, steps: int = STEPS) -> Compared:
    """One seed's flow from an empty book to the market's end. The truth journal is left in the folder."""
    scene = Scene.open(folder / f"truth-{seed}.jsonl", seed)
    compared = Compared(seed)
    try:
        Comparison(scene, Flow(scene, random.Random(seed)), compared).run(steps)
    except Differs as found:
        compared.wrong = f"seed {seed}, after {compared.orders} orders: {found}"
    finally:
        scene.engine.close()
    return compared
