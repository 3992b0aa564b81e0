"""Who an order trades with, at what price and for how much. Pure: nothing changes until the exchange applies it.

Price-time priority at the maker's price. Three kinds of match (Polymarket/polymarket-v2-external, match lifecycle):
complementary (a BUY and a SELL of one token), mint (BUYs of both tokens: new pairs of shares are made of their money)
and merge (SELLs of both tokens: pairs are turned back into money).
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Final

from arbsaga.exchange.book import Book
from arbsaga.exchange.model import MatchKind, Order
from arbsaga.exchange.units import ONE, collateral

DUST: Final = 1
"""USD base units that a FOK/FAK BUY may leave unspent: floor(usd / price) shares can cost one less than `usd`."""


@dataclass(frozen=True, slots=True)
class Match:
    """The taker against one resting order: shares, each side's USD, and the price in the taker's token."""

    maker: Order
    kind: MatchKind
    price: int
    shares: int
    maker_usd: int
    taker_usd: int


def match(book: Book, taker: Order) -> list[Match]:
    """The matches the order would get now, best first.

    A FOK/FAK BUY spends its USD: a better price gives it more shares. Every other order trades its shares: a better
    price costs a BUY less (the venue's fill rule). Whether a FOK is filled wholly is `filled`'s question.
    """
    matches: list[Match] = []
    usd_left, shares_left = taker.usd - taker.spent, taker.remaining
    by_usd = taker.immediate and taker.side == "BUY"
    for maker in book.crossing(taker.token_id, taker.side, taker.price):
        kind, price = _terms(taker, maker)
        if (usd_left <= DUST) if by_usd else (shares_left == 0):
            break
        shares = min(maker.remaining, usd_left * ONE // price if by_usd else shares_left)
        maker_usd = collateral(shares, maker.price)
        taker_usd = maker_usd if kind == "complementary" else shares - maker_usd
        matches.append(Match(maker, kind, price, shares, maker_usd, taker_usd))
        usd_left -= taker_usd
        shares_left -= shares
    return matches


def filled(taker: Order, matches: list[Match]) -> bool:
    """Whether the matches fill the order wholly: its USD for a FOK/FAK BUY, its shares otherwise."""
    if taker.immediate and taker.side == "BUY":
        return taker.spent + sum(one.taker_usd for one in matches) >= taker.usd - DUST
    return sum(one.shares for one in matches) == taker.remaining


def by_trade(matches: list[Match]) -> list[list[Match]]:
    """Matches grouped into trades: one per price and kind, best price first."""
    ranked = {price: rank for rank, price in enumerate(dict.fromkeys(one.price for one in matches))}

    def key(one: Match) -> tuple[int, str]:
        return ranked[one.price], one.kind

    return [list(group) for _, group in groupby(sorted(matches, key=key), key=key)]


def _terms(taker: Order, maker: Order) -> tuple[MatchKind, int]:
    """The kind of match, and the maker's price in the taker's token."""
    if maker.token_id == taker.token_id:
        return "complementary", maker.price
    return ("mint" if taker.side == "BUY" else "merge"), ONE - maker.price
