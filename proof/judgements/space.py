"""The named spaces of small trades: how many legs, what the venue may do to each order, which ways out there are.

Times are the product's own, but for the settlement limit (28 s instead of 10 min) and the pause between undo
rounds (7 s), which only bound how often the same is tried again.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.baskets import Basket, BasketKind, Leg, cross, yes_of_all
from arbsaga.domain.books import Book, Level
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Band, Instrument, MarketRules, Outcome
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
    """Which ways out the books offer when undoing reads them. THIN has 6 shares a level, DEAR only bad prices.

    DEAD: the venue of the last leg does not answer, the others offer every way.
    """

    ALL = "every way out"
    COMPLETE = "only completing"
    EXIT = "only selling"
    HEDGE = "only the complement"
    THIN = "6 shares of each way out"
    DEAR = "only dear ways out"
    NONE = "no way out"
    DEAD = "nothing of the last leg, whose venue is dead"


EVERY_POST = tuple(Post)
EVERY_DEPTH = tuple(depth for depth in Depth if depth is not Depth.DEAD)


@dataclass(frozen=True, slots=True)
class Space:
    """One named space. It is explored whole.

    `size` shares a leg at `limit` USD each (`last_limit` for the last leg), `part` the share of what is open that a
    part fill takes, `rounds` of undoing for each leg. `posts`, `exits`: what may become of entries and undo orders.
    `fills`: spontaneous fills, none, whole ones, or parts too. `ghosts`: fills FAIL. `lags`: an order's count runs
    ahead of its fills. `errors`: reads and cancels fail. `races`: cancels lose. `aborts`: a person aborts at any
    point. `unsettled`: settled shares may not be sellable yet. `wipes`: the venue withdraws a resting order itself.
    `first`: the legs that are entered first. `pair`: the second leg is at a venue that nets outcomes (Kalshi's kind).
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
    first: tuple[int, ...] = ()
    pair: bool = False

    @property
    def alike(self) -> bool:
        """Whether the legs are the same but for their names, so that outcomes need be dealt in one order only."""
        return not (self.last_limit or self.first or self.pair)


NETTING = MarketRules(
    tick=Decimal("0.001"),
    min_size=Size(Decimal("0.01")),
    min_notional=NO_USD,
    fee=FeeSchedule(Decimal("0.07"), step=Decimal("0.000001"), rounding=Usd(Decimal("0.01"))),
    bands=(
        Band(Price(Decimal(0)), Price(Decimal("0.10")), Decimal("0.001")),
        Band(Price(Decimal("0.10")), Price(Decimal("0.90")), Decimal("0.01")),
        Band(Price(Decimal("0.90")), Price(Decimal(1)), Decimal("0.001")),
    ),
    nets=True,
)
"""A market of Kalshi's kind: contracts of 0.01, tapered bands, balances in cents, one signed position."""


def basket_of(space: Space) -> Basket:
    """One YES of each runner; or YES here and NO at a venue that nets outcomes."""
    rules = MarketRules(tick=TICK, fee=FeeSchedule(Decimal(space.fee)))
    yes = [Instrument("sim", f"m{n}", f"y{n}", f"n{n}", Outcome.YES, f"Runner {n}", rules) for n in range(space.legs)]
    if not space.pair:
        return yes_of_all("race", "Who wins?", yes)
    there = Instrument("net", "RAIN", "net:RAIN:NO", "net:RAIN:YES", Outcome.NO, "Rain", NETTING)
    return cross("rain", "Will it rain?", BasketKind.IDENTITY, yes[0], there)


def plan_of(space: Space) -> TradePlan:
    """The trade of a space, decided at START_MS."""
    basket = basket_of(space)
    limits = [Price(Decimal(space.limit)) for _ in basket.legs]
    if space.last_limit:
        limits[-1] = Price(Decimal(space.last_limit))
    size = Size(Decimal(space.size))
    cost = Usd(sum((size * limit for limit in limits), NO_USD))
    priced = zip(basket.legs, limits, strict=True)
    fees = Usd(sum((leg.instrument.rules.fee.taker_fee(size, limit) for leg, limit in priced), NO_USD))
    return TradePlan(
        trade_id=space.name,
        account="proof",
        basket=basket,
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
        first=space.first,
    )


def books_of(plan: TradePlan, depth: Depth) -> dict[str, Book]:
    """The books of every leg and of its complement that offer these ways out, around the leg's own limit."""
    books: dict[str, Book] = {}
    legs = list(zip(plan.basket.legs, plan.legs, strict=True))
    for leg, planned in legs[:-1] if depth is Depth.DEAD else legs:
        shares = Size(Decimal(6 if depth is Depth.THIN else 500))
        leave, complete = planned.limit - 2 * TICK, planned.limit + 3 * TICK
        if depth is Depth.DEAR:
            leave, complete = TICK, 1 - TICK
        every = depth in (Depth.ALL, Depth.THIN, Depth.DEAR, Depth.DEAD)
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
    replace(_CALM, name="one-first", first=(0,), fills=2, part="0.37", aborts=True),
    replace(_CALM, name="pair", pair=True, last_limit="0.45", fills=2, part="0.37", exits=(Post.FILLS, Post.RESTS)),
    replace(
        _CALM,
        name="pair-dead",
        pair=True,
        posts=(*_SENT, Post.UNKNOWN),
        exits=(Post.FILLS, Post.UNKNOWN),
        ghosts=True,
        markets=(Depth.ALL, Depth.DEAD),
    ),
    replace(
        _CALM,
        name="pair-first",
        pair=True,
        first=(1,),
        posts=(Post.FILLS, Post.RESTS, Post.UNKNOWN),
        exits=(Post.FILLS, Post.REFUSED),
        fills=2,
        races=True,
        aborts=True,
    ),
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
        _CALM, name="one-first-posts", first=(0,), posts=EVERY_POST, ghosts=True, races=True, aborts=True, wipes=True
    ),
    replace(
        _CALM,
        name="two-first",
        legs=3,
        limit="0.30",
        first=(0, 2),
        posts=(Post.REFUSED, Post.FILLS, Post.UNKNOWN),
    ),
    replace(
        _CALM,
        name="pair-posts",
        pair=True,
        posts=EVERY_POST,
        races=True,
        exits=(Post.FILLS, Post.UNKNOWN),
        markets=(Depth.ALL, Depth.COMPLETE, Depth.DEAD),
    ),
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
