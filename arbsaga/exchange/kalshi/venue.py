"""What every handler of the wire shares: the engine, who may call, how fast, what is told to go wrong."""

import asyncio
import random
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import orjson
import structlog
from aiohttp import web

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.core import Clock
from arbsaga.exchange.faults import Fault
from arbsaga.exchange.kalshi import replies
from arbsaga.exchange.kalshi.auth import SIGNATURE_HEADER, ApiKey, Keys
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.limits import DEFAULT_COST, Limits
from arbsaga.exchange.kalshi.model import Market
from arbsaga.exchange.kalshi.reads import KEPT_MS, Reads

log = structlog.get_logger(__name__)

PREFIX: Final = "/trade-api/v2"
SHARDS: Final[Mapping[int, str]] = {0: "Default", 1: "Combos", 2: "Crypto", 3: "Tennis and Baseball"}
"""Matching-engine shards, each with collateral of its own (docs.kalshi.com, exchange sharding)."""
SUBACCOUNTS: Final = 64
RESTART_S: Final = 30


@dataclass(frozen=True, slots=True)
class WireSettings:
    """What the venue's documents leave open about its wire, and limits that tests make small."""

    tier: str = "basic"
    rate_limits: bool = True
    skew_ms: int = 10_000
    """How far a request's timestamp may be off, both ways; the venue's window is not documented."""
    created_status: Literal[200, 201] = 201
    """Of an accepted create: 201 by the specification, 200 was seen."""
    read_lag_ms: int = 500
    """How far GET of orders, fills, positions and balances is behind (0.1-2 s at the venue)."""
    public_cache_s: float = 15
    """Unsigned market data comes from a cache of this age."""
    cancel_all_sweep_s: float = 60
    """For how long after a cancel-all new orders that rest may be canceled too."""
    closed_regions: frozenset[str] = frozenset({"Sports", "Elections", "Entertainment"})
    """Categories that need the key's location attestation."""
    max_orderbooks: int = 100
    """Tickers of one GET /markets/orderbooks; the venue's number is not documented."""
    replies_take_seq: bool = True
    """Whether replies to commands count in the sequence of their subscription."""
    ping_s: float = 10
    backlog_bytes: int = 32 * 1024 * 1024
    """A subscription that lets this much pile up ends with error 25."""


class World(Protocol):
    """Whatever keeps the books alive; the admin API steers it."""

    def pause(self) -> None:
        """No orders from now on."""

    def resume(self) -> None:
        """Undoes pause."""

    def plant(self, target: str, edge: Decimal) -> None:
        """Misprices an event or a market, named by its ticker. Raises ValueError where its prices cannot do that."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called: the key, and the account of the subaccount meant."""

    key: ApiKey
    subaccount: int

    @property
    def account_id(self) -> str:
        """The engine's account of it."""
        return account_of(self.key.member, self.subaccount)


@dataclass(slots=True)
class Venue:
    """The simulated exchange as its handlers see it. `truth` is the file of the engine's journal."""

    engine: Engine
    truth: Path
    clock: Clock
    settings: WireSettings = field(default_factory=WireSettings)
    key_store: Path | None = None
    seed: int = 0
    keys: Keys = field(init=False)
    limits: Limits = field(init=False)
    reads: Reads = field(init=False)
    rng: random.Random = field(init=False)
    closed_until: float = 0
    """Until when (s) a restart keeps every endpoint of orders closed."""
    swept_until: dict[str, float] = field(default_factory=dict)
    messages: int = 0
    """Messages sent on WebSockets that have ended."""
    _stuck: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys = Keys(self.key_store, self.settings.skew_ms)
        self.limits = Limits(self.settings.tier, self.settings.rate_limits, time.monotonic)
        self.reads = Reads(self.engine)
        self.rng = random.Random(f"kalshi wire {self.seed}")
        for account in self.engine.accounts():
            if not account.house:
                self.reads.remember(account)

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
        self.reads.catch_up(self.clock())

    def as_of(self, path: str, member: str) -> int:
        """The moment (ms) that reads tell about: `read_lag_ms` ago, or as long as the fault `stale_read` has it.

        No more than what is remembered: 60 s.
        """
        stale = self.engine.faults.draw("stale_read", path=path, address=member)
        lag_ms = self.settings.read_lag_ms if stale is None else max(stale.milliseconds, self.settings.read_lag_ms)
        return self.clock() - min(lag_ms, KEPT_MS)

    def market(self, ticker: str) -> Market:
        """A market. Raises Refusal(404)."""
        found = self.engine.markets.get(ticker)
        if found is None:
            raise replies.not_found("market")
        return found

    def shard_of(self, ticker: str) -> int:
        """The shard a market trades on. Raises Refusal(404)."""
        return self.engine.events[self.market(ticker).event_ticker].exchange_index

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


def account_of(member: str, subaccount: int) -> str:
    """The engine's account of a member's subaccount; 0 is the primary one."""
    return f"{member}/{subaccount}" if subaccount else member


