"""The exchange's state from its truth journal: non-house accounts, orders, trades, used ids, markets, resolutions.

House orders are not journaled: the seeded traders put them up anew. `refused` (of a free id), `duplicate`, `fill`,
`balance`, `payout`, `fault` and `opened` lines tell nothing that other lines do not.
"""

from collections.abc import Callable
from typing import Any

from arbsaga.exchange import records
from arbsaga.exchange.core import Core
from arbsaga.exchange.desk import OrderDesk
from arbsaga.exchange.state import State
from arbsaga.exchange.units import parse

Fields = dict[str, Any]


def replay(state: State, lines: list[Fields]) -> None:
    """Change an empty state as the lines tell. Orders do not rest yet: see `resume`."""
    for line in lines:
        apply = _APPLY.get(line["kind"])
        if apply is not None:
            apply(state, line)


def resume(core: Core, desk: OrderDesk) -> None:
    """Let what was going on go on: filled orders end, others rest in the order they came, the agenda is drawn up."""
    state = core.state
    for order in list(state.orders.values()):
        if order.status == "DELAYED":
            core.plan(order.due_ms, "release", order.order_id)
        elif order.open:
            state.rest_or_close(order)
            if order.resting and order.order_type == "GTD":
                desk.plan_expiry(order)
    for trade_id, steps in state.steps.items():
        core.plan(steps[0][0], "settle", trade_id)
    for market in state.markets.values():
        if not market.decided and market.resolves_ms is not None:
            core.plan(market.resolves_ms, "resolve", market.condition_id)


def _account(state: State, line: Fields) -> None:
    state.accounts.open(line["address"], line["house"])


def _deposit(state: State, line: Fields) -> None:
    state.accounts.wallets[line["address"]].cash += parse(line["amount"])


def _allowance(state: State, line: Fields) -> None:
    state.accounts.wallets[line["address"]].allowances[line["spender"]] = int(line["amount"])


def _order(state: State, line: Fields) -> None:
    state.place(records.read_order(line))


def _released(state: State, line: Fields) -> None:
    """A delay is over: the order comes after those that were resting by then."""
    order = state.orders.pop(line["order_id"])
    order.status = "LIVE"
    state.orders[order.order_id] = order


def _refused(state: State, line: Fields) -> None:
    if line["used"]:
        state.kill(records.read_order(line))


def _trade(state: State, line: Fields) -> None:
    state.match(*records.read_trade(line))


def _settlement(state: State, line: Fields) -> None:
    trade, draft = state.trades[line["trade_id"]], None
    if line["over"]:
        draft = state.reversal(trade) if line["status"] == "FAILED" else state.settlement(trade)
    state.advance_trade(trade, line["status"], line["ms"], draft)


def _canceled(state: State, line: Fields) -> None:
    state.close(state.orders[line["order_id"]], line["status"])


def _tick(state: State, line: Fields) -> None:
    state.markets[line["condition_id"]].tick = parse(line["tick"])


def _resolved(state: State, line: Fields) -> None:
    market = state.markets[line["condition_id"]]
    state.resolve(market, line["winner"], state.resolution(market, line["winner"]))


_APPLY: dict[str, Callable[[State, Fields], None]] = {
    "event": lambda state, line: state.add_event(records.read_event(line)),
    "market": lambda state, line: state.add_market(records.read_market(line)),
    "account": _account,
    "deposit": _deposit,
    "allowance": _allowance,
    "order": _order,
    "released": _released,
    "refused": _refused,
    "trade": _trade,
    "settlement": _settlement,
    "canceled": _canceled,
    "tick": _tick,
    "resolved": _resolved,
}
