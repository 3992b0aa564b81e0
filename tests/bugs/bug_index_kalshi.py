"""Every trap of Kalshi's trade API and of pairing its markets with Polymarket's, and the tests which hold it off.

Numbers are this list's own, in the chapters of what is known of the venue: `SECTIONS` says which chapters there are.
`docs: x` is docs.kalshi.com, page x; `demo n` the n-th of the wire captures of the venue's demo, 2026-06-11; `client`
the official `kalshi_python_sync` 3.34.0, run against a local server; `inventory` a third party's of 2026-10-01.
"""

from bug_entry import (
    AT_KALSHI,
    DEPTH,
    K_ACCOUNT,
    K_BOOKS,
    K_DISCOVERY,
    K_FRAMES,
    K_ORDERS,
    K_OUTCOME,
    K_PACE,
    K_POSTING,
    K_PROVER,
    K_RECORDS,
    K_REST,
    K_SIGNING,
    K_STREAM,
    K_USER,
    K_VENUE,
    TWO,
    Bug,
)

SECTIONS = {
    "1.2": "the official client",
    "2.6": "creating an order",
    "2.7": "client_order_id",
    "2.8": "cancelling and reading orders",
    "3.1": "shapes of errors",
    "3.2": "codes of errors",
    "3.3": "success",
    "3.4": "rate limits",
    "3.5": "pauses",
    "4.3": "shapes of messages",
    "4.4": "sequences of messages",
    "5": "fees",
    "6": "settlement, netting, fractions",
    "7": "pairs of markets, and legs at two venues",
}

