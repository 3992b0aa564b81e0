"""From a match to money: the statuses a trade goes through and when, what it moves, and what a resolution pays.

MATCHED -> MINED -> CONFIRMED, or RETRYING before MINED, or FAILED instead of it. A failed trade has moved nothing:
what was kept aside is free again, while its orders go on showing the fill (py-clob-client-v2 #34).
"""

import random
from collections import defaultdict
from collections.abc import Iterable

from arbsaga.exchange.accounts import FEES, Accounts, Move
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.model import CASH, Fill, Market, Trade, TradeStatus
from arbsaga.exchange.settings import EngineSettings

Steps = tuple[tuple[int, TradeStatus], ...]
"""(wall ms, status) still to come, in order."""


def timeline(
    now_ms: int, settings: EngineSettings, rng: random.Random, faults: FaultPlan, about: dict[str, str]
) -> Steps:
    """When a new trade will have which status. `about` is the context that the settlement faults are asked with."""
    slow = faults.draw("slow_settlement", **about)
    at = now_ms + rng.randint(*settings.mined_ms) + (slow.milliseconds if slow else 0)
    if faults.draw("fail_settlement", **about):
        return ((at, "FAILED"),)
    steps: list[tuple[int, TradeStatus]] = []
    if faults.draw("retry_settlement", **about):
        steps.append((at, "RETRYING"))
        at += rng.randint(*settings.retry_ms)
    steps.append((at, "MINED"))
    steps.append((at + rng.randint(*settings.confirmed_ms), "CONFIRMED"))
    return tuple(steps)


class Draft:
    """Moves being put together, with the balances they would leave behind."""

    def __init__(self, accounts: Accounts, market: Market, ref: str) -> None:
        self.accounts, self.market, self.ref = accounts, market, ref
        self.moves: list[Move] = []
        self._deltas: defaultdict[tuple[str, str], int] = defaultdict(int)

    def move(self, address: str, asset: str, delta: int, why: str) -> None:
        """Add a move; one of nothing is left out."""
        if delta:
            self.moves.append(Move(address, asset, delta, why, self.ref))
            self._deltas[address, asset] += delta

    def balance(self, address: str, asset: str) -> int:
        """What the balance will be after the moves so far."""
        return self.accounts.get(address).balance(asset) + self._deltas[address, asset]

    def split(self, address: str, pairs: int, why: str) -> None:
        """Turn USD into pairs of shares; negative pairs: back into USD."""
        self.move(address, CASH, -pairs, why)
        self.move(self.market.condition_id, CASH, pairs, why)
        for token_id in self.market.token_ids:
            self.move(address, token_id, pairs, why)


def settle(draft: Draft, trade: Trade) -> None:
    """What the trade moves when it settles."""
    for fill in trade.fills:
        if fill.side == "SELL":
            _give_shares(draft, fill)
        else:
            draft.move(fill.address, CASH, -fill.usd, "fill")
            draft.move(fill.address, fill.token_id, fill.shares, "fill")
        draft.move(fill.address, CASH, -fill.fee, "fee")
        draft.move(FEES, CASH, fill.fee, "fee")
    pool = {"complementary": 0, "mint": trade.taker.shares, "merge": -trade.taker.shares}[trade.kind]
    draft.move(draft.market.condition_id, CASH, pool, trade.kind)


def _give_shares(draft: Draft, fill: Fill) -> None:
    """A house account sells what it does not have by splitting USD into pairs first."""
    missing = fill.shares - draft.balance(fill.address, fill.token_id)
    if fill.house and missing > 0:
        draft.split(fill.address, missing, "split")
    draft.move(fill.address, fill.token_id, -fill.shares, "fill")
    draft.move(fill.address, CASH, fill.usd, "fill")


def redeem(draft: Draft, addresses: Iterable[str], winner: int | None, settling: Trade | None = None) -> None:
    """Pay the holders of a decided market: $1 for a winning share, nothing for the other; each half where none won.

    Shares sold by a trade that has not settled stay for it; those of `settling` no longer count as such.
    """
    market = draft.market
    for address in dict.fromkeys(addresses):
        for outcome, token_id in enumerate(market.token_ids):
            shares = draft.balance(address, token_id) - _sold(draft, address, token_id, settling)
            if shares <= 0:
                continue
            pays = shares // 2 if winner is None else shares if outcome == winner else 0
            draft.move(address, token_id, -shares, {shares: "redeemed", 0: "lost"}.get(pays, "split"))
            draft.move(market.condition_id, CASH, -pays, "payout")
            draft.move(address, CASH, pays, "payout")


def _sold(draft: Draft, address: str, token_id: str, settling: Trade | None) -> int:
    sold = draft.accounts.get(address).matched.get(token_id, 0)
    for fill in settling.fills if settling else ():
        if (fill.address, fill.token_id, fill.side, fill.house) == (address, token_id, "SELL", False):
            sold -= fill.shares
    return sold
