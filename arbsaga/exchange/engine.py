"""The exchange behind one facade: orders in, acknowledgements and happenings out.

Single-threaded and synchronous. The only I/O is the truth journal, which is written before anything changes:
a failed write leaves the exchange as it was.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.journal import Journal
from arbsaga.exchange.model import Account, Ack, BookView, Event, Happening, Market, NewOrder, Order, Trade
from arbsaga.exchange.units import ONE

Clock = Callable[[], int]
"""Wall clock in ms since the epoch."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the venue does not document is a setting here. Delays are (least, most) in ms, drawn per trade."""

    seed: int = 0
    settled_at: Literal["MINED", "CONFIRMED"] = "MINED"
    """From which status on bought shares can be sold (and balances move)."""
    mined_ms: tuple[int, int] = (1_500, 4_000)
    confirmed_ms: tuple[int, int] = (1_000, 4_000)
    retry_ms: tuple[int, int] = (1_000, 3_000)
    fee_rounding: Literal["up", "down", "half_even"] = "up"
    """Direction at the fee's 5th decimal."""
    market_share_decimals: Literal["four", "table"] = "four"
    """Decimals a FOK/FAK order's counter amount may have: four on every tick, or the tick table's."""
    min_size_of_market_orders: bool = True
    """Whether FOK/FAK must also meet the market's minimum size."""
    min_marketable_usd: int = ONE
    gtd_min_ahead_s: int = 180
    gtd_dies_before_s: int = 60


class Engine:
    """The simulated exchange. See the methods; amounts are base-unit ints (units.py)."""

    events: dict[str, Event]
    """By event id."""
    markets: dict[str, Market]
    """By condition id ("0x…")."""
    resolutions_paused: bool
    """While True, markets that are due are not resolved by advance()."""
    accepted: int
    """Orders accepted from non-house accounts."""
    duplicates: int
    """Posts of an id that was already used."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        settings: EngineSettings,
        rng: random.Random,
        faults: FaultPlan | None = None,
    ) -> None: ...

    @classmethod
    def recover(
        cls,
        path: Path,
        clock: Clock,
        settings: EngineSettings,
        rng: random.Random,
        faults: FaultPlan | None = None,
    ) -> "Engine":
        """The exchange as its truth journal tells, going on in the same file. An absent or empty file gives a new one.

        A torn last line, or a last batch cut short, is dropped: it was never answered.
        Raises Unavailable where the journal cannot be read, or is damaged before its end.
        """
        raise NotImplementedError

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """Have every happening told, in order, synchronously, once its cause is journaled and applied."""
        raise NotImplementedError

    def market_of(self, token_id: str) -> Market:
        """The market a token belongs to. Raises UnknownToken."""
        raise NotImplementedError

    def open_event(self, event: Event, markets: Sequence[Market]) -> None:
        """Open an event with its markets. Raises ValueError on ids that are taken or laid out wrongly."""
        raise NotImplementedError

    def create_account(self, address: str, *, house: bool = False) -> Account:
        """The account of a wallet (checksummed address), opened if new, with unlimited allowances.

        House accounts have unlimited funds, and their resting orders are not journaled.
        """
        raise NotImplementedError

    def account(self, address: str) -> Account | None:
        """The account of a wallet, None if there is none. Do not change it."""
        raise NotImplementedError

    def accounts(self) -> list[Account]:
        """All accounts, the house's included."""
        raise NotImplementedError

    def deposit(self, address: str, amount: int) -> None:
        """Add USD (base units, > 0) to an account, opened if new."""
        raise NotImplementedError

    def set_allowance(self, address: str, spender: str, amount: int) -> None:
        """Let a contract spend at most this much of a wallet's USD and tokens (UNLIMITED = no bound)."""
        raise NotImplementedError

    def refresh_balance(self, address: str) -> None:
        """What GET /balance-allowance/update does: drop what `phantom_matched` left standing."""
        raise NotImplementedError

    def submit(self, order: NewOrder) -> Ack:
        """Take one order. Raises Rejected with the venue's text, Unavailable where the journal cannot be written."""
        raise NotImplementedError

    def cancel(self, address: str, order_id: str) -> None:
        """Cancel one resting order of this wallet. Raises NotCanceled with the venue's reason."""
        raise NotImplementedError

    def cancel_all(self, address: str, *, condition_id: str | None = None, token_id: str | None = None) -> list[str]:
        """Cancel the wallet's resting orders, of one market or token where given. Returns their ids."""
        raise NotImplementedError

    def wipe(self, condition_id: str) -> list[str]:
        """Cancel every resting order of a market, as the venue does at game start. Returns the non-house ids."""
        raise NotImplementedError

    def order(self, order_id: str) -> Order | None:
        """An order in any state, killed ones included; None if it never was accepted."""
        raise NotImplementedError

    def open_orders(self, address: str) -> list[Order]:
        """Resting and delayed orders of a wallet, oldest first."""
        raise NotImplementedError

    def trades(self, address: str) -> list[Trade]:
        """Trades a wallet took part in as taker or maker, oldest first."""
        raise NotImplementedError

    def trade(self, trade_id: str) -> Trade | None:
        """A trade that touched a non-house account."""
        raise NotImplementedError

    def pending_trades(self) -> list[Trade]:
        """Trades that are neither CONFIRMED nor FAILED."""
        raise NotImplementedError

    def book(self, token_id: str) -> BookView:
        """The token's book now. Raises UnknownToken."""
        raise NotImplementedError

    def advance(self) -> None:
        """Do everything due by the clock: settlement steps, delayed orders, GTD expiry, resolutions."""
        raise NotImplementedError

    def resolve(self, condition_id: str, outcome: int) -> None:
        """Decide a market (0 YES, 1 NO): cancels its resting orders and pays winners $1 a share at once.

        YES in a neg-risk event decides its open siblings NO. Raises ValueError where the market is decided, or
        NO would leave an exhaustive event without a winner.
        """
        raise NotImplementedError

    def change_tick(self, condition_id: str, tick: int) -> None:
        """Change a market's tick to one of units.TICKS; resting orders stay."""
        raise NotImplementedError
