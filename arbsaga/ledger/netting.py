"""Where a venue nets a market's two outcomes, buying one of them sells the other: what stands against doing so."""

from sqlalchemy import Connection, func, or_, select

from arbsaga.domain.instruments import Instrument
from arbsaga.ledger import booking, reading
from arbsaga.ledger.models import orders, trades
from arbsaga.saga.messages import ENDS, Phase

_token = func.json_extract(orders.c.terms, "$.instrument.token")
_OPEN = (
    select(orders.c.trade_id)
    .outerjoin(trades, trades.c.trade_id == orders.c.trade_id)
    .where(reading.STILL_OPEN, or_(trades.c.phase.is_(None), trades.c.phase.not_in(ENDS)))
    .limit(1)
)
_OF_RUNNING = (
    select(orders.c.trade_id)
    .join(trades, trades.c.trade_id == orders.c.trade_id)
    .where(trades.c.phase.in_([phase for phase in Phase if phase not in ENDS]))
    .limit(1)
)
"""Both together are the orders in flight, as in `Ledger.intents_in_flight`."""


def against(connection: Connection, account: str, trade_id: str, buys: Instrument) -> str:
    """Why this trade may not buy this: what the account, or another trade's orders in flight, have on the other side.

    Both are read in one transaction: a trade that ends meanwhile is seen in one of them.
    """
    if booking.shares(connection, account, buys.complement) > 0:
        return f"holds the other side of {buys.market}: buying this would close it"
    there = [orders.c.account == account, orders.c.trade_id != trade_id, _token == buys.complement]
    # Two queries, each with an index of its own: `or` would read every order there ever was, inside a write.
    other = connection.scalar(_OPEN.where(*there)) or connection.scalar(_OF_RUNNING.where(*there))
    return f"trade {other} is on the other side of {buys.market}: buying this would close it" if other else ""
