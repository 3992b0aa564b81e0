"""The order desk: from an order's arrival to its trades.

Follow `OrderDesk.submit`: check, match, draft, journal, tell, answer.
How resting orders change and end is orders.py's.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from arbsaga.errors import Rejected
from arbsaga.exchange import model as base
from arbsaga.exchange.journal import Record
from arbsaga.exchange.kalshi import records
from arbsaga.exchange.kalshi.checks import check_new
from arbsaga.exchange.kalshi.core import Core, net_of
from arbsaga.exchange.kalshi.draft import Draft
from arbsaga.exchange.kalshi.model import Account, NewOrder, Order, Placed, Reason
from arbsaga.exchange.kalshi.netting import split
from arbsaga.exchange.kalshi.orders import Orders, ended_record, rests_record
from arbsaga.exchange.kalshi.state import make_order
from arbsaga.exchange.matching import Match, match
from arbsaga.exchange.units import ONE, format_units, to_decimal

_CENT_SHARE = 10_000
"""0.01 contract: a partial fill by fault keeps counts on the grid."""
KILLED = {
    "fill_or_kill": "fill_or_kill_insufficient_resting_volume",
    "immediate_or_cancel": "immediate_or_cancel_insufficient_resting_volume",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What an order meets: its matches, own orders that give way to it, and why the rest ends ("" = it rests)."""

    matches: list[Match]
    crossed: list[Order]
    reason: Reason

    @property
    def count(self) -> int:
        """Contracts matched."""
        return sum(one.shares for one in self.matches)


