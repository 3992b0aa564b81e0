"""One account over its venues: what is known and booked of each by itself."""

import asyncio

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.ledger import Ledger, models, postings
from arbsaga.venues.port import Venue
from arbsaga.venues.several import parts_of


def cash_at(ledger: Ledger, account: str, venue: str) -> Usd:
    """USD at one venue by our books, fills that may yet be taken back included."""
    book = models.postings.c.book == postings.cash_book(venue)
    return Usd(ledger._sum(account, book))


async def open_account(ledger: Ledger, venue: Venue, account: str) -> Usd:
    """Book the cash that the account started with at each venue, where none is booked. Returns the sum, in USD.

    A ledger that was lost and made again has the trades but not their opening: what they moved is no part of it.
    Raises VenueError, and what the ledger raises.
    """
    opened = NO_USD
    for name, part in parts_of(venue).items():
        cash, moved = await part.cash(), await asyncio.to_thread(cash_at, ledger, account, name)
        await asyncio.to_thread(ledger.open_account, account, name, Usd(cash - moved))
        opened = Usd(opened + cash - moved)
    return opened
