"""Two venues behind one port: each order goes to its own, and a dead one stops nothing that concerns the other only."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.errors import SecretError, Unavailable, UnknownThing, VenueError
from arbsaga.venues import several
from arbsaga.venues.port import EventListing, Funds
from arbsaga.venues.several import Several, concerned

D = Decimal
RULES = MarketRules(tick=D("0.01"))
POLY = Instrument("polymarket", "0xabc", "111", "222", Outcome.YES, "Will it?", RULES)
KAL = Instrument(
    "kalshi", "KX-1", "kalshi:KX-1:YES", "kalshi:KX-1:NO", Outcome.YES, "Will it?", replace(RULES, pocket="2")
)


class Fake:
    """A venue that says who it is in every answer. `down`: every request fails."""

    def __init__(self, name: str, cash: str = "10") -> None:
        self.name, self.money = name, Usd(D(cash))
        self.down = False
        self.asked: list[str] = []
        self.reason = ""
        self.up = True
        self.told = asyncio.Event()
        self.markets = {POLY.market if name == "polymarket" else KAL.market}
        self.running = 0
        self.beside: asyncio.Barrier | None = None

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise VenueError(f"{self.name} does not answer")

    def order_id(self, terms: OrderTerms) -> str:
        return f"{self.name}-{terms.key}"

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        if self.beside is not None:
            await asyncio.wait_for(self.beside.wait(), 10)
        self._ask("post")
        return tuple(OrderView(terms, self.order_id(terms), OrderState.LIVE) for terms in orders)

    def bars_account(self, refusal: str) -> bool:
        return refusal == f"banned at {self.name}"

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        self._ask("look")
        return tuple(replace(view, state=OrderState.DONE) for view in known)

    async def cancel(self, known: OrderView) -> OrderView:
        self._ask("cancel")
        return replace(known, state=OrderState.DONE, reason=self.name)

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        self._ask("news")
        self.running += 1
        try:
            await asyncio.wait_for(self.told.wait(), timeout_ms / 1000)
        except TimeoutError:
            return False
        finally:
            self.running -= 1
        return True

    def streaming(self) -> bool:
        return self.up

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        self._ask("funds")
        return Funds(self.money)

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        self._ask("barred")
        return self.reason

    async def sellable(self, token: str) -> Size:
        self._ask(f"sellable {token}")
        return Size(D(3))

    async def cash(self) -> Usd:
        self._ask("cash")
        return self.money

    async def positions(self, tokens: Sequence[str]) -> dict[str, Size]:
        self._ask("positions")
        return {token: Size(D(7)) for token in tokens}

    async def open_orders(self) -> tuple[str, ...]:
        self._ask("open_orders")
        return (f"order at {self.name}",)

    async def fills_since(self, after_ms: int) -> tuple[str, ...]:
        self._ask("fills_since")
        return (f"fill at {self.name}",)

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        self._ask("books")
        return tuple(Book(token, (), (), 1, 1, len(self.name)) for token in tokens)

    async def events(self) -> tuple[EventListing, ...]:
        self._ask("events")
        return (EventListing(self.name, "Will it?", neg_risk=False, exhaustive=False, markets=()),)

    async def listing(self, market: str) -> str:
        self._ask("listing")
        if market not in self.markets:
            raise UnknownThing(f"{self.name} has no {market}")
        return self.name

    async def question(self, market: str) -> str:
        return await self.listing(market)

    async def stream_books(self, tokens: Sequence[str], sink: list[str]) -> None:
        self._ask("stream")
        self.running += 1
        sink.extend(f"{self.name} {token}" for token in tokens)
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1

    async def start(self) -> None:
        self.asked.append("start")
        if self.down:
            raise Unavailable(f"{self.name} does not answer")

    async def close(self) -> None:
        self._ask("close")


@pytest.fixture
def poly() -> Fake:
    return Fake("polymarket", "10")


@pytest.fixture
def kalshi() -> Fake:
    return Fake("kalshi", "5.50")


@pytest.fixture
def both(poly: Fake, kalshi: Fake) -> Several:
    return Several({"polymarket": poly, "kalshi": kalshi})


def terms(of: Instrument, leg: int = 0) -> OrderTerms:
    return OrderTerms(
        "T", leg, 1, Purpose.ENTER, of, Side.BUY, Size(D(10)), Price(D("0.40")), TimeInForce.GTC, 1_000, 2_000
    )


def view(of: Instrument, leg: int = 0) -> OrderView:
    return OrderView(terms(of, leg), f"id-{leg}", OrderState.LIVE)


def test_it_is_named_after_its_parts(both: Several) -> None:
    assert both.name == "polymarket+kalshi"
    assert list(both.parts) == ["polymarket", "kalshi"]


async def test_orders_go_to_their_own_venues_at_once_and_are_answered_in_order(
    both: Several, poly: Fake, kalshi: Fake
) -> None:
    poly.beside = kalshi.beside = asyncio.Barrier(2)  # one after the other, neither is ever answered
    views = await both.post([terms(KAL, 0), terms(POLY, 1), terms(KAL, 2)])
    assert [one.order_id for one in views] == ["kalshi-T/0/1", "polymarket-T/1/1", "kalshi-T/2/1"]
    assert (poly.asked, kalshi.asked) == (["post"], ["post"])
    assert both.order_id(terms(KAL)) == "kalshi-T/0/1"


async def test_a_venue_that_raises_leaves_the_others_orders_posted(both: Several, kalshi: Fake) -> None:
    """Raised beside an order that is out, it would leave that one alone: the other's are UNKNOWN, to be proved."""
    kalshi.down = True
    first, second = await both.post([terms(KAL, 0), terms(POLY, 1)])
    assert (first.state, first.order_id) == (OrderState.UNKNOWN, "kalshi-T/0/1")
    assert first.evidence == ("post: kalshi does not answer",)
    assert second.state is OrderState.LIVE


