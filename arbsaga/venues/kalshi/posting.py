"""Sends orders once: each its own request, all at the same time, none after its `send_by`, on warm connections.

One request an order, not a batch: a batch is billed item by item all the same, and one lost answer would make every
leg unknown, here where finding an order takes a listing and not a look by id.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
import structlog

from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose
from arbsaga.venues.kalshi.names import Names
from arbsaga.venues.kalshi.orders import PATH, client_id, create_body
from arbsaga.venues.kalshi.outcome import TooLateError, apply, of_answer, of_error
from arbsaga.venues.kalshi.pace import Pace
from arbsaga.venues.kalshi.rest import Answer, Rest

WARM_EVERY_S: Final = 10
"""Below the time after which an idle connection is given up (rest.IDLE_S)."""

log = structlog.get_logger()


class _Envelope:
    """Goes with one request: stops it when it is late, and remembers whether its bytes may have left."""

    def __init__(self, send_by_ms: int, clock: Callable[[], int]) -> None:
        self._send_by_ms, self._clock = send_by_ms, clock
        self.sent = False

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Called by httpcore at every step; connecting and waiting for a connection are over here."""
        if not event.endswith(".send_request_headers.started"):
            return
        if (late := self._clock() - self._send_by_ms) > 0:
            raise TooLateError(f"{late} ms after its last moment")
        self.sent = True


def _not_sent(terms: OrderTerms) -> OrderView:
    why = TooLateError("the account's rate limit is used up until after its last moment")
    return apply(OrderView(terms, client_id(terms), OrderState.UNKNOWN), of_error(why, sent=False))


class Poster:
    """Posts for one account. `clock` is the wall clock in ms; `connections` are kept open."""

    def __init__(self, rest: Rest, names: Names, pace: Pace, *, connections: int, clock: Callable[[], int]) -> None:
        self._rest, self._names, self._pace, self._connections, self._clock = rest, names, pace, connections, clock

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """Sign every order, then send them all. Raises VenueError before anything is sent for terms off the grid.

        All of them or none: they wait for the rate limit together, and none is sent if that takes too long. A part of
        it is kept for orders that reduce a risk.
        """
        bodies = [create_body(terms) for terms in orders]
        left_ms = min((terms.send_by_ms for terms in orders), default=0) - self._clock()
        reducing = all(terms.purpose is not Purpose.ENTER for terms in orders)
        if orders and not await self._pace.creates(len(orders), max(left_ms, 0) / 1000, reducing=reducing):
            return tuple(map(_not_sent, orders))
        requests = [self._rest.build("POST", PATH, body=body) for body in bodies]
        sends = [self._send(terms, request) for terms, request in zip(orders, requests, strict=True)]
        return tuple(await asyncio.gather(*sends))

    async def _send(self, terms: OrderTerms, request: httpx.Request) -> OrderView:
        view = OrderView(terms, client_id(terms), OrderState.UNKNOWN)
        envelope = _Envelope(terms.send_by_ms, self._clock)
        request.extensions = {**request.extensions, "trace": envelope.trace}
        try:
            answer = await self._rest.send(request)
            outcome = of_answer(terms, view.order_id, answer)
        except Exception as error:  # noqa: BLE001  whatever it is, an order may exist now: it becomes evidence
            outcome = of_error(error, sent=envelope.sent)
        if outcome.venue_id:
            self._names.learn(view.order_id, outcome.venue_id)
        else:
            log.warning("order not acknowledged", order_id=view.order_id, state=outcome.state, said=outcome.note)
        return apply(view, outcome)

    async def keep_warm(self) -> None:
        """Keep `connections` connections open, until cancelled."""
        while True:
            await self.warm()
            await asyncio.sleep(WARM_EVERY_S)

    async def warm(self) -> bool:
        """Make `connections` requests at once, so that each has a connection; False when any of them failed."""
        answers = await asyncio.gather(*(self._touch() for _ in range(self._connections)), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures:
            log.warning("venue connections are not warm", failed=len(failures), error=str(failures[0]))
        return not failures

    async def _touch(self) -> Answer:
        return await self._rest.ask("GET", "/exchange/status", timeout_s=WARM_EVERY_S)
