"""What an account has out in a pair of markets, over all its processes: a trader knows of its own trades only."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, TextClause, func, or_, select

from arbsaga.domain.baskets import Leg
from arbsaga.domain.capital import most_of
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.domain.orders import Purpose
from arbsaga.ledger import booking, reading
from arbsaga.ledger.models import orders, trades
from arbsaga.ledger.rows import TERMS
from arbsaga.saga.messages import ENDS, Phase

_PAIR = "cross"
_purpose = func.json_extract(orders.c.terms, "$.purpose")
_UNRECORDED = or_(trades.c.phase.is_(None), trades.c.phase.not_in(ENDS))
_RUNNING = [phase for phase in Phase if phase not in ENDS]


def exceeded(  # noqa: PLR0917 - whose trade, on what, for how much
    connection: Connection,
    account: str,
    trade_id: str,
    basket_key: str,
    legs: Sequence[Instrument],
    wanted: Usd,
    cap: Usd,
) -> str:
    """Why a trade that may cost `wanted` USD would take the pair of its basket over `cap`, or empty.

    Out are the entries of other trades in flight, at their limits, and what is held, at the $1 that it can pay at most:
    never less than was paid for it.
    """
    kind, _, name = basket_key.partition(":")
    if kind != _PAIR:
        return ""
    pair = name.rpartition(":")[0]
    outcomes = [(one.token, one.complement) for one in legs]
    held = max(sum(booking.shares(connection, account, token) for token in both) for both in outcomes)
    left = Usd(cap - held - _in_flight(connection, account, trade_id, pair))
    if wanted <= left:
        return ""
    return f"pair {pair}: {max(left, NO_USD):.2f} of its {cap:f} USD are left, {wanted:.2f} wanted"


def entries_cost(connection: Connection, trade_ids: Collection[str]) -> Usd:
    """USD that all entries of these trades cost at most, as far as they are written down."""
    query = select(orders.c.terms).where(orders.c.trade_id.in_(trade_ids), _purpose == Purpose.ENTER)
    entries = [TERMS.validate_json(row.terms) for row in connection.execute(query)]
    return Usd(sum((most_of(Leg(one.instrument, one.side), one.size, one.limit) for one in entries), NO_USD))


def _in_flight(connection: Connection, account: str, trade_id: str, pair: str) -> Usd:
    both = [f"basket/{_PAIR}:{pair}:{direction}" for direction in "ab"]
    there = [orders.c.account == account, orders.c.trade_id != trade_id, orders.c.workflow_id.in_(both)]
    # Two queries, each with an index of its own, as where outcomes are netted.
    found = {
        *_ids(connection, reading.STILL_OPEN, _UNRECORDED, *there),
        *_ids(connection, trades.c.phase.in_(_RUNNING), *there),
    }
    return entries_cost(connection, found)


def _ids(connection: Connection, *where: ColumnElement[bool] | TextClause) -> set[str]:
    query = select(orders.c.trade_id).outerjoin(trades, trades.c.trade_id == orders.c.trade_id).where(*where)
    return set(connection.scalars(query.distinct()))
