"""What every handler of the wire shares: the engine, who may call, how fast, what is told to go wrong."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol

import orjson
import structlog
from aiohttp import web

from arbsaga.errors import Unavailable
from arbsaga.exchange.engine import Clock, Engine
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.model import Account, Side
from arbsaga.exchange.polymarket.auth import ApiKey, Keys
from arbsaga.exchange.polymarket.dead_man import DeadMan
from arbsaga.exchange.polymarket.gate import Gate
from arbsaga.exchange.polymarket.limits import Limits, Mode
from arbsaga.exchange.polymarket.replies import MALFORMED, Received, Refusal
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.snapshots import Snapshots
from arbsaga.exchange.polymarket.wallets import wallets_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WireSettings:
    """What the venue's documents leave open about its wire, and limits that tests make small."""

    tier: str = "Standard"
    rate_limits: Mode = "enforced"
    version: int = 2
    """Answer of GET /version."""
    clock_skew_s: float = 0
    """How far a request's timestamp may be off; 0 = not looked at."""
    hide_finished_orders: bool = False
    """GET /data/order answers null once an order is matched or canceled (py-clob-client #217)."""
    refused_entry_success: bool = False
    """The `success` of a refused entry in the answer of POST /orders."""
    v2_condition_bytes: Literal[31, 32] = 32
    """Width of Protocol V2 condition ids on the user channel."""
    max_cancels: int = 3000
    page_size: int = 500
    frame_bytes: int = 256 * 1024
    """Frames are split below this size; the official client's socket dies of one over 1 MiB."""
    backlog_bytes: int = 32 * 1024 * 1024
    """A socket that lets this much pile up is closed."""
    heartbeat_s: float = 10
    heartbeat_check_s: float = 5


class World(Protocol):
    """Whatever opens events and keeps their books alive; the admin API steers it."""

    def pause(self) -> None:
        """No new events and no orders from now on."""

    def resume(self) -> None:
        """Undoes pause."""

    def plant(self, target: str, edge: Decimal) -> None:
        """Misprices an event, named by its id or a condition id. Raises ValueError where its prices cannot do that."""


class Venue:
    """The simulated exchange as its handlers see it. `truth` is the file of the engine's journal."""

    def __init__(
        self,
        engine: Engine,
        truth: Path,
        clock: Clock,
        settings: WireSettings | None = None,
        key_store: Path | None = None,
    ) -> None:
        self.engine = engine
        self.truth = truth
        self.clock = clock
        self.settings = settings or WireSettings()
        self.faults: FaultPlan = engine.faults
        self.keys = Keys(key_store, self.settings.clock_skew_s)
        self.limits = Limits(self.settings.tier, self.settings.rate_limits, time.monotonic, self.now)
        self.gate = Gate(self.faults, self.now)
        self.dead_man = DeadMan(self.settings.heartbeat_s)
        self.snapshots = Snapshots(self.faults)
        self.tape: dict[str, Side] = {}
        """Side of the last trade of each token."""
        self.balances_told: dict[tuple[str, int, str], Json] = {}
        """Balances as last answered, by (address, signature type, asset): what `stale_balance` goes on answering."""
        self.messages = 0
        """WebSocket events sent on both channels."""
        self.sockets = 0
        """WebSockets open on both channels."""
        self._stuck = False
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """The wall clock in seconds."""
        return self.clock() / 1000

    def catch_up(self) -> None:
        """Lets the engine do what is due. While its journal cannot be written that waits, and reads go on."""
        try:
            self.engine.advance()
            self._stuck = False
        except Unavailable as error:
            if not self._stuck:
                log.warning("truth_journal_failed", error=str(error))
            self._stuck = True

    def wallet(self, caller: ApiKey, signature_type: int) -> Account | None:
        """The account a key means by a signature type: 0 its own address, 3 its deposit wallet."""
        own, *deposit_wallets = wallets_of(caller.address)
        addresses = {0: [own], 3: deposit_wallets}.get(signature_type, [])
        accounts = (self.engine.account(address) for address in addresses)
        return next((account for account in accounts if account is not None), None)

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Runs in the background until the exchange stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Ends whatever still runs: an order that is on its way late is then never delivered."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


VENUE = web.AppKey("venue", Venue)

_RECEIVED = web.RequestKey("received", Received)
_LIMITS = web.RequestKey("limits", dict[str, str])


def stamp(request: web.Request, received: Received) -> None:
    """Notes when the request's bytes were in."""
    request[_RECEIVED] = received


def received_of(request: web.Request) -> Received:
    """When the request's bytes were in."""
    return request[_RECEIVED]


def charge(request: web.Request, kind: Literal["order", "cancel"], caller: ApiKey, cost: int) -> None:
    """Pays for the request from the caller's bucket; its answer will tell what is left. Raises Refusal(429)."""
    request[_LIMITS] = request.app[VENUE].limits.take(kind, caller.address, cost)


def charge_sweep(request: web.Request, caller: ApiKey, canceled: int) -> None:
    """Charges a sweep for each order it cancelled, which may leave a debt (VR-0916 D-21)."""
    request[_LIMITS] = request.app[VENUE].limits.owe(caller.address, canceled)


def limit_headers(request: web.Request) -> dict[str, str]:
    """Headers that tell of the bucket which the request was paid from; none where it cost nothing."""
    return request.get(_LIMITS) or {}


async def caller_of(request: web.Request) -> ApiKey:
    """The API key that signed this request. Raises Refusal(401)."""
    venue = request.app[VENUE]
    body = await request.read()
    return venue.keys.caller(request.headers, request.method, request.path, body, venue.clock())


async def json_of(request: web.Request) -> object:
    """The body. Raises Refusal(400) where it is no JSON."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise Refusal(400, MALFORMED) from None
