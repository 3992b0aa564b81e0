"""The order desk: from an order's arrival to its matches, and every other way an order ends.

Follow `OrderDesk.submit`: check, match, journal, apply, tell, answer. What becomes of a trade is clearing.py's.
"""

from collections.abc import Iterable
from typing import NoReturn

from arbsaga.errors import NotCanceled, Rejected
from arbsaga.exchange import records
from arbsaga.exchange.accounts import check_funds
from arbsaga.exchange.checks import check_market, check_marketable, limit_price
from arbsaga.exchange.clearing import Clearing
from arbsaga.exchange.core import Core
from arbsaga.exchange.faults import Fault
from arbsaga.exchange.journal import Record
from arbsaga.exchange.matching import Match, by_trade, filled, match
from arbsaga.exchange.model import Ack, AckStatus, Market, NewOrder, Order, OrderStatus, Trade
from arbsaga.exchange.units import ONE, collateral_up

FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
GONE = "order can't be found - already canceled or matched"
CANCELED = "Order not found or already canceled"
MATCHED = "Order already matched"

_CENT_SHARE = 10_000
"""0.01 share: a partial fill by fault keeps sizes on the grid of orders."""


class OrderDesk:
    """Takes, cancels and expires orders."""

    def __init__(self, core: Core, clearing: Clearing) -> None:
        self.core, self.state, self.clearing = core, core.state, clearing
        self.accepted = self.duplicates = 0

    def submit(self, new: NewOrder) -> Ack:
        """See Engine.submit."""
        try:
            return self._submit(new)
        except Rejected as refusal:
            account = self.state.accounts.wallets.get(new.maker)
            if new.order_id not in self.state.used and not (account and account.house):
                self.core.write("refused", records.refused_fields(new, refusal.text))
            raise

    def _submit(self, new: NewOrder) -> Ack:
        core, account = self.core, self.core.open_account(new.maker, house=False)
        market = self.state.by_token.get(new.token_id)
        if market is None:
            raise Rejected(400, "Invalid token id")
        self._refuse_duplicate(new)
        if not account.house:
            self._strike_before(new, market)
        check_market(market)
        price = limit_price(new, market, core.settings, core.clock())
        order = _accepted(new, market, price, core.clock(), house=account.house)
        matches = match(self.state.books[market.condition_id], order)
        if matches and new.post_only:
            raise Rejected(400, "invalid post-only order: order crosses book")
        if matches or new.immediate:
            check_marketable(new, core.settings)
        self._check_funds(order, matches, market)
        delay_ms = 0 if account.house or not matches else self._delay(new, order, market)
        if delay_ms:
            return self._postpone(order, new, delay_ms)
        unmatched = False
        if matches and not account.house:
            matches, unmatched = self._with_lost_liquidity(order, matches, market)
        if text := _killed(order, matches):
            self._kill(order, new, text, market)
        accepted: list[Record] = [] if order.house else [("order", records.order_fields(order, new))]
        trades = self._execute(order, matches, market, accepted)
        self.accepted += not order.house
        if not order.house:
            self._strike_after(order, market)
        return _ack(order, trades, "unmatched" if unmatched else "live")

    def _refuse_duplicate(self, new: NewOrder) -> None:
        if new.order_id in self.state.used or new.order_id in self.state.orders:
            if new.order_id in self.state.used:
                self.core.write("duplicate", {"order_id": new.order_id, "address": new.maker})
                self.duplicates += 1
            raise Rejected(400, f"order {new.order_id} is invalid. Duplicated.")

    def _strike_before(self, new: NewOrder, market: Market) -> None:
        account = self.state.accounts.wallets[new.maker]
        about = self.core.about(account, new.side, new.token_id, market)
        if fault := self.core.faults.draw("tick_change", **about):
            self.clearing.change_tick(market, _other_tick(fault, market))
        if fault := self.core.faults.draw("reject", **about):
            raise Rejected(400, fault.text("text", "order timed out"))

    def _strike_after(self, order: Order, market: Market) -> None:
        account = self.state.accounts.wallets[order.maker]
        if self.core.faults.draw("wipe", **self.core.about(account, order.side, order.token_id, market)):
            self.end_resting(market, "game start", "CANCELED")

    def _check_funds(self, order: Order, matches: list[Match], market: Market) -> None:
        """A SELL needs its shares; a BUY its USD at the limit, or what its matches really cost, plus the fees."""
        if order.house:
            return
        amount = order.size
        if order.side == "BUY":
            spent = sum(one.taker_usd for one in matches)
            rest = max(order.remaining - sum(one.shares for one in matches), 0)
            costs = spent if order.immediate else spent + collateral_up(rest, order.price)
            amount = max(order.usd, costs) + sum(self.clearing.fee(one, market) for one in matches)
        check_funds(self.state.accounts.wallets[order.maker], order, amount, market)

    def _delay(self, new: NewOrder, order: Order, market: Market) -> int:
        account = self.state.accounts.wallets[order.maker]
        fault = self.core.faults.draw("delayed", **self.core.about(account, order.side, order.token_id, market))
        return fault.milliseconds or 3_000 if fault else new.delay_ms

    def _postpone(self, order: Order, new: NewOrder, delay_ms: int) -> Ack:
        """Answer `delayed`: the order waits, cannot be canceled, and can still be refused when its time comes."""
        order.status, order.due_ms = "DELAYED", self.core.clock() + delay_ms
        self.core.write("order", records.order_fields(order, new))
        self.state.place(order)
        self.core.plan(order.due_ms, "release", order.order_id)
        self.accepted += 1
        self.core.tell_order(order, "PLACEMENT")
        return Ack(order.order_id, "delayed")

    def release(self, order_id: str) -> None:
        """The delay of an order is over: it is checked again, then matches, rests or ends."""
        order = self.state.orders.get(order_id)
        if order is None or order.status != "DELAYED":
            return
        market = self.state.markets[order.condition_id]
        matches = match(self.state.books[market.condition_id], order)
        try:
            check_market(market)
            self._check_funds(order, matches, market)
        except Rejected as refusal:
            short = "not enough balance" in refusal.text
            self._end([order], refusal.text, "CANCELED_NOT_ENOUGH_BALANCE" if short else "CANCELED")
            return
        if matches:
            matches, _ = self._with_lost_liquidity(order, matches, market)
        if text := _killed(order, matches):
            self._end([order], text, "CANCELED")
            return
        self._execute(order, matches, market, [("released", {"order_id": order.order_id})])

    def _with_lost_liquidity(self, order: Order, matches: list[Match], market: Market) -> tuple[list[Match], bool]:
        """The matches that are left once a fault took house orders away, and whether the answer is `unmatched`."""
        account = self.state.accounts.wallets[order.maker]
        about = self.core.about(account, order.side, order.token_id, market)
        unmatched = False
        if self.core.faults.draw("lose_leg", **about):
            kept = 0
        elif not order.immediate and self.core.faults.draw("unmatched", **about):
            kept, unmatched = 0, True
        elif fault := self.core.faults.draw("partial", **about):
            shares = int(sum(one.shares for one in matches) * fault.number("share", "0.5"))
            kept = shares // _CENT_SHARE * _CENT_SHARE
        else:
            return matches, False
        self._thin_out(order, kept, market)
        matches = match(self.state.books[market.condition_id], order)
        return matches, unmatched and not matches

    def _thin_out(self, order: Order, kept: int, market: Market) -> None:
        """Leave this many shares for the order to hit; only house orders are taken away."""
        book = self.state.books[market.condition_id]
        for maker in list(book.crossing(order.token_id, order.side, order.price)):
            cut = max(maker.remaining - kept, 0)
            kept = max(kept - maker.remaining, 0)
            if not maker.house or not cut:
                continue
            if cut == maker.remaining:
                self.state.close(maker, "CANCELED")
            else:
                book.shrink(maker, cut)
                maker.size -= cut

    def _kill(self, order: Order, new: NewOrder, text: str, market: Market) -> NoReturn:
        """End a FOK/FAK order that found too little. Its id is used: it can never be posted again."""
        if not order.house:
            self.core.write("refused", records.order_fields(order, new) | {"text": text, "used": True})
            self.state.kill(order)
        self.core.tell_book(market, order.order_id)
        raise Rejected(400, text)

    def _execute(self, order: Order, matches: list[Match], market: Market, batch: list[Record]) -> list[Trade]:
        """Journal the batch with the trades of the matches, apply them, let the rest rest, and tell."""
        trades = [self.clearing.draw_up(order, group, market) for group in by_trade(matches)]
        for trade, steps in trades:
            batch += records.trade_records(trade, steps)
        self.core.write_all(batch)
        makers = {one.maker.order_id: one.maker for one in matches}
        placed = order.order_id not in self.state.orders
        if placed:
            self.state.place(order)
            self.core.tell_order(order, "PLACEMENT")
        for trade, steps in trades:
            self.clearing.match(trade, steps)
        self.state.rest_or_close(order)
        if order.resting and order.order_type == "GTD":
            self.plan_expiry(order)
        for changed in ([order] if trades or not placed else []) + list(makers.values()):
            self.core.tell_order(changed, "UPDATE")
        self.clearing.tell_trades([trade for trade, _ in trades], market, order.order_id)
        return [trade for trade, _ in trades]

    def plan_expiry(self, order: Order) -> None:
        """GTD orders die a minute before their expiration (docs: place-orders)."""
        self.core.plan((order.expiration - self.core.settings.gtd_dies_before_s) * 1000, "expire", order.order_id)

    def expire(self, order_id: str) -> None:
        """A GTD order's time is over; the venue reports it as a cancellation."""
        order = self.state.orders.get(order_id)
        if order is not None and order.resting:
            self._end([order], "expired", "CANCELED_EXPIRED_ORDER")

    def cancel(self, address: str, order_id: str) -> None:
        """See Engine.cancel."""
        order = self.state.orders.get(order_id)
        if order is None or order.maker != address:
            raise NotCanceled(GONE)
        if not order.resting:
            raise NotCanceled({"MATCHED": MATCHED, "DELAYED": GONE}.get(order.status, CANCELED))
        market = self.state.markets[order.condition_id]
        account = self.state.accounts.wallets[address]
        about = self.core.about(account, order.side, order.token_id, market)
        if not order.house and self.core.faults.draw("cancel_loses", **about):
            self._fill_at_once(order, market)
            raise NotCanceled(MATCHED)
        self._end([order], "user", "CANCELED")

    def _fill_at_once(self, order: Order, market: Market) -> None:
        """Let the house take the whole of a resting order, whatever else is in the book."""
        trade, steps = self.clearing.draw_up_house_taker(order, market)
        self.core.write_all(list(records.trade_records(trade, steps)))
        self.clearing.match(trade, steps)
        self.core.tell_order(order, "UPDATE")
        self.clearing.tell_trades([trade], market, trade.taker.order_id)

    def cancel_all(self, address: str, condition_id: str | None, token_id: str | None) -> list[str]:
        """See Engine.cancel_all."""
        orders = [
            order
            for order in self.state.open_orders[address].values()
            if order.resting and condition_id in (None, order.condition_id) and token_id in (None, order.token_id)
        ]
        self._end(orders, "user", "CANCELED")
        return [order.order_id for order in orders]

    def end_resting(self, market: Market, why: str, status: OrderStatus) -> list[str]:
        """End every resting order of a market. Returns the ids of non-house ones."""
        orders = self.state.books[market.condition_id].orders()
        self._end(orders, why, status)
        return [order.order_id for order in orders if not order.house]

    def end_open(self, market: Market, why: str, status: OrderStatus) -> None:
        """End every resting and delayed order of a market."""
        delayed = [
            order
            for orders in self.state.open_orders.values()
            for order in orders.values()
            if order.condition_id == market.condition_id and order.status == "DELAYED"
        ]
        self._end([*delayed, *self.state.books[market.condition_id].orders()], why, status)

    def _end(self, orders: Iterable[Order], why: str, status: OrderStatus) -> None:
        orders = list(orders)
        self.core.write_all(records.canceled(orders, why, status))
        for order in orders:
            self.state.close(order, status)
            self.core.tell_order(order, "CANCELLATION")
        for condition_id in dict.fromkeys(order.condition_id for order in orders):
            self.core.tell_book(self.state.markets[condition_id], orders[-1].order_id)


