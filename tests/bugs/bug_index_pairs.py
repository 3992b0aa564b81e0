"""Fees, settlement and netting at Kalshi, and pairs with legs at two venues: what goes wrong, and the tests against it.

Numbers go on from `bug_index_kalshi.py`. `docs: x` is docs.kalshi.com, page x.
"""

from bug_entry import (
    AT_KALSHI,
    CONTRACT,
    DEPTH,
    JUDGE,
    K_ACCOUNT,
    K_DISCOVERY,
    K_FRAMES,
    K_OUTCOME,
    K_PROVER,
    K_RECORDS,
    LEDGER,
    PAIRS,
    SCANNER,
    SEVERAL,
    TWO,
    UNDO,
    Bug,
)

PAIRED: dict[str, Bug] = {
    "5.1": Bug(
        "the fee is rounded up contract by contract, or taken as 0",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 (ceil per single contract); docs: fee_rounding",
        (
            TWO + "test_fees_of_both_venues_are_booked_as_billed",
            K_RECORDS + "test_the_documents_examples",
            CONTRACT + "test_account.py::test_c*_cash_positions_and_fees_after_trades",
        ),
    ),
    "5.2": Bug(
        "rates are written into the code: the series says them, and its event overrides them",
        "docs: fees (S&P and Nasdaq series at half); client, FeeType",
        (K_RECORDS + "test_fees_come_from_the_series_unless_the_event_overrides_them",),
    ),
    "5.3": Bug(
        "`flat` fees are a table on paper, and any unknown type is computed as if it were known",
        "docs: fee schedule",
        (
            K_RECORDS + "test_unknown_fees_are_one_line",
            K_DISCOVERY + "test_flat_fees_are_not_traded",
            K_RECORDS + "test_the_stand_in_for_unknown_fees_is_dearer_than_any",
        ),
    ),
    "5.4": Bug("a waiver ends while the trade is open", "docs: fees", (K_RECORDS + "test_waived_fees",)),
    "5.5": Bug(
        "what a sweep costs is under-estimated: each fill is rounded by itself",
        "docs: fee_rounding (the newest copy; an older one rounded to 4 decimals)",
        (
            "tests/domain/test_fees.py::test_the_fills_of_an_order_cost_no_more_than_is_said_before",
            AT_KALSHI + "test_an_edge_of_a_sweep_counts_every_fills_rounding",
            "tests/domain/test_pricing_cross.py::test_rounding_can_take_the_whole_edge_of_a_small_book",
            CONTRACT + "test_placing.py::test_c*_fees_are_within_the_rules",
        ),
    ),
    "5.6": Bug(
        "no answer tells the account's precision: taken as the finer one, costs are too low",
        "docs: fee_rounding (direct member, or cleared by a broker)",
        (
            K_RECORDS + "test_the_documents_examples",
            "tests/venues/kalshi/test_signing.py::test_settings_that_are_none",
        ),
    ),
    "5.7": Bug(
        "average_fee_paid is for one contract, and no bill",
        "docs: create-order-v2",
        (K_OUTCOME + "test_an_average_price_is_not_a_fill", K_PROVER + "test_fills_come_from_fills"),
    ),
    "5.8": Bug(
        "fees change while a market is traded",
        "docs: event_fee_update",
        (K_FRAMES + "test_new_fees_close_the_markets_of_their_event",),
    ),
    "6.1": Bug(
        "a result is taken for the payout, and amended after a dispute",
        "docs: market_settlement",
        (K_DISCOVERY + "test_a_resolved_market_is_told_once", K_DISCOVERY + "test_winner"),
    ),
    "6.2": Bug(
        "YES and NO of one market net at once: a leg of one trade closes that of another",
        "docs: market_settlement",
        (
            TWO + "test_what_another_trade_holds_is_not_closed",
            DEPTH + "test_a_netting_venue_is_not_entered_against_what_is_held",
            "tests/detect/test_admission.py::test_both_outcomes_of_a_netting_market_are_not_in_flight_together",
            UNDO + "test_the_complement_is_no_way_out_where_the_venue_nets_both_outcomes",
        ),
    ),
    "6.4": Bug(
        "mutually exclusive is taken for exhaustive: all of the markets can resolve NO",
        "docs: events; OctoBot-Prediction-Market#2 at the other venue",
        (K_DISCOVERY + "test_events", K_RECORDS + "test_exclusive_only_where_the_venue_says_so"),
    ),
    "6.5": Bug(
        "a payout between 0 and 1: YES $0.26, NO $0.74",
        "Kalshi rule 6.3(c), Super Bowl LX, February 2026",
        (
            K_DISCOVERY + "test_a_scalar_settlement_has_a_value_and_no_winner",
            K_RECORDS + "test_markets_that_pay_otherwise_are_odd",
            "tests/ledger/test_two_venues.py::test_a_scalar_settlement_pays_its_value",
            CONTRACT + "test_markets.py::test_c*_market_that_pays_a_part",
        ),
    ),
    "6.6": Bug(
        "fills of 0.01 contracts, for whole orders too, are cut to whole numbers",
        "docs: fixed_point_migration",
        (
            TWO + "test_fractions_of_a_contract_are_sent_and_booked",
            K_PROVER + "test_fractions",
            K_ACCOUNT + "test_a_small_fraction_can_be_sold",
            CONTRACT + "test_placing.py::test_c*_smallest_order",
        ),
    ),
    "6.7": Bug(
        "a settled market is listed no more: its position is counted on, or its event forgotten before it has paid",
        "docs: historical cutoff",
        (
            K_ACCOUNT + "test_a_settled_market_holds_nothing",
            K_DISCOVERY + "test_an_event_that_is_gone_is_asked_for_until_it_is_over",
        ),
    ),
    "7.1": Bug(
        "a leg's error is booked as 0 filled, then the other leg is closed: an order lives on unhedged",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 execution.rs",
        (
            TWO + "test_a_leg_without_an_answer_is_not_zero_filled",
            JUDGE + "test_an_unknown_order_is_proved_and_not_sent_again",
        ),
    ),
    "7.2": Bug(
        "int(size): fractions are cut off, and nobody gives the order an id",
        "guzus/dr-manhattan@7c15fad",
        (
            TWO + "test_fractions_of_a_contract_are_sent_and_booked",
            TWO + "test_a_create_without_an_answer_is_not_sent_again",
        ),
    ),
    "7.3": Bug(
        "a missing relation is `identity`",
        "pmxt 2.54.0; pmxt#2087: of 30 pairs read by hand 3 were identical",
        (
            PAIRS + "test_registry.py::test_a_mistake_in_the_file_is_one_line",
            PAIRS + "test_pairs_command.py::test_both_texts_are_shown_and_the_relation_is_typed",
        ),
    ),
    "7.4": Bug(
        "inverted: YES of the one is NO of the other",
        "manu-labs#242",
        (
            TWO + "test_opposite_questions_are_bought_as_such",
            PAIRS + "test_approving.py::test_an_inverted_pair_is_refused_unless_the_person_insists",
            PAIRS + "test_checking.py::test_exactly_the_combinations_that_always_win_are_guaranteed",
        ),
    ),
    "7.5": Bug(
        "markets are matched by slugs, team codes, or a model, and traded unread",
        "terauss@6c4eb52 discovery.rs; predictionhero.com; Auramaur#417",
        (
            PAIRS + "test_pairs_command.py::test_any_other_word_approves_nothing",
            PAIRS + "test_checking.py::test_whatever_has_changed_disables_the_pair",
            PAIRS + "test_registry.py::test_without_an_approver_a_pair_is_read_as_unapproved",
        ),
    ),
    "7.6": Bug(
        "three markets of one event, one for each team, are read as one that contradicts itself",
        "predictionhero.com divergence alerts",
        (PAIRS + "test_suggest.py::test_each_outcome_is_suggested_with_its_like",),
    ),
    "7.7": Bug(
        "the same words are resolved differently",
        "Super Bowl LX, February 2026: $0.26 here, YES there, disputed; rao@a4954ec README",
        (
            "tests/cli/test_truths.py::test_the_numbers_say_when_two_venues_resolved_one_pair_differently",
            PAIRS + "test_checking.py::test_the_cap_is_used_by_this_pairs_trades_only",
            "tests/detect/test_pairs.py::test_the_cap_holds_even_if_every_share_costs_its_limit",
        ),
    ),
    "7.8": Bug(
        "another deadline, another time zone, `by` or `before`",
        "predictionmarkets.us checklist; ImMike/polymarket-arbitrage#4",
        (
            PAIRS + "test_polarity.py::test_other_numbers_and_dates_are_other_questions",
            PAIRS + "test_checking.py::test_the_millisecond_before_its_cutoff_a_pair_is_live",
        ),
    ),
    "7.9": Bug(
        "another source decides, or revises",
        "predictionmarkets.us checklist; lagline#11",
        (K_DISCOVERY + "test_question", PAIRS + "test_checking.py::test_the_hash_is_of_title_and_rules_to_the_letter"),
    ),
    "7.10": Bug(
        "postponed, cancelled, drawn: refund, half, or NO",
        "predictionmarkets.us checklist",
        (PAIRS + "test_approving.py::test_what_was_read_is_what_is_written_down",),
    ),
    "7.11": Bug(
        "`at least` is taken for `more than`, a bucket for a threshold",
        "predictionmarkets.us checklist",
        (
            PAIRS + "test_polarity.py::test_what_a_person_must_look_at_is_told",
            PAIRS + "test_polarity.py::test_exact_complements_share_no_threshold",
        ),
    ),
    "7.12": Bug(
        "an early close or a dispute of days locks the capital",
        "docs: can_close_early; UMA",
        (
            "tests/domain/test_resolution.py::test_capital_is_locked_until_the_later_market_pays",
            PAIRS + "test_asking.py::test_a_pair_is_stated_with_its_days",
        ),
    ),
    "7.13": Bug(
        "what was compared has changed since: another text, another close, a market made anew",
        "terauss@6c4eb52 (2 h cache); docs: metadata_updated",
        (
            PAIRS + "test_checking.py::test_whatever_has_changed_disables_the_pair",
            K_FRAMES + "test_other_news_of_a_market_only_has_it_listed_anew",
            "tests/cli/test_pairing.py::test_a_text_that_changed_stops_the_pair_and_a_person_is_told_once",
        ),
    ),
    "7.14": Bug(
        "the latest book of each venue: two moments look like an edge",
        "recorded books: 15 false signals of 1,489, down to 0.95",
        (
            TWO + "test_books_of_two_moments_are_read_again",
            SCANNER + "test_a_torn_read_is_refused",
            DEPTH + "test_live_books_are_judged_by_their_own_venues_age",
        ),
    ),
    "7.15": Bug(
        "the second leg is sent in full, whatever the first filled",
        "rao/pm-kalshi-arbitrage-bot@a4954ec (leg A missed 60 % of the time)",
        (
            TWO + "test_a_leg_that_follows_is_sized_to_what_filled",
            JUDGE + "test_the_others_follow_for_what_the_first_leg_filled",
            "tests/detect/test_certainty.py::test_the_leg_that_fills_less_often_goes_first",
        ),
    ),
    "7.16": Bug(
        "one dead venue keeps the leg at the other one from being looked after",
        "terauss@6c4eb52 (one sale after 2 s, and a line in the log when it failed)",
        (
            TWO + "test_a_leg_is_sold_while_the_other_venue_is_dead",
            SEVERAL + "test_a_dead_venue_leaves_its_orders_as_they_were",
            "tests/workflows/test_activities.py::test_a_dead_venue_takes_nothing_from_the_others_books",
        ),
    ),
    "7.17": Bug(
        "fills are booked at the wrong venue: the sum is right, and neither account is",
        "terauss@6c4eb52 circuit_breaker.rs (always kalshi_yes and poly_no)",
        (
            "tests/ledger/test_two_venues.py::test_a_fill_is_paid_from_its_own_venue",
            "tests/cli/test_truths.py::test_money_that_is_at_the_wrong_venue_is_a_difference_although_the_sum_is_right",
            LEDGER + "test_a_payout_counts_once_by_its_shares",
        ),
    ),
    "7.18": Bug(
        "tokens of one venue are sent to the other",
        "rao@a4954ec README (price dead zones, both platforms)",
        (
            SEVERAL + "test_orders_go_to_their_own_venues_at_once_and_are_answered_in_order",
            SEVERAL + "test_an_order_of_a_venue_that_is_not_here_is_not_sent",
        ),
    ),
    "7.19": Bug(
        "a venue that was away is taken at its word of before",
        "docs: user_data_timestamp (reads lag writes)",
        (TWO + "test_a_venue_that_comes_back_tells_what_it_took", K_PROVER + "test_a_denial_is_as_old_as_the_reads"),
    ),
    "7.20": Bug(
        "what the one venue answered is taken for the other one's leg: what did not fill is sold",
        "terauss@6c4eb52 execution.rs extract_cross_results",
        (
            TWO + "test_the_leg_that_filled_is_sold_at_its_own_venue",
            SEVERAL + "test_orders_go_to_their_own_venues_at_once_and_are_answered_in_order",
        ),
    ),
}

UNUSED: dict[str, str] = {
    "6.3": "collateral return: it changes what cash is needed, which is asked for before each trade; off by default",
}
"""Traps of what arbsaga does not use, by their number, and why they cannot show."""
