"""The lines of the truth journal: from the exchange's nouns to records, and back for recovery.

Amounts are decimal strings in USD or shares, times are wall ms unless named otherwise. By kind:

    opened      the exchange started: seed, settings
    account     a wallet was opened                         deposit, allowance   what it got, what it allows
    event, market, tick, resolved                           as named
    order       accepted; status LIVE or DELAYED            released             its delay ended
    refused     not accepted; `used` if its id is taken     duplicate            a used id was posted again
    canceled    ended before it was filled, and why         fault                something was made to go wrong
    trade       a match with all its sides and its future   fill                 one non-house order's part of it
    settlement  a trade's next status; `over` when its money and shares have moved or been given up
    balance     a settled balance moved                     payout               shares of a decided market paid out
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from arbsaga.exchange.accounts import Accounts
from arbsaga.exchange.journal import Record
from arbsaga.exchange.model import CASH, Event, Fill, Market, NewOrder, Order, OrderStatus, Trade
from arbsaga.exchange.settlement import Draft, Steps
from arbsaga.exchange.units import format_units, parse

Fields = dict[str, Any]


def event_fields(event: Event) -> Fields:
    """All of an event."""
    return {name: getattr(event, name) for name in Event.__slots__}


def read_event(fields: Fields) -> Event:
    """The event of its record."""
    values = {name: fields[name] for name in Event.__slots__}
    return Event(**values | {"market_ids": tuple(fields["market_ids"])})


def market_fields(market: Market) -> Fields:
    """All of a market."""
    fields = {name: getattr(market, name) for name in Market.__slots__}
    exact = {"tick": format_units(market.tick), "min_size": format_units(market.min_size)}
    return fields | exact | {"fee_rate": str(market.fee_rate)}


def read_market(fields: Fields) -> Market:
    """The market of its record."""
    values = {name: fields[name] for name in Market.__slots__ if name in fields}  # older journals know fewer
    exact = {"tick": parse(fields["tick"]), "min_size": parse(fields["min_size"])}
    return Market(**values | exact | {"token_ids": tuple(fields["token_ids"]), "fee_rate": Decimal(fields["fee_rate"])})


def order_fields(order: Order, new: NewOrder) -> Fields:
    """An accepted (or killed) order, and how it came in."""
    return {
        "order_id": order.order_id,
        "address": order.maker,
        "owner": order.owner,
        "condition_id": order.condition_id,
        "token_id": order.token_id,
        "side": order.side,
        "price": format_units(order.price),
        "size": format_units(order.size),
        "usd": format_units(order.usd),
        "type": order.order_type,
        "expiration": order.expiration,
        "post_only": order.post_only,
        "status": order.status,
        "created_ms": order.created_ms,
        "due_ms": order.due_ms,
        "received_ns": new.received_ns,
        "received_ms": new.received_ms,
        "salt": new.salt,
        "timestamp": new.timestamp_ms,
        "metadata": new.metadata,
    }


def read_order(fields: Fields) -> Order:
    """The order of its record, as it was accepted."""
    return Order(
        order_id=fields["order_id"],
        maker=fields["address"],
        owner=fields["owner"],
        condition_id=fields["condition_id"],
        token_id=fields["token_id"],
        side=fields["side"],
        price=parse(fields["price"]),
        size=parse(fields["size"]),
        usd=parse(fields["usd"]),
        order_type=fields["type"],
        expiration=fields["expiration"],
        post_only=fields["post_only"],
        created_ms=fields["created_ms"],
        house=False,
        status=fields["status"],
        due_ms=fields["due_ms"],
    )


def refused_fields(new: NewOrder, text: str) -> Fields:
    """An order that was not accepted; its id stays free."""
    return {"order_id": new.order_id, "address": new.maker, "text": text, "used": False}


def canceled(orders: Iterable[Order], why: str, status: OrderStatus) -> list[Record]:
    """One line per non-house order that ends before it is filled."""
    return [
        (
            "canceled",
            {
                "order_id": order.order_id,
                "address": order.maker,
                "why": why,
                "status": status,
                "size_matched": format_units(order.matched),
            },
        )
        for order in orders
        if not order.house
    ]


def trade_records(trade: Trade, steps: Steps) -> Iterator[Record]:
    """The whole trade for recovery, then one `fill` per non-house order it touches."""
    if all(fill.house for fill in trade.fills):
        return
    yield "trade", _trade_fields(trade, steps)
    for fill in trade.fills:
        if not fill.house:
            yield "fill", _fill_record(trade, fill)


def _trade_fields(trade: Trade, steps: Steps) -> Fields:
    return {
        "trade_id": trade.trade_id,
        "condition_id": trade.condition_id,
        "match": trade.kind,
        "tx": trade.transaction_hash,
        "matched_ms": trade.matched_ms,
        "taker": _fill_fields(trade.taker),
        "makers": [_fill_fields(maker) for maker in trade.makers],
        "steps": steps,
    }


def read_trade(fields: Fields) -> tuple[Trade, Steps]:
    """The trade of its record, just matched, and what is to come of it."""
    trade = Trade(
        trade_id=fields["trade_id"],
        condition_id=fields["condition_id"],
        kind=fields["match"],
        taker=_read_fill(fields["taker"]),
        makers=tuple(_read_fill(maker) for maker in fields["makers"]),
        status="MATCHED",
        transaction_hash=fields["tx"],
        matched_ms=fields["matched_ms"],
        updated_ms=fields["matched_ms"],
    )
    return trade, tuple((at, status) for at, status in fields["steps"])


def _fill_record(trade: Trade, fill: Fill) -> Fields:
    role = "taker" if fill is trade.taker else "maker"
    return {"trade_id": trade.trade_id, "match": trade.kind, "role": role, **_fill_fields(fill)}


def _fill_fields(fill: Fill) -> Fields:
    return {
        "order_id": fill.order_id,
        "owner": fill.owner,
        "address": fill.address,
        "token_id": fill.token_id,
        "side": fill.side,
        "price": format_units(fill.price),
        "size": format_units(fill.shares),
        "usd": format_units(fill.usd),
        "fee": format_units(fill.fee),
        "house": fill.house,
    }


def _read_fill(fields: Fields) -> Fill:
    return Fill(
        order_id=fields["order_id"],
        owner=fields["owner"],
        address=fields["address"],
        token_id=fields["token_id"],
        side=fields["side"],
        price=parse(fields["price"]),
        shares=parse(fields["size"]),
        usd=parse(fields["usd"]),
        fee=parse(fields["fee"]),
        house=fields["house"],
    )


def settlement_record(trade: Trade, status: str, over: bool) -> Record:
    """A trade's new status; `over` once its money and shares have moved or been given up."""
    return "settlement", {"trade_id": trade.trade_id, "status": status, "tx": trade.transaction_hash, "over": over}


