"""Book message to decision: `python -m bench.market_data [--messages N] [--json]`.

1,000 markets (125 neg-risk events of 8), both books of each, 20 levels a side. A message is one
`price_change` frame as the venue sends it: a level of both outcomes with their best prices. It is
decoded by the venue's own parser, applied to the scanner's books, and every touched basket is
screened; every 500th message makes an event cheap, which the scanner must price and offer.
"""

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, cast

import orjson
from rich.console import Console
from rich.table import Table

from arbsaga.detect import AdmissionSettings, Opportunity, Scanner, ScanSettings
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size
from arbsaga.saga.messages import Phase
from arbsaga.venues.polymarket.market_frames import Feed
from arbsaga.venues.port import EventListing, MarketListing, Venue

EVENTS, MARKETS = 125, 8
LEVELS = 20
SOCKET = 50  # markets, 100 tokens
PLANT_EVERY = 500
BID, CHEAP, FAIR = 8, 9, 13  # cents: eight asks of 13 cost 1.04; with four of them at 9 they cost 0.88


class Change(NamedTuple):
    """One level of a market's YES book, with the best prices afterwards, in cents; `size` 0 removes it."""

    market: int
    side: Side
    price: int
    size: int
    bid: int
    ask: int


class World:
    """Markets whose books move at random around 8 to 13 cents, and now and then an event that gets cheap."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        rules = MarketRules(Decimal("0.01"), fee=FeeSchedule(Decimal("0.05")), neg_risk=True)
        self.yes = [
            Instrument("bench", f"0x{at:064x}", f"{10**76 + 2 * at}", f"{10**76 + 2 * at + 1}", Outcome.YES, "", rules)
            for at in range(EVENTS * MARKETS)
        ]
        self.asks = [dict.fromkeys(range(FAIR, FAIR + LEVELS), 50) for _ in self.yes]
        self.bids = [dict.fromkeys(range(1, BID + 1), 50) for _ in self.yes]

    def listings(self) -> list[EventListing]:
        """The events as the venue lists them."""
        markets = [MarketListing(yes, yes.other(), True) for yes in self.yes]
        return [
            EventListing(str(at), f"Event {at}", True, True, tuple(markets[at * MARKETS : (at + 1) * MARKETS]))
            for at in range(EVENTS)
        ]

    def changes(self, count: int) -> Iterator[Change]:
        """Random changes; every `PLANT_EVERY` messages four asks of one event fall, and rise again afterwards."""
        planted: list[Change] = []
        for at in range(count):
            if at % PLANT_EVERY == 0:
                first = self._rng.randrange(EVENTS) * MARKETS
                planted = [self._set(market, Side.SELL, CHEAP, 50) for market in range(first, first + 4)]
                yield from planted
            elif at % PLANT_EVERY == PLANT_EVERY // 2:
                yield from [self._set(change.market, Side.SELL, CHEAP, 0) for change in planted]
            yield self._random()

    def _random(self) -> Change:
        market = self._rng.randrange(len(self.yes))
        side = self._rng.choice((Side.BUY, Side.SELL))
        # Half of the changes are within three cents of the best price, as on the recorded stream.
        near = self._rng.randrange(3) if self._rng.random() < 0.5 else self._rng.randrange(LEVELS)
        price = FAIR + near if side is Side.SELL else max(1, BID - near)
        return self._set(market, side, price, self._rng.choice((0, 20, 50, 120)))

    def _set(self, market: int, side: Side, price: int, size: int) -> Change:
        levels = self.asks[market] if side is Side.SELL else self.bids[market]
        if size:
            levels[price] = size
        elif len(levels) > 1:
            levels.pop(price, None)
        else:
            size = levels[price] = 50
        return Change(market, side, price, size, max(self.bids[market]), min(self.asks[market]))


def frame(world: World, change: Change) -> bytes:
    """The `price_change` frame of a change: the level of the YES book and its mirror in the NO book."""
    yes = world.yes[change.market]
    entries = (
        (yes.token, change.price, change.side, change.bid, change.ask),
        (yes.complement, 100 - change.price, change.side.opposite, 100 - change.ask, 100 - change.bid),
    )
    return orjson.dumps(
        {
            "market": yes.market,
            "price_changes": [
                {
                    "asset_id": token,
                    "price": f"0.{price:02}",
                    "size": str(change.size),
                    "side": side,
                    "hash": "56621a121a47ed9333273e21c83b660cff37ae50",
                    "best_bid": f"0.{bid:02}",
                    "best_ask": f"0.{ask:02}",
                }
                for token, price, side, bid, ask in entries
            ],
            "timestamp": "1757908892351",
            "event_type": "price_change",
        }
    )


class Rig:
    """A scanner of a world's events, fed through the venue's parser; `decided` holds ns from frame to offer."""

    def __init__(self, world: World) -> None:
        self.decided: list[int] = []
        self._ended: list[str] = []
        settings = ScanSettings(admission=AdmissionSettings(max_starts=10**9))
        nowhere = cast(Venue, None)  # what is listed and streamed is given by hand
        self.scanner = Scanner(nowhere, settings, self._offered, now_ns=time.perf_counter_ns)
        self.scanner.take(world.listings())
        self.feeds = [self._follow(world, at) for at in range(0, len(world.yes), SOCKET)]
        self._show(world)

    def _offered(self, one: Opportunity) -> bool:
        self.decided.append(time.perf_counter_ns() - one.decided_ns)
        self._ended.append(one.quote.basket.key)
        return True

    def end_trades(self) -> None:
        """So that the same event can be offered again."""
        while self._ended:
            self.scanner.ended(self._ended.pop(), Phase.COMMITTED)

    def _follow(self, world: World, first: int) -> Feed:
        markets = world.yes[first : first + SOCKET]
        tokens = {token: yes.market for yes in markets for token in (yes.token, yes.complement)}
        self.scanner.books.follow(tokens)
        return Feed(tuple(tokens), self.scanner.books)

    def _show(self, world: World) -> None:
        books = self.scanner.books
        for yes, bids, asks in zip(world.yes, world.bids, world.asks, strict=True):
            books.snapshot(yes.token, _levels(bids), _levels(asks), 0)
            no_bids, no_asks = ({100 - price: size for price, size in side.items()} for side in (asks, bids))
            books.snapshot(yes.complement, _levels(no_bids), _levels(no_asks), 0)
            books.commit(time.perf_counter_ns(), [yes.token, yes.complement])


def _levels(side: dict[int, int]) -> dict[Price, Size]:
    return {Price(Decimal(price) / 100): Size(Decimal(size)) for price, size in side.items()}


def throughput(frames: Sequence[tuple[Feed, bytes]]) -> float:
    """Messages per second of one core's time, JSON decoding included."""
    received, started = time.perf_counter_ns(), time.process_time_ns()
    for feed, data in frames:
        feed.apply(data, received)
    return len(frames) / (time.process_time_ns() - started) * 1e9


