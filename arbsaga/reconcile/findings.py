"""What is wrong, judged from one look at the venue, the ledger and Temporal. Pure.

The one comparison of both records: the watchdog pages by it, and the reconciler acts by it (`actions.py`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_SIZE, NO_USD, ZERO, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState
from arbsaga.ledger import Intent
from arbsaga.saga.messages import ENDS, Phase
from arbsaga.venues.port import AccountFill, OpenOrder


class Kind(StrEnum):
    """What a finding is about; also part of its page's key."""

    ORPHAN_ORDER = "orphan-order"
    LEFT_ORDER = "left-order"
    LATE_FILL = "late-fill"
    FAILED_FILL = "failed-fill"
    STALLED = "stalled"
    STRAY_POSITION = "stray-position"
    MISSING_POSITION = "missing-position"
    CASH = "cash"
    TEMPORAL = "temporal"
    VENUE = "venue"
    LEDGER = "ledger"


_FILLS = (Kind.LATE_FILL, Kind.FAILED_FILL)

GRACE_MS: Mapping[Kind, int] = {
    Kind.ORPHAN_ORDER: 5_000,
    Kind.LEFT_ORDER: 10_000,
    Kind.LATE_FILL: 5_000,
    Kind.FAILED_FILL: 5_000,
    Kind.STALLED: 0,
    Kind.STRAY_POSITION: 15_000,
    Kind.MISSING_POSITION: 30_000,
    Kind.CASH: 30_000,
    Kind.TEMPORAL: 10_000,
    Kind.VENUE: 30_000,
    Kind.LEDGER: 10_000,
}
"""How long (ms) a finding must stay before it is paged: two records are never read at the same instant."""

SETTLED_GRACE_MS = 15_000
"""How long a trade may take to notice that its last fill has settled."""

CASH_TOLERANCE = Decimal("0.05")
"""USD. The books round each fill against us, by up to a millionth, and a billed fee may differ in its fifth digit."""


VENUE_SECOND_MS = 1_000
"""Venues tell when an order was made in whole seconds, cut off."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `subject` names it among its kind; `grace_ms`: see GRACE_MS."""

    kind: Kind
    subject: str
    headline: str
    to_do: str
    trade_id: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    grace_ms: int = 0

    @property
    def name(self) -> str:
        """The same for the same trouble, look after look."""
        return f"{self.kind}/{self.subject}"


