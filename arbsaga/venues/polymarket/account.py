"""The account's money, shares, orders and trades as the CLOB keeps them: base units, never the Data API's doubles."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

import structlog

from arbsaga.domain.fees import NO_FEE
from arbsaga.domain.instruments import Instrument, MarketRules, Side
from arbsaga.domain.money import MICRO, NO_USD, ZERO, Size, Usd
from arbsaga.domain.orders import FillStatus
from arbsaga.errors import BadMessage
from arbsaga.venues.polymarket.evidence import made, taken
from arbsaga.venues.polymarket.orders import exchange_of, is_v2_token
from arbsaga.venues.polymarket.records import OrderSeen, Part, TradeSeen, read_order
from arbsaga.venues.polymarket.rest import RefusedRead, Rest
from arbsaga.venues.polymarket.tape import Tape, Trades
from arbsaga.venues.port import AccountFill, Funds, OpenOrder

AT_ONCE = 8
"""Balances read at the same time."""
_PENDING = frozenset({FillStatus.MATCHED, FillStatus.RETRYING})
"""The chain has not moved the balances yet, but the venue counts them as spent."""

log = structlog.get_logger()


class Account:
    """Signed reads for one wallet. `rules` are market rules by token, for fees. Every method raises VenueError."""

    def __init__(self, rest: Rest, clob_url: str, signature_type: int, rules: Mapping[str, MarketRules]) -> None:
        self._rest, self._clob, self._signature_type, self._rules = rest, clob_url, signature_type, rules
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tape = Tape(rest, clob_url)

    async def order(self, order_id: str) -> OrderSeen | None:
        """One order by id. None when the venue says 404 or null: it hides finished ones (py-clob-client #217)."""
        try:
            raw = await self._rest.private(self._clob, f"/data/order/{order_id}")
        except RefusedRead as error:
            if error.status == 404:
                return None
            raise
        if raw is None or raw == "":
            return None
        if not isinstance(raw, dict):
            raise BadMessage("an order that is no object")
        return read_order(raw)

    async def trades(self, after_ms: int) -> Trades:
        """Every trade after this time, and perhaps older ones: see `Tape.shared`."""
        return await self._tape.shared(after_ms)

    async def resting(self) -> tuple[OrderSeen, ...]:
        """Every open order. One that cannot be read is left out, and logged."""
        found = []
        for item in await self._rest.listing(self._clob, "/data/orders"):
            try:
                found.append(read_order(item))
            except BadMessage as error:
                log.warning("record left out", why=str(error))
        return tuple(found)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every open order, as the port has them."""
        return tuple(
            OpenOrder(seen.order_id, seen.token, seen.side, seen.price, seen.size, seen.matched, seen.created_ms)
            for seen in await self.resting()
        )

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """Every fill of ours at or after this time, whole seconds being all that the venue tells."""
        trades = await self._tape.since(after_ms - 1000)
        return tuple(
            fill for trade in trades.seen if trade.time_ms >= after_ms // 1000 * 1000 for fill in self._ours(trade)
        )

    def _ours(self, trade: TradeSeen) -> list[AccountFill]:
        """What is ours of a trade: as the taker, or the resting orders that carry our API key."""
        taker = trade.taker
        rules = self._rules.get(taker.token)
        fills = taken(trade, NO_FEE if rules is None else rules.fee) if trade.taken else ()
        ours = [AccountFill(taker.order_id, taker.token, taker.side, fill) for fill in fills]
        return ours + [
            AccountFill(part.order_id, part.token, part.side, made(trade, part))
            for part in trade.makers
            if self._is_ours(part)
        ]

    def _pending(self, trades: Sequence[TradeSeen]) -> list[AccountFill]:
        return [fill for trade in trades if trade.status in _PENDING for fill in self._ours(trade)]

    def _is_ours(self, part: Part) -> bool:
        return self._rest.credentials is not None and part.owner == self._rest.credentials.key

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """Cash that neither open orders nor unsettled matches hold, and at most what the buys' exchanges may spend."""
        (cash, allowances), resting, trades = await asyncio.gather(
            self._balance(""), self.resting(), self._tape.unsettled(_now_ms())
        )
        held = sum(((seen.size - seen.matched) * seen.price for seen in resting if seen.side is Side.BUY), ZERO)
        pending = self._pending(trades)
        held += sum((one.fill.size * one.fill.price + one.fill.fee for one in pending if one.side is Side.BUY), ZERO)
        spenders = {exchange.address.lower(): exchange for exchange in map(exchange_of, buys)}
        short = [exchange for address, exchange in spenders.items() if not allowances.get(address)]
        free = min([cash - held, *(allowances.get(address, ZERO) for address in spenders)])
        missing = ", ".join(f"the {exchange.name} {exchange.address} has no allowance" for exchange in short)
        return Funds(Usd(max(free, NO_USD)), missing)

    async def is_empty(self) -> bool:
        """Whether there is neither cash nor any allowance."""
        cash, allowances = await self._balance("")
        return not cash and not any(allowances.values())

    async def cash(self) -> Usd:
        """All pUSD of the wallet, reserved or not."""
        await self.refresh("")
        balance, _ = await self._balance("")
        return Usd(balance)

    async def sellable(self, token: str) -> Size:
        """Settled shares, less what open orders and unsettled sales hold. 0 can mean: not settled yet."""
        await self.refresh(token)
        (balance, _), resting, trades = await asyncio.gather(
            self._balance(token), self.resting(), self._tape.unsettled(_now_ms())
        )
        offered = [seen for seen in resting if seen.token == token and seen.side is Side.SELL]
        held = sum((seen.size - seen.matched for seen in offered), ZERO)
        pending = self._pending(trades)
        sold = (one.fill.size for one in pending if one.token == token and one.side is Side.SELL)
        return Size(max(balance - held - sum(sold, ZERO), ZERO))

    async def positions(self, tokens: Sequence[str]) -> dict[str, Size]:
        """Settled shares of each token."""
        return dict(zip(tokens, await asyncio.gather(*map(self._position, tokens)), strict=True))

    async def _position(self, token: str) -> Size:
        async with self._gate:
            await self.refresh(token)
            balance, _ = await self._balance(token)
            return Size(balance)

    async def refresh(self, token: str) -> None:
        """Have the venue look at the chain again: its balances are cached. "" is cash. The answer says nothing."""
        try:
            await self._rest.private(self._clob, "/balance-allowance/update", self._asset(token))
        except BadMessage:
            return

    async def _balance(self, token: str) -> tuple[Decimal, dict[str, Decimal]]:
        """(settled balance, allowance by spender in lower case); "" is cash."""
        raw = await self._rest.private(self._clob, "/balance-allowance", self._asset(token))
        try:
            allowances = {str(spender).lower(): int(amount) * MICRO for spender, amount in raw["allowances"].items()}
            return int(raw["balance"]) * MICRO, allowances
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadMessage(f"a balance that cannot be read: {error!r}") from error

    def _asset(self, token: str) -> tuple[tuple[str, str], ...]:
        signature = ("signature_type", str(self._signature_type))
        if not token:
            return (("asset_type", "COLLATERAL"), signature)
        kind = "CONDITIONAL-V2" if is_v2_token(token) else "CONDITIONAL"
        return (("asset_type", kind), ("token_id", token), signature)


def balance_figures(text: str) -> dict[str, Usd]:
    """The figures in a `not enough balance / allowance` text, in USD or shares by name; empty where there are none.

    A `sum of matched orders` that only ever grows is a phantom lock (py-clob-client #342).
    """
    found = re.findall(
        r"(balance|allowance|sum of active orders|sum of matched orders|order amount)[^:,]*: (\d+)", text
    )
    return {name: Usd(int(amount) * MICRO) for name, amount in found}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
