"""Sends orders once: all at the same time, none after its `send_by`, on a connection that is warm.

Legs go in one POST /orders (up to 15), a single order in POST /order. Measured on loopback with the
official client (2 cores, medians of 150): 4 legs reach the venue 0.6 ms after the call in one batch,
4.3 ms as parallel posts, the last leg 2.5 ms after the first (8 legs: 0.6 against 10.1, skew 6.7), as
its HTTP pool makes concurrent requests race for connections. It is also safer: the legs arrive together
or not at all, a rate limit refuses all or none, and no connection can fail for one leg alone. What is
given up is that one lost answer makes every leg unknown for one look by id. An entry that is missing or
malformed concerns its own order only: the client gives up on the whole batch, so we read the others
ourselves.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import httpx
import orjson
import structlog
from polymarket import AsyncSecureClient
from polymarket.errors import PolymarketError, UnexpectedResponseError
from polymarket.models.clob.order_response import OrderResponse, RawOrderResponse, normalize_order_response
from polymarket.models.clob.orders import SignedOrder

from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.venues.polymarket.client import posting_http
from arbsaga.venues.polymarket.outcome import TooLateError, apply, of_answer, of_error, pair
from arbsaga.venues.polymarket.signing import Signer

MAX_BATCH = 15
"""Orders in one POST /orders (docs.polymarket.com, place orders)."""
WARM_EVERY_S = 10
"""The official client drops a connection that was idle for 30 s."""

log = structlog.get_logger()


class _Envelope:
    """Goes with one request: stops it when it is late, and remembers whether its bytes left and what came back."""

    def __init__(self, send_by_ms: int, clock: Callable[[], int]) -> None:
        self._send_by_ms, self._clock = send_by_ms, clock
        self.sent = False
        self.body = b""

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Called by httpcore at every step; connecting and waiting for a connection are over here."""
        if not event.endswith(".send_request_headers.started"):
            return
        if (late := self._clock() - self._send_by_ms) > 0:
            raise TooLateError(f"{late} ms after its last moment")
        self.sent = True


_ENVELOPE: ContextVar[_Envelope | None] = ContextVar("envelope", default=None)


async def _on_request(request: httpx.Request) -> None:
    if envelope := _ENVELOPE.get():
        request.extensions = {**request.extensions, "trace": envelope.trace}


async def _on_response(response: httpx.Response) -> None:
    if envelope := _ENVELOPE.get():
        envelope.body = await response.aread()


class Poster:
    """Posts for one account. `clock` is the wall clock in ms; `timeout_ms` bounds each request."""

    def __init__(
        self, client: AsyncSecureClient, signer: Signer, *, timeout_ms: int, connections: int, clock: Callable[[], int]
    ) -> None:
        self._client, self._signer, self._clock = client, signer, clock
        self._timeout_s, self._connections = timeout_ms / 1000, connections
        posting_http(client).event_hooks = {"request": [_on_request], "response": [_on_response]}

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """Sign every order, then send them all. Raises VenueError before anything is sent for terms off the grid."""
        signed = [self._signer.sign(terms) for terms in orders]
        views = [
            OrderView(terms, order_id, OrderState.UNKNOWN) for terms, (order_id, _) in zip(orders, signed, strict=True)
        ]
        batches = [slice(first, first + MAX_BATCH) for first in range(0, len(orders), MAX_BATCH)]
        sends = [self._send(views[batch], [order for _, order in signed[batch]]) for batch in batches]
        return tuple(view for sent in await asyncio.gather(*sends) for view in sent)

    async def _send(self, views: Sequence[OrderView], signed: Sequence[SignedOrder]) -> list[OrderView]:
        envelope = _Envelope(min(view.terms.send_by_ms for view in views), self._clock)
        _ENVELOPE.set(envelope)  # this coroutine is a task of its own, so no other request sees it
        try:
            async with asyncio.timeout(self._timeout_s):
                answers = await self._request(signed)
        except Exception as error:  # noqa: BLE001  whatever it is, an order may exist now: it becomes evidence
            return self._failed(views, error, envelope)
        return _answered(views, answers)

    async def _request(self, signed: Sequence[SignedOrder]) -> Sequence[OrderResponse]:
        if len(signed) == 1:
            return [await self._client.post_order(signed[0])]
        return await self._client.post_orders(signed)

    def _failed(self, views: Sequence[OrderView], error: Exception, envelope: _Envelope) -> list[OrderView]:
        log.warning("post failed", orders=len(views), sent=envelope.sent, error=f"{type(error).__name__}: {error}")
        if len(views) > 1 and isinstance(error, UnexpectedResponseError):
            return _answered(views, _entries(envelope.body))
        outcome = of_error(error, sent=envelope.sent, alone=len(views) == 1)
        return [apply(view, outcome) for view in views]

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

    async def _touch(self) -> None:
        async with asyncio.timeout(WARM_EVERY_S):
            await self._client.get_closed_only_mode()


def _answered(views: Sequence[OrderView], answers: Sequence[OrderResponse | None]) -> list[OrderView]:
    paired = pair([view.order_id for view in views], answers)
    return [
        apply(view, of_answer(view.terms, view.order_id, answer)) for view, answer in zip(views, paired, strict=True)
    ]


def _entries(body: bytes) -> list[OrderResponse | None]:
    """The entries of a batch's answer, None for each that the official client cannot read."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    return [_entry(item) for item in raw] if isinstance(raw, list) else []


def _entry(item: object) -> OrderResponse | None:
    try:
        return normalize_order_response(RawOrderResponse.parse_response(item))
    except PolymarketError:
        return None
