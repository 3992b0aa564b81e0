"""Books by request, from the simulated exchange."""

from decimal import Decimal

import pytest

from arbsaga.domain.books import Level
from arbsaga.errors import BadMessage, UnknownThing, VenueError
from arbsaga.exchange.kalshi.venue import WireSettings
from arbsaga.venues.kalshi.books import Books

from .market_rig import market_rig, tokens_of


@pytest.fixture
async def rig(tmp_path):
    async with market_rig(tmp_path) as running:
        yield running


class Told:
    """A REST API that answers what the test says."""

    def __init__(self, answer):
        self.answer = answer

    async def get(self, path, params=None):
        return self.answer


def at(price, size):
    return Level(Decimal(price), Decimal(size))


async def test_both_outcomes_from_one_answer(rig):
    """Best first on both sides, whatever the wire's order; NO mirrored; in the order asked."""
    for side, price, count in (("bid", "0.08", "300"), ("bid", "0.10", "1.25"), ("ask", "0.46", "20"),
                               ("ask", "0.45", "7")):  # fmt: skip
        await rig.exchange.offer("RAIN-A", side, price, count)
    no, empty, yes = await rig.books.read(["kalshi:RAIN-A:NO", "kalshi:RAIN-B:YES", "kalshi:RAIN-A:YES"], 123)
    assert yes.bids == (at("0.10", "1.25"), at("0.08", "300"))
    assert yes.asks == (at("0.45", "7"), at("0.46", "20"))
    assert no.bids == (at("0.55", "7"), at("0.54", "20"))
    assert no.asks == (at("0.90", "1.25"), at("0.92", "300"))
    assert (empty.bids, empty.asks) == ((), ())
    assert (yes.token, yes.read_ms, yes.time_ms, yes.generation) == ("kalshi:RAIN-A:YES", 123, 123, 0)


async def test_reads_are_signed_and_so_not_of_the_cache(tmp_path):
    """An unsigned read may be 15 s old: nobody should price from that."""
    async with market_rig(tmp_path, WireSettings(read_lag_ms=0, rate_limits=False, public_cache_s=60)) as rig:
        before = await rig.read(["kalshi:RAIN-A:YES"])
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "1")
        after = await rig.read(["kalshi:RAIN-A:YES"])
        assert (before[0].bids, after[0].bids) == ((), (at("0.10", "1"),))


async def test_a_market_that_is_not_there(rig):
    """All or nothing: the others would be read apart."""
    with pytest.raises(VenueError, match="404"):
        await rig.read(tokens_of("RAIN-A", "NOPE"))


async def test_a_missing_book():
    """The answer leaves one out."""
    books = Books(Told({"orderbooks": [{"ticker": "A", "orderbook_fp": {}}]}))
    with pytest.raises(VenueError, match="no book of B"):
        await books.read(tokens_of("A", "B"), 0)


@pytest.mark.parametrize("books", [False, None, [None], [{"ticker": "A"}]])
async def test_an_answer_that_cannot_be_read(books):
    """Said, and nothing believed."""
    with pytest.raises(BadMessage):
        await Books(Told({"orderbooks": books})).read(tokens_of("A"), 0)


async def test_tokens_of_another_venue():
    """They have no book here."""
    with pytest.raises(UnknownThing):
        await Books(Told({})).read(["123"], 0)


async def test_nothing_asked():
    """No request is made."""
    assert await Books(Told({})).read([], 0) == ()
