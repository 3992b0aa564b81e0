"""The named spaces of small trades: how many legs, what the venue may do to each order, which ways out there are.

Times are the product's own, but for the settlement limit (28 s instead of 10 min) and the pause between undo
rounds (7 s), which only bound how often the same is tried again.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.baskets import Leg, yes_of_all
from arbsaga.domain.books import Book, Level
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits

START_MS = 1_790_000_000_000
"""Every step of a trade is judged as if it were now: only differences between times matter (see `stories`)."""
LATE_MS = 20_000
"""How long after its fence a post may still reach the engine (facts: delivered 20 s late)."""
TICK = Decimal("0.01")


class Post(StrEnum):
    """What becomes of an order that is sent, as its sender learns it at once.

    FILLS: whole, with its fills. COUNTED: whole, but the fills are not listed yet. UNKNOWN: no answer; it may
    arrive until 20 s after its fence, rest, fill, or never arrive. UNSENT: the worker woke up after the fence.
    """

    REFUSED = "is refused"
    RESTS = "rests"
    FILLS = "fills"
    COUNTED = "is counted as filled"
    DELAYED = "is held back"
    UNKNOWN = "has no answer"
    UNSENT = "is not sent"


class Depth(StrEnum):
    """Which ways out the books offer when undoing reads them. THIN has 6 shares a level, DEAR only bad prices."""

    ALL = "every way out"
    COMPLETE = "only completing"
    EXIT = "only selling"
    HEDGE = "only the complement"
    THIN = "6 shares of each way out"
    DEAR = "only dear ways out"
    NONE = "no way out"


EVERY_POST = tuple(Post)
EVERY_DEPTH = tuple(Depth)


@dataclass(frozen=True, slots=True)
class Space:
    """One named space. It is explored whole.

    `size` shares a leg at `limit` USD each (`last_limit` for the last leg), `part` the share of what is open that a
    part fill takes, `rounds` of undoing for each leg. `posts`, `exits`: what may become of entries and undo orders.
    `fills`: spontaneous fills, none, whole ones, or parts too. `ghosts`: fills FAIL. `lags`: an order's count runs
    ahead of its fills. `errors`: reads and cancels fail. `races`: cancels lose. `aborts`: a person aborts at any
    point. `unsettled`: settled shares may not be sellable yet. `wipes`: the venue withdraws a resting order itself.
    """

    name: str
    legs: int
    size: int = 20
    limit: str = "0.40"
    last_limit: str = ""
    fee: str = "0"
    part: str = "0.4"
    rounds: int = 1
    residue_usd: str = "5"
    posts: tuple[Post, ...] = EVERY_POST
    exits: tuple[Post, ...] = (Post.REFUSED, Post.FILLS, Post.RESTS, Post.UNKNOWN)
    fills: int = 2
    ghosts: bool = True
    lags: bool = False
    errors: bool = False
    races: bool = True
    aborts: bool = True
    unsettled: bool = False
    wipes: bool = False
    markets: tuple[Depth, ...] = (Depth.ALL, Depth.NONE)

    @property
    def alike(self) -> bool:
        """Whether the legs are the same but for their names, so that outcomes need be dealt in one order only."""
        return not self.last_limit


def plan_of(space: Space) -> TradePlan:
    """The trade of a space, decided at START_MS."""
    fee = FeeSchedule(Decimal(space.fee))
    rules = MarketRules(tick=TICK, fee=fee)
    yes = [Instrument("sim", f"m{n}", f"y{n}", f"n{n}", Outcome.YES, f"Runner {n}", rules) for n in range(space.legs)]
    limits = [Price(Decimal(space.limit)) for _ in yes]
    if space.last_limit:
        limits[-1] = Price(Decimal(space.last_limit))
    size = Size(Decimal(space.size))
    cost = Usd(sum((size * limit for limit in limits), NO_USD))
    fees = Usd(sum((fee.taker_fee(size, limit) for limit in limits), NO_USD))
    return TradePlan(
        trade_id=space.name,
        account="proof",
        basket=yes_of_all("race", "Who wins?", yes),
        units=size,
        legs=tuple(PlannedLeg(size, limit) for limit in limits),
        cost=cost,
        fees=fees,
        edge=Usd(size - cost - fees),
        reserved=Usd(cost + fees),
        lease_id="lease",
        lease_expires_ms=START_MS + 60_000,
        decided_ms=START_MS,
        decided_ns=0,
        books=(),
        patience=Patience(settle=28_000, retry_min=7_000, retry_max=7_000),
        undo=UndoLimits(rounds=space.rounds, residue_usd=Usd(Decimal(space.residue_usd))),
    )


def books_of(plan: TradePlan, depth: Depth) -> dict[str, Book]:
    """The books of every leg and of its complement that offer these ways out, around the leg's own limit."""
    books: dict[str, Book] = {}
    for leg, planned in zip(plan.basket.legs, plan.legs, strict=True):
        shares = Size(Decimal(6 if depth is Depth.THIN else 500))
        leave, complete = planned.limit - 2 * TICK, planned.limit + 3 * TICK
        if depth is Depth.DEAR:
            leave, complete = TICK, 1 - TICK
        every = depth in (Depth.ALL, Depth.THIN, Depth.DEAR)
        bids = _side(leave, shares) if every or depth is Depth.EXIT else ()
        asks = _side(complete, shares) if every or depth is Depth.COMPLETE else ()
        other = _side(1 - leave, shares) if every or depth is Depth.HEDGE else ()
        books[leg.instrument.token] = _book(leg, leg.instrument.token, bids, asks)
        books[leg.instrument.complement] = _book(leg, leg.instrument.complement, (), other)
    return books