@dataclass(frozen=True, slots=True)
class AtVenue:
    """One account at the venue. `resolved`: tokens of decided markets.

    `shares` of the tokens that were asked for, and `cash` (USD); None in a look that did not ask: each of them
    costs the venue two requests.
    """

    orders: tuple[OpenOrder, ...] = ()
    fills: tuple[AccountFill, ...] = ()
    shares: Mapping[str, Size] | None = None
    cash: Usd | None = None
    resolved: frozenset[str] = frozenset()

    @property
    def filled(self) -> Mapping[str, Size]:
        """Shares by order, of the fills that did not fail."""
        sizes: defaultdict[str, Size] = defaultdict(lambda: NO_SIZE)
        for one in self.fills:
            if one.fill.status is not FillStatus.FAILED:
                sizes[one.order_id] = Size(sizes[one.order_id] + one.fill.size)
        return sizes

    @property
    def taken_back(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the fills that FAILED, by order."""
        names: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
        for one in self.fills:
            if one.fill.status is FillStatus.FAILED:
                names[one.order_id] += (one.fill.fill_id,)
        return names


@dataclass(frozen=True, slots=True)
class InLedger:
    """The same account in the ledger, read after the venue: whatever was sent by then is written here.

    `in_flight`: orders of trades without an end; `owners`: the intents behind the venue's open orders, and behind
    those that filled more, or less, than is `booked` (shares by order); `kept`: the fills as booked of those that the
    venue took back; `updated_ms` by trade, where something was recorded. `cash` in USD, and `opened_ms`: None for an
    account that was not opened yet.
    """

    in_flight: tuple[Intent, ...] = ()
    owners: Mapping[str, Intent] = field(default_factory=dict)
    booked: Mapping[str, Size] = field(default_factory=dict)
    shares: Mapping[str, Size] = field(default_factory=dict)
    kept: Mapping[str, tuple[Fill, ...]] = field(default_factory=dict)
    updated_ms: Mapping[str, int] = field(default_factory=dict)
    cash: Usd | None = None
    opened_ms: int | None = None

    def can_be_ours(self, order: OpenOrder) -> bool:
        """Whether an order came since the account was opened here: an older one was placed by somebody else."""
        return self.opened_ms is not None and order.created_ms + VENUE_SECOND_MS > self.opened_ms


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look. `venue` and `ledger` are None when they could not be read; `troubles` says of what and why.

    `stalled_ms`: a trade without progress for so long is paged. `settle_ms`: fills may take so long to settle.
    `partial`: a venue could not be read, and both records leave out what it concerns: then nothing is over.
    """

    now_ms: int
    venue: AtVenue | None
    ledger: InLedger | None
    troubles: Mapping[Kind, str] = field(default_factory=dict)
    stalled_ms: int = 30_000
    settle_ms: int = 600_000
    partial: bool = False

    @property
    def judged(self) -> frozenset[Kind]:
        """What this look could decide: of these kinds, what it did not find is over."""
        if self.venue is None or self.ledger is None or self.partial:
            return frozenset({Kind.TEMPORAL, Kind.VENUE, Kind.LEDGER})
        undecided = set(_FILLS)
        if self.venue.shares is None:
            undecided |= {Kind.STRAY_POSITION, Kind.MISSING_POSITION}
        if self.venue.cash is None or self.ledger.cash is None:
            undecided.add(Kind.CASH)
        return frozenset(Kind) - undecided

    @property
    def over(self) -> frozenset[str]:
        """Findings about fills that are booked by now. That one is too old to be listed any more does not end it."""
        if self.venue is None or self.ledger is None:
            return frozenset()
        filled, listed = self.venue.filled, {one.order_id for one in self.venue.fills}
        even = [name for name in listed if filled.get(name, NO_SIZE) == self.ledger.booked.get(name, NO_SIZE)]
        return frozenset(f"{kind}/{order_id}" for kind in _FILLS for order_id in even)


def findings(snapshot: Snapshot) -> list[Finding]:
    """Everything wrong in this look."""
    found = [_trouble(kind, why) for kind, why in snapshot.troubles.items()]
    if snapshot.venue and snapshot.ledger:
        found += _orders(snapshot.venue, snapshot.ledger)
        found += _late_fills(snapshot, snapshot.venue, snapshot.ledger)
        found += _failed_fills(snapshot.venue, snapshot.ledger)
        found += _stalled(snapshot, snapshot.venue, snapshot.ledger)
        found += _positions(snapshot.venue, snapshot.ledger)
        found += _cash(snapshot.venue, snapshot.ledger)
    return found


def _trouble(kind: Kind, why: str) -> Finding:
    to_do = {
        Kind.TEMPORAL: "Start the Temporal server; open trades go on by themselves as soon as it answers.",
        Kind.VENUE: "Look at the venue's status page and at the network; nothing is compared until it answers.",
        Kind.LEDGER: "Mend what it says; no order is sent while the ledger cannot be written.",
    }
    return Finding(kind, "down", f"{kind}: {why}", to_do[kind], grace_ms=GRACE_MS[kind])


_STRANGER = "It is cancelled within a minute while a worker runs; find out who else trades with this key."
_OLDER = "It is older than this account here, so it is left alone: cancel it; the wallet must be arbsaga's own."


def _orders(venue: AtVenue, ledger: InLedger) -> Iterator[Finding]:
    """Orders that nobody looks after: no intent knows them, or their trade has ended."""
    for order in venue.orders:
        facts = (("order", order.order_id), ("rests", _words(order)), ("filled", f"{order.matched:f}"))
        owner = ledger.owners.get(order.order_id)
        if owner is None:
            yield Finding(
                Kind.ORPHAN_ORDER,
                order.order_id,
                "an order rests at the venue that no trade ever intended",
                _STRANGER if ledger.can_be_ours(order) else _OLDER,
                facts=facts,
                grace_ms=GRACE_MS[Kind.ORPHAN_ORDER],
            )
        elif owner.phase in ENDS:
            yield Finding(
                Kind.LEFT_ORDER,
                order.order_id,
                f"an order still rests at the venue although its trade is {owner.phase}",
                "It is cancelled within a minute while a worker runs; what it fills first is booked then.",
                trade_id=owner.terms.trade_id,
                facts=facts,
                grace_ms=GRACE_MS[Kind.LEFT_ORDER],
            )


def _late_fills(snapshot: Snapshot, venue: AtVenue, ledger: InLedger) -> Iterator[Finding]:
    """Fills of orders that nobody looks after any more: such a post came after the quiet time.

    Positions do not show it: a market that is decided a moment later pays the shares out, or takes them.
    """
    for order_id in unbooked(venue, ledger.booked):
        owner = ledger.owners.get(order_id)
        if owner is None or owner.phase not in ENDS or _under_way(order_id, owner, snapshot, venue):
            continue
        theirs, ours = venue.filled[order_id], ledger.booked.get(order_id, NO_SIZE)
        terms = owner.terms
        yield Finding(
            Kind.LATE_FILL,
            order_id,
            f"an order has filled although its trade is {owner.phase}: its fill is not in the ledger",
            "The trade is one-sided: sell or hedge what filled, then book it.",
            trade_id=terms.trade_id,
            facts=(
                ("order", order_id),
                ("terms", f"{terms.purpose} {terms.side} {terms.size:f} {terms.instrument.title} at {terms.limit:f}"),
                ("filled at the venue", f"{theirs:f}"),
                ("in the ledger", f"{ours:f}"),
            ),
            grace_ms=GRACE_MS[Kind.LATE_FILL],
        )


def _under_way(order_id: str, owner: Intent, snapshot: Snapshot, venue: AtVenue) -> bool:
    """Whether somebody still looks at this order of an ended trade, who will book its fills."""
    if owner.phase is Phase.HELD:
        return owner.state is not OrderState.ABSENT  # the watch over a HELD trade looks for the fills of its orders
    if owner.state.final:
        return False
    # The trade is run again, after a reset or by the reconciler, and this order is of that run.
    settling = any(one.order_id == order_id and not one.fill.status.final for one in venue.fills)
    limit = snapshot.stalled_ms + (snapshot.settle_ms if settling else 0)
    return snapshot.now_ms - owner.terms.created_ms < limit


def _failed_fills(venue: AtVenue, ledger: InLedger) -> Iterator[Finding]:
    """Fills that the venue took back although their trade ended with them (I8: a FAILED fill reopens)."""
    for order_id, names in venue.taken_back.items():
        owner = ledger.owners.get(order_id)
        if owner is None or owner.phase not in ENDS:
            continue
        kept = [fill for fill in ledger.kept.get(order_id, ()) if fill.fill_id in names]
        booked = [fill for fill in kept if fill.status is not FillStatus.FAILED]
        if owner.phase is Phase.HELD:
            booked = [fill for fill in booked if fill.status.final]  # its watch looks at the others
        if booked:
            terms, size = owner.terms, sum((fill.size for fill in booked), NO_SIZE)
            yield Finding(
                Kind.FAILED_FILL,
                order_id,
                f"the venue took back {size:f} {terms.instrument.title} although their trade is {owner.phase}",
                "The trade is one-sided: sell or hedge the other legs.",
                trade_id=terms.trade_id,
                facts=(("order", order_id), ("fills", ", ".join(fill.fill_id for fill in booked))),
                grace_ms=GRACE_MS[Kind.FAILED_FILL],
            )


def unbooked(venue: AtVenue, booked: Mapping[str, Size]) -> list[str]:
    """The orders that filled more at the venue than is booked."""
    return [order_id for order_id, size in venue.filled.items() if size > booked.get(order_id, NO_SIZE)]


def overbooked(venue: AtVenue, booked: Mapping[str, Size]) -> list[str]:
    """The orders that had a fill taken back, and of which more is booked than filled."""
    filled = venue.filled
    return [name for name in venue.taken_back if booked.get(name, NO_SIZE) > filled.get(name, NO_SIZE)]


def _words(order: OpenOrder) -> str:
    return f"{order.side} {order.size:f} of {order.token} at {order.price:f}"


def _stalled(snapshot: Snapshot, venue: AtVenue, ledger: InLedger) -> Iterator[Finding]:
    """Trades that should have moved: waiting for a settlement is the only rest a trade may take."""
    trades: defaultdict[str, list[Intent]] = defaultdict(list)
    for intent in ledger.in_flight:
        trades[intent.terms.trade_id].append(intent)
    for trade_id, intents in trades.items():
        last = max(*(one.terms.created_ms for one in intents), ledger.updated_ms.get(trade_id, 0))
        idle = snapshot.now_ms - last
        if idle < snapshot.stalled_ms:
            continue
        ids = {one.order_id for one in intents}
        resting = [order for order in venue.orders if order.order_id in ids]
        fills = [one for one in venue.fills if one.order_id in ids]
        settling = any(not one.fill.status.final for one in fills)
        if settling and not resting and idle < snapshot.settle_ms + snapshot.stalled_ms:
            continue
        yield Finding(
            Kind.STALLED,
            trade_id,
            f"trade {trade_id} has made no progress for {snapshot.stalled_ms // 1000} s",
            "See whether its workflow runs (Temporal UI) and whether a worker does. A trade that was terminated is run "
            "again within a minute; if not, cancel what rests and sell or hedge what filled.",
            trade_id=trade_id,
            facts=_facts(intents, resting, fills),
            grace_ms=SETTLED_GRACE_MS if fills and not resting else GRACE_MS[Kind.STALLED],
        )


def _facts(
    intents: Sequence[Intent], resting: Sequence[OpenOrder], fills: Sequence[AccountFill]
) -> tuple[tuple[str, str], ...]:
    open_ids = {order.order_id for order in resting}
    rows = []
    for one in sorted(intents, key=lambda intent: (intent.terms.leg, intent.terms.attempt)):
        own = [had.fill for had in fills if had.order_id == one.order_id]
        filled = sum((fill.size for fill in own), NO_SIZE)
        terms = one.terms
        rows.append(
            (
                f"order {terms.leg}/{terms.attempt} {one.order_id}",
                f"{terms.purpose} {terms.side} {terms.size:f} {terms.instrument.title} at {terms.limit:f}: "
                f"{filled:f} filled{', rests' if one.order_id in open_ids else ''}",
            )
        )
    return tuple(rows)


def _positions(venue: AtVenue, ledger: InLedger) -> Iterator[Finding]:
    """Shares that only one of the two has. Those of trades in flight are booked when they end."""
    busy = {
        token for one in ledger.in_flight for token in (one.terms.instrument.token, one.terms.instrument.complement)
    }
    for token in sorted(mismatches(venue, ledger) - busy - venue.resolved):
        theirs, ours = (venue.shares or {}).get(token, NO_SIZE), ledger.shares.get(token, NO_SIZE)
        stray = theirs > ours
        kind = Kind.STRAY_POSITION if stray else Kind.MISSING_POSITION
        what = "more shares than the ledger" if stray else "fewer shares than the ledger"
        yield Finding(
            kind,
            token,
            f"the venue has {what} of {token}",
            "Find the order behind it (`arbsaga trades`, the venue's history); sell or hedge what nobody intended.",
            facts=(("at the venue", f"{theirs:f}"), ("in the ledger", f"{ours:f}")),
            grace_ms=GRACE_MS[kind],
        )


def mismatches(venue: AtVenue, ledger: InLedger) -> set[str]:
    """Tokens whose shares differ by more than what has not settled yet."""
    buys: defaultdict[str, Size] = defaultdict(lambda: NO_SIZE)
    sells: defaultdict[str, Size] = defaultdict(lambda: NO_SIZE)
    for one in venue.fills:
        if not one.fill.status.final:
            pending = buys if one.side is Side.BUY else sells
            pending[one.token] = Size(pending[one.token] + one.fill.size)
    found = set()
    for token, theirs in (venue.shares or {}).items():
        ours = ledger.shares.get(token, ZERO)
        if not ours - buys[token] <= theirs <= ours + sells[token]:
            found.add(token)
    return found


def _cash(venue: AtVenue, ledger: InLedger) -> Iterator[Finding]:
    """Money that only one of the two has, beyond what fills and payouts under way can explain."""
    if venue.cash is None or ledger.cash is None:
        return
    fewer, more = _under_way_usd(venue, ledger)
    if ledger.cash - fewer - CASH_TOLERANCE <= venue.cash <= ledger.cash + more + CASH_TOLERANCE:
        return
    yield Finding(
        Kind.CASH,
        "account",
        f"the venue has {venue.cash - ledger.cash:+f} USD against the ledger",
        "A deposit or withdrawal explains it; if there was none, find the fill or fee behind it (the venue's history).",
        facts=(("at the venue", f"{venue.cash:f} USD"), ("in the ledger", f"{ledger.cash:f} USD")),
        grace_ms=GRACE_MS[Kind.CASH],
    )


def _under_way_usd(venue: AtVenue, ledger: InLedger) -> tuple[Usd, Usd]:
    """USD by which the venue may have less, and more, than the ledger: not booked yet, not settled, not paid out."""
    open_orders = {*unbooked(venue, ledger.booked), *overbooked(venue, ledger.booked)}
    fewer = more = NO_USD
    for one in venue.fills:
        if one.fill.status is FillStatus.CONFIRMED and one.order_id not in open_orders:
            continue
        if one.fill.status is FillStatus.FAILED and one.order_id not in open_orders:
            continue
        usd = one.fill.size * one.fill.price + one.fill.fee
        fewer, more = Usd(fewer + usd), Usd(more + usd)
    paid_out = venue.resolved & ledger.shares.keys()
    return fewer, Usd(more + sum((ledger.shares[token] for token in paid_out), NO_SIZE))
