"""One look at an account: first the venue, then the ledger. Whatever the venue shows by then was written down before.

The ledger's methods are synchronous and so are those here that read it: call them in a thread.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.domain.orders import Fill
from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Intent, Ledger
from arbsaga.reconcile.findings import AtVenue, InLedger, overbooked, unbooked
from arbsaga.saga.messages import ENDS
from arbsaga.venues.listed import Listings
from arbsaga.venues.port import Venue
from arbsaga.venues.several import venue_of

LOOK_BACK_MS = 600_000
"""How far back fills are read in any case; further for a trade that is in flight, to FARTHEST_BACK_MS."""
FARTHEST_BACK_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the venue for: fills since (ms), and shares of these tokens."""

    since_ms: int
    tokens: frozenset[str]


def question(ledger: Ledger, account: str) -> Question:
    """What has to be asked to judge the account. Raises what the ledger raises."""
    now = now_ms()
    oldest = min((one.terms.created_ms for one in in_flight(ledger, account)), default=now)
    since = max(min(oldest, now - LOOK_BACK_MS), now - FARTHEST_BACK_MS)
    return Question(since, frozenset(ledger.positions(account)))


async def ask(venue: Venue, about: Question, *, balances: bool) -> AtVenue:
    """Open orders and recent fills; with `balances` also cash and shares. Raises VenueError.

    Cash before the fills: what moves it in between then shows as a fill that is not settled. What comes while pages
    are read moves the rest on: the venue then lists an order or a fill twice, and the later word on it counts.
    """
    cash = await venue.cash() if balances else None
    orders = tuple({one.order_id: one for one in await venue.open_orders()}.values())
    listed = await venue.fills_since(about.since_ms)
    fills = tuple({(one.order_id, one.fill.fill_id): one for one in listed}.values())
    if not balances:
        return AtVenue(orders, fills)
    tokens = about.tokens | {one.token for one in fills}
    return AtVenue(orders, fills, await venue.positions(sorted(tokens)), cash)


async def each(
    parts: Mapping[str, Venue], about: Question, *, balances: bool, limit_s: float, sole: bool
) -> tuple[list[AtVenue], dict[str, ArbsagaError | TimeoutError]]:
    """A look at each of these venues by itself, in `limit_s` (s): those that answered, and why which did not.

    `sole`: there is no other venue, so every token is of this one.
    """

    async def one(name: str) -> AtVenue:
        tokens = frozenset(token for token in about.tokens if sole or venue_of(token) == name)
        async with asyncio.timeout(limit_s):
            return await ask(parts[name], replace(about, tokens=tokens), balances=balances)

    names = list(parts)
    answers = await asyncio.gather(*map(one, names), return_exceptions=True)
    looks, down = [], dict[str, ArbsagaError | TimeoutError]()
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, AtVenue):
            looks.append(answer)
        elif isinstance(answer, ArbsagaError | TimeoutError):
            down[name] = answer
        else:
            raise answer
    return looks, down


def read(ledger: Ledger, account: str, at_venue: AtVenue) -> InLedger:
    """What the ledger has about what the venue shows. Raises what the ledger raises."""
    booked = ledger.filled(sorted({one.order_id for one in at_venue.fills}))
    odd = [*unbooked(at_venue, booked), *overbooked(at_venue, booked)]
    owners = {
        one.order_id: one
        for one in ledger.intents_by_order([*(order.order_id for order in at_venue.orders), *dict.fromkeys(odd)])
    }
    shares, cash = ledger.positions(account), ledger.cash(account)
    return InLedger(
        in_flight=in_flight(ledger, account),
        owners=owners,
        booked=booked,
        shares=shares,
        kept={order_id: _kept(ledger, owners[order_id]) for order_id in _ended(overbooked(at_venue, booked), owners)},
        updated_ms={row.trade_id: row.updated_ms for row in ledger.trades(open_only=True)},
        cash=cash if cash or shares else None,
        opened_ms=ledger.opened_ms(account),
    )


def without(at_venue: AtVenue, in_ledger: InLedger, venues: Collection[str]) -> tuple[AtVenue, InLedger]:
    """Both records of the other venues alone; a trade that has an order at one of these is left out whole.

    So are the shares of its legs elsewhere: they are booked when it ends, and nobody intended them otherwise.
    """
    trades = {one.terms.trade_id for one in in_ledger.in_flight if one.terms.instrument.venue in venues}
    legs = [one.terms.instrument for one in in_ledger.in_flight if one.terms.trade_id in trades]
    busy = {token for leg in legs for token in (leg.token, leg.complement)}
    shares, booked = at_venue.shares, in_ledger.shares
    kept = None if shares is None else {token: size for token, size in shares.items() if token not in busy}
    in_ledger = replace(
        in_ledger,
        in_flight=tuple(one for one in in_ledger.in_flight if one.terms.trade_id not in trades),
        shares={token: size for token, size in booked.items() if token not in busy and venue_of(token) not in venues},
        cash=None,
    )
    return replace(at_venue, shares=kept), in_ledger


def together(looks: Collection[AtVenue]) -> AtVenue:
    """The looks at several venues as one; without cash and shares where one of them did not ask."""
    shares = [look.shares for look in looks if look.shares is not None]
    cash = [look.cash for look in looks if look.cash is not None]
    return AtVenue(
        orders=tuple(order for look in looks for order in look.orders),
        fills=tuple(fill for look in looks for fill in look.fills),
        shares={token: size for one in shares for token, size in one.items()} if len(shares) == len(looks) else None,
        cash=Usd(sum(cash, NO_USD)) if len(cash) == len(looks) else None,
    )


def _ended(order_ids: Collection[str], owners: Mapping[str, Intent]) -> list[str]:
    return [name for name in order_ids if name in owners and owners[name].phase in ENDS]


def _kept(ledger: Ledger, owner: Intent) -> tuple[Fill, ...]:
    story = ledger.trade(owner.terms.trade_id)
    views = story.orders if story else ()
    return next((view.fills for view in views if view.order_id == owner.order_id), ())


def in_flight(ledger: Ledger, account: str) -> tuple[Intent, ...]:
    """The account's orders of trades without an end."""
    return tuple(one for one in ledger.intents_in_flight() if one.account == account)


def markets(ledger: Ledger, account: str, tokens: Collection[str]) -> dict[str, str]:
    """The markets of those tokens that we ever ordered, or whose complement we did."""
    known = (one.terms.instrument for one in ledger.intents(account))
    pairs = {token: one.market for one in known for token in (one.token, one.complement)}
    return {token: pairs[token] for token in tokens if token in pairs}


async def decided(listings: Listings, asked: Mapping[str, str], known: Collection[str] = ()) -> frozenset[str]:
    """Those of these tokens (by their markets) whose market is decided, beside those `known`. Raises VenueError.

    Of a market that its venue no longer shows nothing is known to be decided.
    """
    found = set(known)
    for token, market in asked.items():
        if token not in found:
            listing = await listings.of(venue_of(token), market)
            if listing is not None and (listing.winner is not None or listing.value is not None):
                found.add(token)
    return frozenset(found)


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000
