"""What broke real bots at Polymarket, row by row, and the tests which show that arbsaga does not have it.

`name#N` is https://github.com/Polymarket/name/issues/N (py-clob-client, py-clob-client-v2, clob-client, py-sdk,
rs-clob-client, real-time-data-client); anything else is named whole.
"""

from bug_entry import (
    ACCOUNT,
    ADMISSION,
    BOOKS,
    CANCELS,
    DEPTH,
    EXCHANGE,
    FRAMES,
    JUDGE,
    LIVE,
    ORDERS,
    OUTCOME,
    PAYOUTS,
    POSTING,
    PROVER,
    START,
    STREAM,
    TRADES,
    WIRE,
    Bug,
)

VENUE: dict[str, Bug] = {
    "1": Bug(
        "timeout, but the order matched; retries filled three times",
        "py-clob-client#273, #261",
        (
            WIRE + "test_a_timed_out_post_is_not_retried_under_a_new_id",
            EXCHANGE + "TestLostAnswers::test_accepted_orders_are_found_by_id",
            POSTING + "TestUnknown::test_dropped_answer",
        ),
    ),
    "2": Bug(
        "a re-post answers Duplicated, and is marked rejected",
        "docs.polymarket.com error-codes; bots of September 2026",
        (
            WIRE + "test_duplicated_is_no_refusal",
            EXCHANGE + "TestLostAnswers::test_same_order_again_is_a_duplicate_and_nothing_else",
        ),
    ),
    "3": Bug(
        "MATCHED never settles; buying again doubled positions",
        "py-clob-client-v2#34, py-clob-client#338, https://arxiv.org/abs/2606.16852",
        (
            WIRE + "test_a_match_that_fails_is_taken_back",
            EXCHANGE + "TestSettlement::test_failed_fill_is_taken_back",
            EXCHANGE + "TestSettlement::test_retried_settlement_confirms_in_the_end",
        ),
    ),
    "4": Bug(
        "phantom lock: the sum of matched orders keeps growing",
        "py-clob-client#342, #287",
        (
            WIRE + "test_a_phantom_lock_is_not_looped_on",
            ACCOUNT + "test_balance_refusal_has_the_venue_look_again",
            ACCOUNT + "test_figures_of_a_balance_text",
        ),
    ),
    "5": Bug(
        "balance 0 or allowance errors from a wrong funder or signature type",
        "py-clob-client#109, #264, #319, #287",
        (
            ACCOUNT + "TestFunds::test_missing_allowance_is_named",
            START + "test_account_needs_no_money_to_start",
            "tests/venues/test_secrets.py::test_wallet_must_be_the_keys",
        ),
    ),
    "6": Bug(
        "invalid signature on neg-risk markets",
        "py-clob-client#79",
        (ORDERS + "TestExchange::test_chosen_by_version_and_neg_risk", EXCHANGE + "test_every_market_and_wallet"),
    ),
    "7": Bug(
        "order_version_mismatch after a cutover",
        "py-clob-client-v2#32",
        (
            WIRE + "test_an_order_format_that_has_changed_fails_closed",
            ORDERS + "TestExchange::test_unknown_version_is_refused",
            "tests/workflows/test_activities.py::test_a_refusal_of_the_whole_account_halts_the_entries_and_pages",
        ),
    ),
    "8": Bug(
        "the order signer is not the API key's, for deposit wallets",
        "py-clob-client-v2#75",
        (START + "test_started_account_trades", START + "test_a_wrong_signer_is_told_in_the_venues_words"),
    ),
    "9": Bug(
        "FOK and FAK precision",
        "py-clob-client#121, #253, #305; py-clob-client-v2#99, #59; rs-clob-client#114",
        (
            ORDERS + "TestAmounts::test_never_more_decimals_than_the_venue_takes",
            ORDERS + "TestAmounts::test_fok_buy_gives_cents_and_gets_four_decimals",
        ),
    ),
    "10": Bug(
        "taker amount must equal size times price",
        "https://github.com/JKorf/Polymarket.Net/issues/5",
        (
            ORDERS + "TestAmounts::test_gtc_is_share_targeted_and_exact",
            ORDERS + "TestAmounts::test_finest_tick_is_exact",
        ),
    ),
    "11": Bug(
        "get_order is empty after a match",
        "py-clob-client#217",
        (
            WIRE + "test_an_order_that_is_not_shown_was_placed_all_the_same",
            EXCHANGE + "TestLostAnswers::test_found_by_trades_alone",
            PROVER + "TestSources::test_by_trades_when_the_order_is_hidden",
        ),
    ),
    "12": Bug(
        "a FAK without a match is HTTP 400", "clob-client#323", (EXCHANGE + "TestKilled::test_nothing_to_match",)
    ),
    "13": Bug(
        "the market stream is silent for hours with PONG alive",
        "py-clob-client#292; real-time-data-client#26",
        (
            WIRE + "test_books_of_a_frozen_stream_are_not_traded_on",
            STREAM + "TestSilence::test_books_that_moved_unheard_end_the_connection",
            EXCHANGE + "test_stream_that_does_not_tell_of_an_accepted_order_is_replaced",
        ),
    ),
    "14": Bug(
        "REST /book stale at 0.01/0.99",
        "py-clob-client#180",
        (BOOKS + "TestPlaceholder::test_fault_stale_book_on_the_exchange",),
    ),
    "15": Bug(
        "a book that crosses for a moment",
        "https://github.com/nevuamarkets/poly-websockets/issues/25",
        (
            LIVE + "test_a_book_may_cross_for_a_moment_but_not_stay_crossed",
            DEPTH + "test_a_crossed_book_is_refused",
        ),
    ),
    "16": Bug(
        "the book's hash cannot be reproduced",
        "py-clob-client-v2#117",
        (FRAMES + "test_change_is_the_new_absolute_size",),
    ),
    "17": Bug(
        "market_resolved never comes",
        "rs-clob-client#226",
        (
            "tests/venues/test_discovery.py::TestResolved::test_told_once",
            STREAM + "TestSilence::test_market_that_is_over_is_not_silence",
        ),
    ),
    "18": Bug(
        "snapshot and deltas race at a resync",
        "https://github.com/nautechsystems/nautilus_trader/issues/4635",
        (
            LIVE + "test_changes_that_came_while_the_snapshot_was_in_flight_are_kept_when_newer",
            LIVE + "test_a_snapshot_older_than_changes_that_had_no_room_is_not_believed",
        ),
    ),
    "19": Bug(
        "an endless cancel loop on `already canceled or matched`",
        "https://github.com/nautechsystems/nautilus_trader/issues/3797",
        (
            EXCHANGE + "TestCancel::test_gone_order_on_a_venue_that_hides_finished_ones",
            PROVER + "TestCancel::test_accepted_order_that_is_gone_is_over_in_the_end",
            JUDGE + "test_what_stays_open_for_ten_minutes_is_held",
        ),
    ),
    "20": Bug(
        "the engine restarts: 425, then two minutes of post-only",
        "py-clob-client#286",
        (
            WIRE + "test_a_restart_of_the_engine_proves_nothing_and_stops_nothing",
            CANCELS + "test_cancels_go_on_in_the_post_only_minutes_after_a_restart",
            EXCHANGE + "TestRestart::test_restart_and_post_only",
        ),
    ),
    "21": Bug(
        "a cancel during the delay fails",
        "docs.polymarket.com order-lifecycle",
        (
            EXCHANGE + "TestDelays::test_delayed_order_is_pending_and_then_matches",
            PROVER + "TestCancel::test_delayed_order_cannot_be_canceled",
        ),
    ),
    "22": Bug(
        "the text of a 503 no longer tells cancel-only from all-stop",
        "verification report of the venue's documents, 2026-09-30, E-05",
        (
            CANCELS + "test_whatever_the_text_of_a_503_the_cancel_is_tried",
            CANCELS + "test_a_cancel_that_is_stopped_ends_nothing_and_is_tried_again",
            OUTCOME + "test_catalogue_of_errors",
        ),
    ),
    "23": Bug(
        "cancel-all drains the cancel bucket below zero",
        "verification report of the venue's documents, 2026-09-16, D-21",
        (EXCHANGE + "test_cancels_are_by_id_only", PROVER + "TestDenied::test_cancels_are_rationed"),
    ),
    "24": Bug(
        "a tick that changes in flight refuses orders",
        "docs.polymarket.com wss/market",
        (
            FRAMES + "test_end_of_a_market_or_its_tick_closes_it",
            DEPTH + "test_a_leg_that_the_venue_would_refuse_refuses_the_trade",
        ),
    ),
    "25": Bug(
        "two legs fired twice in the same group",
        "an incident that was told without a link",
        (TRADES + "test_a_basket_is_never_in_two_trades", ADMISSION + "test_a_basket_is_in_one_trade_at_a_time"),
    ),
    "26": Bug(
        "`retry_on_error` posts again after 30 ms",
        "py-clob-client-v2 1.2.1 retry_on_error",
        (WIRE + "test_duplicated_is_no_refusal", POSTING + "test_posted_once_whatever_the_answer"),
    ),
    "27": Bug(
        "relayer and RPC flakiness",
        "py-sdk#116",
        (
            POSTING + "test_only_what_was_signed_is_posted",
            START + "TestRefused::test_wallet_that_is_not_deployed",
            PAYOUTS + "test_nothing_is_booked_before_the_venue_has_paid",
        ),
    ),
}
"""By the row of the list. The last row's bug cannot show: no on-chain step is taken, and payouts are read, not made."""