def _accepted(new: NewOrder, market: Market, price: int, now_ms: int, *, house: bool) -> Order:
    return Order(
        order_id=new.order_id,
        maker=new.maker,
        owner=new.owner,
        condition_id=market.condition_id,
        token_id=new.token_id,
        side=new.side,
        price=price,
        size=new.shares,
        usd=new.usd,
        order_type=new.order_type,
        expiration=new.expiration,
        post_only=new.post_only,
        created_ms=now_ms,
        house=house,
    )


def _killed(order: Order, matches: list[Match]) -> str | None:
    """The text with which a FOK/FAK order ends at once, None if it goes on."""
    if order.order_type == "FOK" and not filled(order, matches):
        return FOK_KILLED
    return FAK_KILLED if order.order_type == "FAK" and not matches else None


def _other_tick(fault: Fault, market: Market) -> int:
    """The tick the fault names; by default 0.001, or back to 0.01."""
    return int(fault.number("tick", "0.01" if market.tick == 1_000 else "0.001") * ONE)


def _ack(order: Order, trades: list[Trade], unfilled: AckStatus) -> Ack:
    shares = sum(trade.taker.shares for trade in trades)
    usd = sum(trade.taker.usd for trade in trades)
    making, taking = (usd, shares) if order.side == "BUY" else (shares, usd)
    return Ack(
        order.order_id,
        "matched" if trades else unfilled,
        making,
        taking,
        tuple(trade.trade_id for trade in trades),
        tuple(trade.transaction_hash for trade in trades),
    )