def _side(price: Decimal, shares: Size) -> tuple[Level, ...]:
    return (Level(Price(price), shares),)


def _book(_leg: Leg, token: str, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> Book:
    return Book(token, bids, asks, 1, START_MS, START_MS)


_SENT = (Post.REFUSED, Post.RESTS, Post.FILLS)
_WAYS = (Depth.ALL, Depth.COMPLETE, Depth.EXIT, Depth.HEDGE, Depth.NONE)
_CALM = Space("calm", 2, fills=1, ghosts=False, races=False, aborts=False, posts=_SENT, exits=(Post.FILLS,))
"""Nothing goes wrong by itself: each space below says what may."""

TINY = (replace(_CALM, name="tiny", posts=(Post.REFUSED, Post.FILLS), fills=0),)
"""For the tests of the exploration itself."""

QUICK = (
    replace(_CALM, name="posts", posts=EVERY_POST, races=True, aborts=True, exits=(Post.FILLS, Post.REFUSED)),
    replace(_CALM, name="parts", fills=2, markets=(Depth.ALL, Depth.THIN, Depth.NONE)),
    replace(_CALM, name="odd-parts", fills=2, part="0.85", residue_usd="1", markets=EVERY_DEPTH),
    replace(_CALM, name="ghosts", ghosts=True, fills=0, unsettled=True, markets=_WAYS),
    replace(_CALM, name="unknowns", posts=(Post.FILLS, Post.UNKNOWN), exits=(Post.FILLS, Post.UNKNOWN), races=True),
    replace(_CALM, name="blind", posts=(Post.RESTS, Post.COUNTED, Post.UNKNOWN), errors=True, lags=True),
    replace(
        _CALM, name="three-legs", legs=3, limit="0.30", size=10, posts=(Post.REFUSED, Post.FILLS), ghosts=True, fills=0
    ),
    replace(_CALM, name="four-legs", legs=4, limit="0.22", posts=(Post.REFUSED, Post.FILLS, Post.UNKNOWN), fills=0),
)
"""One thing at a time."""

USUAL = (
    *QUICK,
    replace(_CALM, name="parts-and-ways", fills=2, exits=(Post.FILLS, Post.RESTS), markets=EVERY_DEPTH),
    replace(_CALM, name="posts-ghosts", posts=EVERY_POST, ghosts=True, races=True, aborts=True),
    replace(
        _CALM,
        name="delays",
        posts=(Post.DELAYED, Post.FILLS),
        exits=(Post.DELAYED, Post.FILLS, Post.REFUSED),
        races=True,
        wipes=True,
    ),
    replace(_CALM, name="fees", limit="0.33", last_limit="0.61", fee="0.07", part="0.37", fills=2, ghosts=True),
    replace(
        _CALM,
        name="rounds",
        rounds=2,
        posts=(Post.FILLS, Post.REFUSED),
        exits=(Post.FILLS, Post.UNKNOWN, Post.REFUSED),
        races=True,
    ),
    replace(
        _CALM,
        name="blind-ghosts",
        posts=(Post.RESTS, Post.COUNTED, Post.UNKNOWN),
        ghosts=True,
        errors=True,
        lags=True,
    ),
    replace(_CALM, name="aborts", posts=EVERY_POST, races=True, aborts=True, errors=True),
    replace(
        _CALM,
        name="three-legs-parts",
        legs=3,
        limit="0.30",
        size=10,
        part="0.5",
        fills=2,
        posts=(Post.RESTS, Post.FILLS),
    ),
    replace(
        _CALM,
        name="three-legs-posts",
        legs=3,
        limit="0.30",
        posts=EVERY_POST,
        races=True,
    ),
    replace(
        _CALM,
        name="four-legs-posts",
        legs=4,
        limit="0.22",
        posts=(Post.REFUSED, Post.FILLS, Post.UNKNOWN, Post.DELAYED),
        fills=0,
    ),
)
"""Several things at once."""

FULL = (
    *USUAL,
    replace(_CALM, name="aborts-parts", posts=EVERY_POST, races=True, aborts=True, wipes=True, fills=2),
    replace(
        _CALM,
        name="rounds-and-ways",
        rounds=2,
        posts=(Post.FILLS, Post.REFUSED),
        exits=(Post.FILLS, Post.UNKNOWN, Post.REFUSED, Post.UNSENT),
        races=True,
        markets=_WAYS,
    ),
    replace(
        _CALM,
        name="posts-everything",
        posts=EVERY_POST,
        ghosts=True,
        races=True,
        aborts=True,
        errors=True,
        lags=True,
    ),
)
"""The same with more at once."""