class OrderDesk:
    """Takes orders, and lets amended ones trade."""

    def __init__(self, core: Core, orders: Orders) -> None:
        self.core, self.state, self.orders = core, core.state, orders

    def submit(self, new: NewOrder) -> Placed:
        """See Engine.submit."""
        account = self.core.open_account(new.account_id, house=False)
        self._refuse_duplicate(account, new)
        try:
            return self._submit(account, new)
        except Rejected as refusal:
            if not account.house:
                used = refusal.code == KILLED["fill_or_kill"] and bool(new.client_order_id)
                told = {"status": refusal.status, "code": refusal.code, "text": refusal.text, "used": used}
                self.core.commit([("refused", records.new_order_fields(new) | told)])
            raise

    def _refuse_duplicate(self, account: Account, new: NewOrder) -> None:
        """Ids are never freed, not by a cancel and not by a killed FOK; the order itself is not answered."""
        if new.client_order_id in account.client_ids:
            self.core.commit([("duplicate", records.new_order_fields(new))])
            raise Rejected(409, f"client_order_id {new.client_order_id} was used before", "order_already_exists")

    def _submit(self, account: Account, new: NewOrder) -> Placed:
        check_new(self.core, new)
        if not account.house and (fault := self.core.faults.draw("reject", **self.core.about(account, new))):
            raise Rejected(400, fault.text("text", "order refused"), "invalid_order")
        order = make_order(new, self.core.mint("order"), self.core.clock(), house=account.house)
        if not account.house:
            self._lose_liquidity(account, order)
        found = self._find(account, order)
        if found.matches and new.post_only:
            if self.core.settings.post_only_cross == "refuse":
                raise Rejected(400, "post only cross", "invalid_order")
            found = Found([], [], "PostOnlyCrossCancel")
        self._check_killed(order, found.count)
        return self._execute(order, found, ("order", _order_fields(order)))

    def _check_killed(self, order: Order, found: int) -> None:
        """A killed FOK is refused and its client id is used; an IOC that finds nothing only by setting."""
        kind = order.new.time_in_force
        refuse_none = kind == "immediate_or_cancel" and self.core.settings.ioc_zero_fill == "refuse"
        if (kind == "fill_or_kill" and found < order.slip.remaining) or (refuse_none and not found):
            raise Rejected(409, "not enough resting volume", KILLED[kind])

    def _find(self, account: Account, order: Order) -> Found:
        """The order's matches, never with its own account, and what becomes of what they leave."""
        book, slip = self.state.books[order.ticker], order.slip
        wanted, reason = slip.remaining, _rest_reason(order.new)
        if order.new.reduce_only:
            wanted, _ = split(net_of(account, order.ticker), order.side, wanted)
        own = sum(one.remaining for one in book.crossing(order.ticker, slip.side, slip.price) if _is_own(one, order))
        found = Found([], [], reason)
        for one in match(book, replace(slip, size=slip.size + own)):
            left = wanted - found.count
            if not left:
                break
            if not _is_own(one.maker, order):
                found.matches.append(replace(one, shares=min(one.shares, left)))
            elif order.new.self_trade_prevention == "maker":
                found.crossed.append(self.state.orders[one.maker.order_id])
            else:
                return replace(found, reason="SelfTradeCancel")
        return found

    def amend(self, order: Order, price: int, count: int, client_order_id: str, expiration_time: int | None) -> Placed:
        """Change a resting order that was checked; see Engine.amend. Raises Rejected."""
        requeued = price != order.price or count > order.slip.size
        fields = {
            "order_id": order.order_id,
            "price": format_units(price),
            "count": format_units(count),
            "client_order_id": client_order_id,
            "expiration_time": expiration_time,
            "requeued": requeued,
            "house": order.house,
        }
        if not requeued:
            self.core.commit([("amended", fields)], [order.ticker], order.order_id)
            if expiration_time is not None:
                self.core.plan(expiration_time * 1000, "expire", order.order_id)
            return _placed(order, [], order.slip.remaining, 0, self.core.clock())
        slip = replace(order.slip, price=price, size=count, resting=False)
        changed = replace(order, slip=slip, client_order_id=client_order_id, expiration_time=expiration_time)
        found = self._find(self.state.accounts[order.account_id], changed)
        if found.matches and order.new.post_only:
            raise Rejected(400, "post only cross", "invalid_order")
        return self._execute(changed, found, ("amended", fields))

    def _execute(self, order: Order, found: Found, first: Record) -> Placed:
        """Journal what comes first and the trades of the matches; the rest rests, or ends. Raises Rejected."""
        account, draft = self.state.accounts[order.account_id], Draft(self.core, order.ticker)
        makers = [self.state.orders[one.maker.order_id] for one in found.matches]
        for one, maker in zip(found.matches, makers, strict=True):
            draft.trade(order, maker, one.price, one.shares)
        left = order.slip.remaining - found.count
        rest = 0 if found.reason else left
        self._check_funds(account, order, draft, rest, found.crossed)
        batch = [ended_record(one, "SelfTradeCancel") for one in found.crossed] + [first, *draft.records]
        if left:
            batch.append(ended_record(order, found.reason) if found.reason else rests_record(order))
        self.core.commit(batch, [order.ticker], order.order_id)
        if rest and order.expiration_time is not None:
            self.core.plan(order.expiration_time * 1000, "expire", order.order_id)
        self.orders.after_trades([order, *makers], order.ticker)
        return _placed(order, found.matches, rest, draft.fees.get(order.order_id, 0), self.core.clock())

    def _check_funds(self, account: Account, order: Order, draft: Draft, rest: int, crossed: list[Order]) -> None:
        """Raises Rejected (400) where the trades and what would rest need more cash than the shard has free.

        An order that leaves the account with no less free than before is taken even where that is below 0.
        """
        if account.house:
            return
        ticker, shard = order.ticker, draft.shard
        resting = [one for one in self.state.resting[account.account_id].values() if one.ticker == ticker]
        elsewhere = self.core.kept_aside(account, shard, but=ticker)
        now = self.core.reserved(account, ticker, resting, net_of(account, ticker))
        before = account.cash.get(shard, 0) - elsewhere - now
        remaining = replace(order.slip, size=order.slip.matched + rest)
        gone = {order.order_id, *(one.order_id for one in crossed)}
        after_orders = [one for one in resting if one.order_id not in gone]
        if rest:
            after_orders.append(replace(order, slip=remaining))
        after = draft.cash(account) - elsewhere - self.core.reserved(account, ticker, after_orders, draft.net(account))
        if after < 0 and after < before:
            short = f"{to_decimal(-after)} USD short on exchange_index {shard}"
            raise Rejected(400, short, "insufficient_balance")

    def _lose_liquidity(self, account: Account, order: Order) -> None:
        """Let a fault take house orders away that this one would hit."""
        found = sum(one.shares for one in match(self.state.books[order.ticker], order.slip))
        if not found:
            return
        about = self.core.about(account, order.new)
        if self.core.faults.draw("lose_leg", **about):
            self._thin_out(order, 0)
        elif fault := self.core.faults.draw("partial", **about):
            self._thin_out(order, int(found * fault.number("share", "0.5")) // _CENT_SHARE * _CENT_SHARE)

    def _thin_out(self, order: Order, kept: int) -> None:
        """Leave this many contracts for the order to hit; only house orders are taken away."""
        slip = order.slip
        for maker in list(self.state.books[order.ticker].crossing(slip.token_id, slip.side, slip.price)):
            cut = max(maker.remaining - kept, 0)
            kept = max(kept - maker.remaining, 0)
            if maker.house and cut:
                self.orders.reduce(self.state.orders[maker.order_id], cut, "Decrease")


def _order_fields(order: Order) -> dict[str, object]:
    own = {"order_id": order.order_id, "created_ms": order.created_ms, "house": order.house}
    return records.new_order_fields(order.new) | own


def _is_own(maker: base.Order, order: Order) -> bool:
    return maker.maker == order.account_id


def _rest_reason(new: NewOrder) -> Reason:
    """Why what an order leaves ends, "" where it may rest."""
    if new.reduce_only:
        return "ReduceOnlyCancel"
    return "" if new.time_in_force == "good_till_canceled" else "ImmediateOrCancel"


def _placed(order: Order, matches: list[Match], remaining: int, fee: int, ms: int) -> Placed:
    count = sum(one.shares for one in matches)
    average = fee_each = None
    if count:
        average = Decimal(sum(one.price * one.shares for one in matches)) / count / ONE
        fee_each = Decimal(fee) / count
    return Placed(order.order_id, order.client_order_id, count, remaining, average, fee_each, ms)
