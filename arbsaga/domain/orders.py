"""Orders and what is known of them: terms before sending, evidence afterwards."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import NO_SIZE, ZERO, Price, Size, Usd
from arbsaga.domain.once import once

SALT_BITS = 53
"""Polymarket carries the salt as a JSON number, so it must fit a double exactly."""


class TimeInForce(StrEnum):
    """How long an order stands. A GTC buy is share-targeted; a FOK or FAK buy fixes dollars."""

    GTC = "GTC"
    FOK = "FOK"
    FAK = "FAK"


class Purpose(StrEnum):
    """Why an order is sent. All but ENTER only ever lower the worst case."""

    ENTER = "enter"
    COMPLETE = "complete"
    EXIT = "exit"
    HEDGE = "hedge"


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """Everything an order is made of; the signed bytes and the venue's id are a function of it.

    `leg` is the position in the basket, `attempt` counts this leg's orders from 1. `size` in
    shares, `limit` in USD a share. `created_ms` is the recorded time of the attempt (it goes into
    the signed order); after `send_by_ms` no byte is sent, whoever wakes up late.
    """

    trade_id: str
    leg: int
    attempt: int
    purpose: Purpose
    instrument: Instrument
    side: Side
    size: Size
    limit: Price
    time_in_force: TimeInForce
    created_ms: int
    send_by_ms: int

    @property
    def key(self) -> str:
        """The attempt's name: unique for ever, the same in every retry."""
        return f"{self.trade_id}/{self.leg}/{self.attempt}"

    @property
    def salt(self) -> int:
        """53 bits of SHA-256 of the key: the same attempt is the same order to the venue."""
        digest = hashlib.sha256(self.key.encode()).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - SALT_BITS)


class FillStatus(StrEnum):
    """Polymarket's life of a match. Only CONFIRMED is inventory; FAILED never happened."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"

    @property
    def final(self) -> bool:
        """Whether it can no longer change."""
        return self in (FillStatus.CONFIRMED, FillStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Fill:
    """One match of one of our orders. `size` in shares, `price` in USD a share, `fee` in USD.

    `fill_id` is unique per order: the venue's trade id, with the maker order's id where one trade
    touches several of our orders.
    """

    fill_id: str
    size: Size
    price: Price
    fee: Usd
    status: FillStatus
    time_ms: int


class OrderState(StrEnum):
    """What is proved of an order at the venue.

    UNKNOWN: it may or may not exist. PENDING: accepted, held back (`delayed`), cannot be
    cancelled. LIVE: rests, can fill. DONE: can fill no more. ABSENT: proved never to have
    existed and never to come.
    """

    UNKNOWN = "unknown"
    PENDING = "pending"
    LIVE = "live"
    DONE = "done"
    ABSENT = "absent"

    @property
    def final(self) -> bool:
        """Whether the order can fill no more."""
        return self in (OrderState.DONE, OrderState.ABSENT)


class FillSums(NamedTuple):
    """What follows from the fills of one order: shares, and USD spent. See the properties of `OrderView`."""

    filled: Size
    confirmed: Size
    failed: Size
    known: Size
    most: Size
    spent: Usd


@dataclass(frozen=True)  # no slots: what follows from an immutable view is worked out once and kept beside it
class OrderView:
    """The evidence for one order: what the venue has shown of it so far.

    `matched` is the filled size the venue states for the order, which can run ahead of the fills
    we have seen. `reason` is the venue's text for a refusal or cancel. `evidence` says where the
    knowledge is from, oldest first. `denied_ms` is when every source (by id, trades, stream and a
    cancel by id) last answered that it does not know the order; 0 when they have not.
    """

    terms: OrderTerms
    order_id: str
    state: OrderState
    fills: tuple[Fill, ...] = ()
    matched: Size = NO_SIZE
    reason: str = ""
    evidence: tuple[str, ...] = ()
    denied_ms: int = 0

    @once
    def sums(self) -> FillSums:
        """The fills added up, in one pass."""
        filled = confirmed = failed = spent = ZERO
        sign = 1 if self.terms.side is Side.BUY else -1
        for fill in self.fills:
            if fill.status is FillStatus.FAILED:
                failed += fill.size
                continue
            filled += fill.size
            spent += sign * fill.size * fill.price + fill.fee
            if fill.status is FillStatus.CONFIRMED:
                confirmed += fill.size
        known = max(filled, self.matched - failed)
        most = known if self.state.final else self.terms.size - failed
        return FillSums(Size(filled), Size(confirmed), Size(failed), Size(known), Size(most), Usd(spent))

    @property
    def filled(self) -> Size:
        """Shares of all fills that did not fail."""
        return self.sums.filled

    @property
    def confirmed(self) -> Size:
        """Shares of the fills that are final."""
        return self.sums.confirmed

    @property
    def failed(self) -> Size:
        """Shares of the fills that the venue took back."""
        return self.sums.failed

    @property
    def in_vain(self) -> bool:
        """Whether it is over and brought nothing."""
        return self.state.final and self.known == 0

    @property
    def most(self) -> Size:
        """The most shares that can have filled by the end: the upper end of the exposure."""
        return self.sums.most

    @property
    def known(self) -> Size:
        """Shares that are filled for all we know: the larger of the fills seen and the venue's own count."""
        return self.sums.known

    @property
    def explained(self) -> bool:
        """Whether every matched share is seen as a fill, so that nothing is still to be looked up."""
        return self.state.final and self.filled + self.failed >= self.matched

    @property
    def settled(self) -> bool:
        """Whether no fill seen can change any more."""
        return all(fill.status.final for fill in self.fills)

    @property
    def spent(self) -> Usd:
        """USD paid for the fills that did not fail, fees included; negative when sold."""
        return self.sums.spent
