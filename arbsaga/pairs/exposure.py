"""How much of a pair's exposure cap is used: what would be at risk if its two markets resolved differently. Pure."""

from collections.abc import Iterable

from arbsaga.domain.money import NO_USD, ZERO, Usd
from arbsaga.pairs.pair import Pair


def used(pair: Pair, held: Iterable[tuple[str, Usd]]) -> Usd:
    """USD that trades hold in the pair, from (event of the trade's basket, USD reserved or invested) of every trade."""
    return Usd(sum((usd for event, usd in held if event == pair.event), ZERO))


def left(pair: Pair, invested_usd: Usd) -> Usd:
    """USD that may still go into the pair, where `invested_usd` is reserved or invested in it; never negative."""
    return max(NO_USD, Usd(pair.cap_usd - invested_usd))
