"""What the exchanges' own records say of the account, each venue's in one shape, and all of them together.

Kalshi has one signed position a market and prices of YES only. Which token an order really moved follows from what the
exchange held and paid, not from what we meant: a bid covers NO before it buys YES, an ask closes YES before it buys NO.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from arbsaga.config import Config
from arbsaga.exchange.kalshi import truth as kalshi
from arbsaga.exchange.truth import TrueFill, TrueOrder, TruePayout, Truth
from workers.folder import DataFolder
from workers.paper import KALSHI_MEMBER, wallet_address
from workers.site import venues_of

ZERO = Decimal(0)
FINAL = "CONFIRMED"
"""A fill of Kalshi is final at once."""


def journals(config: Config, folder: DataFolder) -> dict[str, Path]:
    """The truth journal of each venue that is traded on."""
    files = {"polymarket": folder.truth, "kalshi": folder.truth_kalshi}
    return {venue: files[venue] for venue in venues_of(config, folder)}


def read(config: Config, folder: DataFolder) -> dict[str, Truth]:
    """The account's truth by venue. Raises Unavailable for a journal that cannot be read, SecretError."""
    found = {}
    for venue, file in journals(config, folder).items():
        if venue == "kalshi":
            found[venue] = of_kalshi(kalshi.Truth.read(file, KALSHI_MEMBER))
        else:
            found[venue] = Truth.read(file, wallet_address(config, folder))
    return found


def together(truths: Mapping[str, Truth]) -> Truth:
    """All venues as one: their tokens and order ids are distinct. Cash and deposits are sums."""
    whole = Truth("+".join(truths))
    for one in truths.values():
        whole.orders |= one.orders
        whole.refused |= one.refused
        whole.duplicates += one.duplicates
        whole.fills += one.fills
        whole.payouts += one.payouts
        whole.deposits += one.deposits
        whole.cash += one.cash
        whole.positions |= one.positions
        whole.worth |= one.worth
    whole.add_up()
    return whole


def of_kalshi(found: kalshi.Truth) -> Truth:
    """Kalshi's record in the common shape: orders by their client_order_id, tokens as `kalshi:TICKER:YES`."""
    truth = Truth(found.account_id, refused=dict(found.refused), duplicates=list(found.duplicates))
    truth.deposits, truth.cash = found.deposits, sum(found.cash.values(), ZERO)
    for number, order in enumerate(found.orders.values()):
        truth.orders[order.client_order_id] = _order(order, number)
    held: dict[str, Decimal] = {}
    for fill in found.fills:
        truth.fills += _parts(fill, held.get(fill.ticker, ZERO))
        held[fill.ticker] = held.get(fill.ticker, ZERO) + (fill.count if fill.side == "bid" else -fill.count)
    for payout in found.payouts:
        truth.payouts.append(
            TruePayout(
                _token(payout.ticker, payout.position > 0), abs(payout.position), payout.usd - payout.fee, payout.ms
            )
        )
    truth.positions = {_token(ticker, net > 0): abs(net) for ticker, net in found.positions.items()}
    truth.worth = {
        _token(ticker, yes): value if yes else 1 - value
        for ticker, value in found.worth.items()
        for yes in (True, False)
    }
    truth.add_up()
    return truth


def _order(order: kalshi.TrueOrder, number: int) -> TrueOrder:
    """Its salt only tells it from the others: that an id is used once is what the exchange itself sees to."""
    return TrueOrder(
        order_id=order.client_order_id,
        token=_token(order.ticker, True),
        side="BUY" if order.side == "bid" else "SELL",
        price=order.price,
        size=order.count,
        salt=number,
        received_ms=order.received_ms,
        received_ns=order.received_ns,
        open=order.open,
    )


def _parts(fill: kalshi.TrueFill, before: Decimal) -> Iterator[TrueFill]:
    """The fill as shares of tokens: first what it closed of the position `before` it, then what it opened."""
    is_bid = fill.side == "bid"
    closed = min(fill.count, max(ZERO, -before if is_bid else before))
    fee = fill.fee
    for count, is_yes, side in ((closed, not is_bid, "SELL"), (fill.count - closed, is_bid, "BUY")):
        if not count:
            continue
        price = fill.price if is_yes else 1 - fill.price
        token = _token(fill.ticker, is_yes)
        usd = count * price
        yield TrueFill(
            fill.trade_id, fill.client_order_id, token, side, fill.role, count, price, usd, fee, FINAL, fill.ms
        )
        fee = ZERO


def _token(ticker: str, is_yes: bool) -> str:
    return f"kalshi:{ticker}:{'YES' if is_yes else 'NO'}"
