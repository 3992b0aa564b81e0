"""The clearing house: trades from matches, and their way to CONFIRMED or FAILED."""

from arbsaga.exchange import records
from arbsaga.exchange.core import Core
from arbsaga.exchange.fees import taker_fee
from arbsaga.exchange.matching import Match
from arbsaga.exchange.model import (
    BookReset,
    Fill,
    Market,
    Order,
    TickChanged,
    Trade,
    TradePrinted,
    TradeStatus,
    TradeUpdated,
)
from arbsaga.exchange.settlement import Draft, Steps, timeline
from arbsaga.exchange.units import TICKS, collateral, format_units

HOUSE_TAKER = "0x00000000000000000000000000000000000000F1"
"""The account that takes an order whose cancel is to come too late."""


class Clearing:
    """Draws up trades and settles them."""

    def __init__(self, core: Core) -> None:
        self.core, self.state = core, core.state

    def fee(self, one: Match, market: Market) -> int:
        """The taker's fee for one match, in USD base units."""
        return taker_fee(one.shares, one.price, one.taker_usd, market, self.core.settings.fee_rounding)

    def draw_up(self, order: Order, matches: list[Match], market: Market) -> tuple[Trade, Steps]:
        """One trade of matches at one price and of one kind, and what is to come of it."""
        shares, usd = sum(one.shares for one in matches), sum(one.taker_usd for one in matches)
        fee = sum(self.fee(one, market) for one in matches)
        taker = _fill(order, matches[0].price, shares, usd, fee)
        makers = [_fill(one.maker, one.maker.price, one.shares, one.maker_usd, 0) for one in matches]
        return self._trade(matches[0], taker, makers, market)

    def draw_up_house_taker(self, order: Order, market: Market) -> tuple[Trade, Steps]:
        """A trade in which the house takes all that remains of a resting order."""
        self.core.open_account(HOUSE_TAKER, house=True)
        usd = collateral(order.remaining, order.price)
        maker = _fill(order, order.price, order.remaining, usd, 0)
        one = Match(order, "complementary", order.price, order.remaining, usd, usd)
        taker = Fill(
            order_id="0x" + self.core.mint("house order"),
            owner="",
            address=HOUSE_TAKER,
            token_id=order.token_id,
            side="SELL" if order.side == "BUY" else "BUY",
            price=order.price,
            shares=order.remaining,
            usd=usd,
            fee=0,
            house=True,
        )
        return self._trade(one, taker, [maker], market)

    def _trade(self, one: Match, taker: Fill, makers: list[Fill], market: Market) -> tuple[Trade, Steps]:
        now, minted = self.core.clock(), self.core.mint("trade", 32)
        trade = Trade(
            trade_id="-".join((minted[:8], minted[8:12], minted[12:16], minted[16:20], minted[20:])),
            condition_id=market.condition_id,
            kind=one.kind,
            taker=taker,
            makers=tuple(makers),
            status="MATCHED",
            transaction_hash="0x" + self.core.mint("transaction"),
            matched_ms=now,
            updated_ms=now,
        )
        concerned = next((fill for fill in trade.fills if not fill.house), None)
        if concerned is None:
            return trade, ()
        about = self.core.about_fill(concerned, market)
        return trade, timeline(now, self.core.settings, self.core.rng, self.core.faults, about)

    def match(self, trade: Trade, steps: Steps) -> None:
        """Let a trade happen. One among house accounts alone settles at once and is forgotten."""
        self.state.match(trade, steps)
        if trade.trade_id in self.state.trades:
            self.core.plan(steps[0][0], "settle", trade.trade_id)
        else:
            self.state.accounts.apply(self.state.settlement(trade).moves)

    def tell_trades(self, trades: list[Trade], market: Market, cause_order_id: str) -> None:
        """Tell what an order did to the book and the tape."""
        self.core.tell_book(market, cause_order_id)
        now = self.core.clock()
        for trade in trades:
            if trade.trade_id in self.state.trades:
                self.core.tell(TradeUpdated(trade))
            taker, tx = trade.taker, trade.transaction_hash
            self.core.tell(
                TradePrinted(market.condition_id, taker.token_id, taker.price, taker.shares, taker.side, tx, now)
            )
        if trades:
            self._tell_reset(market)

    def step(self, trade_id: str) -> None:
        """Take a trade to its next status; money and shares move when it settles."""
        core, trade = self.core, self.state.trades[trade_id]
        _, status = self.state.steps[trade_id][0]
        draft = self._draft(trade, status)
        batch = [records.settlement_record(trade, status, draft is not None)]
        if draft is not None:
            batch += records.balance_records(self.state.accounts, draft)
            batch += records.payout_records(self.state.accounts, draft)
        core.write_all(batch)
        trade = self.state.advance_trade(trade, status, core.clock(), draft)
        if not trade.terminal:
            core.plan(self.state.steps[trade_id][0][0], "settle", trade_id)
        core.tell(TradeUpdated(trade))
        if draft is not None:
            core.tell_balances(draft)
            self._leave_phantoms(trade, draft.market)

    def _draft(self, trade: Trade, status: TradeStatus) -> Draft | None:
        """What the step moves, None for a step that moves nothing and gives nothing up."""
        if trade.trade_id not in self.state.unsettled:
            return None
        if status == "FAILED":
            return self.state.reversal(trade)
        return self.state.settlement(trade) if status in (self.core.settings.settled_at, "CONFIRMED") else None

    def _leave_phantoms(self, trade: Trade, market: Market) -> None:
        """The venue's "sum of matched orders" that does not go down again (py-clob-client #342)."""
        for fill in trade.fills:
            if not fill.house and self.core.faults.draw("phantom_matched", **self.core.about_fill(fill, market)):
                asset, given = ("", fill.usd + fill.fee) if fill.side == "BUY" else (fill.token_id, fill.shares)
                phantom = self.state.accounts.wallets[fill.address].phantom
                phantom[asset] = phantom.get(asset, 0) + given

    def change_tick(self, market: Market, tick: int) -> None:
        """See Engine.change_tick."""
        if tick not in TICKS:
            raise ValueError(f"tick {tick} is none of {sorted(TICKS)} (base units)")
        old = market.tick
        self.core.write("tick", {"condition_id": market.condition_id, "tick": format_units(tick)})
        market.tick = tick
        self.core.tell(TickChanged(market.condition_id, old, tick, self.core.clock()))
        self._tell_reset(market)

    def _tell_reset(self, market: Market) -> None:
        for token_id in market.token_ids:
            self.core.tell(BookReset(market.condition_id, token_id, self.core.clock()))


def _fill(order: Order, price: int, shares: int, usd: int, fee: int) -> Fill:
    return Fill(
        order_id=order.order_id,
        owner=order.owner,
        address=order.maker,
        token_id=order.token_id,
        side=order.side,
        price=price,
        shares=shares,
        usd=usd,
        fee=fee,
        house=order.house,
    )