def balance_records(accounts: Accounts, draft: Draft) -> Iterator[Record]:
    """One `balance` line per move of a non-house account, with the balance it leaves."""
    balances: dict[tuple[str, str], int] = {}
    for move in draft.moves:
        account = accounts.get(move.address)
        if account.house:
            continue
        key = move.address, move.asset
        balances[key] = balances.get(key, account.balance(move.asset)) + move.delta
        yield (
            "balance",
            {
                "address": move.address,
                "token_id": None if move.asset == CASH else move.asset,
                "delta": format_units(move.delta),
                "balance": format_units(balances[key]),
                "why": move.why,
                "ref": move.ref,
            },
        )


_PAYS: Final[dict[str, Callable[[int], int]]] = {
    "redeemed": lambda shares: shares,
    "split": lambda shares: shares // 2,
    "lost": lambda _: 0,
}
"""Base units that so many shares of a decided market pay, by why they went."""


def payout_records(accounts: Accounts, draft: Draft) -> Iterator[Record]:
    """One `payout` line per non-house holding of a decided market; losing shares pay 0, all a half after a split."""
    for move in draft.moves:
        if move.why in _PAYS and not accounts.get(move.address).house:
            shares = format_units(-move.delta)
            fields = {"address": move.address, "token_id": move.asset, "shares": shares}
            usd = format_units(_PAYS[move.why](-move.delta))
            yield "payout", fields | {"usd": usd, "condition_id": draft.market.condition_id}
