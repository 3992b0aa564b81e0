"""Every bug that real bots are known to have had, its source, and the tests which show that arbsaga does not have it.

`VENUE`: what broke bots at Polymarket. `KALSHI`, `PAIRED`: traps of Kalshi, and of pairs with legs at both. `PEERS`:
holes in the code of other systems. `USERS`: what their users asked for. `ABSENT`: bugs of parts that arbsaga does not
have, and why they cannot show.
"""

from bug_entry import (
    ADMISSION,
    DEPTH,
    EVIDENCE,
    EXCHANGE,
    JUDGE,
    LEDGER,
    OUTCOME,
    POSTING,
    RECOVERY,
    USER,
    WATCHING,
    WIRE,
    Bug,
)
from bug_index_kalshi import KALSHI
from bug_index_pairs import PAIRED
from bug_index_peers import PEERS
from bug_index_venue import VENUE

USERS: dict[str, Bug] = {
    "1 no duplicates after a timeout": Bug(
        "three FOKs, three fills; nothing at the venue under load; a retry that sends again",
        "py-clob-client#273; py-clob-client-v2#84; temporalio/temporal#8129",
        (
            WIRE + "test_a_timed_out_post_is_not_retried_under_a_new_id",
            WIRE + "test_an_order_that_never_arrived_is_proved_and_not_sent_again",
        ),
    ),
    "2 cancel and fill race": Bug(
        "the cancel fails as it was filled, the hedge is skipped",
        "hummingbot/hummingbot#8094, #855",
        (
            WIRE + "test_a_cancel_that_lost_the_race_is_a_fill",
            EXCHANGE + "TestCancel::test_cancel_that_loses_the_race_shows_the_fill",
        ),
    ),
    "2 a close that failed": Bug(
        "the position was opened several times",
        "hummingbot/hummingbot#6960",
        (WIRE + "test_a_close_that_fails_opens_nothing_more",),
    ),
    "2 cancel failed, sale done": Bug(
        "about $700 lost",
        "butor/blackbird#417",
        (WIRE + "test_a_cancel_that_failed_is_tried_again_before_anything_else_is_believed",),
    ),
    "2 a naked window between entry and exit": Bug(
        "the exit is sent once the entry has filled",
        "openclaw#87422",
        (
            POSTING + "test_legs_go_in_one_request",
            JUDGE + "test_a_person_is_paged_once_when_one_side_filled_and_another_is_unknown",
        ),
    ),
    "2 churn": Bug(
        "7 cycles of open and unwind in 40 minutes",
        "FundingRateArb#404",
        (ADMISSION + "test_a_basket_that_keeps_unwinding_is_left_alone",),
    ),
    "3 restarts with open positions": Bug(
        "forgotten, or sent again",
        "arbitrader#34, freqtrade#10403, hummingbot#366 and #4193, DEXBot#160, OctoBot#3190, Krypto#1042",
        (
            WIRE + "test_a_restart_does_not_send_what_was_filled_again",
            "tests/workflows/test_end_to_end.py::test_a_killed_worker_is_replaced_within_three_seconds",
        ),
    ),
    "3 closed here, open there": Bug(
        "the local record says closed, the venue has it open",
        "kalshi-ai-trading-bot#49",
        (
            WATCHING + "test_a_terminated_trade_that_left_an_order_is_paged",
            "tests/watchdog/test_compare.py::test_an_order_that_rests_after_its_end_is_caught",
        ),
    ),
    "4 MATCHED is provisional": Bug(
        "ghost fills; 112 of 119 stuck MATCHED; partial failures dropped; a FAK that says live fills later",
        "py-clob-client-v2#34, #100; py-clob-client#338; py-sdk#266; clob-client#317",
        (
            WIRE + "test_a_match_that_fails_is_taken_back",
            OUTCOME + "TestAccepted::test_fak_that_answers_live_is_not_over",
            JUDGE + "test_what_stays_unsettled_or_unexplained_for_ten_minutes_is_held",
            WATCHING + "test_a_fill_after_the_end_of_its_trade_is_paged_though_it_was_paid_out",
        ),
    ),
    "5 the order's life is bounded": Bug(
        "a cancel may not catch what has not reached the book",
        "clob-client#244, ts-sdk#98",
        (
            WIRE + "test_a_late_worker_sends_nothing",
            WIRE + "test_an_order_that_reaches_the_book_late_is_found",
            POSTING + "TestSendBy::test_late_order_is_not_sent",
            RECOVERY + "test_a_zombie_that_wakes_up_late_sends_nothing",
        ),
    ),
    "6 stale books": Bug(
        "frozen sockets; orders on a stream that was interrupted meanwhile",
        "py-clob-client#292; real-time-data-client#26; py-sdk#307",
        (
            WIRE + "test_books_of_a_frozen_stream_are_not_traded_on",
            DEPTH + "test_a_stream_interrupted_since_the_decision_is_refused",
        ),
    ),
    "6 updates missed in a reconnect": Bug(
        "the user stream does not replay",
        "docs.polymarket.com realtime-order-updates",
        (
            EXCHANGE + "TestSettlement::test_interrupted_stream_is_looked_up",
            USER + "test_interruption_wakes_waiters_and_it_logs_in_again",
        ),
    ),
    "7 an event that is not exhaustive": Bug(
        "the sum of YES asks is under 1, as 'Other' has no market",
        "OctoBot-Prediction-Market#2",
        (
            "tests/venues/test_discovery.py::TestEvents::test_not_exhaustive",
            "tests/detect/test_index.py::test_only_baskets_with_a_guaranteed_payout_are_built",
        ),
    ),
    "8 fees that match the bill": Bug(
        "fee_rate_bps and /fee-rate are legacy",
        "py-clob-client#317, #326, #247; py-clob-client-v2#107",
        (
            WIRE + "test_fees_are_booked_as_billed",
            EVIDENCE + "TestFees::test_taker_pays_by_the_schedule",
            "tests/venues/test_discovery.py::TestEvents::test_fee_from_the_clob_where_gamma_has_none",
        ),
    ),
    "9 a phantom after the payout": Bug(
        "shares that were paid out are counted on",
        "polymarket-apis#79",
        (
            WATCHING + "test_a_position_that_was_paid_out_is_no_incident",
            LEDGER + "test_a_committed_trade_holds_its_positions_until_the_payout",
        ),
    ),
    "official client: unmatched is no rejection": Bug(
        "RejectedOrder(code='unmatched') without an id, while the order rests",
        "polymarket-client 0.14.0 models/clob/order_response.py",
        (WIRE + "test_a_pending_order_is_not_left_resting", EXCHANGE + "TestDelays::test_unmatched_order_rests"),
    ),
    "official client: one odd entry fails the batch": Bug(
        "UnexpectedResponseError although orders were placed",
        "polymarket-client 0.14.0 post_orders",
        (WIRE + "test_one_odd_entry_does_not_lose_a_batch", EXCHANGE + "test_partial_batch"),
    ),
}

ABSENT: dict[str, str] = {
    "redeeming and merging on-chain": "py-clob-client#131, #139, #295: payouts are read, no transaction is made",
    "tests that re-implement the logic they test": "terauss@6c4eb52: every test here calls the shipped code",
}

BUGS: dict[str, Bug] = {
    **{f"venue {row}": bug for row, bug in VENUE.items()},
    **{f"kalshi {row}": bug for row, bug in (KALSHI | PAIRED).items()},
    **PEERS,
    **USERS,
}
