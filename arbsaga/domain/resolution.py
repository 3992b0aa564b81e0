"""How long capital is locked, and what an edge is worth by the year."""

from decimal import Decimal

from arbsaga.domain.money import Usd

_DAY_MS = Decimal(86_400_000)
_YEAR = 365


def days_to_resolution(now_ms: int, *resolves_ms: int) -> Decimal | None:
    """Days until the last of these markets is expected to pay out; 0 when that is past.

    Times in ms since the epoch. None when one is 0: the venue does not say.
    """
    if not all(resolves_ms):
        return None
    return max(max(resolves_ms) - now_ms, 0) / _DAY_MS


def yearly_return(edge: Usd, spent: Usd, days: Decimal) -> Decimal:
    """The profit of `edge` USD on `spent` USD (> 0) locked for so many days, by the year and not compounded.

    0.10 is 10 %. Less than a day counts as one: capital is not free again sooner.
    """
    assert spent > 0, "capital is locked"
    return edge / spent * _YEAR / max(days, Decimal(1))
