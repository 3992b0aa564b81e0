"""What the venue checks of an order on its own: time in force, precision, tick, minimum size.

The texts are the venue's (docs.polymarket.com error-codes, and issues of its clients where the docs have none).
"""

from arbsaga.errors import Rejected
from arbsaga.exchange.model import Market, NewOrder
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.units import ONE, TICKS, TickRules, collateral, decimals, format_units


def check_market(market: Market) -> None:
    """Raises Rejected unless the market takes orders."""
    if market.closed or not (market.active and market.accepting_orders):
        raise Rejected(400, "the market is not yet ready to process new orders")


def limit_price(order: NewOrder, market: Market, settings: EngineSettings, now_ms: int) -> int:
    """The order's limit price. Raises Rejected for whatever is wrong with the order itself."""
    if order.maker_amount <= 0 or order.taker_amount <= 0 or (order.post_only and order.immediate):
        raise Rejected(400, "Invalid order payload")
    _check_expiration(order, settings, now_ms)
    rules = TICKS[market.tick]
    _check_precision(order, rules, settings)
    price = _price(order, rules)
    if price % market.tick or not market.tick <= price <= ONE - market.tick:
        raise _invalid(
            order, f"Price ({format_units(price)}) breaks minimum tick size rule: {format_units(market.tick)}"
        )
    if not order.immediate:
        _check_counter_amount(order, price)
    if order.shares < market.min_size and (settings.min_size_of_market_orders or not order.immediate):
        size, least = format_units(order.shares), format_units(market.min_size)
        raise _invalid(order, f"Size ({size}) lower than the minimum: {least}")
    return price


def check_marketable(order: NewOrder, settings: EngineSettings) -> None:
    """Raises Rejected for a BUY that would trade at once for less than $1 (a setting)."""
    if order.side == "BUY" and order.usd < settings.min_marketable_usd:
        least = format_units(settings.min_marketable_usd)
        text = f"invalid amount for a marketable BUY order (${format_units(order.usd)}), min size: ${least}"
        raise Rejected(400, text)


def _check_expiration(order: NewOrder, settings: EngineSettings, now_ms: int) -> None:
    earliest = now_ms // 1000 + settings.gtd_min_ahead_s
    if (order.expiration < earliest) if order.order_type == "GTD" else order.expiration:
        raise Rejected(400, "invalid expiration")


def _check_precision(order: NewOrder, rules: TickRules, settings: EngineSettings) -> None:
    """FOK/FAK: 2 decimals given, 4 received. Limit: shares of 2 decimals, USD of as many as the tick allows."""
    given, received = decimals(order.maker_amount), decimals(order.taker_amount)
    counter = rules.amount
    if order.immediate and settings.market_share_decimals == "four":
        counter = 4
    limits, what = (2, counter), "the sell orders"
    if order.side == "BUY":
        limits, what = ((2, counter), "the market buy orders") if order.immediate else ((counter, 2), "the buy orders")
    if given > limits[0] or received > limits[1]:
        raise Rejected(
            400,
            f"invalid amounts, {what} maker amount supports a max accuracy of {limits[0]} decimals, "
            f"taker amount a max of {limits[1]} decimals",
        )


def _price(order: NewOrder, rules: TickRules) -> int:
    """USD per share. A price that is not exact came out of rounded amounts: the nearest with the tick's decimals."""
    price, rest = divmod(order.usd * ONE, order.shares)
    if rest == 0:
        return price
    step = int(10 ** (6 - rules.price))
    return (2 * order.usd * ONE + order.shares * step) // (2 * order.shares * step) * step


def _check_counter_amount(order: NewOrder, price: int) -> None:
    """A limit order's USD must be exactly its shares at its price (JKorf/Polymarket.Net #5)."""
    wanted = collateral(order.shares, price)
    if wanted != order.usd:
        amount = "maker" if order.side == "BUY" else "taker"
        raise Rejected(
            400,
            f"invalid amounts, the {amount} amount for a ${format_units(price)} order of size "
            f"{format_units(order.shares)} should be '{format_units(wanted)}' "
            f"but the value submited is '{format_units(order.usd)}'",
        )


def _invalid(order: NewOrder, what: str) -> Rejected:
    return Rejected(400, f"order {order.order_id} is invalid. {what}")
