"""Bugs of real bots that arbsaga does not have: the real venue code, activities, ledger and pager against the exchange.

Each test plays one trade in which the bug would show (`proof/mutations/scenarios.py`), and the exchange's truth journal
says that the promise was kept. Each fails when its bug is put back (`python -m proof.mutations`).
"""

import pytest
from bug_stage import plays

pytestmark = pytest.mark.asyncio(loop_scope="module")


@plays("lost answer")
async def test_a_timeout_is_not_zero_filled(played):
    """terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 execution.rs `extract_*`: a failed POST is `(0, 0, "")`."""
    assert await played("lost answer") == []


@plays("lost answer")
async def test_a_timed_out_post_is_not_retried_under_a_new_id(played):
    """https://github.com/Polymarket/py-clob-client/issues/273: three FOK retries, three orders matched.

    didostap/pm-arbitrage-engine@3ee5e07: `withRetry(NETWORK_ERROR)` around `createOrder` without a client id.
    """
    assert await played("lost answer") == []


@plays("late post")
async def test_an_order_that_reaches_the_book_late_is_found(played):
    """https://github.com/Polymarket/clob-client/issues/244: a cancel may miss what is not in the book yet."""
    assert await played("late post") == []


@plays("never arrived")
async def test_an_order_that_never_arrived_is_proved_and_not_sent_again(played):
    """https://github.com/Polymarket/py-clob-client-v2/issues/84: timeouts under load, and nothing at the venue."""
    assert await played("never arrived") == []


@plays("died after sending")
async def test_the_order_row_is_written_before_the_post(played):
    """didostap/pm-arbitrage-engine@3ee5e07 execution.service.ts 660 to 703: a crash between POST and row loses it."""
    assert await played("died after sending") == []


@plays("died after sending")
async def test_a_restart_does_not_send_what_was_filled_again(played):
    """DEXBot #160: orders that were filled meanwhile are placed again."""
    assert await played("died after sending") == []


@plays("lost leg")
async def test_a_missing_leg_is_undone_until_the_legs_are_equal(played):
    """usealtoal/edgelord@506190a: a partial fill is cancelled and recorded, and what filled stays naked."""
    assert await played("lost leg") == []


@plays("refused leg, settled")
async def test_the_leg_that_filled_is_unwound_and_no_other(played):
    """terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52: (kalshi, poly) read as (yes, no) sells what is not there."""
    assert await played("refused leg, settled") == []


@plays("refused leg, settled", "partial leg")
async def test_no_exit_is_larger_than_what_filled(played):
    """johnsnow92/polymarket-arb-scanner@02d2c04 .planning/codebase/CONCERNS.md: a hedge may double-sell."""
    assert await played("refused leg, settled") == []
    assert await played("partial leg") == []


@plays("exit refused at first", "stuck")
async def test_the_unwind_is_no_one_shot(played):
    """didostap/pm-arbitrage-engine@3ee5e07: auto-unwind "is a one-shot mechanism"; terauss only logs that it failed."""
    assert await played("exit refused at first") == []
    assert await played("stuck") == []


@plays("exit refused at first")
async def test_a_close_that_fails_opens_nothing_more(played):
    """https://github.com/hummingbot/hummingbot/issues/6960: the close failed, the position was opened several times."""
    assert await played("exit refused at first") == []


@plays("partial leg")
async def test_a_part_of_a_leg_is_not_the_whole(played):
    """YichengYang-Ethan/oracle3@d0c8316 `SpreadExecutor`: any `filled_quantity > 0` is a full leg."""
    assert await played("partial leg") == []


@plays("delayed leg")
async def test_pending_is_not_failed(played):
    """johnsnow92/polymarket-arb-scanner@02d2c04 CONCERNS.md: "pending" treated as failed makes false hedges."""
    assert await played("delayed leg") == []


@plays("delayed leg")
async def test_delayed_is_not_zero_filled(played):
    """https://github.com/valory-xyz/trader/issues/942: `delayed`, read as zero, raced its own match."""
    assert await played("delayed leg") == []


