"""The desk: how much capital trades may hold, who holds it, and what comes back. Pure state, no I/O.

Capital goes free -> leased (to a process, ahead of need) -> reserved (claimed by a trade) -> invested
(COMMITTED) -> free (paid out, merged, redeemed); a trade that is run again reserves it anew. Leased +
reserved + invested never exceed the total, but for an overrun that undoing or running again caused,
which is counted and shown. Every operation is idempotent by the lease's or the trade's id, and those
live in this state, not in the ids of requests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.saga.messages import Phase

LEASE_MS = 15_000
"""How long a lease lasts unless it is renewed."""
GRACE_MS = 6_000
"""After a lease's expiry: clock skew, the limit around a post, and slack, before anything is taken back."""
KEPT_TRADES = 2_000
KEPT_LEASES = 500
"""How many ended trades and closed leases are remembered, so that late messages about them change nothing."""


class Use(StrEnum):
    """What a trade's capital does."""

    RESERVED = "reserved"
    REOPENED = "reopened"
    HELD = "held"
    INVESTED = "invested"


@dataclass(frozen=True, slots=True)
class Limits:
    """USD that all trades together, and each, may hold."""

    total: Usd
    per_trade: Usd


@dataclass(frozen=True, slots=True)
class Lease:
    """Capital a process may hand to trades without asking. `amount` and `claimed` (USD) only ever grow,
    so that a renewal needs no agreement on what is under way; `expires_ms` since the epoch."""

    lease_id: str
    holder: str
    amount: Usd
    expires_ms: int
    claimed: Usd = NO_USD

    @property
    def left(self) -> Usd:
        """USD that no trade has claimed yet."""
        return Usd(max(NO_USD, self.amount - self.claimed))


@dataclass(frozen=True, slots=True)
class LeaseAsk:
    """A process wants to have `want` USD at hand under `lease_id`, of which it has given `taken` to trades.

    A `previous` lease is replaced: all but what was `previous_taken` from it moves to the new one.
    """

    lease_id: str
    holder: str
    want: Usd
    taken: Usd
    previous: str = ""
    previous_taken: Usd = NO_USD


@dataclass(frozen=True, slots=True)
class Claim:
    """A trade's capital: `amount` USD out of `lease_id`. `basket` is blocked while it is HELD."""

    trade_id: str
    workflow_id: str
    basket: str
    lease_id: str
    amount: Usd
    use: Use = Use.RESERVED


@dataclass(frozen=True, slots=True)
class Ended:
    """A trade's workflow is over: how, and what it spent on what it still holds (USD, fees included)."""

    claim: Claim
    run_id: str
    phase: Phase
    spent: Usd


@dataclass(frozen=True, slots=True)
class Closed:
    """A workflow's run whose history is to be kept in the ledger, as `name`: a trade's id, or a longer name."""

    name: str
    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class DeskNote:
    """Something a desk must hear that could not be signalled to it, because it was not running."""

    account: str
    signal: str
    body: Claim | Ended | Closed | str


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """The desk at a glance, in USD. `blocked` are the keys of baskets with a trade that is HELD or run again."""

    total: Usd
    per_trade: Usd
    free: Usd
    leased: Usd
    reserved: Usd
    invested: Usd
    blocked: tuple[str, ...]
    halted: str


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """What a process got: its lease as it now stands, and the desk."""

    lease: Lease
    status: DeskStatus