STRAY = replace(POLY, venue="spot")


async def test_an_order_of_a_venue_that_is_not_here_is_not_sent(both: Several, poly: Fake) -> None:
    absent, sent = await both.post([terms(STRAY), terms(POLY, 1)])
    assert (absent.state, absent.order_id) == (OrderState.ABSENT, "")
    assert absent.reason == "not sent: there is no venue spot here, only polymarket, kalshi"
    assert sent.state is OrderState.LIVE
    with pytest.raises(VenueError, match="no venue spot"):
        both.order_id(terms(STRAY))


async def test_one_venue_never_tells_what_became_of_anothers_order(poly: Fake) -> None:
    """Asked for Kalshi's order, Polymarket knows nothing of it: that proved a live order ABSENT."""
    alone, theirs = Several({"polymarket": poly}), view(KAL)
    assert await alone.look([theirs]) == (theirs,)
    first, second = await alone.look([theirs, view(POLY, 1)])
    assert (first, second.state) == (theirs, OrderState.DONE)
    assert await alone.cancel(theirs) == theirs
    assert (await alone.post([terms(KAL)]))[0].state is OrderState.ABSENT
    assert poly.asked == ["look"]
    assert concerned(alone, [theirs]) is alone, "who waits goes on waiting"
    with pytest.raises(VenueError, match="no venue kalshi here, only polymarket"):
        await alone.positions([KAL.token])
    with pytest.raises(VenueError, match="no venue kalshi"):
        await alone.sellable(KAL.token)


async def test_a_bug_of_a_venue_is_not_taken_for_a_dead_one(both: Several, kalshi: Fake) -> None:
    async def broken(known: object) -> None:
        raise ValueError("a bug")

    kalshi.look = broken
    with pytest.raises(ValueError, match="a bug"):
        await both.look([view(POLY), view(KAL, 1)])


async def test_a_dead_venue_leaves_its_orders_as_they_were(both: Several, kalshi: Fake) -> None:
    kalshi.down = True
    dead, alive = await both.look([view(KAL), view(POLY, 1)])
    assert dead == view(KAL)
    assert alive.state is OrderState.DONE
    assert (await both.look([view(POLY)]))[0].state is OrderState.DONE
    with pytest.raises(VenueError, match="kalshi does not answer"):
        await both.look([view(KAL)])


async def test_a_cancel_goes_to_the_orders_venue(both: Several, poly: Fake, kalshi: Fake) -> None:
    poly.down = True
    assert (await both.cancel(view(KAL))).reason == "kalshi"


async def test_news_of_whichever_venue_wakes(both: Several, poly: Fake, kalshi: Fake) -> None:
    asyncio.get_running_loop().call_later(0.01, kalshi.told.set)
    assert await asyncio.wait_for(both.news(["a"], 30_000), 5)
    assert poly.running == 0, "the other wait has ended too"


async def test_no_news_ends_with_the_time(both: Several, poly: Fake, kalshi: Fake) -> None:
    assert not await both.news(["a"], 10)
    assert poly.running == kalshi.running == 0


async def test_the_streams_of_all_venues_are_up_or_they_are_not(both: Several, kalshi: Fake) -> None:
    assert both.streaming()
    kalshi.up = False
    assert not both.streaming()