@plays("unmatched leg")
async def test_a_pending_order_is_not_left_resting(played):
    """didostap/pm-arbitrage-engine@3ee5e07: primary 'pending' returns, a live limit order is orphaned."""
    assert await played("unmatched leg") == []


@plays("cancel loses")
async def test_a_cancel_that_lost_the_race_is_a_fill(played):
    """https://github.com/hummingbot/hummingbot/issues/8094: the cancel fails as it filled, the hedge is skipped."""
    assert await played("cancel loses") == []


@plays("cancel error")
async def test_a_cancel_that_failed_is_tried_again_before_anything_else_is_believed(played):
    """https://github.com/butor/blackbird/issues/417: cancel unsuccessful, sell successful: about $700 lost."""
    assert await played("cancel error") == []


@plays("ghost fill")
async def test_a_match_that_fails_is_taken_back(played):
    """https://github.com/Polymarket/py-clob-client-v2/issues/34: ghost fills; one match of several fails here.

    https://github.com/Polymarket/py-sdk/issues/266: failures of some of an order's matches are silently dropped.
    """
    assert await played("ghost fill") == []


@plays("calm")
async def test_legs_have_equal_shares_not_equal_dollars(played):
    """https://github.com/DarriEy/Auramaur/issues/409: equal dollars lost $3.33 for sure on a "risk-free" $20."""
    assert await played("calm") == []


@plays("calm")
async def test_fees_are_booked_as_billed(played):
    """https://github.com/DarriEy/Auramaur/issues/141: a flat 0 fee; terauss@6c4eb52 hard-codes 0 too."""
    assert await played("calm") == []


@plays("halted", "stuck")
async def test_a_halt_does_not_trap_what_is_exposed(played):
    """https://github.com/DarriEy/Auramaur/issues/408: a kill switch that blocks cancels keeps the exposure."""
    assert await played("halted") == []


@plays("stuck")
async def test_what_cannot_be_undone_is_held_and_paged(played):
    """YichengYang-Ethan/oracle3@d0c8316: the unwind's result is never checked, yet it returns `hedged=True`."""
    assert await played("stuck") == []


@plays("frozen books")
async def test_books_of_a_frozen_stream_are_not_traded_on(played):
    """https://github.com/Polymarket/py-clob-client/issues/292: socket open, PONG answered, no data for hours."""
    assert await played("frozen books") == []


@plays("overslept")
async def test_a_late_worker_sends_nothing(played):
    """https://github.com/Polymarket/ts-sdk/issues/98: an order's life must be bounded before it reaches the book."""
    assert await played("overslept") == []


@plays("sent twice")
async def test_duplicated_is_no_refusal(played):
    """py-clob-client-v2 `retry_on_error` posts again after 30 ms: success hides behind `Duplicated` (error codes)."""
    assert await played("sent twice") == []


@plays("hidden orders")
async def test_an_order_that_is_not_shown_was_placed_all_the_same(played):
    """https://github.com/Polymarket/py-clob-client/issues/217: get_order is empty after a match.

    johnsnow92/polymarket-arb-scanner@02d2c04 CONCERNS.md: recovery misses fills (404 after retention).
    """
    assert await played("hidden orders") == []


@plays("odd batch")
async def test_one_odd_entry_does_not_lose_a_batch(played):
    """polymarket-client 0.14.0 `post_orders`: one malformed entry raises for the whole batch, orders were placed."""
    assert await played("odd batch") == []


@plays("phantom lock")
async def test_a_phantom_lock_is_not_looped_on(played):
    """https://github.com/Polymarket/py-clob-client/issues/342: "sum of matched orders" only grows. Bounded, paged."""
    assert await played("phantom lock") == []


@plays("version mismatch")
async def test_an_order_format_that_has_changed_fails_closed(played):
    """https://github.com/Polymarket/py-clob-client-v2/issues/32: order_version_mismatch, and no retry loop."""
    assert await played("version mismatch") == []


@plays("engine restart")
async def test_a_restart_of_the_engine_proves_nothing_and_stops_nothing(played):
    """https://github.com/Polymarket/py-clob-client/issues/286: "Service is not ready", then post-only for 2 min."""
    assert await played("engine restart") == []
