"""Bugs of bots at Kalshi and between venues that arbsaga does not have: both real venues against both exchanges.

Each test plays one trade with a leg at Polymarket and one at Kalshi (`proof/mutations/cross_scenarios.py`), and the
exchanges' truth journals say that the promise was kept. Most fail when their bug is put back
(`python -m proof.mutations`). The numbers are those of `bug_index_kalshi.py`.
"""

import pytest
from bug_stage import plays

pytestmark = pytest.mark.asyncio(loop_scope="module")


@plays("pair, lost answer", "pair, server error")
async def test_a_leg_without_an_answer_is_not_zero_filled(played):
    """terauss@6c4eb52 execution.rs: a leg error is booked as 0 filled, then the other leg is closed (7.1, 2.7.4)."""
    assert await played("pair, lost answer") == []
    assert await played("pair, server error") == []


@plays("pair, lost answer")
async def test_a_create_without_an_answer_is_not_sent_again(played):
    """didostap/pm-arbitrage-engine@3ee5e07: createOrder in withRetry(NETWORK_ERROR), without a client_order_id."""
    assert await played("pair, lost answer") == []


@plays("pair, died after sending")
async def test_a_restart_sends_no_leg_again(played):
    """Auramaur@2bb1ae9 `place_legs`: fills are recorded once all have answered; a crash between loses a venue's leg."""
    assert await played("pair, died after sending") == []


@plays("pair, never arrived", "pair, late post")
async def test_a_leg_that_may_still_arrive_is_waited_for(played):
    """https://docs.kalshi.com, create order: no lookup by client_order_id; absence takes listings and time (2.7.3)."""
    assert await played("pair, never arrived") == []
    assert await played("pair, late post") == []


@plays("pair, calm", "pair, other way")
async def test_fractions_of_a_contract_are_sent_and_booked(played):
    """guzus/dr-manhattan@7c15fad: `int(size)`; 12.25 contracts fill as 4.63, 5.20 and 2.42 (7.2, 6.6)."""
    assert await played("pair, calm") == []
    assert await played("pair, other way") == []


@plays("pair, calm")
async def test_fees_of_both_venues_are_booked_as_billed(played):
    """terauss@6c4eb52: Kalshi's fee by single contracts, Polymarket's hard-coded 0 (5.1)."""
    assert await played("pair, calm") == []


@plays("pair, calm")
async def test_no_is_bought_at_one_minus_its_price(played):
    """https://docs.kalshi.com, create order v2: one YES book; NO bought at n is an ask at 1 - n (2.6.3)."""
    assert await played("pair, calm") == []


@plays("pair, calm")
async def test_an_order_goes_to_the_shard_of_its_market(played):
    """https://docs.kalshi.com, exchange sharding: another shard does not know it, or all are billed (3.4.4)."""
    assert await played("pair, calm") == []


@plays("pair, wrong shard")
async def test_money_on_another_shard_pays_for_nothing(played):
    """https://docs.kalshi.com, exchange sharding: collateral is per shard; $1000 elsewhere, one leg alone (3.2.6)."""
    assert await played("pair, wrong shard") == []


@plays("pair, sent twice")
async def test_an_id_that_was_used_is_no_refusal(played):
    """https://github.com/DarriEy/Auramaur/pull/189: 409 order_already_exists, and the order is there (2.7.1)."""
    assert await played("pair, sent twice") == []


@plays("pair, halted market", "pair, refused there", "pair, refused here")
async def test_a_409_with_a_definite_code_is_a_no(played):
    """https://docs.kalshi.com: 409 is not one thing, switch on its code; the other leg is undone (3.2.1)."""
    assert await played("pair, halted market") == []
    assert await played("pair, refused there") == []
    assert await played("pair, refused here") == []


@plays("pair, refused there", "pair, refused here")
async def test_the_leg_that_filled_is_sold_at_its_own_venue(played):
    """terauss@6c4eb52 execution.rs extract_cross_results: (kalshi, poly) is read as (yes, no) (7.20)."""
    assert await played("pair, refused there") == []
    assert await played("pair, refused here") == []