async def test_who_waits_for_one_venue_is_not_slowed_down_by_the_other(both: Several, poly: Fake, kalshi: Fake) -> None:
    """With a stream down orders are polled fast: that must not be those of the venue that is well."""
    kalshi.up = False
    assert concerned(both, [view(POLY)]) is poly
    assert concerned(both, [view(KAL)]) is kalshi
    all_of_them = concerned(both, [view(POLY), view(KAL, 1)])
    assert isinstance(all_of_them, Several)
    assert all_of_them.parts == {"kalshi": kalshi, "polymarket": poly}
    assert concerned(poly, [view(POLY)]) is poly
    with pytest.raises(VenueError, match="no venue spot"):
        both.only({"spot"})


async def test_funds_are_one_venues_and_one_pockets(both: Several) -> None:
    assert (await both.funds([KAL])).cash == D("5.50")
    with pytest.raises(ValueError, match="too many values"):
        await both.funds([KAL, POLY])
    with pytest.raises(AssertionError, match="one pocket"):
        await both.funds([KAL, replace(KAL, rules=replace(KAL.rules, pocket="0"))])


async def test_a_venue_that_takes_no_orders_is_named_by_its_own_words(both: Several, kalshi: Fake, poly: Fake) -> None:
    assert await both.barred([POLY, KAL]) == ""
    kalshi.reason = "trading is paused"
    assert await both.barred([POLY, KAL]) == "trading is paused"
    assert await both.barred([POLY]) == ""


def test_the_words_that_bar_an_account_are_any_venues(both: Several) -> None:
    assert both.bars_account("banned at kalshi")
    assert not both.bars_account("not enough balance")


async def test_cash_is_the_sum_and_the_parts_tell_each(both: Several, kalshi: Fake) -> None:
    assert await both.cash() == D("15.50")
    assert await both.parts["kalshi"].cash() == D("5.50")
    kalshi.down = True
    with pytest.raises(VenueError):
        await both.cash()


async def test_positions_ask_only_the_tokens_venues(both: Several, kalshi: Fake) -> None:
    assert await both.positions([POLY.token, KAL.token]) == {POLY.token: 7, KAL.token: 7}
    kalshi.down = True
    assert await both.positions([POLY.token]) == {POLY.token: 7}
    assert await both.sellable(POLY.token) == 3
    with pytest.raises(VenueError):
        await both.positions([POLY.token, KAL.token])


async def test_a_list_with_a_hole_is_no_list(both: Several, kalshi: Fake) -> None:
    """To the reconciler what is missing in it would not exist."""
    assert await both.open_orders() == ("order at polymarket", "order at kalshi")
    assert await both.fills_since(0) == ("fill at polymarket", "fill at kalshi")
    kalshi.down = True
    for listing in (both.open_orders(), both.fills_since(0)):
        with pytest.raises(VenueError):
            await listing


async def test_books_come_in_the_order_asked_each_with_its_own_time(both: Several, kalshi: Fake) -> None:
    books = await both.books([KAL.token, "111", KAL.complement])
    assert [(book.token, book.read_ms) for book in books] == [(KAL.token, 6), ("111", 10), (KAL.complement, 6)]
    kalshi.down = True
    assert [book.token for book in await both.books(["111"])] == ["111"]
    with pytest.raises(VenueError):
        await both.books(["111", KAL.token])


async def test_a_dead_venues_events_are_left_out_until_all_are_dead(both: Several, kalshi: Fake, poly: Fake) -> None:
    assert [event.event for event in await both.events()] == ["polymarket", "kalshi"]
    kalshi.down = True
    assert [event.event for event in await both.events()] == ["polymarket"]
    poly.down = True
    with pytest.raises(VenueError, match="polymarket does not answer"):
        await both.events()

    async def broken() -> None:
        raise ValueError("a bug")

    poly.events = broken
    with pytest.raises(ValueError, match="a bug"):
        await both.events()


async def test_a_market_is_told_by_whoever_has_it(both: Several, kalshi: Fake) -> None:
    assert await both.listing("0xabc") == "polymarket"
    assert await both.question("KX-1") == "kalshi"
    with pytest.raises(UnknownThing):
        await both.listing("nowhere")
    kalshi.down = True
    assert await both.listing("0xabc") == "polymarket"
    with pytest.raises(VenueError, match="kalshi does not answer"):
        await both.listing("nowhere")  # it may be the dead one's


async def test_books_stream_from_every_venue_until_cancelled(both: Several, poly: Fake, kalshi: Fake) -> None:
    sink: list[str] = []
    streaming = asyncio.ensure_future(both.stream_books(["111", KAL.token], sink))
    while len(sink) < 2:
        await asyncio.sleep(0)
    assert sink == ["polymarket 111", f"kalshi {KAL.token}"]
    streaming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await streaming
    assert poly.running == kalshi.running == 0


