"""What one trade really holds, from the exchange's fills of its orders: hedged units, surplus, residue, profit.

Written apart from the saga's own sums, since those are what it checks.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.baskets import Leg
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import ZERO, Size, Usd
from arbsaga.exchange.truth import TrueFill, Truth
from arbsaga.ledger import TradeStory
from arbsaga.saga.messages import Phase, TradePlan


@dataclass(frozen=True, slots=True)
class LegHolding:
    """Shares of the leg's token and of its complement that its orders really bought, less what they sold.

    `net`: what is exposed to the leg's outcome; a share of each side together pays $1 whatever happens. `cost`:
    USD paid for it, fees included; `paid_per_share` the dearest average of its buys, fees included.
    """

    token: Decimal
    complement: Decimal
    net: Decimal
    cost: Decimal
    paid_per_share: Decimal

    @property
    def pairs(self) -> Decimal:
        """Shares held of both sides: bought as a hedge, and worth $1 a pair."""
        return max(ZERO, min(self.token, self.complement))


@dataclass(frozen=True, slots=True)
class Holding:
    """One trade at the exchange. `surplus` and `residue` in shares over all legs, `profit` in USD.

    `phase` is the ledger's, None while it has recorded nothing.
    """

    trade_id: str
    phase: Phase | None
    hedged: Size
    surplus: Size
    residue: Size
    profit: Usd
    words: str


def holding(story: TradeStory, truth: Truth) -> Holding:
    """What a trade holds. Without a recorded plan nothing can be matched: all it holds is surplus."""
    trade_id = story.orders[0].terms.trade_id
    if story.row is None:
        return _unplanned(trade_id, story, truth)
    plan = story.row.plan
    legs = [_leg(leg, _fills(story, truth, index)) for index, leg in enumerate(plan.basket.legs)]
    ratios = [leg.ratio for leg in plan.basket.legs]
    hedged = max(ZERO, min(held.net / ratio for held, ratio in zip(legs, ratios, strict=True)))
    over = [held.net - hedged * ratio for held, ratio in zip(legs, ratios, strict=True)]
    cheap = sum(map(_cost_of, legs, over), ZERO) <= plan.undo.residue_usd
    small = [cheap and _too_few(plan, index, extra) for index, extra in enumerate(over)]
    surplus = sum((abs(extra) for extra, little in zip(over, small, strict=True) if not little), ZERO)
    residue = sum((abs(extra) for extra, little in zip(over, small, strict=True) if little), ZERO)
    held = ", ".join(f"{plain(leg.net)} of leg {index}" for index, leg in enumerate(legs))
    return Holding(
        trade_id=trade_id,
        phase=story.row.phase,
        hedged=Size(hedged),
        surplus=Size(surplus),
        residue=Size(residue),
        profit=Usd(_income(plan, legs, hedged, truth) - sum((leg.cost for leg in legs), ZERO)),
        words=f"trade {trade_id} is {story.row.phase} and holds {held}: {plain(surplus)} shares are not hedged",
    )


def _unplanned(trade_id: str, story: TradeStory, truth: Truth) -> Holding:
    fills = [fill for view in story.orders for fill in truth.fills_of(view.order_id) if fill.alive]
    net: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        net[fill.token] += _signed(fill)
    surplus = sum((abs(shares) for shares in net.values()), ZERO)
    return Holding(
        trade_id=trade_id,
        phase=None,
        hedged=Size(ZERO),
        surplus=Size(surplus),
        residue=Size(ZERO),
        profit=Usd(-_cost(fills)),
        words=f"trade {trade_id} sent orders but recorded nothing: {plain(surplus)} shares are not hedged",
    )


def _fills(story: TradeStory, truth: Truth, leg: int) -> list[TrueFill]:
    ids = [view.order_id for view in story.orders if view.terms.leg == leg]
    return [fill for order_id in ids for fill in truth.fills_of(order_id) if fill.alive]


def _leg(leg: Leg, fills: Sequence[TrueFill]) -> LegHolding:
    token = sum((_signed(fill) for fill in fills if fill.token == leg.instrument.token), ZERO)
    complement = sum((_signed(fill) for fill in fills if fill.token == leg.instrument.complement), ZERO)
    direction = 1 if leg.side is Side.BUY else -1
    buys = [fill for fill in fills if fill.side == Side.BUY and fill.token == leg.instrument.token]
    bought = sum((fill.size for fill in buys), ZERO)
    return LegHolding(
        token=token,
        complement=complement,
        net=direction * (token - complement),
        cost=_cost(fills),
        paid_per_share=_cost(buys) / bought if bought else ZERO,
    )


def _too_few(plan: TradePlan, leg: int, surplus: Decimal) -> bool:
    """Too little for any order of the venue, and within the plan's limit in shares."""
    least = plan.basket.legs[leg].instrument.rules.min_size
    return abs(surplus) < least and abs(surplus) <= plan.undo.residue


def _cost_of(held: LegHolding, surplus: Decimal) -> Decimal:
    """USD that a surplus may have cost; one of the complement at most a dollar a share."""
    return abs(surplus) * (held.paid_per_share if surplus > 0 else Decimal(1))


def _income(plan: TradePlan, legs: Sequence[LegHolding], hedged: Decimal, truth: Truth) -> Decimal:
    """What was paid for the shares once every market is decided; until then what they pay at least."""
    held = [
        (token, shares)
        for leg, holding in zip(plan.basket.legs, legs, strict=True)
        for token, shares in ((leg.instrument.token, holding.token), (leg.instrument.complement, holding.complement))
        if shares
    ]
    if all(token in truth.worth for token, _ in held):
        return sum((shares * truth.worth[token] for token, shares in held), ZERO)
    return hedged * plan.basket.payout + sum((leg.pairs for leg in legs), ZERO)


def plain(amount: Decimal) -> str:
    """The digits of an amount, without trailing zeros."""
    return f"{amount.normalize():f}"


def _signed(fill: TrueFill) -> Decimal:
    return fill.size if fill.side == Side.BUY else -fill.size


def _cost(fills: Sequence[TrueFill]) -> Decimal:
    return sum(((fill.usd if fill.side == Side.BUY else -fill.usd) + fill.fee for fill in fills), ZERO)