@plays("pair, halted market", "pair, halted market and cheap")
async def test_a_halted_market_is_not_sent_to_again_and_again(played):
    """Field report of 2026: `trading_is_paused` of one halted market, re-sent 335 times in 31 minutes (3.2.2)."""
    assert await played("pair, halted market") == []
    assert await played("pair, halted market and cheap") == []


@plays("pair, answered 200")
async def test_200_is_a_success_too(played):
    """Official client 3.34.0: a 200 makes create_order_v2 return None, although the order exists (1.2.2, 3.3.1)."""
    assert await played("pair, answered 200") == []


@plays("pair, empty success")
async def test_a_success_without_an_order_id_proves_nothing(played):
    """Inventory report of the API, 2026-10-01, 7.8: 2xx without an order_id is an unknown outcome (3.3.2)."""
    assert await played("pair, empty success") == []


@plays("pair, rate limited")
async def test_429_proves_nothing(played):
    """Field reports: said to be before the engine, not relied on; a bare text, no Retry-After (2.7.6, 3.1.4)."""
    assert await played("pair, rate limited") == []


@plays("pair, partial leg")
async def test_what_was_cancelled_is_not_filled(played):
    """https://docs.kalshi.com, create order v2: filled is fill_count, never count less remaining_count (2.6.8)."""
    assert await played("pair, partial leg") == []


@plays("pair, cancel loses")
async def test_404_to_a_cancel_is_no_end_without_fills(played):
    """Demo capture report 5: cancelled, executed and unknown are all 404; hummingbot/hummingbot#8094 (2.8.1)."""
    assert await played("pair, cancel loses") == []


@plays("pair, reads behind")
async def test_a_read_that_lags_takes_nothing_back(played):
    """Demo capture report 16: a GET 360 ms after an acknowledged cancel still says `resting` (2.8.5)."""
    assert await played("pair, reads behind") == []


@plays("pair, level deepens")
async def test_a_delta_is_an_increment(played):
    """https://docs.kalshi.com, http asyncapi 2.0.0, orderbook_delta: signed and not absolute (4.3.2)."""
    assert await played("pair, level deepens") == []


@plays("pair, gap in the stream")
async def test_a_gap_in_the_stream_is_not_traded_over(played):
    """terauss@6c4eb52 keeps stale sizes; a gap makes every market of the subscription stale (4.4.2)."""
    assert await played("pair, gap in the stream") == []


@plays("pair, paused", "pair, paused market")
async def test_a_paused_venue_keeps_the_other_leg_at_home(played):
    """https://docs.kalshi.com, maintenance and pauses: one venue paused, the other leg would go out alone (3.5.1)."""
    assert await played("pair, paused") == []
    assert await played("pair, paused market") == []


@plays("pair, opposite questions")
async def test_opposite_questions_are_bought_as_such(played):
    """manu-labs#242: YES and NO inverted; pmxt#2087: a missing relation is `identity` (7.3, 7.4)."""
    assert await played("pair, opposite questions") == []


@plays("pair, torn read")
async def test_books_of_two_moments_are_read_again(played):
    """A report on recorded books: the latest of each leg gives 15 false signals of 1,489 (7.14)."""
    assert await played("pair, torn read") == []


@plays("pair, other side held")
async def test_what_another_trade_holds_is_not_closed(played):
    """https://docs.kalshi.com, market settlement: YES and NO of one market net at once (6.2)."""
    assert await played("pair, other side held") == []


@plays("pair, first leg partial", "pair, first leg finds nothing")
async def test_a_leg_that_follows_is_sized_to_what_filled(played):
    """rao/pm-kalshi-arbitrage-bot@a4954ec: leg A missed 60 % of the time, 15 % had to be unwound (7.15)."""
    assert await played("pair, first leg partial") == []
    assert await played("pair, first leg finds nothing") == []


@plays("pair, dead before", "pair, dead meanwhile")
async def test_a_leg_is_sold_while_the_other_venue_is_dead(played):
    """terauss@6c4eb52: the auto-close is one sale after 2 s, and a line in the log when it failed (7.16)."""
    assert await played("pair, dead before") == []
    assert await played("pair, dead meanwhile") == []


@plays("pair, away for a while")
async def test_a_venue_that_comes_back_tells_what_it_took(played):
    """https://docs.kalshi.com, user_data_timestamp: what was told before says nothing of what came since (7.19)."""
    assert await played("pair, away for a while") == []