async def test_a_stream_that_breaks_ends_the_others(both: Several, poly: Fake, kalshi: Fake) -> None:
    kalshi.down = True
    with pytest.raises(VenueError):
        await both.stream_books(["111", KAL.token], [])
    assert poly.running == 0


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "RETRY_S", 0.01)


async def until_reached(both: Several) -> None:
    async with asyncio.timeout(10):
        while not both.streaming():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("hurry")
async def test_a_venue_that_cannot_be_reached_is_started_as_soon_as_it_can_be(poly: Fake, kalshi: Fake) -> None:
    """No trading process could start, and the living venue's trades stalled."""
    anew = [Fake("kalshi"), Fake("kalshi")]
    anew[0].down = kalshi.down = True
    made = iter(anew)
    both = Several({"polymarket": poly, "kalshi": kalshi}, lambda name: next(made))
    parts = both.parts
    await both.start()
    assert not both.streaming()
    assert (await both.look([view(POLY)]))[0].state is OrderState.DONE
    await until_reached(both)
    assert parts["kalshi"] is anew[1], "who holds the parts sees it too"
    assert await both.cash() == D(20)
    await both.close()
    assert (poly.asked[-1], anew[1].asked[-1]) == ("close", "close")


async def test_a_venue_that_was_not_reached_answers_nothing_and_takes_no_order(both: Several, kalshi: Fake) -> None:
    kalshi.down = True
    await both.start()
    assert await both.barred([POLY, KAL]) == "kalshi cannot be reached"
    assert both.order_id(terms(KAL)) == "kalshi-T/0/1"
    (not_sent,) = await both.post([terms(KAL)])
    assert (not_sent.state, not_sent.reason) == (OrderState.ABSENT, "not sent: kalshi cannot be reached")
    assert not await both.news(["a"], 5)
    assert both.bars_account("banned at kalshi")
    away = both.parts["kalshi"]
    asks = [away.look([view(KAL)]), away.cancel(view(KAL)), away.funds([KAL]), away.sellable(KAL.token), away.cash()]
    asks += [away.positions([KAL.token]), away.open_orders(), away.fills_since(0), away.books([KAL.token])]
    asks += [
        away.events(),
        away.listing("KX-1"),
        away.question("KX-1"),
        away.stream_books([KAL.token], []),
        away.start(),
    ]
    for ask in asks:
        with pytest.raises(VenueError, match="kalshi cannot be reached: kalshi does not answer"):
            await ask
    await both.close()
    assert kalshi.asked == ["start"]


@pytest.mark.usefixtures("hurry")
async def test_what_is_wrong_while_a_venue_is_tried_again_does_not_end_the_trying(poly: Fake, kalshi: Fake) -> None:
    answers: list[Fake | Exception] = [SecretError("the key is gone"), ValueError("a bug"), Fake("kalshi")]

    def reopen(name: str) -> Fake:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kalshi.down, both = True, Several({"polymarket": poly, "kalshi": kalshi}, reopen)
    with capture_logs() as logs:
        await both.start()
        await until_reached(both)
    said = [log["error"] for log in logs if "tried again" in log["event"]]
    assert said == ["kalshi does not answer", "the key is gone", "a bug"]
    await both.close()


async def test_where_no_venue_can_be_reached_none_stays(both: Several, poly: Fake, kalshi: Fake) -> None:
    poly.down = kalshi.down = True
    with pytest.raises(Unavailable, match="polymarket does not answer"):
        await both.start()
    assert poly.asked == kalshi.asked == ["start", "close"]


async def test_a_key_that_cannot_be_used_stops_the_start_whatever_else_is_wrong(
    both: Several, poly: Fake, kalshi: Fake
) -> None:
    async def refused() -> None:
        raise SecretError("Kalshi does not know this key")

    poly.down, kalshi.start = True, refused
    with pytest.raises(SecretError, match="does not know this key"):
        await both.start()
    assert poly.asked == ["start", "close"]


async def test_a_venue_that_hangs_holds_up_no_start(
    both: Several, kalshi: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several, "START_LIMIT_S", 0.01)
    kalshi.start = asyncio.Event().wait
    await both.start()
    with pytest.raises(VenueError, match="no answer within"):
        await both.parts["kalshi"].cash()
    await both.close()


async def test_every_connection_is_released_whatever_one_of_them_says(both: Several, poly: Fake, kalshi: Fake) -> None:
    poly.down = True
    with pytest.raises(VenueError):
        await both.close()
    assert kalshi.asked == ["close"]
    poly.down = False
    await both.close()
