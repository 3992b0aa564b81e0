"""What trades hold: USD by pair and by pocket (a venue, and the part of our account there that pays)."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from arbsaga.domain.capital import Pocket, by_pocket
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import ENDS, Phase, TradePlan, TradeRecord

_WITHOUT = (Phase.REFUSED, Phase.FLAT)
"""Ends without shares."""


@dataclass(frozen=True, slots=True)
class Held:
    """One trade's. For its pair what it reserved, spent, or will be paid, whichever is most: as the ledger counts what
    is held (`arbsaga/ledger/caps.py`), or it would refuse what is offered. Planned or spent for its pockets."""

    event: str
    usd: Usd
    pockets: Mapping[Pocket, Usd]


@dataclass(slots=True)
class Holdings:
    """Of every trade that runs, or ended with shares that were not paid out yet."""

    trades: dict[str, Held] = field(default_factory=dict)

    def recall(self, ledger: Ledger, account: str) -> None:
        """Count what earlier trades hold, by the ledger. Reads it: call it in a thread."""
        positions = ledger.positions(account)
        for row in ledger.trades():
            if row.phase in _WITHOUT:
                continue
            legs = [leg.instrument for leg in row.plan.basket.legs]
            if row.phase not in ENDS or any(one.token in positions or one.complement in positions for one in legs):
                spent = [result.spent for result in row.legs] if any(result.held for result in row.legs) else None
                self.trades[row.trade_id] = _held(row.plan, max(row.spent, row.payout), spent)

    def heard(self, record: TradeRecord) -> bool:
        """A trade entered a phase; whether anything changed."""
        if record.phase in _WITHOUT:
            return self.paid_out(record.plan.trade_id)
        if record.phase is Phase.VALIDATING:
            return False
        ended = record.phase in ENDS
        spent = [result.spent for result in record.legs] if ended else None
        out = max(record.spent, record.payout) if ended else record.spent
        self.trades[record.plan.trade_id] = _held(record.plan, out, spent)
        return True

    def paid_out(self, trade_id: str) -> bool:
        """A trade holds nothing any more; whether it did."""
        return self.trades.pop(trade_id, None) is not None

    def by_event(self) -> list[tuple[str, Usd]]:
        """The event and USD of every trade."""
        return [(held.event, held.usd) for held in self.trades.values()]

    def by_pocket(self) -> dict[Pocket, Usd]:
        """USD that all trades have in each pocket."""
        sums: defaultdict[Pocket, Usd] = defaultdict(lambda: NO_USD)
        for held in self.trades.values():
            for pocket, usd in held.pockets.items():
                sums[pocket] = Usd(sums[pocket] + usd)
        return dict(sorted(sums.items()))


def _held(plan: TradePlan, out: Usd, of_legs: list[Usd] | None) -> Held:
    instruments = [leg.instrument for leg in plan.basket.legs]
    amounts = of_legs or [Usd(planned.size * planned.limit) for planned in plan.legs]
    return Held(plan.basket.event, max(plan.reserved, out), by_pocket(zip(instruments, amounts, strict=True)))
