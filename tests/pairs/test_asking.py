"""The venues are asked about every pair; whoever does not answer disables what it concerns and nothing else."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from pairs_make import NOW, PAIR, A, B, pair

from arbsaga.errors import Unavailable, UnknownThing, VenueError
from arbsaga.pairs import Disabled, Live, MarketRef
from arbsaga.pairs.asking import ASKED_AT_ONCE, Stated, ask, states


class Answers:
    """All that a state asks of a venue: a question by market."""

    def __init__(self, *questions, error=None):
        self.questions = {question.market: question for question in questions}
        self.error, self.asked, self.at_once, self.most = error, [], 0, 0

    async def question(self, market):
        self.asked.append(market)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.error:
            raise self.error
        if market not in self.questions:
            raise UnknownThing(f"no market {market}")
        return self.questions[market]


async def test_a_pair_is_stated_with_its_days():
    venues = {"polymarket": Answers(A), "kalshi": Answers(B)}
    assert await states([PAIR], venues, NOW) == (Stated(PAIR, Live(), Decimal(3)),)
    changed = {"polymarket": Answers(A), "kalshi": Answers(replace(B, rules="new"))}
    (found,) = await states([PAIR], changed, NOW)
    assert isinstance(found.state, Disabled)
    assert found.days == 3


async def test_where_no_payout_is_announced_the_close_counts():
    venues = {"polymarket": Answers(A), "kalshi": Answers(replace(B, resolves_ms=0))}
    (found,) = await states([PAIR], venues, NOW)
    assert found.days == 2


@pytest.mark.parametrize(
    ("kalshi", "words"),
    [
        (Answers(error=VenueError("HTTP 503:\ndown")), "HTTP 503: down"),
        (Answers(error=Unavailable("no connection")), "no connection"),
        (Answers(), "no market KXFED-26DEC-CUT"),
        (None, "kalshi is not among the venues of the configuration"),
    ],
)
async def test_a_venue_that_does_not_answer_disables_its_pairs_only(kalshi, words):
    second = replace(A, market="0x2")
    within = pair(name="within", b=MarketRef("polymarket", "0x2"), cutoffs=(A.closes_ms, A.closes_ms))
    within = replace(within, hashes=(PAIR.hashes[0],) * 2)
    venues = {"polymarket": Answers(A, second)} | ({"kalshi": kalshi} if kalshi else {})
    broken, whole = await states([PAIR, within], venues, NOW)
    assert isinstance(broken.state, Disabled)
    assert words in broken.state.reason
    assert (broken.days, whole.state) == (None, Live())


async def test_an_answer_about_another_market_is_none():
    venue = Answers(B)
    venue.questions = {B.market: replace(B, market="KXOTHER")}
    (found,) = await states([PAIR], {"polymarket": Answers(A), "kalshi": venue}, NOW)
    assert isinstance(found.state, Disabled)
    assert "answered about KXOTHER when asked about kalshi:KXFED-26DEC-CUT" in found.state.reason


async def test_a_market_is_asked_about_once_and_only_a_few_at_a_time():
    many = [replace(B, market=f"KX-{at}") for at in range(30)]
    pairs = [pair(name=f"p-{at}", b=MarketRef("kalshi", one.market)) for at, one in enumerate(many)]
    ours, theirs = Answers(A), Answers(*many)
    assert len(await states(pairs, {"polymarket": ours, "kalshi": theirs}, NOW)) == 30
    assert ours.asked == [A.market]
    assert theirs.most == ASKED_AT_ONCE


async def test_no_pairs_need_no_venue():
    assert await states([], {}, NOW) == ()
    with pytest.raises(UnknownThing, match="not among the venues"):
        await ask(PAIR.b, {})