@dataclass(frozen=True, slots=True)
class Desk:
    """One account's desk. Immutable: every operation gives the desk after it."""

    limits: Limits
    leases: Mapping[str, Lease] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    ended: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    to_archive: tuple[Closed, ...] = ()
    halted: str = ""

    @property
    def leased(self) -> Usd:
        """USD leased and not claimed."""
        return _sum(lease.left for lease in self.leases.values())

    def used(self, *uses: Use) -> Usd:
        """USD that trades hold in these ways."""
        return _sum(claim.amount for claim in self.claims.values() if claim.use in uses)

    @property
    def free(self) -> Usd:
        """USD that can be leased. Negative by an overrun: then nothing is leased until it is paid back."""
        return Usd(self.limits.total - self.leased - self.used(*Use))

    def status(self) -> DeskStatus:
        """The desk at a glance."""
        return DeskStatus(
            total=self.limits.total,
            per_trade=self.limits.per_trade,
            free=self.free,
            leased=self.leased,
            reserved=self.used(Use.RESERVED, Use.REOPENED, Use.HELD),
            invested=self.used(Use.INVESTED),
            blocked=tuple(claim.basket for claim in self.claims.values() if claim.use in (Use.REOPENED, Use.HELD)),
            halted=self.halted,
        )

    def lease(self, ask: LeaseAsk, now_ms: int) -> tuple["Desk", Lease]:
        """Grant, top up or renew. Asking twice gives the same; a halted desk renews but grants nothing.

        A lease that was closed comes back with nothing and already expired: its holder was thought dead. So
        does one that was used but is not known here: the desk was lost meanwhile.
        """
        lost = ask.lease_id not in self.leases and ask.taken > 0
        if lost or ask.lease_id in self.closed:
            return self, Lease(ask.lease_id, ask.holder, NO_USD, now_ms)
        desk = self._shrink(ask.previous, ask.previous_taken)
        known = desk.leases.get(ask.lease_id) or Lease(ask.lease_id, ask.holder, NO_USD, now_ms)
        at_hand = known.amount - ask.taken
        grant = NO_USD if self.halted else min(desk.free, ask.want - at_hand)
        amount = Usd(known.amount + max(NO_USD, grant))
        lease = replace(known, amount=amount, expires_ms=max(known.expires_ms, now_ms + LEASE_MS))
        return desk._with_lease(lease), lease

    def claim(self, claim: Claim) -> "Desk":
        """A trade took this capital from its lease. Known, ended or too late: no change.

        Too late means that its lease was closed: by then no order of it can be sent, and every trade
        that had sent one was found by its intents. Capital of a lease nobody knows (the desk was
        lost) is booked all the same: what is in use is always counted.
        """
        if claim.trade_id in self.claims or claim.trade_id in self.ended or claim.lease_id in self.closed:
            return self
        desk = replace(self, claims={**self.claims, claim.trade_id: claim})
        lease = self.leases.get(claim.lease_id)
        return desk if lease is None else desk._with_lease(replace(lease, claimed=Usd(lease.claimed + claim.amount)))

    def end(self, ended: Ended) -> "Desk":
        """A trade is over: its capital is free, invested (`spent` of it, above 0), or kept (HELD)."""
        trade_id = ended.claim.trade_id
        if trade_id in self.ended:
            return self
        desk = self.claim(ended.claim).close(Closed(trade_id, ended.claim.workflow_id, ended.run_id))
        if ended.phase is Phase.HELD:
            return desk._keep(replace(ended.claim, use=Use.HELD, amount=Usd(max(ended.claim.amount, ended.spent))))
        if ended.spent > 0:
            return desk._keep(replace(ended.claim, use=Use.INVESTED, amount=ended.spent))
        return desk.paid_out(trade_id)

    def reopen(self, claim: Claim) -> "Desk":
        """A trade that had ended, or broke off, is run again: its capital is in use, and it can end anew.

        Whatever is free: what is in use is always counted. Its basket is blocked until it ends. One that had
        ended was claimed from its lease before: claimed twice, the lease would look emptier than its holder's.
        """
        desk = self if claim.trade_id in self.ended else self.claim(claim)
        desk = replace(desk, ended=tuple(trade_id for trade_id in desk.ended if trade_id != claim.trade_id))
        known = desk.claims.get(claim.trade_id, claim)
        return desk._keep(replace(claim, use=Use.REOPENED, amount=Usd(max(known.amount, claim.amount))))

    def close(self, closed: Closed) -> "Desk":
        """A run is over: its history is to be archived, once."""
        return self if closed in self.to_archive else replace(self, to_archive=(*self.to_archive, closed))

    def paid_out(self, trade_id: str) -> "Desk":
        """A trade's capital came back: paid out, merged, redeemed, or written off by a person."""
        claims = {key: claim for key, claim in self.claims.items() if key != trade_id}
        return replace(self, claims=claims, ended=_remember(self.ended, trade_id, KEPT_TRADES))

    def due(self, now_ms: int) -> tuple[Lease, ...]:
        """Leases whose holder has been silent for so long that no order can be sent from them any more."""
        return tuple(lease for lease in self.leases.values() if now_ms >= lease.expires_ms + GRACE_MS)

    def next_due_ms(self) -> int | None:
        """When (ms since the epoch) the next lease could be taken back."""
        return min((lease.expires_ms + GRACE_MS for lease in self.leases.values()), default=None)

    def take_back(self, lease_id: str, found: Iterable[Claim]) -> "Desk":
        """Close a lease. `found` are the trades that sent orders under it: they are claimed first."""
        desk = self
        for claim in found:
            desk = desk.claim(claim)
        leases = {key: lease for key, lease in desk.leases.items() if key != lease_id}
        return replace(desk, leases=leases, closed=_remember(self.closed, lease_id, KEPT_LEASES))

    def archived(self, names: Iterable[str]) -> "Desk":
        """These histories are in the ledger."""
        done = tuple(names)
        return replace(self, to_archive=tuple(closed for closed in self.to_archive if closed.name not in done))

    def _shrink(self, lease_id: str, taken: Usd) -> "Desk":
        """The lease cut down to what its holder gave to trades: those claims are still on their way."""
        lease = self.leases.get(lease_id)
        if lease is None:
            return self
        return self._with_lease(replace(lease, amount=Usd(min(lease.amount, max(taken, lease.claimed)))))

    def _with_lease(self, lease: Lease) -> "Desk":
        return replace(self, leases={**self.leases, lease.lease_id: lease})

    def _keep(self, claim: Claim) -> "Desk":
        return replace(self, claims={**self.claims, claim.trade_id: claim})


def _sum(amounts: Iterable[Usd]) -> Usd:
    return Usd(sum(amounts, NO_USD))


def _remember(known: tuple[str, ...], name: str, limit: int) -> tuple[str, ...]:
    return known if name in known else (*known, name)[-limit:]
