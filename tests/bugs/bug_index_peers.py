"""The holes of other trading systems, as their code was read, and the tests which show that arbsaga has none of them.

A repository is named with its owner where it comes first, by the commit that was read or the thread that tells of it.
"""

from bug_entry import (
    DEPTH,
    EVIDENCE,
    EXCHANGE,
    FRAMES,
    HANDS,
    HELD,
    JUDGE,
    LEDGER,
    LIVE,
    ORDERS,
    OUTCOME,
    PAYOUTS,
    POSTING,
    PROVER,
    RECOVERY,
    SCANNER,
    TRADES,
    UNDO,
    WATCHING,
    WIRE,
    Bug,
)

PEERS: dict[str, Bug] = {
    "every bot: the order row is written after the POST": Bug(
        "a crash between them loses the order",
        "didostap/pm-arbitrage-engine@3ee5e07 execution.service.ts 660->703; Auramaur@2bb1ae9; oracle3@d0c8316",
        (
            WIRE + "test_the_order_row_is_written_before_the_post",
            HANDS + "test_intents_are_written_before_anything_is_sent",
            HANDS + "test_an_order_that_was_intended_but_never_arrived_stays_unknown",
        ),
    ),
    "every bot: a timed-out POST counts as 0 filled, or is retried with a new id": Bug(
        "naked or doubled legs",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 execution.rs; didostap@3ee5e07 withRetry(NETWORK_ERROR)",
        (WIRE + "test_a_timeout_is_not_zero_filled", WIRE + "test_a_timed_out_post_is_not_retried_under_a_new_id"),
    ),
    "every bot: the unwind is one shot, in memory, unverified": Bug(
        "lost with the process, or believed although it failed",
        "terauss@6c4eb52 (tokio::spawn, 2 s, one sell); didostap@3ee5e07; oracle3@d0c8316",
        (
            WIRE + "test_the_unwind_is_no_one_shot",
            JUDGE + "test_unequal_legs_are_undone_until_the_rounds_are_used_up",
            RECOVERY + "test_eviction_on_every_task_changes_nothing",
        ),
    ),
    "every bot: MATCHED is final": Bug(
        "a match that FAILED is still counted",
        "didostap@3ee5e07 ('matched' is booked); terauss@6c4eb52",
        (WIRE + "test_a_match_that_fails_is_taken_back", JUDGE + "test_a_fill_that_failed_reopens_the_trade"),
    ),
    "terauss: wrong-leg unwind": Bug(
        "(kalshi, poly) is read as (yes, no)",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 execution.rs extract_cross_results",
        (
            WIRE + "test_the_leg_that_filled_is_unwound_and_no_other",
            UNDO + "test_what_filled_is_sold_when_completing_is_dearer",
        ),
    ),
    "terauss: fills booked on the wrong kind of leg": Bug(
        "record_success always books kalshi_yes + poly_no",
        "terauss@6c4eb52 circuit_breaker.rs",
        (
            EVIDENCE + "TestState::test_other_orders_records_change_nothing",
            EXCHANGE + "test_basket_fills_settles_and_adds_up",
        ),
    ),
    "terauss: stale sizes": Bug(
        "price_change keeps the existing size",
        "terauss@6c4eb52 ('Keep existing size - it may be stale')",
        (FRAMES + "test_change_is_the_new_absolute_size", LIVE + "test_a_book_is_always_the_last_size_of_every_level"),
    ),
    "terauss: the lock on a market is freed after 10 s, and covers half of them": Bug(
        "a trade that is still open is entered again",
        "terauss@6c4eb52 (512-bit mask for 1,024 markets)",
        (SCANNER + "test_a_started_basket_is_in_flight_until_it_ends", TRADES + "test_a_basket_is_never_in_two_trades"),
    ),
    "terauss: no recovery": Bug(
        "positions.json is written and never read",
        "terauss@6c4eb52",
        (
            RECOVERY + "test_a_terminated_trade_that_is_run_again_finds_its_orders",
            "tests/cli/test_up.py::test_a_stopped_run_goes_on_with_its_open_trades",
        ),
    ),
    "didostap, oracle3, rao: legs one after the other": Bug(
        "the first is naked while the second is sent",
        "didostap@3ee5e07; oracle3@d0c8316 SpreadExecutor; rao/pm-kalshi-arbitrage-bot@a4954ec",
        (POSTING + "test_legs_go_in_one_request",),
    ),
    "didostap: a pending order is orphaned": Bug(
        "'pending' returns without persisting or cancelling",
        "didostap@3ee5e07 execution.service.ts",
        (
            WIRE + "test_a_pending_order_is_not_left_resting",
            WATCHING + "test_an_orphan_is_paged_once_and_its_end_is_told",
        ),
    ),
    "didostap: matched is booked as the full size at the limit price": Bug(
        "fills, prices and fees that never were",
        "didostap@3ee5e07 Polymarket connector",
        (
            EVIDENCE + "TestTaker::test_price_is_the_makers",
            EXCHANGE + "test_several_prices_and_makers_are_billed_as_computed",
        ),
    ),
    "didostap: positions are never read": Bug(
        "getPositions() is not implemented",
        "didostap@3ee5e07",
        (
            WATCHING + "test_a_stray_position_is_paged",
            WATCHING + "test_a_position_that_the_venue_does_not_have_is_paged",
        ),
    ),
    "arbgrid: pending is failed": Bug(
        "false hedges",
        "johnsnow92/polymarket-arb-scanner@02d2c04 .planning/codebase/CONCERNS.md",
        (WIRE + "test_pending_is_not_failed", JUDGE + "test_a_held_back_order_is_waited_for"),
    ),
    "arbgrid: the hedge of a partial fill sells twice": Bug(
        "an exit larger than the fill",
        "johnsnow92/polymarket-arb-scanner@02d2c04 .planning/codebase/CONCERNS.md",
        (WIRE + "test_no_exit_is_larger_than_what_filled", UNDO + "test_never_more_is_sold_than_can_be_sold"),
    ),
    "arbgrid: placing is not idempotent, the key is never sent": Bug(
        "sha256(market, side, price, minute) is attached to legs and read by no venue client",
        "johnsnow92/polymarket-arb-scanner@02d2c04 HARDEN-05",
        (
            ORDERS + "test_salt_and_timestamp_come_from_the_terms",
            ORDERS + "test_each_attempt_is_another_order",
            HANDS + "test_the_same_orders_are_never_sent_again",
        ),
    ),
    "arbgrid: recovery misses fills": Bug(
        "404 after the venue's retention",
        "johnsnow92/polymarket-arb-scanner@02d2c04 CONCERNS.md",
        (
            WIRE + "test_an_order_that_is_not_shown_was_placed_all_the_same",
            PROVER + "TestCancel::test_cancel_alone_ends_nothing",
        ),
    ),
    "arbgrid: the price cache races": Bug(
        "an order on prices of another moment",
        "johnsnow92/polymarket-arb-scanner@02d2c04 CONCERNS.md",
        (SCANNER + "test_a_torn_read_is_refused", DEPTH + "test_a_stream_interrupted_since_the_decision_is_refused"),
    ),
    "arbgrid: money as text": Bug(
        'amounts are "$0.95" strings',
        "johnsnow92/polymarket-arb-scanner@02d2c04 CONCERNS.md",
        (DEPTH + "test_money_is_decimal", LEDGER + "test_amounts_between_two_millionths_are_refused"),
    ),
    "Auramaur: equal dollars": Bug(
        "$20 'risk-free' lost $3.33 for sure",
        "DarriEy/Auramaur#409",
        (
            WIRE + "test_legs_have_equal_shares_not_equal_dollars",
            JUDGE + "test_entries_are_share_targeted_and_stamped_with_the_decision",
        ),
    ),
    "Auramaur: the NO leg is posted as a second YES": Bug(
        "both legs on one side",
        "DarriEy/Auramaur#409",
        (
            EXCHANGE + "test_every_market_and_wallet",
            "tests/domain/test_baskets.py::test_a_basket_that_guarantees_nothing_cannot_be_built",
        ),
    ),
    "Auramaur: a flat fee of 0": Bug(
        "trades that cost more than they earn",
        "DarriEy/Auramaur#141; terauss@6c4eb52; edgelord@506190a (no fee model)",
        (
            WIRE + "test_fees_are_booked_as_billed",
            "tests/domain/test_pricing.py::test_a_three_way_event_at_94_cents_with_fees",
        ),
    ),
    "Auramaur: each leg must clear its fee": Bug(
        "an edge that fees of one leg take away",
        "DarriEy/Auramaur#153",
        ("tests/domain/test_pricing.py::test_an_edge_that_only_rounding_takes_away_is_no_trade",),
    ),
    "Auramaur: kill switches that did not kill": Bug(
        "entries went on after the switch",
        "DarriEy/Auramaur#115",
        (
            HANDS + "test_a_halt_between_depth_and_post_sends_nothing",
            DEPTH + "test_a_halt_is_heeded",
            "tests/workflows/test_desk_workflow.py::test_a_halt_refuses_entries_in_every_process",
        ),
    ),
    "Auramaur: a kill switch that blocks cancels": Bug(
        "it traps the exposure",
        "DarriEy/Auramaur#408",
        (WIRE + "test_a_halt_does_not_trap_what_is_exposed", HANDS + "test_a_halt_never_blocks_an_exit"),
    ),
    "Auramaur: partial fills are paired": Bug(
        "the legs of a pair are unequal",
        "DarriEy/Auramaur#115",
        (WIRE + "test_a_part_of_a_leg_is_not_the_whole", UNDO + "test_three_unequal_legs_meet_where_it_pays_most"),
    ),
    "Auramaur: orphans are looked for at the start only": Bug(
        "an orphan of a running process rests for ever",
        "DarriEy/Auramaur#129",
        (WATCHING + "test_an_orphan_is_paged_once_and_its_end_is_told",),
    ),
    "Auramaur: the surviving leg is not cancelled": Bug(
        "it fills alone, later",
        "DarriEy/Auramaur#130; submit_paired unwinds a pending first leg only @2bb1ae9",
        (
            JUDGE + "test_siblings_are_withdrawn_when_a_leg_cannot_fill_any_more",
            WIRE + "test_a_missing_leg_is_undone_until_the_legs_are_equal",
        ),
    ),
    "Auramaur: settled legs come back": Bug(
        "payouts are counted twice",
        "DarriEy/Auramaur#112, #146, #147",
        (
            PAYOUTS + "test_a_resolved_basket_is_paid_out_once_and_its_trade_is_told",
            PAYOUTS + "test_two_sweeps_at_once_pay_once",
            LEDGER + "test_a_payout_counts_once_by_its_shares",
        ),
    ),
    "Auramaur: a duplicate is a failure": Bug(
        "the venue's answer to a second post is read as a rejection",
        "DarriEy/Auramaur#189",
        (WIRE + "test_duplicated_is_no_refusal", POSTING + "TestUnknown::test_duplicated"),
    ),
    "Auramaur: fills are recorded once all legs have answered": Bug(
        "a crash between loses the fills of the first",
        "DarriEy/Auramaur@2bb1ae9 place_legs",
        (
            RECOVERY + "test_a_worker_that_dies_after_sending_is_replaced_once_it_is_silent",
            WIRE + "test_the_order_row_is_written_before_the_post",
        ),
    ),
    "oracle3: any fill is a full leg": Bug(
        "filled_quantity > 0",
        "YichengYang-Ethan/oracle3@d0c8316 SpreadExecutor",
        (WIRE + "test_a_part_of_a_leg_is_not_the_whole",),
    ),
    "oracle3: hedged=True without a look": Bug(
        "the unwind's result is never checked",
        "YichengYang-Ethan/oracle3@d0c8316",
        (WIRE + "test_what_cannot_be_undone_is_held_and_paged", TRADES + "test_a_refused_leg_is_undone"),
    ),
    "rao: dead zones": Bug(
        "what is left is too small to sell, and grows",
        "rao/pm-kalshi-arbitrage-bot@a4954ec README",
        (JUDGE + "test_residue_is_capped", JUDGE + "test_a_surplus_too_small_for_any_order_is_residue"),
    ),
    "edgelord: cancelled, recorded, and left": Bug(
        "a partial fill is never exited",
        "usealtoal/edgelord@506190a",
        (WIRE + "test_a_missing_leg_is_undone_until_the_legs_are_equal",),
    ),
    "hummingbot: FAILED, and nothing more": Bug(
        "three new orders, then CloseType.FAILED: no unwind, state in memory",
        "hummingbot/hummingbot@2bfaccc ArbitrageExecutor",
        (
            WIRE + "test_the_unwind_is_no_one_shot",
            HELD + "test_a_held_trade_pages_keeps_its_capital_and_blocks_its_basket",
        ),
    ),
    "freqtrade: orders matched by time": Bug(
        "the wrong fill was attached, and it crashed in a loop",
        "freqtrade/freqtrade#13399",
        (
            EVIDENCE + "TestState::test_other_orders_records_change_nothing",
            PROVER + "TestSources::test_trades_are_asked_from_before_the_order_was_made",
        ),
    ),
    "freqtrade: not found, five times": Bug(
        "order-not-found is retried and given up",
        "freqtrade/freqtrade#4403, #2054",
        (PROVER + "TestDenied::test_nobody_knows_it", JUDGE + "test_an_order_is_absent_only_after_the_quiet_time"),
    ),
    "nautilus: in flight becomes rejected after some retries": Bug(
        "an order that may exist is called dead",
        "nautechsystems/nautilus_trader@a95c804 docs/concepts/live.md",
        (
            JUDGE + "test_an_unknown_order_is_proved_and_not_sent_again",
            EXCHANGE + "TestLostAnswers::test_late_post_is_found_after_the_denial",
        ),
    ),
    "nautilus: REST and stream disagree on a fill": Bug(
        "provisional fills",
        "https://github.com/nautechsystems/nautilus_trader/issues/4876",
        (
            EVIDENCE + "test_events_in_any_order_and_twice_say_the_same",
            PROVER + "test_rest_that_knows_more_than_the_stream_was_told",
        ),
    ),
    "crypto-trading-agents: the wall clock in a workflow": Bug(
        "a replay decides otherwise",
        "Aslan11/crypto-trading-agents#143",
        (
            "tests/workflows/test_rules.py::test_durable_code_keeps_the_rules",
            RECOVERY + "test_histories_replay_with_the_same_arguments",
        ),
    ),
    "valory: delayed is zero filled": Bug(
        "the FAK was retried and raced its own match",
        "valory-xyz/trader#942",
        (WIRE + "test_delayed_is_not_zero_filled", OUTCOME + "TestAccepted::test_delayed_is_pending"),
    ),
    "hummingbot-api: executors do not reload": Bug(
        "open positions are forgotten at a restart",
        "hummingbot/hummingbot-api#110",
        ("tests/cli/test_up.py::test_a_stopped_run_goes_on_with_its_open_trades",),
    ),
    "temporal: a cancel while compensating": Bug(
        "the workflow is stuck for ever",
        "temporalio/sdk-python#1813",
        (TRADES + "test_a_cancel_while_compensating_changes_nothing",),
    ),
}
