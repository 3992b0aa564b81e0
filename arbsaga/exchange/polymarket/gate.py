"""What stands before the engine when faults say so: restarts, trading modes, and answers that hide the truth.

Texts and codes: docs.polymarket.com matching engine and error codes; durations are those of its restart cycle.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

from arbsaga.exchange.engine import Engine
from arbsaga.exchange.faults import Fault, FaultPlan
from arbsaga.exchange.model import Account, NewOrder
from arbsaga.exchange.polymarket.replies import Refusal

POST_ONLY_TEXT = "post-only mode: only post-only orders and cancels are allowed"
POST_ONLY_CODE = "post_only_mode"
DISABLED = "trading is disabled"
STATUS_TEXTS = {
    "disabled": "Trading is currently disabled. Check polymarket.com for updates",
    "cancel_only": "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
    "trading_is_disabled": DISABLED,
    "post_only": POST_ONLY_TEXT,
    "insert": "could not insert order",
    "execution": "could not run the execution",
    "timed_out": "order timed out",
    "rounding": "the trade contains rounding issues",
}
_DEFAULT_TEXTS = {
    425: "Service is not ready",
    429: "Too Many Requests",
    500: "Internal server error",
    503: DISABLED,
}
_RESTART_S = 30
_POST_ONLY_S = 120


class Gate:
    """The state of the matching engine as a restart leaves it. `now` counts seconds and never goes back."""

    def __init__(self, faults: FaultPlan, now: Callable[[], float]) -> None:
        self._faults = faults
        self._now = now
        self._closed_until = 0.0
        self._post_only_until = 0.0

    def check_restart(self, path: str) -> None:
        """Order endpoints answer 425 while the engine restarts. Raises Refusal(425)."""
        now = self._now()
        if now >= self._post_only_until:
            fault = self._faults.draw("restart", path=path)
            if fault is not None:
                self._closed_until = now + float(fault.number("seconds", _RESTART_S))
                quiet = float(fault.number("post_only_seconds", _POST_ONLY_S))
                self._post_only_until = self._closed_until + quiet
        if now < self._closed_until:
            raise Refusal(425, _DEFAULT_TEXTS[425], retry_after=math.ceil(self._closed_until - now))

    def refuses(self, order: NewOrder) -> Refusal | None:
        """After a restart only post-only orders pass for a while."""
        left = self._post_only_until - self._now()
        if left <= 0 or order.post_only:
            return None
        return Refusal(503, POST_ONLY_TEXT, code=POST_ONLY_CODE, retry_after=math.ceil(left))


def context(engine: Engine, order: NewOrder, path: str) -> dict[str, str]:
    """What a fault's limits are compared with: the engine's view of the order, and the path it came by."""
    account = engine.account(order.maker) or Account(order.maker, house=False)
    market = engine.market_of(order.token_id)
    return engine.core.about(account, order.side, order.token_id, market) | {"path": path}


def draw_any(engine: Engine, name: str, orders: Sequence[NewOrder], path: str) -> Fault | None:
    """The fault that strikes one of the orders of a request, asked for each of them in turn."""
    drawn = (engine.faults.draw(name, **context(engine, order, path)) for order in orders)
    return next((fault for fault in drawn if fault is not None), None)


def refusal_of(fault: Fault) -> Refusal:
    """The answer a `status` fault orders. `variant` is a key of STATUS_TEXTS or the text itself."""
    status = int(fault.number("code", 500))
    variant = fault.text("variant")
    text = STATUS_TEXTS.get(variant, variant) or _DEFAULT_TEXTS.get(status, "Internal server error")
    retry_after = math.ceil(fault.number("seconds", 0)) or None
    if text == POST_ONLY_TEXT:
        return Refusal(status, text, code=POST_ONLY_CODE, retry_after=retry_after or 79)
    return Refusal(status, text, retry_after=retry_after)


def stops_cancels(fault: Fault) -> bool:
    """Whether a `status` fault also hits cancels: a restart does, and trading being disabled altogether."""
    return int(fault.number("code", 500)) == 425 or fault.text("variant") in ("disabled", "trading_is_disabled")


async def wait(seconds: float) -> None:
    """Sleeps, and not at all for 0: a sleep of 0 would still give the turn away."""
    if seconds > 0:
        await asyncio.sleep(seconds)