KALSHI: dict[str, Bug] = {
    "1.2.1": Bug(
        "the live venue is the default host: an address that is forgotten trades for real",
        "client",
        (K_SIGNING + "test_addresses", "tests/cli/test_bad_input.py::test_live_trading_needs_its_switch"),
    ),
    "1.2.2": Bug(
        "only 201 is mapped: a 200 to a create returns None, although the order exists",
        "client",
        (TWO + "test_200_is_a_success_too", K_POSTING + "test_a_success_of_200_is_one"),
    ),
    "1.2.3": Bug(
        "an unknown status, a missing field or a null list fails the whole page",
        "client; Kalshi/kalshi-python#2",
        (
            K_ACCOUNT + "test_null_lists_are_empty",
            K_DISCOVERY + "test_bad_records_do_not_lose_a_page",
            K_DISCOVERY + "test_unknown_statuses_are_not_tradable",
            K_RECORDS + "test_empty_sides_of_a_book",
        ),
    ),
    "1.2.4": Bug(
        "errors in the shape that is really sent have neither code nor message",
        "client",
        (K_REST + "test_errors_of_every_shape", K_OUTCOME + "test_a_definite_no_in_every_shape"),
    ),
    "1.2.5": Bug(
        "no timeout: it waits for ever, the asynchronous one for 300 s",
        "client",
        (K_REST + "test_the_limit_covers_the_whole_request", K_POSTING + "test_no_answer_in_time"),
    ),
    "1.2.6": Bug(
        "reads are sent four times when the connection drops, and nobody is told",
        "client",
        (K_REST + "test_nothing_is_asked_twice",),
    ),
    "2.6.1": Bug(
        "the endpoint of most bots is gone: 410 deprecated_v1_order_endpoint",
        "docs: create-order-v2; guzus/dr-manhattan and pmxt 2.54.0 still use it",
        (
            K_OUTCOME + "test_what_bars_the_account",
            "tests/exchange/kalshi/wire/test_create.py::test_unknown_markets_and_paths",
        ),
    ),
    "2.6.2": Bug(
        "JSON numbers for price and count are refused, and would have been floats",
        "demo 7; docs: fixed_point_migration",
        (K_ORDERS + "test_everything_the_venue_wants_is_sent", K_REST + "test_fractions_are_decimals"),
    ),
    "2.6.3": Bug(
        "there is one YES book: NO bought at n is an ask at 1 - n",
        "docs: create-order-v2",
        (TWO + "test_no_is_bought_at_one_minus_its_price", K_POSTING + "test_every_side_is_of_the_yes_book"),
    ),
    "2.6.4": Bug(
        "a price off the market's ranges is refused; the ranges differ, and change while it trades",
        "docs: fixed_point_migration",
        (
            K_ORDERS + "test_terms_the_venue_would_not_take",
            K_ORDERS + "test_a_finer_grid",
            K_RECORDS + "test_the_grid_is_price_ranges_and_not_its_label",
            K_FRAMES + "test_a_market_whose_rules_change_begins_anew",
        ),
    ),
    "2.6.5": Bug(
        "a dot in the client_order_id, or a 65th character, is a 400",
        "docs: FIX; field report",
        (K_ORDERS + "test_ids_never_change",),
    ),
    "2.6.6": Bug(
        "no market orders and no buy_max_cost: only the limit bounds what an order costs",
        "docs: create-order-v2",
        (
            DEPTH + "test_no_order_may_cost_more_than_was_reserved",
            "tests/domain/test_fees.py::test_the_fills_of_an_order_cost_no_more_than_is_said_before",
        ),
    ),
    "2.6.7": Bug(
        "reduce_only needs immediate_or_cancel, expiration_time is in seconds and not for it",
        "docs: create-order-v2",
        (K_ORDERS + "test_everything_the_venue_wants_is_sent", K_ORDERS + "test_times_in_force"),
    ),
    "2.6.8": Bug(
        "filled is fill_count: count less remaining is all of an order whose rest was cancelled",
        "docs: create-order-v2",
        (TWO + "test_what_was_cancelled_is_not_filled", K_OUTCOME + "test_filled_is_fill_count"),
    ),
    "2.6.9": Bug(
        "the averages are not there when nothing filled, and are no fill's price or fee",
        "docs: create-order-v2",
        (K_OUTCOME + "test_an_average_price_is_not_a_fill", K_PROVER + "test_fills_come_from_fills"),
    ),
    "2.6.10": Bug(
        "a killed FOK is HTTP 409, and definite",
        "docs: create-order-v2",
        (K_POSTING + "test_a_killed_fok_is_refused", K_OUTCOME + "test_a_409_that_is_a_no"),
    ),
    "2.6.11": Bug(
        "an IOC that finds nothing is 201 with 0.00, or a 409",
        "docs: create-order-v2 (which of the two is open)",
        (K_POSTING + "test_an_ioc_that_finds_nothing",),
    ),
    "2.6.12": Bug(
        "a post-only order that crosses is refused, or accepted and cancelled",
        "demo 6; changelog 2026-06-04",
        (
            K_PROVER + "test_an_end_by_the_venue_has_its_reason",
            "tests/exchange/kalshi/test_engine_orders.py::test_post_only_that_crosses_is_refused_or_accepted_and_canceled",
        ),
    ),
    "2.6.13": Bug(
        "self-trade prevention answers 201 with nothing filled and nothing left",
        "demo 12",
        (
            K_POSTING + "test_an_order_that_would_meet_our_own",
            K_OUTCOME + "test_nothing_left_and_nothing_filled_is_over",
        ),
    ),
    "2.7.1": Bug(
        "a used id is 409 order_already_exists, and the order is not returned: read as refused",
        "demo 3; DarriEy/Auramaur#189",
        (
            TWO + "test_an_id_that_was_used_is_no_refusal",
            K_OUTCOME + "test_a_duplicate_is_unknown",
            K_POSTING + "test_a_duplicate_is_neither_refused_nor_filled",
        ),
    ),
    "2.7.2": Bug(
        "ids are never freed: not by a cancel, and a killed FOK uses its own up",
        "demo 4; field report",
        (
            K_POSTING + "test_a_duplicate_of_a_killed_fok_is_unknown",
            K_ORDERS + "test_the_same_attempt_is_the_same_bytes",
        ),
    ),
    "2.7.3": Bug(
        "nobody can be asked by client_order_id: listings are, which lag",
        "client (its models)",
        (
            TWO + "test_a_leg_that_may_still_arrive_is_waited_for",
            TWO + "test_a_venue_that_comes_back_tells_what_it_took",
            K_PROVER + "test_unknown_then_found",
            K_PROVER + "test_after_a_restart",
        ),
    ),
    "2.7.4": Bug(
        "a timeout, a 5xx or a dropped connection is taken for not sent",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52; docs: create-order-v2",
        (TWO + "test_a_leg_without_an_answer_is_not_zero_filled", K_POSTING + "test_an_unknown_outcome"),
    ),
    "2.7.5": Bug(
        "sent again to learn its fate, and without its id",
        "didostap/pm-arbitrage-engine@3ee5e07; guzus/dr-manhattan (no client_order_id)",
        (
            TWO + "test_a_create_without_an_answer_is_not_sent_again",
            TWO + "test_a_restart_sends_no_leg_again",
            K_ORDERS + "test_the_same_attempt_is_the_same_bytes",
        ),
    ),
    "2.7.6": Bug(
        "429 to a create: documented as before the engine, and two bots do not rely on it",
        "docs: rate_limits; field reports",
        (TWO + "test_429_proves_nothing", K_OUTCOME + "test_statuses_that_prove_nothing"),
    ),
    "2.8.1": Bug(
        "a cancel of what is cancelled, executed or unknown is 404 all the same",
        "demo 5",
        (
            TWO + "test_404_to_a_cancel_is_no_end_without_fills",
            K_PROVER + "test_a_404_of_a_cancel_ends_nothing",
            K_PROVER + "test_a_cancel_that_lost_shows_the_fill",
        ),
    ),
    "2.8.2": Bug(
        "without a market or a shard a cancel looks on shard 0 alone: 404, and the order rests",
        "docs: exchange_sharding",
        (K_PROVER + "test_cancel_on_another_shard",),
    ),
    "2.8.3": Bug(
        "cancel-all takes orders along that are placed within the next minute",
        "client (its models)",
        (AT_KALSHI + "test_a_cancel_takes_its_own_order_and_no_later_one",),
    ),
    "2.8.4": Bug(
        "a batch is not atomic, has an error inside of each item, and is billed item by item",
        "client (its models)",
        (K_POSTING + "test_legs_go_together_and_alone",),
    ),
    "2.8.5": Bug(
        "360 ms after an acknowledged cancel a read still says `resting`",
        "demo 16",
        (
            TWO + "test_a_read_that_lags_takes_nothing_back",
            K_PROVER + "test_the_ack_is_trusted_over_a_lagging_read",
            K_PROVER + "test_lag_is_no_denial",
        ),
    ),
    "2.8.6": Bug(
        "a cancel that was acknowledged hides what filled before it",
        "hummingbot/hummingbot#8094",
        (K_PROVER + "test_a_cancel_does_not_hide_fills", K_PROVER + "test_cancel_without_stream_and_with_lag"),
    ),
    "2.8.7": Bug(
        "the last page has an empty cursor, a garbage cursor gives the first page again",
        "demo 8, 11",
        (K_REST + "test_pages", K_REST + "test_a_cursor_that_repeats", K_ACCOUNT + "test_pages"),
    ),
    "3.1.1": Bug(
        "nested errors: {error: {code, message, details}}",
        "demo 1",
        (K_REST + "test_errors_of_every_shape",),
    ),
    "3.1.2": Bug(
        "flat errors: {code, message}, for JSON of the wrong type",
        "inventory 7",
        (K_OUTCOME + "test_a_definite_no_in_every_shape",),
    ),
    "3.1.3": Bug("{msg}, for parameters", "inventory 7", (K_OUTCOME + "test_a_definite_no_in_every_shape",)),
    "3.1.4": Bug(
        "429 is a bare text without Retry-After",
        "docs: rate_limits",
        (TWO + "test_429_proves_nothing", K_REST + "test_errors_of_every_shape"),
    ),
    "3.1.5": Bug(
        "a gateway's HTML, whatever its status, is taken for the venue's no",
        "field reports of 502 and 404",
        (K_OUTCOME + "test_a_gateway_proves_nothing", K_REST + "test_long_errors_are_cut"),
    ),
    "3.2.1": Bug(
        "409 is not one thing: a no, a duplicate, a pause, or nobody knows",
        "demo tests; field report",
        (
            TWO + "test_a_409_with_a_definite_code_is_a_no",
            K_OUTCOME + "test_a_409_that_is_a_no",
            K_OUTCOME + "test_any_other_409_is_unknown",
        ),
    ),
    "3.2.2": Bug(
        "trading_is_paused of one halted market: 335 orders in 31 minutes",
        "field report",
        (TWO + "test_a_halted_market_is_not_sent_to_again_and_again",),
    ),
    "3.2.3": Bug(
        "403: scope, subaccount or region; every further order would get it too",
        "client; changelog 2026-08-16",
        (
            K_POSTING + "test_a_key_that_may_not_trade_bars_the_account",
            K_VENUE + "test_a_key_without_the_right_to_trade",
            K_VENUE + "test_a_key_of_a_subaccount",
            K_VENUE + "test_the_location_attestation_is_watched",
        ),
    ),
    "3.2.4": Bug(
        "401: a wrong signature, or a clock that is off",
        "demo 2, 15",
        (
            K_VENUE + "test_a_clock_that_is_off",
            K_VENUE + "test_a_private_key_of_another",
            K_REST + "test_reads_are_signed",
        ),
    ),
    "3.2.5": Bug(
        "names of refusals are not listed anywhere, and their spelling differs from FIX's",
        "docs: FIX; open",
        (K_OUTCOME + "test_a_definite_no_in_every_shape", K_VENUE + "test_a_market_that_takes_no_orders"),
    ),
    "3.2.6": Bug(
        "insufficient_balance although there is money: it is on another shard",
        "docs: exchange_sharding",
        (
            TWO + "test_money_on_another_shard_pays_for_nothing",
            K_ACCOUNT + "test_collateral_on_the_wrong_shard",
            DEPTH + "test_each_pocket_must_hold_what_its_own_buys_cost",
        ),
    ),
    "3.3.1": Bug(
        "201 by the documents, 200 on the wire",
        "inventory 7.8",
        (TWO + "test_200_is_a_success_too", K_OUTCOME + "test_any_success_with_an_order_id_is_accepted"),
    ),
    "3.3.2": Bug(
        "2xx without an order_id is read as accepted",
        "inventory 7.8",
        (
            TWO + "test_a_success_without_an_order_id_proves_nothing",
            K_OUTCOME + "test_a_success_without_an_order_id_is_unknown",
        ),
    ),
    "3.4.1": Bug(
        "ten creates a second, and the eleventh is a 429 of which nobody knows what it did",
        "docs: rate_limits",
        (
            K_PACE + "test_a_burst_beyond_the_bucket_is_not_refused",
            K_PACE + "test_orders_that_would_wait_too_long_are_not_sent",
        ),
    ),
    "3.4.2": Bug(
        "limits and costs are written into the code, and change with the tier",
        "docs: rate_limits (copies differ)",
        (K_PACE + "test_the_tier_is_read", K_PACE + "test_limits_that_cannot_be_read"),
    ),
    "3.4.3": Bug(
        "polling lists of orders uses the reads up",
        "docs: rate_limits (20 reads a second)",
        (
            K_PROVER + "test_one_listing_serves_all",
            K_PROVER + "test_what_the_stream_told_in_full_needs_no_request",
            K_DISCOVERY + "test_a_small_account_can_list_for_ever",
        ),
    ),
    "3.4.4": Bug(
        "an order without its shard is billed to the bucket of every shard, and is slower",
        "docs: exchange_sharding",
        (TWO + "test_an_order_goes_to_the_shard_of_its_market", K_POSTING + "test_a_wrong_shard_is_refused"),
    ),
    "3.4.5": Bug(
        "a cancel waits behind orders for the rate limit",
        "docs: rate_limits (a cancel costs a fifth)",
        (K_PACE + "test_the_bucket",),
    ),
    "3.5.1": Bug(
        "Thursdays 03:00-05:00 New York time: one venue paused, the other one's leg goes out alone",
        "docs: maintenance_and_pauses",
        (
            TWO + "test_a_paused_venue_keeps_the_other_leg_at_home",
            K_VENUE + "test_the_announced_pause",
            DEPTH + "test_a_venue_that_is_paused_refuses_the_pair",
        ),
    ),
    "3.5.2": Bug(
        "in a full pause not even cancels are taken: what rests, rests into it",
        "docs: maintenance_and_pauses",
        (
            K_POSTING + "test_resting_orders_end_with_a_pause",
            K_PROVER + "test_cancel_while_everything_is_paused",
        ),
    ),
    "3.5.3": Bug(
        "the top level of the status tells of shard 0 only, and 503 carries it too",
        "client (its models)",
        (
            K_VENUE + "test_a_paused_shard_bars_its_own_markets",
            K_VENUE + "test_the_status_is_read_whatever_the_code",
        ),
    ),
    "3.5.4": Bug(
        "streams break in a pause, and nothing of it is told again",
        "docs: maintenance_and_pauses",
        (K_USER + "test_an_interruption_is_news_and_is_mended", K_STREAM + "test_a_dropped_connection_is_made_anew"),
    ),
    "4.3.1": Bug(
        "the key of an empty side is absent",
        "kalshi-sdk 22.4.0 requires both",
        (K_FRAMES + "test_an_empty_side_is_absent",),
    ),
    "4.3.2": Bug(
        "a delta is a signed increment, read as a size",
        "docs: asyncapi 2.0.0",
        (TWO + "test_a_delta_is_an_increment", K_FRAMES + "test_recorded_snapshot_and_delta"),
    ),
    "4.3.3": Bug(
        "NO's prices are NO's or YES's: the default of use_yes_price will turn",
        "docs: asyncapi 2.0.0",
        (K_STREAM + "test_opening", K_FRAMES + "test_recorded_snapshot_and_delta"),
    ),
    "4.3.4": Bug(
        "our own orders' deltas have more keys, and new types of messages come",
        "docs: asyncapi 2.0.0",
        (
            K_FRAMES + "test_an_own_orders_delta_carries_its_id",
            K_FRAMES + "test_other_types_and_other_markets_are_passed_over",
        ),
    ),
    "4.3.5": Bug(
        "a fill of the stream has no fill_id and perhaps no client_order_id: counted twice, or for nobody",
        "docs: asyncapi 2.0.0",
        (
            K_USER + "test_a_fill_without_our_id_is_kept_until_it_is_known",
            K_PROVER + "test_the_stream_and_rest_tell_the_same_fill_once",
        ),
    ),
    "4.3.6": Bug(
        "a fill is told before the answer to the create that made it",
        "docs: asyncapi 2.0.0 (stream and answers are not ordered)",
        (K_USER + "test_a_fill_before_the_answer",),
    ),
    "4.3.7": Bug(
        "a market is deactivated, decided, or has another grid while it is traded",
        "docs: market_lifecycle_v2",
        (
            K_FRAMES + "test_a_market_that_ends_is_closed",
            K_FRAMES + "test_a_market_whose_rules_change_begins_anew",
            K_STREAM + "test_lifecycle",
        ),
    ),
    "4.4.1": Bug(
        "one sequence for all markets of a subscription: counted by market, every message is a gap",
        "docs: asyncapi 2.0.0",
        (
            K_FRAMES + "test_numbers",
            K_STREAM + "test_a_gap_makes_every_market_of_the_subscription_stale_until_it_is_asked_for",
        ),
    ),
    "4.4.2": Bug(
        "a gap is ignored, and depth counted on that is gone",
        "docs: asyncapi 2.0.0; terauss@6c4eb52 (stale sizes)",
        (
            TWO + "test_a_gap_in_the_stream_is_not_traded_over",
            K_FRAMES + "test_a_gap_makes_all_markets_stale_and_wants_their_snapshots",
        ),
    ),
    "4.4.3": Bug(
        "a message that comes twice is applied twice",
        "docs: asyncapi 2.0.0",
        (K_FRAMES + "test_a_copy_is_dropped", K_STREAM + "test_duplicates_are_dropped"),
    ),
    "4.4.4": Bug(
        "replies to commands take numbers too, or not",
        "docs: asyncapi 2.0.0 (by its examples)",
        (K_FRAMES + "test_replies_take_numbers", K_STREAM + "test_replies_may_count_or_not"),
    ),
    "4.4.5": Bug(
        "subscriptions have other numbers on the next connection",
        "docs: asyncapi 2.0.0",
        (K_FRAMES + "test_interrupted", K_FRAMES + "test_numbers_that_restart_are_not_copies"),
    ),
    "4.4.6": Bug(
        "fills and orders have no sequence: what is missed cannot be noticed",
        "docs: asyncapi 2.0.0",
        (K_USER + "test_missed_frames_are_found_by_requests", K_USER + "test_a_silent_stream_is_replaced"),
    ),
    "4.4.7": Bug(
        "quiet is taken for frozen, or frozen for quiet: the socket answers pings either way",
        "Polymarket/real-time-data-client#26, the same here",
        (K_STREAM + "test_a_frozen_stream_is_found", K_STREAM + "test_a_quiet_book_is_proved_again_and_again"),
    ),
    "4.4.8": Bug(
        "unsigned reads come from a cache of 15 s, and prices with them",
        "live probe of 2026-07-18",
        (K_BOOKS + "test_reads_are_signed_and_so_not_of_the_cache",),
    ),
}
"""By chapter and number; fees, settlement and pairs are in `bug_index_pairs.py`."""
