"""The end of markets: who wins, and what an event's rules demand of its siblings."""

from arbsaga.exchange import records
from arbsaga.exchange.core import Core
from arbsaga.exchange.desk import OrderDesk
from arbsaga.exchange.model import NO, YES, Market, MarketResolved
from arbsaga.exchange.units import ONE


class Resolution:
    """Decides markets, by order or when their time has come."""

    def __init__(self, core: Core, desk: OrderDesk) -> None:
        self.core, self.state, self.desk = core, core.state, desk
        self.paused = False

    def resolve(self, condition_id: str, outcome: int) -> None:
        """See Engine.resolve."""
        market = self.state.markets[condition_id]
        self._check(market, outcome)
        if outcome == YES and self.state.events[market.event_id].neg_risk:
            # The winner comes last: a crash in between must not leave an open sibling that could win too.
            for sibling in self._open_markets(market):
                if sibling is not market:
                    self._decide(sibling, NO)
        self._decide(market, outcome)

    def split(self, condition_id: str) -> None:
        """See Engine.split."""
        market = self.state.markets[condition_id]
        if market.decided:
            raise ValueError(f"market {market.slug} is already decided")
        if market.neg_risk:
            raise ValueError(f"market {market.slug} is one of several that exclude each other: it resolves YES or NO")
        self._decide(market, None)

    def _check(self, market: Market, outcome: int) -> None:
        if outcome not in (YES, NO):
            raise ValueError(f"outcome {outcome} is neither 0 (YES) nor 1 (NO)")
        if market.decided:
            raise ValueError(f"market {market.slug} is already decided")
        event = self.state.events[market.event_id]
        alone = [other.condition_id for other in self._open_markets(market)] == [market.condition_id]
        if outcome == NO and event.neg_risk and not event.augmented and alone:
            raise ValueError(f"market {market.slug} is the last of an exhaustive event: it must resolve YES")

    def _decide(self, market: Market, outcome: int | None) -> None:
        """Cancel what is open, pay the winners (both sides a half where `outcome` is None), tell."""
        self.desk.end_open(market, "market resolved", "CANCELED_MARKET_RESOLVED")
        draft = self.state.resolution(market, outcome)
        accounts = self.state.accounts
        self.core.write_all(
            [
                ("resolved", {"condition_id": market.condition_id, "winner": outcome}),
                *records.payout_records(accounts, draft),
                *records.balance_records(accounts, draft),
            ]
        )
        self.state.resolve(market, outcome, draft)
        self.core.tell_balances(draft)
        winning = "" if outcome is None else market.token_ids[outcome]
        self.core.tell(MarketResolved(market.condition_id, outcome, winning, self.core.clock()))

    def due(self, condition_id: str) -> None:
        """A market's time has come: its event is decided by chances read from the books. Put off while paused."""
        market = self.state.markets[condition_id]
        if market.decided:
            return
        if self.paused:
            self.core.plan(self.core.clock() + 1_000, "resolve", condition_id)
            return
        event = self.state.events[market.event_id]
        if market.outcome is not None:
            self.resolve(condition_id, market.outcome)
            return
        if not event.neg_risk:
            self.resolve(condition_id, YES if self.core.rng.randrange(ONE) < self._chance(market) else NO)
            return
        markets = self._open_markets(market)
        chances = [self._chance(one) for one in markets]
        unlisted = max(ONE - sum(chances), 0) if event.augmented else 0
        at = _drawn(self.core.rng.randrange(sum(chances) + unlisted), chances)
        if at is not None:
            self.resolve(markets[at].condition_id, YES)
            return
        for one in markets:
            self.resolve(one.condition_id, NO)

    def _open_markets(self, market: Market) -> list[Market]:
        event = self.state.events[market.event_id]
        markets = (self.state.markets[condition_id] for condition_id in event.market_ids)
        return [one for one in markets if not one.decided]

    def _chance(self, market: Market) -> int:
        """The chance of YES in 1e-6, at least 1: the middle of the book, else the last price, else a half."""
        book = self.state.books[market.condition_id]
        bid, ask = book.best("BUY"), book.best("SELL")
        if bid is not None and ask is not None:
            return max((bid + ask) // 2, 1)
        return book.last_price or ONE // 2


def _drawn(number: int, chances: list[int]) -> int | None:
    for at, chance in enumerate(chances):
        if number < chance:
            return at
        number -= chance
    return None