def accounts_of(member: str) -> list[str]:
    """Every account a member can have, the primary one first."""
    return [account_of(member, subaccount) for subaccount in range(SUBACCOUNTS)]


def member_of(account_id: str) -> tuple[str, int]:
    """(member, subaccount) of an engine's account."""
    member, _, subaccount = account_id.partition("/")
    return member, int(subaccount or 0)


def signed_by(request: web.Request, scope: Literal["read", "write"], child: str) -> ApiKey:
    """The key that signed the request and has the scope. Raises Refusal: 401, 403."""
    venue = request.app[VENUE]
    key = venue.keys.caller(request.headers, request.method, request.rel_url.raw_path, venue.clock())
    key.allow(scope, child)
    return key


def reader(request: web.Request, child: str = "portfolio", cost: int = DEFAULT_COST) -> ApiKey:
    """The key of a signed read, which has paid for it. Raises Refusal: 401, 403, 429."""
    key = signed_by(request, "read", child)
    request.app[VENUE].limits.take(key.member, "read", cost)
    return key


def writer(request: web.Request, child: str = "trade", cost: int = DEFAULT_COST) -> ApiKey:
    """The key of a signed write, which has paid for it. Raises Refusal: 401, 403, 429."""
    key = signed_by(request, "write", child)
    request.app[VENUE].limits.take(key.member, "write", cost)
    return key


def is_signed(request: web.Request) -> bool:
    """Whether a public read was signed: then it does not come from the cache."""
    return SIGNATURE_HEADER in request.headers


def acting(key: ApiKey, subaccount: object) -> Caller:
    """The caller on the subaccount that a request names (None: the primary one). Raises Refusal: 400, 403."""
    number = subaccount if subaccount is not None else key.subaccount or 0
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < SUBACCOUNTS:
        raise replies.nested(400, "invalid_parameters", details=f"subaccount must be in 0..{SUBACCOUNTS - 1}")
    if key.subaccount not in (None, number):
        raise replies.forbidden("subaccount_not_allowed", f"the key is locked to subaccount {key.subaccount}")
    return Caller(key, number)


def query_int(request: web.Request, name: str, low: int, high: int) -> int | None:
    """A whole number of the query, None where it is absent. Raises Refusal(400)."""
    text = request.query.get(name)
    if text is None or text == "":
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19 and low <= int(text) <= high):
        raise replies.invalid_parameter(f"{name} must be a whole number in {low}..{high}")
    return int(text)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of the body. Raises Refusal(400) where it is none."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise replies.flat("the body is no JSON") from None
    if not isinstance(body, dict):
        raise replies.flat("the body must be a JSON object")
    return body


def refusal_of(rejected: Rejected) -> replies.Refusal:
    """What the engine refused, in the nested shape."""
    return replies.nested(rejected.status, rejected.code or "bad_request", details=rejected.text)


def ordered(fault: Fault, venue: Venue) -> replies.Refusal:
    """The answer a `status` fault orders: `code`, and for other than 429 and gateway errors the `variant`."""
    status, variant = int(fault.number("code", 500)), fault.text("variant")
    if status == 429:
        return replies.too_many()
    if variant:
        return replies.nested(status, variant)
    if status == 503:
        return replies.Refusal(503, exchange_status(venue))
    return replies.html(status) if status >= 500 else replies.nested(status, "bad_request")


def exchange_status(venue: Venue) -> dict[str, Any]:
    """The body of GET /exchange/status; the top level tells about shard 0."""
    closed = venue.now() < venue.closed_until
    shards = []
    for number, description in SHARDS.items():
        halts = venue.engine.halts(number)
        shards.append(
            {
                "exchange_index": number,
                "description": description,
                "exchange_active": not (closed or halts.exchange),
                "trading_active": not (closed or halts.exchange or halts.trading),
                "intra_exchange_transfers_active": not (closed or halts.exchange),
            }
        )
    top = {name: value for name, value in shards[0].items() if name not in ("exchange_index", "description")}
    return top | {"exchange_index_statuses": shards}


_RECEIVED = web.RequestKey("received", tuple[int, int])


def stamp(request: web.Request) -> None:
    """Notes when the request's bytes were in."""
    request[_RECEIVED] = time.monotonic_ns(), request.app[VENUE].clock()


def received_of(request: web.Request) -> tuple[int, int]:
    """When the request's bytes were in: monotonic ns, wall ms."""
    return request[_RECEIVED]


def route_of(request: web.Request) -> str:
    """The path of the request with its ids left open, as faults name it with `path=`."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else request.path


def check_open(request: web.Request) -> None:
    """Endpoints of orders answer 503 with the exchange's status while it restarts. Raises Refusal."""
    venue = request.app[VENUE]
    if venue.now() >= venue.closed_until:
        fault = venue.engine.faults.draw("restart", path=route_of(request))
        if fault is None:
            return
        venue.closed_until = venue.now() + float(fault.number("seconds", RESTART_S))
    raise replies.Refusal(503, exchange_status(venue))
