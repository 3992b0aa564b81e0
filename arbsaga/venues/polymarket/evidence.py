"""What a record of an order or a trade adds to what we know of one of our orders."""

from dataclasses import replace

from arbsaga.domain.evidence import merge
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.money import NO_SIZE, NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, OrderState, OrderView
from arbsaga.venues.polymarket.records import OrderSeen, Part, TradeSeen


def add(view: OrderView, seen: OrderSeen | TradeSeen, source: str) -> OrderView:
    """The view with one record merged in; records of other orders change nothing."""
    if isinstance(seen, TradeSeen):
        return _add_trade(view, seen, source)
    if seen.order_id != view.order_id:
        return view
    return merge(view, source, state=seen.state, matched=seen.matched, reason=seen.reason)


def _add_trade(view: OrderView, trade: TradeSeen, source: str) -> OrderView:
    if view.order_id not in trade.order_ids:
        return view
    source = f"{source}, trade {trade.status}"
    # The match proves that the order exists. Whether all of it is over, only its size can say.
    after = merge(view, source, state=OrderState.LIVE, fills=_fills(view, trade))
    if after.filled + after.failed >= view.terms.size:
        return merge(after, source, state=OrderState.DONE)
    return after


def _fills(view: OrderView, trade: TradeSeen) -> tuple[Fill, ...]:
    """Our order's fills in this trade. Their parts stay as they were first told: only the status moves."""
    names = (trade.trade_id, _maker_name(trade, view.order_id))
    known = [fill for fill in view.fills if fill.fill_id.partition("@")[0] in names]
    if known:
        return tuple(replace(fill, status=trade.status) for fill in known)
    if view.order_id == trade.taker.order_id:
        return taken(trade, view.terms.instrument.rules.fee)
    return tuple(made(trade, part) for part in trade.makers if part.order_id == view.order_id)


def taken(trade: TradeSeen, fee: FeeSchedule) -> tuple[Fill, ...]:
    """The taker's fills: one for each price it got, named by the trade, and by the price where there are several.

    None for a record without the resting orders: its one price need not be what was paid. The fee is
    what the market's schedule sets (the record's fee_rate_bps is legacy), rounded for each resting order.
    """
    if not trade.detailed:
        return ()
    prices = _by_price(trade)
    return tuple(
        Fill(
            trade.trade_id if len(prices) == 1 else f"{trade.trade_id}@{price:f}",
            Size(sum(sizes, NO_SIZE)),
            price,
            Usd(sum((_fee(fee, size, price) for size in sizes), NO_USD)),
            trade.status,
            trade.time_ms,
        )
        for price, sizes in prices.items()
    )


def _fee(fee: FeeSchedule, size: Size, price: Price) -> Usd:
    """Never above the fill's value: the contracts cap it."""
    return Usd(min(fee.taker_fee(size, price), size * price))


def made(trade: TradeSeen, part: Part) -> Fill:
    """A resting order's fill: at its own price and without a fee, since only takers pay."""
    name = _maker_name(trade, part.order_id)
    return Fill(name, part.size, part.price, NO_USD, trade.status, trade.time_ms)


def _maker_name(trade: TradeSeen, order_id: str) -> str:
    return f"{trade.trade_id}/{order_id}"


def _by_price(trade: TradeSeen) -> dict[Price, list[Size]]:
    """What each resting order gave, by price in the taker's token; the record's own price where they do not add up."""
    sizes: dict[Price, list[Size]] = {}
    for part in trade.makers:
        # In a mint or merge the other side traded the complement, at 1 - p.
        price = part.price if part.token == trade.taker.token else Price(1 - part.price)
        sizes.setdefault(price, []).append(part.size)
    total = sum((part.size for part in trade.makers), NO_SIZE)
    return sizes if total == trade.taker.size else {trade.taker.price: [trade.taker.size]}
