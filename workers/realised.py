"""What a trade really came to, once its markets have paid: the promise is that of the basket, the result is theirs."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.money import MICRO, Usd, floor_to
from arbsaga.domain.orders import FillStatus
from arbsaga.ledger import Ledger, TradeRow, TradeStory
from arbsaga.saga.messages import Page
from workers.exposure import plain

ZERO = Decimal(0)
PAIRED = (BasketKind.IDENTITY, BasketKind.NESTED)
"""Baskets whose promise rests on a person's word that two markets belong together."""


@dataclass(frozen=True, slots=True)
class Realised:
    """USD that a trade's shares paid, and the profit that leaves. `each`: what a share of every leg paid, by leg.

    `differently`: the two markets of a pair paid what their relation rules out.
    """

    row: TradeRow
    paid: Usd
    profit: Usd
    each: tuple[Usd, ...]
    differently: bool


def realised(story: TradeStory, paid: Callable[[str], Usd | None]) -> Realised | None:
    """The result, None until all that the trade held was paid out. `paid`: what a share of a token paid, if it did."""
    row = story.row
    if row is None:
        return None
    held = {token: shares for token, shares in _held(story).items() if shares}
    prices = {token: paid(token) for token in held}
    known = {token: price for token, price in prices.items() if price is not None}
    if not held or len(known) < len(held):
        return None
    usd = Usd(floor_to(Usd(sum((shares * known[token] for token, shares in held.items()), ZERO)), MICRO))
    legs = [known.get(leg.instrument.token) for leg in row.plan.basket.legs]
    each = tuple(price for price in legs if price is not None)
    return Realised(row, usd, Usd(usd - row.spent), each, len(each) == len(legs) and _differs(row, each))


def of_ledger(ledger: Ledger, story: TradeStory) -> Realised | None:
    """The same by the payouts that the ledger has. Reads it: call it in a thread."""
    row = story.row
    return None if row is None else realised(story, lambda token: ledger.paid(row.account, token))


def page_about(result: Realised) -> Page:
    """To a person: the pair's two markets did not resolve as its relation says. One page for each trade, for ever."""
    row, basket = result.row, result.row.plan.basket
    legs = [
        (f"{leg.instrument.outcome} at {leg.instrument.venue}", f"{leg.instrument.title}: ${plain(price)} a share")
        for leg, price in zip(basket.legs, result.each, strict=True)
    ]
    facts = (
        ("promised", f"${plain(row.payout)}, profit ${plain(row.profit)}"),
        ("realised", f"${plain(result.paid)}, profit ${plain(result.profit)}"),
        *legs,
    )
    name = basket.event.removeprefix("pairs/")
    to_do = f"read both resolutions, and take the approval of {name} back unless you know why: `arbsaga pairs list`"
    headline = f"pair {name} resolved differently: profit ${plain(result.profit)} instead of ${plain(row.profit)}"
    return Page(row.trade_id, f"{row.trade_id}/resolved-differently", headline, facts, to_do)


def _held(story: TradeStory) -> dict[str, Decimal]:
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for view in story.orders:
        way = 1 if view.terms.side == "BUY" else -1
        filled = (fill.size for fill in view.fills if fill.status is not FillStatus.FAILED)
        held[view.terms.instrument.token] += way * sum(filled, ZERO)
    return held


def _differs(row: TradeRow, each: tuple[Usd, ...]) -> bool:
    """Less than the basket promises, or more than identical questions can pay; nested ones may pay for both."""
    basket, paid = row.plan.basket, sum(each, ZERO)
    if basket.kind not in PAIRED:
        return False
    return paid < basket.payout or (basket.kind is BasketKind.IDENTITY and paid > basket.payout)
