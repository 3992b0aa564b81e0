"""What a case must end like, by the exchange's record: each breach is one sentence."""

from collections.abc import Collection, Iterator

from arbsaga.exchange.truth import Truth
from arbsaga.ledger import Ledger
from arbsaga.notify.alert_log import read_alerts
from arbsaga.saga.messages import ENDS, Phase, TradePlan
from proof.crashes.setting import Setting
from workers.verdict import Verdict, compare

LATE_MS = 1_000
"""On a busy machine the exchange reads so long after the bytes have left."""
MANY_EVENTS = 2_000
"""Events of one run of a trade: far above any, so that a trade that turns in circles is found out."""


def judge(setting: Setting, plan: TradePlan, phase: Phase | None, ledger: Ledger, *, delivered_late: bool) -> list[str]:
    """Everything that is wrong with the account after this trade. `delivered_late`: the exchange did that itself."""
    truth = Truth.read(setting.truth, setting.wallet)
    return [
        *ended(phase),
        *told_of_held(phase, plan.trade_id, [alert.page.key for alert in read_alerts(setting.alerts, plan.trade_id)]),
        *sent_once(truth, compare(truth, ledger, setting.account)),
        *left_resting(phase, truth),
        *([] if delivered_late else sent_late(truth, ledger, plan.trade_id)),
    ]


def ended(phase: Phase | None) -> Iterator[str]:
    """Every trade ends."""
    if phase not in ENDS:
        yield f"the trade did not end: it is {phase or 'nowhere'}"


def told_of_held(phase: Phase | None, trade_id: str, keys: Collection[str]) -> Iterator[str]:
    """A HELD trade was paged."""
    if phase is Phase.HELD and f"{trade_id}/held" not in keys:
        yield "the trade is HELD and nobody was told"


def sent_once(truth: Truth, verdict: Verdict) -> Iterator[str]:
    """No order twice, legs equal, books equal."""
    if verdict.duplicate_orders:
        yield f"{verdict.duplicate_orders} orders were sent twice: {truth.duplicates}"
    yield from verdict.differences
    if verdict.unhedged_shares:
        yield from verdict.exposures


def left_resting(phase: Phase | None, truth: Truth) -> Iterator[str]:
    """Nothing rests when a trade has ended well."""
    for order in truth.orders.values():
        if order.open and phase is not Phase.HELD:
            yield f"order {order.order_id} still rests at the exchange, the trade is {phase}"


def sent_late(truth: Truth, ledger: Ledger, trade_id: str) -> Iterator[str]:
    """No byte after `send_by`."""
    for intent in ledger.intents_by_trade(trade_id):
        order = truth.orders.get(intent.order_id)
        if order is not None and (late := order.received_ms - intent.terms.send_by_ms) > LATE_MS:
            yield f"order {intent.terms.key} came {late} ms after its last moment"
