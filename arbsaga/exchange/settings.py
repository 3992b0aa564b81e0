"""Settings of the matching engine. What the venue does not document is a setting here."""

from dataclasses import dataclass
from typing import Literal

from arbsaga.exchange.fees import Rounding
from arbsaga.exchange.units import ONE


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Delays are (least, most) in ms, drawn evenly per trade; amounts are base units."""

    seed: int = 0
    settled_at: Literal["MINED", "CONFIRMED"] = "MINED"
    """The status from which on balances have moved, so that bought shares can be sold."""
    mined_ms: tuple[int, int] = (1_500, 4_000)
    confirmed_ms: tuple[int, int] = (1_000, 4_000)
    retry_ms: tuple[int, int] = (1_000, 3_000)
    fee_rounding: Rounding = "up"
    """Direction at the fee's 5th decimal."""
    market_share_decimals: Literal["four", "table"] = "four"
    """Decimals of what a FOK/FAK order receives: four on every tick (py-clob-client-v2 #99), or the tick table's."""
    min_size_of_market_orders: bool = True
    """Whether FOK/FAK must also meet the market's minimum size, counted in shares."""
    min_marketable_usd: int = ONE
    gtd_min_ahead_s: int = 180
    gtd_dies_before_s: int = 60
