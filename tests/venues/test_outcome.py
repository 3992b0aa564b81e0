"""What each answer to a post proves. Refused only when proved: everything else may be an order."""

import asyncio
from decimal import Decimal

import pytest
from polymarket.errors import (
    PolymarketError,
    RateLimitError,
    RequestRejectedError,
    TransportError,
    UnexpectedResponseError,
    UserInputError,
)
from polymarket.models.clob.order_response import RawOrderResponse, normalize_order_response

from arbsaga.domain.orders import OrderState
from arbsaga.venues.polymarket.outcome import Outcome, TooLateError, apply, bars_account, of_answer, of_error, pair

from .make import ORDER_ID, terms, view

REFUSED, UNKNOWN = OrderState.DONE, OrderState.UNKNOWN
FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
BALANCE = "not enough balance / allowance: the balance is not enough -> balance: 45967864, order amount: 5000000"

CATALOGUE = [
    # (status, text, code): what it proves of a single order, and of each order of a batch
    (400, "Invalid order payload", None, REFUSED, REFUSED),
    (400, "the order owner has to be the owner of the API KEY", None, REFUSED, REFUSED),
    (400, "the order signer address has to be the address of the API KEY", None, REFUSED, REFUSED),
    (400, f"'{ORDER_ID[:42]}' address banned", None, REFUSED, REFUSED),
    (400, f"'{ORDER_ID[:42]}' address in closed only mode", None, REFUSED, REFUSED),
    (400, "invalid signature", None, REFUSED, UNKNOWN),
    (400, "order_version_mismatch", None, REFUSED, REFUSED),
    (400, "Too many orders in payload: 16, max allowed: 15", None, REFUSED, REFUSED),
    (400, f"order {ORDER_ID} is invalid. Price (0.525) breaks minimum tick size rule: 0.01", None, REFUSED, UNKNOWN),
    (400, f"order {ORDER_ID} is invalid. Size (1) lower than the minimum: 5", None, REFUSED, UNKNOWN),
    (400, f"order {ORDER_ID} is invalid. Duplicated.", None, UNKNOWN, UNKNOWN),
    (400, f"order {ORDER_ID} crosses the book", None, REFUSED, UNKNOWN),
    (400, "invalid post-only order: order crosses book", None, REFUSED, UNKNOWN),
    (400, BALANCE, None, REFUSED, UNKNOWN),
    (400, "not enough balance / allowance", None, REFUSED, UNKNOWN),
    (400, "invalid expiration", None, REFUSED, UNKNOWN),
    (400, "invalid nonce", None, REFUSED, UNKNOWN),
    (400, "order canceled in the CTF exchange contract", None, REFUSED, UNKNOWN),
    (400, FOK, None, REFUSED, UNKNOWN),
    (400, FAK, None, REFUSED, UNKNOWN),
    (400, "the market is not yet ready to process new orders", None, REFUSED, UNKNOWN),
    (
        400,
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
        "taker amount a max of 4 decimals",
        None,
        REFUSED,
        UNKNOWN,
    ),
    (400, "invalid amount for a marketable BUY order ($0.5), min size: $1", None, REFUSED, UNKNOWN),
    (400, "order match delayed due to market conditions", None, UNKNOWN, UNKNOWN),
    (400, "context canceled", None, UNKNOWN, UNKNOWN),
    (400, "a text that nobody has seen before", None, UNKNOWN, UNKNOWN),
    (401, "Unauthorized/Invalid api key", None, REFUSED, REFUSED),
    (401, "Invalid L1 Request headers", None, REFUSED, REFUSED),
    (401, "order insert failed: unauthorized", None, UNKNOWN, UNKNOWN),
    (403, "blocked by Cloudflare", None, UNKNOWN, UNKNOWN),
    (404, "market not found", None, UNKNOWN, UNKNOWN),
    (425, "Service is not ready", None, UNKNOWN, UNKNOWN),
    (500, "could not insert order", None, UNKNOWN, UNKNOWN),
    (500, "could not run the execution", None, UNKNOWN, UNKNOWN),
    (500, "order timed out", None, UNKNOWN, UNKNOWN),
    (500, "Internal server error", None, UNKNOWN, UNKNOWN),
    (500, "there are no matching orders", None, UNKNOWN, UNKNOWN),
    (500, "the trade contains rounding issues", None, UNKNOWN, UNKNOWN),
    (
        500,
        "the price of the taker's order has a discrepancy greater than allowed with the worst maker order",
        None,
        UNKNOWN,
        UNKNOWN,
    ),
    (500, BALANCE, None, UNKNOWN, UNKNOWN),
    (502, "bad gateway", None, UNKNOWN, UNKNOWN),
    (503, "Trading is currently disabled. Check polymarket.com for updates", None, UNKNOWN, UNKNOWN),
    (
        503,
        "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        None,
        UNKNOWN,
        UNKNOWN,
    ),
    (503, "trading is disabled", None, UNKNOWN, UNKNOWN),
    (503, "post-only mode: only post-only orders and cancels are allowed", "post_only_mode", REFUSED, REFUSED),
    (503, "post-only mode: only post-only orders and cancels are allowed", None, UNKNOWN, UNKNOWN),
]


