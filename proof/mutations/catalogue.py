"""Bugs that real bots had, re-created on purpose in our own code. The harness must catch every one of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from arbsaga.saga.simulator.weather import Weather
from proof.mutations import saga_bugs, wire_bugs
from proof.mutations.saga_bugs import Patch

WIRE = "tests/bugs/test_on_the_wire.py::"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One bug. `source`: who had it. `weather`: what the simulation needs to meet it, None where it cannot.

    `scenarios`: those of the wire layer that meet it. `tests`: named tests that must fail with it.
    """

    name: str
    bug: str
    source: str
    patches: Callable[[], list[Patch]]
    weather: Weather | None = None
    scenarios: tuple[str, ...] = ()
    tests: tuple[str, ...] = field(default=())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Our own modules with this bug, in this process, until the block ends."""
        with ExitStack() as stack:
            for owner, name, value in self.patches():
                stack.enter_context(patch.object(owner, name, value))
            yield


MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "unwind of the wrong leg",
        "the leg beside the one that filled is sold",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 execution.rs extract_cross_results",
        saga_bugs.unwind_of_the_wrong_leg,
        Weather(thin=0.5),
        ("refused leg, settled",),
        tests=(WIRE + "test_the_leg_that_filled_is_unwound_and_no_other",),
    ),
    Mutation(
        "entry again while unknown",
        "a leg whose fate is unknown is ordered again",
        "Polymarket/py-clob-client#273",
        saga_bugs.entry_again_while_unknown,
        Weather(drop=0.5),
        ("lost answer",),
        tests=(WIRE + "test_a_timed_out_post_is_not_retried_under_a_new_id",),
    ),
    Mutation(
        "any fill counts as full",
        "a part of a leg is taken for the whole",
        "YichengYang-Ethan/oracle3@d0c8316 SpreadExecutor",
        saga_bugs.any_fill_is_the_whole_order,
        Weather(part=0.6),
        ("partial leg",),
        tests=(WIRE + "test_a_part_of_a_leg_is_not_the_whole",),
    ),
    Mutation(
        "delayed read as zero",
        "an order that is held back counts as over and empty",
        "valory-xyz/trader#942",
        saga_bugs.delayed_is_nothing_filled,
        Weather(delayed=0.6),
        ("delayed leg",),
        tests=(WIRE + "test_delayed_is_not_zero_filled",),
    ),
    Mutation(
        "failed cancel read as not filled",
        "the fill that beat the cancel is never seen",
        "hummingbot/hummingbot#8094",
        saga_bugs.cancel_means_not_filled,
        Weather(race=1.0, thin=0.5),
        ("cancel loses",),
        tests=(WIRE + "test_a_cancel_that_lost_the_race_is_a_fill",),
    ),
    Mutation(
        "one-shot unwind",
        "one undo order, unverified, and the trade is called flat",
        "didostap/pm-arbitrage-engine@3ee5e07 (one-shot mechanism); terauss@6c4eb52 execution.rs",
        saga_bugs.one_shot_unwind,
        Weather(thin=0.5, part=0.5),
        ("stuck",),
        tests=(WIRE + "test_the_unwind_is_no_one_shot",),
    ),
    Mutation(
        "MATCHED counts as final",
        "a match that never settles is inventory",
        "Polymarket/py-clob-client-v2#34; py-clob-client#338",
        saga_bugs.matched_is_final,
        Weather(ghost=0.3),
        ("ghost fill",),
        tests=(WIRE + "test_a_match_that_fails_is_taken_back",),
    ),
    Mutation(
        "exit larger than the fill",
        "twice the fill is sold",
        "johnsnow92/polymarket-arb-scanner@02d2c04 .planning/codebase/CONCERNS.md (double-sell)",
        saga_bugs.exit_larger_than_the_fill,
        Weather(thin=0.5),
        ("refused leg, settled", "refused leg, unsettled"),
        tests=(WIRE + "test_no_exit_is_larger_than_what_filled",),
    ),
    Mutation(
        "not found is absent at once",
        "no quiet time: an order that is on its way counts as never sent",
        "Polymarket/py-clob-client#273; ts-sdk#98",
        saga_bugs.not_found_is_absent_at_once,
        Weather(late=0.6, late_ms=9_000),
        ("late post",),
        tests=("tests/saga/test_judge.py::test_an_order_is_absent_only_after_the_quiet_time",),
    ),
    Mutation(
        "held silently",
        "a trade that needs a person ends without telling one",
        "usealtoal/edgelord@506190a (partial fill: cancel and record, no exit)",
        saga_bugs.held_silently,
        Weather(thin=0.5, dry=0.95),
        ("stuck",),
        tests=(WIRE + "test_what_cannot_be_undone_is_held_and_paged",),
    ),
    Mutation(
        "residue without limit",
        "whatever is left over is called residue",
        "YichengYang-Ethan/oracle3@d0c8316 (hedged=True without a check)",
        saga_bugs.residue_without_limit,
        Weather(thin=0.5),
        ("lost leg", "partial leg"),
        tests=(WIRE + "test_a_missing_leg_is_undone_until_the_legs_are_equal",),
    ),
    Mutation(
        "replay asks for something else",
        "an order's time is read anew when the story is lived again",
        "Aslan11/crypto-trading-agents#143",
        saga_bugs.replay_asks_for_something_else,
        Weather(crash=0.9),
        tests=("tests/saga/test_simulator.py::test_crashes_happen_and_are_replayed",),
    ),
    Mutation(
        "equal dollars instead of equal shares",
        "entries fix what a leg costs, not how many shares it has",
        "DarriEy/Auramaur#409",
        saga_bugs.equal_dollars,
        scenarios=("calm",),
        tests=(WIRE + "test_legs_have_equal_shares_not_equal_dollars",),
    ),
    Mutation(
        "retry with a new id",
        "a post without an answer is signed anew and sent again",
        "didostap/pm-arbitrage-engine@3ee5e07 withRetry(NETWORK_ERROR); Polymarket/py-clob-client#273",
        wire_bugs.retry_with_a_new_id,
        scenarios=("lost answer",),
        tests=(WIRE + "test_a_timed_out_post_is_not_retried_under_a_new_id",),
    ),
    Mutation(
        "pending counts as failed",
        "the answer `delayed` is taken for a refusal",
        "johnsnow92/polymarket-arb-scanner@02d2c04 .planning/codebase/CONCERNS.md (false hedges)",
        wire_bugs.delayed_is_failed,
        scenarios=("delayed leg",),
        tests=(WIRE + "test_pending_is_not_failed",),
    ),
    Mutation(
        "cancel that is not looked after",
        "a cancel ends an order in our books, whatever filled before",
        "hummingbot/hummingbot#8094; nautechsystems/nautilus_trader#3797",
        wire_bugs.cancel_is_not_looked_after,
        scenarios=("cancel loses",),
        tests=(WIRE + "test_a_cancel_that_failed_is_tried_again_before_anything_else_is_believed",),
    ),
    Mutation(
        "stale book accepted",
        "a frozen stream's books are traded on",
        "Polymarket/py-clob-client#292",
        wire_bugs.stale_book_is_taken,
        scenarios=("frozen books",),
        tests=(WIRE + "test_books_of_a_frozen_stream_are_not_traded_on",),
    ),
    Mutation(
        "duplicate read as refused",
        "the second answer of one post hides the order",
        "docs.polymarket.com/error-codes; py-clob-client-v2 retry_on_error",
        wire_bugs.duplicate_is_refused,
        scenarios=("sent twice",),
        tests=(WIRE + "test_duplicated_is_no_refusal",),
    ),
    Mutation(
        "no send-by fence",
        "a worker that wakes up late sends its orders",
        "Polymarket/clob-client#244, ts-sdk#98",
        wire_bugs.no_send_by,
        scenarios=("overslept",),
        tests=(WIRE + "test_a_late_worker_sends_nothing",),
    ),
    Mutation(
        "timeout read as not filled",
        "a post without an answer is zero filled",
        "terauss/Polymarket-Kalshi-Arbitrage-bot@6c4eb52 execution.rs extract_*",
        wire_bugs.timeout_is_not_filled,
        scenarios=("lost answer", "late post"),
        tests=(WIRE + "test_a_timeout_is_not_zero_filled",),
    ),
    Mutation(
        "intent recorded after the post",
        "the order row is written once the venue has answered",
        "didostap/pm-arbitrage-engine@3ee5e07 execution.service.ts 660->703, and every bot read",
        wire_bugs.intent_after_the_post,
        scenarios=("died after sending",),
        tests=(WIRE + "test_the_order_row_is_written_before_the_post",),
    ),
    Mutation(
        "every attempt is fresh",
        "what was sent before is sent again",
        "johnsnow92/polymarket-arb-scanner@02d2c04 HARDEN-05 (a key that no client reads)",
        wire_bugs.every_attempt_is_fresh,
        scenarios=("died after sending",),
        tests=(WIRE + "test_a_restart_does_not_send_what_was_filled_again",),
    ),
    Mutation(
        "page not delivered",
        "the page is swallowed on its way to the alert log",
        "DarriEy/Auramaur#115 (switches that did nothing)",
        wire_bugs.page_is_swallowed,
        scenarios=("stuck",),
        tests=(WIRE + "test_what_cannot_be_undone_is_held_and_paged",),
    ),
    Mutation(
        "halt blocks the way out",
        "a kill switch stops cancels and exits",
        "DarriEy/Auramaur#408",
        wire_bugs.halt_blocks_the_way_out,
        scenarios=("halted",),
        tests=(WIRE + "test_a_halt_does_not_trap_what_is_exposed",),
    ),
    Mutation(
        "fill id collision",
        "several matches of one order are one fill",
        "freqtrade/freqtrade#13399 (the wrong fill attached)",
        wire_bugs.one_fill_per_order,
        scenarios=("calm",),
        tests=("tests/venues/test_exchange.py::test_several_prices_and_makers_are_billed_as_computed",),
    ),
    Mutation(
        "fee ignored",
        "a hard-coded fee of 0",
        "DarriEy/Auramaur#141; terauss@6c4eb52 (Polymarket fee 0)",
        wire_bugs.fees_are_nothing,
        scenarios=("calm",),
        tests=(WIRE + "test_fees_are_booked_as_billed",),
    ),
    Mutation(
        "unmatched read as refused",
        "an order that rests is believed to be over",
        "polymarket-client 0.14.0 RejectedOrder(code='unmatched')",
        wire_bugs.unmatched_is_refused,
        scenarios=("unmatched leg",),
        tests=(WIRE + "test_a_pending_order_is_not_left_resting",),
    ),
    Mutation(
        "hidden order read as never placed",
        "get_order is empty after a match",
        "Polymarket/py-clob-client#217",
        wire_bugs.hidden_is_never_placed,
        scenarios=("hidden orders",),
        tests=("tests/venues/test_exchange.py::TestLostAnswers::test_found_by_trades_alone",),
    ),
    Mutation(
        "one odd entry fails the batch",
        "the orders of a batch are given up for one missing entry",
        "polymarket-client 0.14.0 post_orders (UnexpectedResponseError for the whole batch)",
        wire_bugs.one_odd_entry_fails_the_batch,
        scenarios=("odd batch",),
        tests=(WIRE + "test_one_odd_entry_does_not_lose_a_batch",),
    ),
    Mutation(
        "neg-risk forgotten",
        "every order is signed for the standard exchange",
        "Polymarket/py-clob-client#79",
        wire_bugs.neg_risk_is_forgotten,
        scenarios=("calm",),
        tests=("tests/venues/test_orders.py::TestExchange::test_chosen_by_version_and_neg_risk",),
    ),
)
BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}
