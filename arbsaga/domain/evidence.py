"""Merging what several sources say of one order, in any order, without ever going backwards."""

from collections.abc import Iterable
from dataclasses import replace

from arbsaga.domain.money import NO_SIZE, Size
from arbsaga.domain.orders import Fill, OrderState, OrderView

MAX_EVIDENCE = 40
"""Evidence lines kept per order: histories stay small, the newest are dropped last."""

_RANK = {
    OrderState.UNKNOWN: 0,
    OrderState.ABSENT: 1,  # a proof of existence overturns it: a post can arrive 20 s late
    OrderState.PENDING: 2,
    OrderState.LIVE: 3,
    OrderState.DONE: 4,
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
    not ordered against each other. A fill that is final stays so; the venue's matched size never
    shrinks. The evidence grows only when something was learned.
    """
    after = replace(
        known,
        state=_further(known.state, state),
        fills=_merge_fills(known.fills, fills),
        matched=Size(max(known.matched, matched)),
        reason=known.reason or reason,
    )
    if after == known:
        return known
    line = f"{source}: {after.state}, filled {after.known}"
    return replace(after, evidence=(*known.evidence, line)[-MAX_EVIDENCE:])


def _further(known: OrderState, said: OrderState | None) -> OrderState:
    return said if said is not None and _RANK[said] > _RANK[known] else known


def _merge_fills(known: tuple[Fill, ...], said: Iterable[Fill]) -> tuple[Fill, ...]:
    fills = {fill.fill_id: fill for fill in known}
    for fill in said:
        before = fills.get(fill.fill_id)
        if before is None or not before.status.final:
            fills[fill.fill_id] = fill
    return tuple(fills.values())


def news(before: OrderView, after: OrderView) -> bool:
    """Whether `after` shows something about the order that `before` did not.

    One more "not found" is no news: it only counts after the quiet time, when the caller looks again.
    """
    return (before.state, before.fills, before.matched) != (after.state, after.fills, after.matched)
