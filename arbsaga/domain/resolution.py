"""How long capital is locked."""

from decimal import Decimal

_DAY_MS = Decimal(86_400_000)


def days_to_resolution(now_ms: int, *resolves_ms: int) -> Decimal | None:
    """Days until the last of these markets is expected to pay out; 0 when that is past.

    Times in ms since the epoch. None when one is 0: the venue does not say.
    """
    if not all(resolves_ms):
        return None
    return max(max(resolves_ms) - now_ms, 0) / _DAY_MS