@pytest.mark.parametrize(("status", "text", "code", "alone", "among"), CATALOGUE)
def test_catalogue_of_errors(status, text, code, alone, among):
    """Every text of the venue's catalogue: traps 7.1, 7.2, 7.7, 7.12, 7.20 and 7.22 among them."""
    error = RequestRejectedError(text, status=status, code=code)
    for is_alone, expected in ((True, alone), (False, among)):
        outcome = of_error(error, sent=True, alone=is_alone)
        assert outcome.state is expected
        assert outcome.reason == (text if expected is REFUSED else "")
        assert text in outcome.note


@pytest.mark.parametrize(
    "error",
    [
        TransportError("Server disconnected without sending a response."),
        UnexpectedResponseError("RawOrderResponse response did not match expected shape"),
        TimeoutError(),
        PolymarketError("anything"),
        AttributeError("a mistake in the client"),
    ],
)
def test_no_answer_is_unknown(error):
    """Trap 7.1: `Request exception!` hid three matched orders (py-clob-client #273)."""
    assert of_error(error, sent=True, alone=True).state is UNKNOWN
    assert of_error(error, sent=True, alone=False).state is UNKNOWN


def test_rate_limit_is_refused():
    """The bucket stands before the engine and takes a batch whole or not at all, so a 429 is proof."""
    for alone in (True, False):
        assert of_error(RateLimitError("Too Many Requests"), sent=True, alone=alone).state is REFUSED


@pytest.mark.parametrize(
    "error", [TooLateError("12 ms after its last moment"), TransportError("connect failed"), UserInputError("no")]
)
def test_never_sent_is_absent(error):
    """Where no byte has left, there is no order and none will come."""
    outcome = of_error(error, sent=False, alone=True)
    assert outcome.state is OrderState.ABSENT
    assert outcome.reason.startswith("not sent: ")


def answer(**changes):
    raw = {
        "success": True,
        "errorMsg": "",
        "orderID": ORDER_ID,
        "status": "live",
        "makingAmount": "",
        "takingAmount": "",
        "transactionsHashes": [],
        "tradeIDs": [],
    }
    return normalize_order_response(RawOrderResponse.parse_response(raw | changes))


class TestAccepted:
    """Trap 2.4: what an acceptance says of the order, and what it does not."""

    def test_live_rests(self):
        assert of_answer(terms(), ORDER_ID, answer()) == Outcome(
            OrderState.LIVE, Decimal(0), note="accepted, live, matched 0"
        )

    @pytest.mark.parametrize(("side", "amounts"), [("BUY", ("5.2", "10")), ("SELL", ("10", "5.2"))])
    def test_matched_amount_is_the_shares(self, side, amounts):
        """BUY: making is pUSD and taking shares; SELL: the reverse. Hashes may be empty although it matched."""
        full = answer(status="matched", makingAmount=amounts[0], takingAmount=amounts[1])
        outcome = of_answer(terms(side), ORDER_ID, full)
        assert (outcome.state, outcome.matched) == (OrderState.DONE, 10)

    def test_part_of_a_gtc_rests(self):
        """`matched` with less than the size: the rest is on the book."""
        part = answer(status="matched", makingAmount="2.08", takingAmount="4")
        assert of_answer(terms(), ORDER_ID, part).state is OrderState.LIVE

    @pytest.mark.parametrize("kind", ["FOK", "FAK"])
    def test_part_of_an_immediate_order_is_all(self, kind):
        part = answer(status="matched", makingAmount="2.08", takingAmount="4")
        assert of_answer(terms(kind=kind), ORDER_ID, part).state is OrderState.DONE

    def test_fak_that_answers_live_is_not_over(self):
        """It answered 0 and `live`, and filled later (clob-client #317)."""
        assert of_answer(terms(kind="FAK"), ORDER_ID, answer()).state is OrderState.LIVE

    def test_delayed_is_pending(self):
        """Trap 7.21: accepted, nothing filled, and not to be cancelled."""
        assert of_answer(terms(), ORDER_ID, answer(status="delayed")).state is OrderState.PENDING

    def test_another_orders_acceptance_is_unknown(self):
        other = "0x" + "cd" * 32
        assert of_answer(terms(), ORDER_ID, answer(orderID=other)).state is UNKNOWN


