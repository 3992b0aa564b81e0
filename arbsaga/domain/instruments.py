"""What can be bought and sold, and the rules its venue has for it."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.fees import NO_FEE, FeeSchedule
from arbsaga.domain.money import Price, Size, Usd, ceil_to, floor_to


class Side(StrEnum):
    """The side of an order, as the venues spell it."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """SELL for BUY and BUY for SELL."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Outcome(StrEnum):
    """The two outcomes of a binary market."""

    YES = "YES"
    NO = "NO"


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The venue's rules for orders in one market.

    `tick` in USD per share; `min_size` in shares (Polymarket `min_order_size`, usually 5);
    `size_step` in shares (0.01 on Polymarket); `min_notional` in USD for a marketable buy
    ($1 on Polymarket). `version` and `neg_risk` choose the exchange contract that an order
    is signed for; `delay_ms` is how long the venue holds a taker order back.
    """

    tick: Decimal
    min_size: Size = Size(Decimal(5))
    size_step: Decimal = Decimal("0.01")
    min_notional: Usd = Usd(Decimal(1))
    fee: FeeSchedule = NO_FEE
    version: str = "v1"
    neg_risk: bool = False
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Instrument:
    """One outcome of one market of one venue.

    `token` is the venue's id of the outcome, `market` of its market (Polymarket: asset id and
    condition id), `complement` the token of the other outcome: one of each pays exactly $1.
    """

    venue: str
    market: str
    token: str
    complement: str
    outcome: Outcome
    title: str
    rules: MarketRules

    def other(self) -> "Instrument":
        """The other outcome of the same market."""
        outcome = Outcome.NO if self.outcome is Outcome.YES else Outcome.YES
        return Instrument(self.venue, self.market, self.complement, self.token, outcome, self.title, self.rules)

    def floor_size(self, size: Decimal) -> Size:
        """The largest size the venue accepts that is not above `size`."""
        return Size(floor_to(size, self.rules.size_step))

    def allows(self, size: Size, price: Price, side: Side = Side.BUY) -> bool:
        """Whether the venue takes a marketable order of this size (shares) at this price (USD a share)."""
        rules = self.rules
        on_grid = price % rules.tick == 0 and rules.tick <= price <= 1 - rules.tick and size % rules.size_step == 0
        worth = side is Side.SELL or size * price >= rules.min_notional
        return on_grid and size >= rules.min_size and worth

    def worst_limit(self, side: Side) -> Price:
        """The price furthest against us that an order of `side` may have: one tick inside 0 and 1."""
        return Price(1 - self.rules.tick if side is Side.BUY else self.rules.tick)

    def limit_for(self, side: Side, price: Price) -> Price:
        """The limit on the tick grid that reaches `price`, rounded against us (a book can hold finer prices)."""
        tick = self.rules.tick
        return Price(ceil_to(price, tick) if side is Side.BUY else floor_to(price, tick))
