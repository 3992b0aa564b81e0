"""A trade as far as it is known: the plan, the evidence for each order, and what follows from both."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from arbsaga.domain.baskets import Leg
from arbsaga.domain.money import MICRO, NO_SIZE, NO_USD, ZERO, Size, Usd, ceil_to
from arbsaga.domain.once import once
from arbsaga.domain.orders import FillStatus, OrderView, Purpose
from arbsaga.saga.messages import LegResult, Phase, TradePlan, TradeRecord

ADDING = (Purpose.ENTER, Purpose.COMPLETE)
"""Orders that add to a leg; EXIT sells it again and HEDGE buys its complement."""


class _LegSums(NamedTuple):
    """A leg's orders added up: shares that are held at least and at most, shares of its complement, USD spent."""

    least: Decimal
    most: Decimal
    hedges: Decimal
    spent: Decimal


@dataclass(frozen=True)  # no slots: what follows from an immutable trade is worked out once and kept beside it
class Trade:
    """Immutable. `fruitless` counts undo rounds that found no way, `cancels` rounds of cancels that ended nothing.

    `paged`: a person was already told that one side filled while another is unknown. `blind_ms`: since when (ms since
    the epoch) undoing has been without a book that it needs, because its venue does not answer; 0 when it is not.
    """

    plan: TradePlan
    orders: tuple[OrderView, ...] = ()
    fruitless: int = 0
    cancels: int = 0
    paged: bool = False
    blind_ms: int = 0

    def with_orders(self, seen: Iterable[OrderView]) -> "Trade":
        """The trade with newer evidence for some orders, or with new orders."""
        seen = tuple(seen)
        if not seen:
            return self
        orders = {(view.terms.leg, view.terms.attempt): view for view in (*self.orders, *seen)}
        return replace(self, orders=tuple(orders.values()))

    @once
    def open(self) -> tuple[OrderView, ...]:
        """Orders that may still fill."""
        return tuple(view for view in self.orders if not view.state.final)

    @once
    def unexplained(self) -> tuple[OrderView, ...]:
        """Orders that can fill no more, but whose fills have not all been seen."""
        return tuple(view for view in self.orders if view.state.final and not view.explained)

    @once
    def unsettled(self) -> tuple[OrderView, ...]:
        """Orders with a fill that the venue may still take back."""
        return tuple(view for view in self.orders if not view.settled)

    @once
    def waiting(self) -> tuple[int, ...]:
        """Legs that follow the first ones: none any more once one of them was entered, or undoing has begun."""
        first, sent = self.plan.first, self.orders
        if not first or any(view.terms.leg not in first or view.terms.purpose is not Purpose.ENTER for view in sent):
            return ()
        return tuple(leg for leg in range(len(self.legs)) if leg not in first)

    def of_leg(self, leg: int) -> Iterator[OrderView]:
        """The leg's orders, first attempt first."""
        return (view for view in self.orders if view.terms.leg == leg)

    def next_attempt(self, leg: int) -> int:
        """The number of the leg's next order."""
        return 1 + max((view.terms.attempt for view in self.of_leg(leg)), default=0)

    @property
    def undo_orders(self) -> int:
        """How many undo orders were sent so far."""
        return sum(1 for view in self.orders if view.terms.purpose is not Purpose.ENTER)

    @property
    def refused(self) -> int:
        """How many undo orders came to nothing."""
        return sum(1 for view in self.orders if view.in_vain and view.terms.purpose is not Purpose.ENTER)

    @once
    def _sums(self) -> tuple["_LegSums", ...]:
        """The orders of each leg added up, in one pass."""
        sums = [[ZERO, ZERO, ZERO, ZERO] for _ in self.legs]
        for view in self.orders:
            least, most, hedges, spent = sums[view.terms.leg]
            if view.terms.purpose in ADDING:
                least, most = least + view.known, most + view.most
            else:
                least, most = least - view.most, most - view.known
            if view.terms.purpose is Purpose.HEDGE:
                hedges += view.known
            sums[view.terms.leg] = [least, most, hedges, spent + view.spent]
        return tuple(_LegSums(*leg) for leg in sums)

    def least(self, leg: int) -> Size:
        """The fewest shares of the leg that can be held by the end, its hedges counted off."""
        return Size(self._sums[leg].least)

    def most(self, leg: int) -> Size:
        """The most shares of the leg that can be held by the end."""
        return Size(self._sums[leg].most)

    def returning(self, leg: int) -> Size:
        """Shares of the leg that come back where sales or hedges of it that are not final yet FAIL."""
        reducing = (view for view in self.of_leg(leg) if view.terms.purpose not in ADDING)
        return Size(sum((fill.size for view in reducing for fill in view.fills if not fill.status.final), NO_SIZE))

    @once
    def hedged(self) -> Size:
        """Units of the basket that are held on every leg (the worst case)."""
        legs = zip(self._sums, self.legs, strict=True)
        return Size(max(ZERO, min(sums.least / leg.ratio for sums, leg in legs)))

    def surplus(self, leg: int) -> Size:
        """Shares of the leg beyond the hedged units. Exact once every order is final."""
        return Size(self.most(leg) - self.hedged * self.legs[leg].ratio)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The basket's legs."""
        return self.plan.basket.legs

    def hedges(self, leg: int) -> Size:
        """Shares of the leg's complement that were bought to hedge it."""
        return Size(self._sums[leg].hedges)

    @staticmethod
    def pairs_of(held: Decimal, hedges: Decimal) -> Decimal:
        """Complementary pairs among `held` shares (hedges counted off) and `hedges`: each pays $1 whatever happens."""
        return max(ZERO, min(held + hedges, hedges))

    @once
    def pairs(self) -> Size:
        """Complementary pairs held from hedging, over all legs. A hedge whose leg FAILED is none."""
        return Size(sum((self.pairs_of(leg.least, leg.hedges) for leg in self._sums if leg.hedges), ZERO))

    @once
    def spent(self) -> Usd:
        """USD spent less USD received so far, fees included."""
        return Usd(sum((leg.spent for leg in self._sums), ZERO))

    @once
    def fees(self) -> Usd:
        """USD of fees so far, as computed from the market's own parameters."""
        alive = (fill for view in self.orders for fill in view.fills if fill.status is not FillStatus.FAILED)
        return Usd(sum((fill.fee for fill in alive), NO_USD))

    @once
    def payout(self) -> Usd:
        """USD that what is held pays in every state of the world. Residue counts as nothing."""
        return Usd(self.hedged * self.plan.basket.payout + self.pairs)

    def average_cost(self, leg: int) -> Decimal:
        """USD a share paid for the leg, fees included; 0 when nothing was bought. Rounded up."""
        adding = [view for view in self.of_leg(leg) if view.terms.purpose in ADDING]
        shares = sum((view.filled for view in adding), NO_SIZE)
        return ceil_to(sum((view.spent for view in adding), NO_USD) / shares, MICRO) if shares else ZERO

    def record(self, phase: Phase, reason: str, now_ms: int) -> TradeRecord:
        """What the ledger, the status query and the live view are told."""
        return TradeRecord(
            plan=self.plan,
            phase=phase,
            orders=self.orders,
            legs=self._leg_results,
            hedged=self.hedged,
            payout=self.payout,
            spent=self.spent,
            fees=self.fees,
            profit=Usd(self.payout - self.spent),
            reason=reason,
            time_ms=now_ms,
        )

    @once
    def _leg_results(self) -> tuple[LegResult, ...]:
        return tuple(self._leg_result(index, leg) for index, leg in enumerate(self.legs))

    def _leg_result(self, index: int, leg: Leg) -> LegResult:
        instrument, spent = leg.instrument, Usd(self._sums[index].spent)
        return LegResult(instrument.token, instrument.title, self.least(index), self.surplus(index), spent)