class TestRefusedEntry:
    """Trap 2.4: refusals that come as HTTP 200."""

    @pytest.mark.parametrize("success", [True, False])
    @pytest.mark.parametrize("status", ["", "delayed"])
    @pytest.mark.parametrize("text", [FOK, FAK, BALANCE, "Rate limit exceeded for tokenId: 1"])
    def test_error_text_is_a_refusal_whatever_success_says(self, success, status, text):
        refused = answer(success=success, status=status, errorMsg=text, orderID="")
        outcome = of_answer(terms(), ORDER_ID, refused)
        assert (outcome.state, outcome.reason) == (REFUSED, text)

    def test_post_only_mode_says_success(self):
        quiet = answer(errorMsg="post-only mode: only post-only orders and cancels are allowed", orderID="", status="")
        assert of_answer(terms(), ORDER_ID, quiet).state is REFUSED

    def test_unmatched_may_rest(self):
        """Trap 2.4: the client calls it rejected and drops the id, but the order is on the book."""
        assert of_answer(terms(), ORDER_ID, answer(status="unmatched")).state is UNKNOWN
        assert of_answer(terms(), ORDER_ID, answer(status="unmatched", errorMsg=BALANCE)).state is UNKNOWN

    @pytest.mark.parametrize(
        "changes",
        [
            {"errorMsg": f"order {ORDER_ID} is invalid. Duplicated.", "orderID": ""},
            {"errorMsg": "order match delayed due to market conditions"},
            {"errorMsg": "could not insert order", "success": False},
            {"orderID": ""},
            {"success": False},
            {"status": "a new status"},
        ],
    )
    def test_what_proves_nothing_is_unknown(self, changes):
        assert of_answer(terms(), ORDER_ID, answer(**changes)).state is UNKNOWN

    def test_lost_entry_is_unknown(self):
        assert of_answer(terms(), ORDER_ID, None).state is UNKNOWN


class TestBatch:
    """Trap 2.6: an entry that is missing or malformed is unknown, for that order only."""

    A, B, C = ("0x" + digit * 64 for digit in "abc")

    def test_each_answer_by_its_place(self):
        first, refused = answer(orderID=self.A), answer(errorMsg=FOK, orderID="")
        assert pair([self.A, self.B], [first, refused]) == (first, refused)

    def test_acceptances_are_known_by_id_when_an_entry_is_missing(self):
        first, last = answer(orderID=self.A), answer(orderID=self.C)
        assert pair([self.A, self.B, self.C], [first, last]) == (first, None, last)

    def test_refusal_is_nobodys_when_an_entry_is_missing(self):
        """It carries no id: it can be that of either order."""
        first, refused = answer(orderID=self.A), answer(errorMsg=FOK, orderID="")
        assert pair([self.A, self.B, self.C], [first, refused]) == (first, None, None)

    def test_malformed_entry_is_its_orders_alone(self):
        first = answer(orderID=self.A)
        assert pair([self.A, self.B], [first, None]) == (first, None)

    def test_swapped_entries_are_told_apart(self):
        first, second = answer(orderID=self.B), answer(orderID=self.A)
        assert pair([self.A, self.B], [second, first]) == (second, first)
        assert pair([self.A, self.B], [first, second]) == (second, first)

    def test_acceptance_of_a_stranger_is_nobodys(self):
        assert pair([self.A, self.B], [answer(orderID=self.C), answer(orderID=self.B)])[0] is None


def test_every_outcome_leaves_evidence():
    """Also an unknown one, which changes nothing else."""
    after = apply(view(), Outcome(UNKNOWN, note="TransportError: gone"))
    assert after.evidence == ("post: TransportError: gone",)
    assert after.state is UNKNOWN
    assert after.reason == ""


def test_cancellation_is_no_outcome():
    """A cancelled post is not swallowed: it is nobody's answer."""
    assert not issubclass(asyncio.CancelledError, Exception)


def test_what_refuses_the_whole_account_is_told_apart() -> None:
    """Version, ban, key: every further order would get the same. A market's or an order's own refusal is not that."""
    assert bars_account("order_version_mismatch")
    assert bars_account("Unauthorized/Invalid api key")
    assert not bars_account("not enough balance / allowance: the balance is not enough")
