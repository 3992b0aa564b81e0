"""How quotes are moved so that a basket pays a wanted edge."""

import random
from decimal import Decimal

import pytest

from arbsaga.exchange.fair import Quote, draw_fair, drift, ladder, lowest, quote
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.misprice import LEAST_LEG, MOST_LEG, fee_per_share, no_legs, no_of_some, yes_of_all
from arbsaga.exchange.model import Market
from arbsaga.exchange.units import ONE


def markets_of(count: int, rate: str = "0.05", tick: int = 10_000) -> list[Market]:
    made = []
    for at in range(count):
        condition_id, tokens = v1_ids(f"misprice {at}")
        made.append(
            Market(condition_id, "1", "?", "slug", "v1", tokens, neg_risk=True, tick=tick, fee_rate=Decimal(rate))
        )
    return made


@pytest.mark.parametrize("count", range(3, 9))
@pytest.mark.parametrize("rate", ["0", "0.07"])
@pytest.mark.parametrize("tick", [1_000, 10_000])
def test_yes_asks_fall_until_the_edge_is_there(count: int, rate: str, tick: int) -> None:
    """The basket pays the edge after fees and at most a tick more; bids stay under the asks; legs stay tradeable."""
    markets = markets_of(count, rate, tick)
    for seed in range(20):
        quotes = [quote(fair, tick) for fair in draw_fair(random.Random(seed), count, ONE)]
        cheap = yes_of_all(markets, quotes, Decimal("0.05"), [20 * ONE] * count)
        profit = ONE - sum(one.ask + fee_per_share(markets[0], one.ask) for one in cheap)
        assert 50_000 <= profit <= 50_000 + 1.1 * tick
        assert all(one.bid < one.ask and one.ask >= LEAST_LEG and one.ask % tick == 0 for one in cheap)
        assert all(
            (one.cheap, one.shares, one.behind) == ("SELL", 20 * ONE, old.ask)
            for one, old in zip(cheap, quotes, strict=True)
        )


@pytest.mark.parametrize("count", range(3, 9))
def test_no_of_some_gets_cheap_and_no_larger_set_much_cheaper(count: int) -> None:
    """The chosen NO pay the edge after fees; the others' YES fall, so that all NO together pay no more than 8 %."""
    markets = markets_of(count)
    for seed in range(20):
        rng = random.Random(seed)
        fair = draw_fair(rng, count, ONE)
        quotes = [quote(one, 10_000) for one in fair]
        legs = no_legs(rng, fair)
        cheap = no_of_some(markets, quotes, legs, Decimal("0.05"), [20 * ONE] * count)
        bids = [one.bid - fee_per_share(markets[0], one.bid) for one in cheap]
        paid = len(legs) - 1
        assert 50_000 * paid <= sum(bids[leg] for leg in legs) - ONE <= 50_000 * paid + 11_000
        assert sum(bids) - ONE <= 80_000 * (count - 1)
        assert [one.cheap for one in cheap] == ["BUY" if at in legs else None for at in range(count)]
        assert all(0 < one.bid < one.ask and one.bid <= MOST_LEG for one in cheap)


def test_an_edge_beyond_the_prices_is_refused() -> None:
    """Neither side can be moved to any edge."""
    markets, quotes = markets_of(3), [quote(fair, 10_000) for fair in (400_000, 300_000, 300_000)]
    with pytest.raises(ValueError, match="more than these prices can give"):
        yes_of_all(markets, quotes, Decimal("0.9"), [ONE] * 3)
    with pytest.raises(ValueError, match="more than these prices can give"):
        no_of_some(markets, quotes, [0, 1], Decimal("0.9"), [ONE] * 3)


@pytest.mark.parametrize("count", range(1, 9))
def test_fair_prices_keep_their_sum_and_bounds_while_they_drift(count: int) -> None:
    """Whatever drifts, an event's prices sum to the same and stay between the least leg and 0.75."""
    rng = random.Random(count)
    fair = draw_fair(rng, count, ONE)
    start = list(fair)
    for _ in range(2_000):
        before = list(fair)
        moved = drift(rng, fair)
        assert {at for at in range(count) if before[at] != fair[at]} <= set(moved)
        assert count == 1 or sum(fair) == ONE
        assert all((lowest(count) if count > 1 else 200_000) <= one <= 750_000 for one in fair)
    assert fair != start


def test_a_cheap_level_stands_before_the_normal_ladder() -> None:
    """Only the mispriced level is cheap: what is behind it is priced as usual."""
    levels, cheap = ladder(Quote(280_000, 290_000, "SELL", ONE, behind=330_000), 10_000)
    assert cheap == ("SELL", 290_000)
    assert min(price for side, price in levels if side == "SELL") == 330_000
    levels, cheap = ladder(Quote(380_000, 390_000, "BUY", ONE, behind=330_000), 10_000)
    assert cheap == ("BUY", 380_000)
    assert max(price for side, price in levels if side == "BUY") == 330_000


def test_ladders_end_at_the_ends_of_the_price_range() -> None:
    """No level at or under 0, none at or over 1."""
    levels, _ = ladder(quote(12_000, 10_000), 10_000)
    assert all(0 < price < ONE for _, price in levels)
    levels, _ = ladder(quote(ONE - 12_000, 10_000), 10_000)
    assert all(0 < price < ONE for _, price in levels)