def latencies(rig: Rig, frames: Sequence[tuple[Feed, bytes]]) -> list[int]:
    """From a frame's bytes to its decision (an offer, or that there is none), in ns."""
    taken = []
    for feed, data in frames:
        received = time.perf_counter_ns()
        feed.apply(data, received)
        taken.append(time.perf_counter_ns() - received)
        rig.end_trades()
    return taken


def predecoded(rig: Rig, world: World, changes: Sequence[Change]) -> float:
    """As `throughput`, of books, screening and pricing alone: the calls that a decoder would make."""
    price = [Price(Decimal(cent) / 100) for cent in range(101)]
    size = {change.size: Size(Decimal(change.size)) for change in changes}
    books = rig.scanner.books
    calls = [
        (world.yes[one.market].token, world.yes[one.market].complement, one, price, size[one.size]) for one in changes
    ]
    received, started = time.perf_counter_ns(), time.process_time_ns()
    for yes, no, one, at, shares in calls:
        books.change(yes, one.side, at[one.price], shares, 1)
        books.change(no, one.side.opposite, at[100 - one.price], shares, 1)
        books.best(yes, at[one.bid], at[one.ask])
        books.best(no, at[100 - one.ask], at[100 - one.bid])
        books.commit(received, (yes, no))
    return len(calls) / (time.process_time_ns() - started) * 1e9


def figures(messages: int) -> dict[str, Any]:
    """Everything measured: messages per second of processor time, and wall time in µs."""
    world = World(random.Random(7))
    fed, timed, bare = (Rig(world) for _ in range(3))
    changes = list(world.changes(messages))
    data = [frame(world, change) for change in changes]
    fast = [(fed.feeds[one.market // SOCKET], raw) for one, raw in zip(changes, data, strict=True)]
    slow = [(timed.feeds[one.market // SOCKET], raw) for one, raw in zip(changes, data, strict=True)]
    gc.freeze()
    per_second = throughput(fast)
    taken = latencies(timed, slow)
    counters = timed.scanner.counters
    assert counters.caught == counters.malformed == 0, "the world states the best prices of its books"
    return {
        "markets": len(world.yes),
        "messages": len(data),
        "messages_per_core_second": round(per_second),
        "messages_per_core_second_predecoded": round(predecoded(bare, world, changes)),
        "orjson_alone_us": round(_orjson(data) / 1000, 2),
        "message_to_decision_us": _percentiles(taken),
        "message_to_offer_us": _percentiles(timed.decided),
        "offers": len(timed.decided),
    }


def _orjson(data: Sequence[bytes]) -> float:
    started = time.process_time_ns()
    for raw in data:
        orjson.loads(raw)
    return (time.process_time_ns() - started) / len(data)


def _percentiles(values: Sequence[int]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    named = {"p50": cuts[499], "p99": cuts[989], "p99.9": cuts[998], "max": max(values)}
    return {name: round(value / 1000, 1) for name, value in named.items()}


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = figures(chosen.messages)
    if chosen.json:
        print(json.dumps(found))
        return
    table = Table("figure", "value", title="Market data: book message to decision")
    for name, value in found.items():
        shown = "  ".join(f"{key} {cut}" for key, cut in value.items()) if isinstance(value, dict) else f"{value:,}"
        table.add_row(name.replace("_", " "), shown)
    Console().print(table)


if __name__ == "__main__":
    main()
