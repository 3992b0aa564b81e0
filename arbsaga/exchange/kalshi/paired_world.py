"""The paired questions at the simulated Kalshi: opened, quoted by the house, decided at their end, and replaced.

A market that an admin decided before (as another venue did not) is left as it is.
"""

from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.house import HouseBook
from arbsaga.exchange.kalshi.model import WHOLE_CENTS, Event, FeeType, Market, Series
from arbsaga.exchange.paired import Paired, PairedSettings, current
from arbsaga.exchange.units import ONE

TAPERED = ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, ONE, 1_000))
TIMER_S = 1
"""From the decision to the payout; at the venue it is minutes to hours."""


class PairedWorld:
    """Keeps one question of every subject open. `step` does what is due."""

    def __init__(self, engine: Engine, settings: PairedSettings) -> None:
        self._engine, self._settings = engine, settings
        self._books: dict[str, HouseBook] = {}
        self._waiting: dict[str, Paired] = {}
        """By ticker, the questions that are not decided yet."""
        self._late = True

    def step(self, now_ms: int) -> None:
        """Open what is not open yet, quote, and decide what has ended."""
        if self._late:
            self._late = False
            self._catch_up(now_ms)
        for paired in current(self._settings, now_ms):
            if paired.ticker not in self._books:
                self._open(paired)
            self._books[paired.ticker].quote(paired.quoted("kalshi", now_ms))
        for ticker, paired in list(self._waiting.items()):
            if now_ms >= paired.ends_ms:
                self._decide(paired)
                del self._waiting[ticker], self._books[ticker]

    def _catch_up(self, now_ms: int) -> None:
        """Decide the questions that ended while nobody ran the exchange."""
        for at_ms in range(self._settings.since_ms, now_ms, self._settings.life_ms):
            for paired in current(self._settings, at_ms):
                if paired.ticker in self._engine.markets and now_ms >= paired.ends_ms:
                    self._decide(paired)

    def _open(self, paired: Paired) -> None:
        if paired.subject.series not in self._engine.series:
            self._engine.open_series(_series(paired))
        if paired.ticker not in self._engine.markets:
            self._engine.open_event(_event(paired), [_market(paired)])
        market = self._engine.markets[paired.ticker]
        self._books[paired.ticker] = HouseBook(self._engine, market, str(self._settings.seed))
        self._waiting[paired.ticker] = paired

    def _decide(self, paired: Paired) -> None:
        if self._engine.markets[paired.ticker].value is None:
            self._engine.determine(paired.ticker, ONE if paired.is_yes("kalshi") else 0)


def _series(paired: Paired) -> Series:
    source = {"name": "The simulated agency", "url": "https://example.org/results"}
    subject = paired.subject
    texts = {"title": subject.name.title(), "category": subject.category, "tags": [subject.category]}
    fee_type: FeeType = "quadratic_with_maker_fees" if subject.maker_fees else "quadratic"
    return Series(subject.series, fee_type, texts=texts | {"settlement_sources": [source]})


def _event(paired: Paired) -> Event:
    subject = paired.subject
    texts = {"title": paired.text(subject.kalshi), "category": subject.category}
    return Event(paired.event_ticker, subject.series, exchange_index=subject.exchange_index, texts=texts)


def _market(paired: Paired) -> Market:
    subject = paired.subject
    return Market(
        ticker=paired.ticker,
        event_ticker=paired.event_ticker,
        open_ms=paired.opens_ms,
        close_ms=paired.ends_ms,
        settlement_timer_seconds=TIMER_S,
        price_ranges=TAPERED if subject.tapered else WHOLE_CENTS,
        texts={
            "title": paired.text(subject.kalshi),
            "yes_sub_title": "Yes",
            "no_sub_title": "No",
            "rules_primary": paired.text(subject.rules),
            "rules_secondary": "The first official announcement counts.",
        },
    )
