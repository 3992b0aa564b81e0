"""What a scenario's end is judged by: the exchange's truth journal, against the ledger's claims and the alert log."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from arbsaga.domain.instruments import Outcome
from arbsaga.domain.money import ZERO
from arbsaga.domain.orders import OrderTerms, Purpose
from arbsaga.exchange.truth import TrueFill, Truth
from arbsaga.ledger import Intent
from arbsaga.notify import read_alerts
from arbsaga.saga.messages import Phase
from proof.mutations.stage import ACCOUNT, Stage
from workers.truths import together
from workers.verdict import compare

LATE_MS = 1_500
"""How long after its send-by an order may be received: exchange and trader share one busy event loop here."""


def violations(
    stage: Stage,
    ends: frozenset[Phase],
    orders: int | None,
    duplicates: int,
    *,
    worlds: Sequence[tuple[Outcome, Outcome]] = (),
) -> list[str]:
    """Breaches of the promise. `ends`: how this trade may end; `orders`: how many the exchange may have accepted.

    `duplicates`: posts that somebody else than us repeated. `worlds`: how the two markets of a pair can resolve.
    """
    truths = stage.truths()
    truth = together(truths)
    verdict = compare(truth, stage.ledger, ACCOUNT, truths)
    found = list(verdict.differences)
    found += [f"{len(truth.duplicates)} orders were posted again"] if len(truth.duplicates) > duplicates else []
    found += [*verdict.exposures] if verdict.unhedged_shares else []
    if orders is not None and len(truth.orders) > orders:
        found.append(f"{len(truth.orders)} orders were sent, {orders} may be")
    return [
        *found,
        *_ends(stage, ends),
        *_orders(stage, truth),
        *_refusals(stage),
        *(loss for world in worlds for loss in _losses(stage, truth, world)),
    ]


def _ends(stage: Stage, ends: frozenset[Phase]) -> Iterator[str]:
    rows = stage.ledger.trades()
    if not rows:
        yield "the trade recorded no end"
    for row in rows:
        if row.phase not in ends:
            yield f"the trade ended {row.phase} ({row.reason}), expected {' or '.join(sorted(ends))}"
        held = row.phase is Phase.HELD
        if held and not any(alert.page.key.endswith("/held") for alert in read_alerts(stage.alerts, row.trade_id)):
            yield "held without a page on the alert log"


def _orders(stage: Stage, truth: Truth) -> Iterator[str]:
    """Every accepted order: in time, not resting after the end, and when it reduces, not more than was there."""
    for intent in stage.ledger.intents(ACCOUNT):
        order = truth.orders.get(intent.order_id)
        if order is None:
            continue
        name = f"order {intent.terms.key} ({intent.terms.purpose} {order.side} {order.size:f})"
        if (as_sent := (order.token, order.side, order.size)) != (as_meant := _meant(intent.terms)):
            yield f"{name} was sent as {as_sent}, intended was {as_meant}"
        if order.open:
            yield f"{name} still rests"
        if (late := order.received_ms - intent.terms.send_by_ms) > LATE_MS:
            yield f"{name} was sent {late} ms after its last moment"
        if intent.terms.purpose in (Purpose.EXIT, Purpose.HEDGE):
            held = _held(stage, truth, intent, order.received_ms)
            if order.size > held:
                yield f"{name} reduces more than the {held:f} shares that were held"


def _held(stage: Stage, truth: Truth, reducing: Intent, before_ms: int) -> Decimal:
    """Shares of the leg at that moment, later failures not yet counted off."""
    held = ZERO
    for intent in stage.ledger.intents(ACCOUNT):
        if intent.terms.leg != reducing.terms.leg or intent.order_id == reducing.order_id:
            continue
        adds = intent.terms.purpose in (Purpose.ENTER, Purpose.COMPLETE)
        fills: list[TrueFill] = [fill for fill in truth.fills_of(intent.order_id) if fill.ms <= before_ms]
        size = sum((fill.size for fill in fills if adds or fill.alive), ZERO)
        held += size if adds else -size
    return held


def _meant(terms: OrderTerms) -> tuple[str, str, Decimal]:
    """Token, side and size as an exchange tells them: one that nets both outcomes has one book, of YES."""
    instrument, side = terms.instrument, terms.side
    if instrument.rules.nets and instrument.outcome is Outcome.NO:
        instrument, side = instrument.other(), side.opposite
    return instrument.token, side, terms.size


def _refusals(stage: Stage) -> Iterator[str]:
    """What the exchanges refused was intended, and was not sent again and again."""
    intended = {intent.order_id: intent.terms.key for intent in stage.ledger.intents(ACCOUNT)}
    for order_id, times in Counter(stage.refusals()).items():
        if order_id not in intended:
            yield f"the exchange refused order {order_id}, which the ledger never intended"
        elif times > 1:
            yield f"order {intended[order_id]} was sent {times} times, refused each time"


def _losses(stage: Stage, truth: Truth, world: tuple[Outcome, Outcome]) -> Iterator[str]:
    """A pair that was bought pays what it promises, however its two markets resolve."""
    for row in stage.ledger.trades():
        legs = row.plan.basket.legs
        held = [truth.positions.get(leg.instrument.token, ZERO) for leg in legs]
        paid = sum(
            (size for leg, size, won in zip(legs, held, world, strict=True) if leg.instrument.outcome is won), ZERO
        )
        if row.phase is Phase.COMMITTED and paid < min(held) * row.plan.basket.payout:
            yield f"{row.trade_id} pays {paid:f} USD where the markets resolve {' and '.join(world)}"
