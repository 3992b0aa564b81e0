"""What the answer to a post proves: accepted, refused, never sent, or nothing at all.

Refused is said only where the venue's text proves that nothing rests or filled. The rest is unknown:
a lost answer, a 5xx, an odd shape, a text nobody has listed. Sources: docs.polymarket.com, error codes
and order lifecycle; field reports named beside each rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from polymarket.errors import RateLimitError, RequestRejectedError
from polymarket.models.clob.order_response import AcceptedOrder, OrderResponse, RejectedOrder

from arbsaga.domain.evidence import MAX_EVIDENCE, merge
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_SIZE, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, TimeInForce

REFUSES_REQUEST = (
    "invalid order payload",
    "the order owner has to be the owner of the api key",
    "the order signer address has to be the address of the api key",
    "address banned",
    "address in closed only mode",
    "order_version_mismatch",
    "too many orders in payload",
)
"""HTTP 400 texts about the caller or the whole request: no entry of a batch was taken."""

REFUSES_ORDER = (
    *REFUSES_REQUEST,
    "invalid signature",
    "breaks minimum tick size rule",
    "lower than the minimum",
    "crosses the book",
    "order crosses book",
    "not enough balance / allowance",
    "invalid expiration",
    "invalid nonce",
    "order canceled in the ctf exchange contract",
    "fok orders are fully filled or killed",
    "fak orders are partially filled or killed if no match is found",
    "the market is not yet ready to process new orders",
    "invalid amounts",
    "invalid amount for a marketable",
    "rate limit exceeded for tokenid",
    "post-only mode: only post-only orders",
)
"""Texts about one order, from HTTP 400 or an entry of a batch: neither rests nor filled (a killed FOK or FAK too)."""

REFUSES_CALLER = ("unauthorized/invalid api key", "invalid api key", "invalid l1 request headers")
"""HTTP 401 texts. Any message with "unauthorized" in it is turned into a 401, so another text proves nothing."""

BARS_ACCOUNT = (
    *REFUSES_CALLER,
    "the order owner has to be the owner of the api key",
    "the order signer address has to be the address of the api key",
    "address banned",
    "address in closed only mode",
    "order_version_mismatch",
)
"""Texts that every further order would get too (py-clob-client-v2 #32, #75): no trade is worth starting."""

POST_ONLY_CODE = "post_only_mode"
"""The one 503 that is proof: a code of the order check, which our orders (never post-only) cannot pass."""


class TooLateError(Exception):
    """The order's `send_by` passed before its bytes could go."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one post proved. `note` is for the evidence, `reason` the venue's text of a refusal."""

    state: OrderState
    matched: Size = NO_SIZE
    reason: str = ""
    note: str = ""


def of_error(error: BaseException, *, sent: bool, alone: bool) -> Outcome:
    """What an exception of the official client proves about each order of the request.

    `sent`: whether the first byte of the request may have left. `alone`: the request had one order;
    with more, a text about one order does not say which, nor what became of the others.
    """
    what = f"{type(error).__name__}: {error}"
    if not sent:  # no order can be where no byte has gone: too late, no connection, refused by the client
        return Outcome(OrderState.ABSENT, reason=f"not sent: {error}", note=what)
    if _is_refusal(error, REFUSES_ORDER if alone else REFUSES_REQUEST):
        return Outcome(OrderState.DONE, reason=str(error), note=what)
    return Outcome(OrderState.UNKNOWN, note=what)


def _is_refusal(error: BaseException, texts: Sequence[str]) -> bool:
    """425 (the engine restarts) and 503 prove nothing: what was on its way when it went down is not known."""
    if isinstance(error, RateLimitError):
        return True  # the token bucket stands before the engine, and takes a batch whole or not at all
    if not isinstance(error, RequestRejectedError):
        return False
    text = str(error).lower()
    match error.status:
        case 400:
            return any(known in text for known in texts)
        case 401:
            return text in REFUSES_CALLER
        case 503:
            return error.code == POST_ONLY_CODE
    return False


def bars_account(refusal: str) -> bool:
    """Whether every order of the account would be refused like this, until a person mends something."""
    return any(known in refusal.lower() for known in BARS_ACCOUNT)


def of_answer(terms: OrderTerms, order_id: str, answer: OrderResponse | None) -> Outcome:
    """What one order's answer proves; None: the batch has no usable entry for it."""
    match answer:
        case AcceptedOrder() if answer.order_id.lower() == order_id:
            return _accepted(terms, answer)
        case AcceptedOrder():
            return Outcome(OrderState.UNKNOWN, note=f"accepted as another order {answer.order_id}")
        case RejectedOrder() if _refuses(answer):
            return Outcome(OrderState.DONE, reason=answer.message, note=f"refused: {answer.message}")
        case RejectedOrder():  # "unmatched" rests on the book, whatever the client calls it
            return Outcome(OrderState.UNKNOWN, note=f"{answer.code}: {answer.message}")
        case _:
            return Outcome(OrderState.UNKNOWN, note="no usable answer for this order")


def _refuses(answer: RejectedOrder) -> bool:
    text = answer.message.lower()
    return answer.code != "unmatched" and any(known in text for known in REFUSES_ORDER)


def _accepted(terms: OrderTerms, answer: AcceptedOrder) -> Outcome:
    matched = answer.taking_amount if terms.side is Side.BUY else answer.making_amount
    note = f"accepted, {answer.status}, matched {matched:f}"
    if answer.status == "delayed":
        return Outcome(OrderState.PENDING, note=note)
    return Outcome(_state(terms, answer.status, matched), Size(matched), note=note)


def _state(terms: OrderTerms, status: str, matched: Decimal) -> OrderState:
    """A FAK that answers `live` is not over: it has filled later (clob-client #317)."""
    killed = terms.time_in_force is not TimeInForce.GTC and status == "matched"
    return OrderState.DONE if killed or matched >= terms.size else OrderState.LIVE


def pair(order_ids: Sequence[str], answers: Sequence[OrderResponse | None]) -> tuple[OrderResponse | None, ...]:
    """Which answer of a batch belongs to which order; None where one is lost.

    An acceptance names its order. A refusal does not: it is known by its place, and only while
    no entry is missing.
    """
    named = {answer.order_id.lower(): answer for answer in answers if isinstance(answer, AcceptedOrder)}
    complete = len(answers) == len(order_ids)
    unnamed = [answer if isinstance(answer, RejectedOrder) else None for answer in answers]
    return tuple(
        named.get(order_id) or (unnamed[place] if complete else None) for place, order_id in enumerate(order_ids)
    )


def apply(view: OrderView, outcome: Outcome) -> OrderView:
    """The view with what the post proved, and a line of evidence in any case."""
    after = merge(view, "post", state=outcome.state, matched=outcome.matched, reason=outcome.reason)
    return replace(after, evidence=(*view.evidence, f"post: {outcome.note}")[-MAX_EVIDENCE:])
