"""What can be bought and sold, and the rules its venue has for it."""

from dataclasses import dataclass, replace
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
class Band:
    """Prices from `start` to `end` (USD a share, both included) come in steps of `tick`, which divides the way."""

    start: Price
    end: Price
    tick: Decimal


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The venue's rules for orders in one market.

    `tick` in USD per share; `min_size` in shares (Polymarket `min_order_size`, usually 5);
    `size_step` in shares (0.01 on Polymarket); `min_notional` in USD for a marketable buy
    ($1 on Polymarket). `version` and `neg_risk` choose the exchange contract that an order
    is signed for; `delay_ms` is how long the venue holds a taker order back.

    `bands` where the tick differs along the price (Kalshi `price_ranges`), lowest first and without a hole;
    `tick` is then the smallest of them. `nets`: the venue holds one signed position a market, so that buying the
    other outcome sells this one. `pocket` names the part of the account that pays (Kalshi's `exchange_index`).
    """

    tick: Decimal
    min_size: Size = Size(Decimal(5))
    size_step: Decimal = Decimal("0.01")
    min_notional: Usd = Usd(Decimal(1))
    fee: FeeSchedule = NO_FEE
    version: str = "v1"
    neg_risk: bool = False
    delay_ms: int = 0
    bands: tuple[Band, ...] = ()
    nets: bool = False
    pocket: str = ""

    def on_grid(self, price: Price) -> bool:
        """Whether an order may have this price."""
        if self.bands:
            return any(band.start <= price <= band.end and (price - band.start) % band.tick == 0 for band in self.bands)
        return price % self.tick == 0

    def grid_up(self, price: Decimal) -> Price:
        """The lowest price on the grid that is not under `price`, which lies within the grid."""
        if not self.bands:
            return Price(ceil_to(price, self.tick))
        band = next((band for band in self.bands if price <= band.end), self.bands[-1])
        return Price(band.start + ceil_to(price - band.start, band.tick))

    def grid_down(self, price: Decimal) -> Price:
        """The highest price on the grid that is not over `price`, which lies within the grid."""
        if not self.bands:
            return Price(floor_to(price, self.tick))
        band = next((band for band in reversed(self.bands) if price >= band.start), self.bands[0])
        return Price(band.start + floor_to(price - band.start, band.tick))

    def lowest(self) -> Price:
        """The lowest price of an order: above 0."""
        if not self.bands:
            return Price(self.tick)
        first = self.bands[0]
        return first.start if first.start > 0 else Price(first.tick)

    def highest(self) -> Price:
        """The highest price of an order: under 1."""
        if not self.bands:
            return Price(1 - self.tick)
        last = self.bands[-1]
        return last.end if last.end < 1 else Price(1 - last.tick)

    def mirrored(self) -> "MarketRules":
        """The rules of the other outcome, whose price is 1 less this one's: the bands the other way round."""
        bands = tuple(Band(Price(1 - band.end), Price(1 - band.start), band.tick) for band in reversed(self.bands))
        return self if bands == self.bands else replace(self, bands=bands)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One outcome of one market of one venue.

    `token` is the id of the outcome, `market` of its market (Polymarket: asset id and condition id; Kalshi:
    `kalshi:TICKER:YES` or `:NO`, and the ticker): a token names one outcome of one venue, whoever asks.
    `complement` is the token of the other outcome: one of each pays exactly $1.
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
        rules = self.rules.mirrored()
        return Instrument(self.venue, self.market, self.complement, self.token, outcome, self.title, rules)

    def floor_size(self, size: Decimal) -> Size:
        """The largest size the venue accepts that is not above `size`."""
        return Size(floor_to(size, self.rules.size_step))

    def allows(self, size: Size, price: Price, side: Side = Side.BUY) -> bool:
        """Whether the venue takes a marketable order of this size (shares) at this price (USD a share)."""
        rules = self.rules
        on_grid = rules.lowest() <= price <= rules.highest() and rules.on_grid(price) and size % rules.size_step == 0
        worth = side is Side.SELL or size * price >= rules.min_notional
        return on_grid and size >= rules.min_size and worth

    def worst_limit(self, side: Side) -> Price:
        """The price furthest against us that an order of `side` may have: one tick inside 0 and 1."""
        return self.rules.highest() if side is Side.BUY else self.rules.lowest()

    def limit_for(self, side: Side, price: Price) -> Price:
        """The limit on the tick grid that reaches `price`, rounded against us (a book can hold finer prices)."""
        return self.rules.grid_up(price) if side is Side.BUY else self.rules.grid_down(price)
