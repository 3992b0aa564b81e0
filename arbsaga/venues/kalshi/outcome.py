"""What the answer to a create proves: accepted, refused, never sent, or nothing at all.

Refused is said only where the venue itself (not a gateway in front of it) says a definite no. The rest is unknown: a
lost answer, a 5xx, a 429 (documented as rejected before the engine, but not relied on by two independent bots), an odd
shape, a 409 nobody has listed. Sources: docs.kalshi.com, create order v2; wire captures of the demo; field reports.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from arbsaga.domain.evidence import MAX_EVIDENCE, merge
from arbsaga.domain.money import NO_SIZE, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, TimeInForce
from arbsaga.errors import BadMessage
from arbsaga.venues.kalshi.attestation import is_of_region
from arbsaga.venues.kalshi.rest import Answer
from arbsaga.venues.kalshi.wire import Fault, decimal

DUPLICATE: Final = "order_already_exists"
"""The id was used before: an attempt reached the engine; what became of it is not said (a killed FOK uses it up)."""

REFUSES_409: Final = frozenset(
    {
        "fill_or_kill_insufficient_resting_volume",
        "immediate_or_cancel_insufficient_resting_volume",
        "trading_is_paused",
        "exchange_is_paused",
    }
)
"""409 is not one thing: only these codes are a no."""

REFUSES: Final = frozenset({400, 401, 403, 404, 410, 422})
"""Statuses that are a no when the venue says why in one of its own shapes."""

BARS_ACCOUNT: Final = (401, 403, 410)
"""Signature or key; scope or subaccount; an endpoint that is gone: the next order gets it too. A 403 for a lapsed
location attestation is none of these: only some categories are closed by it."""


class TooLateError(Exception):
    """The order's `send_by` passed before its bytes could go."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one create proved. `note` is for the evidence, `reason` the venue's words of a refusal.

    `venue_id` is the venue's id of the order, where it was accepted.
    """

    state: OrderState
    matched: Size = NO_SIZE
    reason: str = ""
    note: str = ""
    venue_id: str = ""


def of_error(error: BaseException, *, sent: bool) -> Outcome:
    """What it proves that no answer came. `sent`: whether the first byte of the request may have left."""
    what = f"{type(error).__name__}: {error}"
    if not sent:  # no order can be where no byte has gone: too late, or no connection
        return Outcome(OrderState.ABSENT, reason=f"not sent: {error}", note=what)
    return Outcome(OrderState.UNKNOWN, note=what)


def of_answer(terms: OrderTerms, order_id: str, answer: Answer) -> Outcome:
    """What an answer to the create of our order `order_id` proves."""
    if 200 <= answer.status < 300:
        return _of_success(terms, order_id, answer)
    fault = answer.fault
    if fault.code == DUPLICATE:
        return Outcome(OrderState.UNKNOWN, note=f"{fault}: an attempt of it has reached the venue")
    if _refuses(fault):
        return Outcome(OrderState.DONE, reason=str(fault), note=f"refused: {fault}")
    return Outcome(OrderState.UNKNOWN, note=str(fault))


def _refuses(fault: Fault) -> bool:
    """A gateway's page proves nothing, whatever its status: the request may have gone through another one."""
    if fault.status == 409:
        return fault.code in REFUSES_409
    return fault.own and fault.status in REFUSES


def bars_account(refusal: str) -> bool:
    """Whether every order of the account would be refused like this, until a person mends something."""
    if refusal.startswith("403 ") and is_of_region(refusal):
        return False
    return refusal.startswith(tuple(f"{status} " for status in BARS_ACCOUNT))


def _of_success(terms: OrderTerms, order_id: str, answer: Answer) -> Outcome:
    """Any 2xx with an order_id is accepted: the documents say 201, 200 was seen. Without one it proves nothing."""
    try:
        body = answer.body()
    except BadMessage as error:
        return Outcome(OrderState.UNKNOWN, note=f"{answer.status}: {error}")
    venue_id = body.get("order_id") if isinstance(body, dict) else None
    if not isinstance(venue_id, str) or not venue_id:
        return Outcome(OrderState.UNKNOWN, note=f"{answer.status} without an order_id")
    if body.get("client_order_id") not in (None, "", order_id):
        return Outcome(OrderState.UNKNOWN, note=f"accepted as another order {body['client_order_id']}")
    matched, left = _count(body, "fill_count"), _count(body, "remaining_count")
    over = matched is not None and (left == 0 or matched >= terms.size)
    state = OrderState.DONE if over else OrderState.LIVE
    note = f"accepted as {venue_id}, filled {body.get('fill_count')}, remaining {body.get('remaining_count')}"
    reason = _unfilled(terms, matched or NO_SIZE) if over else ""
    return Outcome(state, Size(matched or NO_SIZE), reason=reason, note=note, venue_id=venue_id)


def _unfilled(terms: OrderTerms, matched: Decimal) -> str:
    """Why an accepted order is over though not filled: an IOC's rest, or one that would have met our own order."""
    if matched >= terms.size:
        return ""
    return "canceled" if terms.time_in_force is not TimeInForce.GTC else "canceled at once (self-trade prevention?)"


def _count(body: dict[str, Any], name: str) -> Decimal | None:
    """A count of the answer; None where it cannot be read: then the order's record tells."""
    try:
        return decimal(body[name])
    except (KeyError, ValueError):
        return None


def apply(view: OrderView, outcome: Outcome) -> OrderView:
    """The view with what the create proved, and a line of evidence in any case."""
    after = merge(view, "post", state=outcome.state, matched=outcome.matched, reason=outcome.reason)
    return replace(after, evidence=(*view.evidence, f"post: {outcome.note}")[-MAX_EVIDENCE:])
