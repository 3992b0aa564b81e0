"""The body of a create: one order of the market's one YES book.

There is no yes/no and no buy/sell at this venue: a bid buys YES, an ask sells it, and buying NO at n is an ask at
1 - n. All kinds of orders fix contracts, never dollars. Source: docs.kalshi.com, create order v2.
"""

import json
import re
import uuid
from decimal import Decimal
from typing import Final

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.money import Price
from arbsaga.domain.orders import OrderTerms, TimeInForce
from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.records import outcome_of

NAMESPACE: Final = uuid.UUID("5b1f7a52-6a0e-5c6e-9a2c-6f1c1f6f0d3a")
"""Of our client_order_ids. It never changes: orders of before a restart are found by it."""
PATH: Final = "/portfolio/events/orders"
COUNT_STEP: Final = Decimal("0.01")
PRICE_STEP: Final = Decimal("0.0001")

_KINDS: Final = {
    TimeInForce.GTC: "good_till_canceled",
    TimeInForce.FOK: "fill_or_kill",
    TimeInForce.FAK: "immediate_or_cancel",
}
_SHARD: Final = re.compile(r"[0-9]{1,4}")


def client_id(terms: OrderTerms) -> str:
    """The client_order_id: the same attempt has the same one for ever, and the venue takes each only once. Pure."""
    return str(uuid.uuid5(NAMESPACE, terms.key))


def is_bid(outcome: Outcome, side: Side) -> bool:
    """Whether an order adds to the net YES position: buying YES, or selling NO."""
    return (outcome is Outcome.YES) == (side is Side.BUY)


def own_price(outcome: Outcome, yes_price: Decimal) -> Price:
    """A YES price as a price of the outcome, and back."""
    return Price(yes_price if outcome is Outcome.YES else 1 - yes_price)


def create_body(terms: OrderTerms) -> bytes:
    """What is posted to PATH. The same terms are the same bytes.

    Raises VenueError for terms off the market's grid, or with more decimals than the venue takes.
    """
    ticker, outcome = outcome_of(terms.instrument.token)
    _check(terms)
    body: dict[str, object] = {
        "ticker": ticker,
        "client_order_id": client_id(terms),
        "side": "bid" if is_bid(outcome, terms.side) else "ask",
        "count": f"{terms.size:.2f}",
        "price": f"{own_price(outcome, terms.limit):.4f}",
        "time_in_force": _KINDS[terms.time_in_force],
        "self_trade_prevention_type": "taker_at_cross",
        # Omitted, the venue routes by the ticker: slower, and billed to the write bucket of every shard.
        "exchange_index": int(terms.instrument.rules.pocket),
    }
    if terms.time_in_force is TimeInForce.GTC:
        body["cancel_order_on_pause"] = True  # in a full pause nothing could take it back
    return json.dumps(body).encode()


def _check(terms: OrderTerms) -> None:
    rules, title = terms.instrument.rules, terms.instrument.title
    if not _SHARD.fullmatch(rules.pocket):
        raise VenueError(f"no exchange_index is known to send the order to: {title}")
    if not 0 < terms.limit < 1 or not rules.on_grid(terms.limit) or terms.limit % PRICE_STEP:
        raise VenueError(f"price {terms.limit} is off the market's price grid: {title}")
    if terms.size <= 0 or terms.size % COUNT_STEP:
        raise VenueError(f"size {terms.size} is none: above 0 and at most 2 decimals: {title}")
