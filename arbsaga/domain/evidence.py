"""Merging what several sources say of one order, in any order, without ever going backwards."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from arbsaga.domain.money import NO_SIZE, Size
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView

MAX_EVIDENCE = 40
"""Evidence lines kept per order: histories stay small, the newest are dropped last."""

_RANK = {
    OrderState.UNKNOWN: 0,
    OrderState.ABSENT: 1,  # a proof of existence overturns it: a post can arrive 20 s late
    OrderState.PENDING: 2,
    OrderState.LIVE: 3,
    OrderState.DONE: 4,
}

_STEP = {
    FillStatus.MATCHED: 0,
    FillStatus.MINED: 1,
    FillStatus.RETRYING: 2,  # a mined match that was reverted; MINED anew changes nothing until it is final
    FillStatus.CONFIRMED: 3,
    FillStatus.FAILED: 3,
}


def merge(
    known: OrderView,
    source: str,
    *,
    state: OrderState | None = None,
    fills: Iterable[Fill] = (),
    matched: Size = NO_SIZE,
    reason: str = "",
) -> OrderView:
    """`known` with what `source` says added.

    A state only moves forward (UNKNOWN, ABSENT, PENDING, LIVE, DONE), since frames and answers are
    not ordered against each other, and so does a fill; one that is final stays as it is, but that FAILED
    overturns CONFIRMED. A fill proves that the order exists and is not held back. The venue's matched
    size never shrinks. The evidence grows only when something was learned.
    """
    said = tuple(fills)
    if said or matched > 0:
        state = _further(OrderState.LIVE, state)
    further = _further(known.state, state)
    merged = known.fills if said == known.fills else _merge_fills(known.fills, said)
    most, why = Size(max(known.matched, matched)), known.reason or reason
    if (further, merged, most, why) == (known.state, known.fills, known.matched, known.reason):
        return known
    after = replace(known, state=further, fills=merged, matched=most, reason=why)
    line = f"{source}: {after.state}, filled {after.known}"
    return replace(after, evidence=(*known.evidence, line)[-MAX_EVIDENCE:])


def _further(known: OrderState, said: OrderState | None) -> OrderState:
    return said if said is not None and _RANK[said] > _RANK[known] else known


def _merge_fills(known: tuple[Fill, ...], said: Iterable[Fill]) -> tuple[Fill, ...]:
    fills = {fill.fill_id: fill for fill in known}
    for fill in said:
        before = fills.get(fill.fill_id)
        if before is None or _taken_back(before, fill) or (not before.status.final and _order(fill) > _order(before)):
            fills[fill.fill_id] = fill
    return tuple(fills.values())


def _taken_back(before: Fill, fill: Fill) -> bool:
    """CONFIRMED is final by the venue's documents. Should it FAIL all the same, what is not held must not count."""
    return before.status is FillStatus.CONFIRMED and fill.status is FillStatus.FAILED


def _order(fill: Fill) -> tuple[int, int, Decimal, Decimal, Decimal]:
    """Which of two reports of one fill counts: the further, then the later, then the dearer one."""
    return _STEP[fill.status], fill.time_ms, fill.fee, fill.size, fill.price


def news(before: OrderView, after: OrderView) -> bool:
    """Whether `after` shows something about the order that `before` did not.

    One more "not found" is no news: it only counts after the quiet time, when the caller looks again.
    """
    return (before.state, before.fills, before.matched) != (after.state, after.fills, after.matched)


def decided(pairs: Iterable[tuple[OrderView, OrderView]], *, settled: bool) -> bool:
    """Whether a poll has something to tell, given each order (as known, as seen now).

    Without `settled`: any news. With it: every fill of every order is final, or one more has FAILED.
    """
    pairs = tuple(pairs)
    if not settled:
        return any(news(before, after) for before, after in pairs)
    return all(after.settled for _, after in pairs) or any(after.failed > before.failed for before, after in pairs)
