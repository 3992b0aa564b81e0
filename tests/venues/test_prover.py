"""Finding out what became of an order: every source is asked, and a "not found" is never more than that."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.venues.polymarket import PolymarketVenue
from arbsaga.venues.polymarket import prover as proving

from .make import ORDER_ID, order_record, trade_record, view
from .rig import BRISK, until
from .stub import HANG_UP

BY_ID = ("GET", f"/data/order/{ORDER_ID}")
TRADES = ("GET", "/data/trades")
CANCEL = ("DELETE", "/order")
GONE = {"canceled": [], "not_canceled": {ORDER_ID: "order can't be found - already canceled or matched"}}


class Moment:
    """A wall clock that tests move."""

    def __init__(self):
        self.ms = 1_790_000_000_000

    def __call__(self):
        return self.ms


@pytest.fixture
def moment():
    return Moment()


@pytest.fixture
async def venue(stub, moment):
    """A venue at the stub, whose user stream tells nothing."""
    stub.answers["GET", "/time"] = lambda _: moment.ms // 1000
    stub.answers[CANCEL] = GONE
    running = PolymarketVenue(stub.settings(), clock=moment, keepalive=BRISK)
    await running.start()
    yield running
    await running.close()


async def look(venue, known):
    (seen,) = await venue.look([known])
    return seen


class TestSources:
    async def test_by_id(self, stub, venue):
        stub.answers[BY_ID] = order_record(size_matched="4")
        seen = await look(venue, view())
        assert (seen.state, seen.matched) == (OrderState.LIVE, 4)
        assert stub.count(*CANCEL) == 0

    async def test_by_trades_when_the_order_is_hidden(self, stub, venue):
        """Trap 7.11: null after a full match is not "never placed" (py-clob-client #217)."""
        stub.answers[BY_ID] = None
        stub.answers[TRADES] = {"data": [trade_record()]}
        seen = await look(venue, view())
        assert (seen.state, seen.filled, seen.denied_ms) == (OrderState.DONE, 10, 0)
        assert stub.count(*CANCEL) == 0

    async def test_by_the_user_stream(self, stub, venue):
        event = order_record(event_type="order", type="PLACEMENT")
        await stub.send(event)
        assert await venue.news([ORDER_ID], 2_000)
        seen = await look(venue, view())
        assert (seen.state, seen.denied_ms) == (OrderState.LIVE, 0)
        assert stub.count(*CANCEL) == 0

    async def test_what_the_stream_told_in_full_needs_no_request(self, stub, venue):
        """A matched order whose fills are all seen: a request would only repeat it; silence is asked about again."""
        await stub.send(trade_record(event_type="trade", type="TRADE"))
        assert await venue.news([ORDER_ID], 2_000)
        seen = await look(venue, view(OrderState.LIVE))
        assert (seen.state, seen.filled) == (OrderState.DONE, 10)
        assert stub.count(*BY_ID) == stub.count(*TRADES) == 0
        assert await look(venue, seen) == seen
        assert stub.count(*TRADES) == 1, "nothing new was told, so the venue is asked"

    async def test_trades_are_asked_from_before_the_order_was_made(self, stub, venue):
        asked = []

        def note(request):
            asked.append(dict(request.query))
            return {"data": []}

        stub.answers[TRADES] = note
        await look(venue, view())
        assert asked == [{"after": "1789999985"}]

    async def test_several_orders_share_one_listing(self, stub, venue):
        stub.answers[BY_ID] = order_record()
        seen = await venue.look([view(), view()])
        assert {one.state for one in seen} == {OrderState.LIVE}
        assert stub.count(*TRADES) == 1

    async def test_nothing_asked_nothing_sent(self, stub, venue):
        stub.requests.clear()
        assert await venue.look([]) == ()
        assert stub.requests == []

    async def test_ended_order_is_not_asked_by_id_while_it_settles(self, stub, venue):
        stub.answers[TRADES] = {"data": [trade_record(status="CONFIRMED")]}
        settling = await look(venue, replace(view(OrderState.DONE), reason="", matched=Decimal(0)))
        assert settling.fills[0].status is FillStatus.CONFIRMED
        assert stub.count(*BY_ID) == 0


class TestDenied:
    """An order that is UNKNOWN and nobody knows is also cancelled by id; only then it is denied."""

    @pytest.mark.parametrize("hidden", [None, (404, "order not found")])
    async def test_nobody_knows_it(self, stub, venue, moment, hidden):
        stub.answers[BY_ID] = hidden
        seen = await look(venue, view())
        assert (seen.state, seen.denied_ms) == (OrderState.UNKNOWN, moment.ms)
        assert stub.body(*CANCEL) == {"orderID": ORDER_ID}

    @pytest.mark.parametrize(
        "reason", ["Order not found or already canceled", "order can't be found - already canceled"]
    )
    async def test_texts_of_not_found(self, stub, venue, moment, reason):
        stub.answers[CANCEL] = {"canceled": [], "not_canceled": {ORDER_ID: reason}}
        assert (await look(venue, view())).denied_ms == moment.ms

    @pytest.mark.parametrize(
        ("where", "answer"),
        [
            (BY_ID, (500, "down")),
            (BY_ID, HANG_UP),
            (BY_ID, "text"),
            (BY_ID, {"id": 7}),
            (TRADES, (500, "down")),
            (TRADES, {"next_cursor": "LTE="}),
            (TRADES, {"data": [{"id": "unreadable"}]}),
            (CANCEL, (500, "down")),
            (CANCEL, (425, "Service is not ready")),
            (CANCEL, HANG_UP),
            (CANCEL, {"canceled": [], "not_canceled": {ORDER_ID: "Order already matched"}}),
            (CANCEL, {"canceled": [], "not_canceled": {}}),
        ],
    )
    async def test_one_missing_answer_denies_nothing(self, stub, venue, where, answer):
        """A failed request leaves the order as it was; a trade that cannot be read could be its fill."""
        stub.answers[where] = answer
        seen = await look(venue, view())
        assert (seen.state, seen.denied_ms) == (OrderState.UNKNOWN, 0)

    async def test_cancels_are_rationed(self, stub, venue, moment):
        """Looking every 100 ms must not drain the cancel bucket."""
        first = await look(venue, view())
        moment.ms += 999
        again = await look(venue, first)
        assert (again.denied_ms, stub.count(*CANCEL)) == (first.denied_ms, 1)
        moment.ms += 1
        assert (await look(venue, again)).denied_ms == moment.ms
        assert stub.count(*CANCEL) == 2

    async def test_an_outage_is_logged_now_and_then(self, stub, venue, moment):
        """Looking every 100 ms filled the log with a line for each order and look."""
        stub.answers[TRADES] = (500, "down")
        with capture_logs() as lines:
            for _ in range(21):
                await look(venue, view())
                moment.ms += 500
        told = [line["left_out"] for line in lines if line["event"] == "trades cannot be read"]
        assert told == [0, 9, 9]

    async def test_only_so_many_are_remembered(self, stub, venue, moment, monkeypatch):
        monkeypatch.setattr(proving, "MAX_TRIED", 1)
        for _ in range(2):
            await look(venue, view())
            moment.ms += 2_000
        assert len(venue._session.prover._tried_ms) == 1

    async def test_order_that_was_there_after_all(self, stub, venue):
        """The cancel got it: it existed, and is looked up again before it is called over."""
        stub.answers[CANCEL] = {"canceled": [ORDER_ID], "not_canceled": {}}
        seen = await look(venue, view())
        assert (seen.state, seen.denied_ms > 0) == (OrderState.LIVE, True)

    async def test_order_that_came_after_it_was_denied_is_looked_up_before_it_is_over(self, stub, venue, moment):
        """It may have filled between its late arrival and the cancel: an old denial says nothing of that."""
        denied = await look(venue, view())
        moment.ms += proving.GONE_MS + 1
        stub.answers[CANCEL] = {"canceled": [ORDER_ID], "not_canceled": {}}
        seen = await look(venue, denied)
        assert (seen.state, seen.denied_ms) == (OrderState.LIVE, moment.ms)
        stub.answers[TRADES] = {"data": [trade_record()]}
        assert (await look(venue, seen)).filled == 10

    async def test_evidence_takes_a_denial_back(self, stub, venue):
        """A post can arrive 20 s late."""
        denied = await look(venue, view())
        stub.answers[BY_ID] = order_record()
        seen = await look(venue, denied)
        assert (seen.state, seen.denied_ms) == (OrderState.LIVE, 0)

    async def test_absent_order_that_turns_up(self, stub, venue):
        stub.answers[BY_ID] = order_record(size_matched="10", status="MATCHED")
        seen = await look(venue, view(OrderState.ABSENT))
        assert (seen.state, seen.known) == (OrderState.DONE, 10)


class TestCancel:
    async def test_canceled_and_seen_canceled(self, stub, venue):
        stub.answers[CANCEL] = {"canceled": [ORDER_ID], "not_canceled": {}}
        stub.answers[BY_ID] = order_record(status="CANCELED", size_matched="4")
        seen = await venue.cancel(view(OrderState.LIVE))
        assert (seen.state, seen.known, seen.reason) == (OrderState.DONE, 4, "canceled")
        assert seen.evidence[-1] == "cancel: canceled"

    async def test_lost_race_shows_the_fill(self, stub, venue):
        stub.answers[CANCEL] = {"canceled": [], "not_canceled": {ORDER_ID: "Order already matched"}}
        stub.answers[BY_ID] = order_record(status="MATCHED", size_matched="10")
        stub.answers[TRADES] = {"data": [trade_record()]}
        seen = await venue.cancel(view(OrderState.LIVE))
        assert (seen.state, seen.filled, seen.explained) == (OrderState.DONE, 10, True)

    @pytest.mark.parametrize("answer", [(500, "down"), HANG_UP, (425, "restarting"), {"odd": 1}])
    async def test_failed_cancel_leaves_it_as_it_was(self, stub, venue, answer):
        stub.answers[CANCEL] = answer
        stub.answers[BY_ID] = order_record()
        seen = await venue.cancel(view(OrderState.LIVE))
        assert seen.state is OrderState.LIVE
        assert seen.evidence[-1].startswith("cancel: cancel failed")

    async def test_slow_cancel_ends_at_our_own_limit(self, stub, moment):
        stub.answers["GET", "/time"] = lambda _: moment.ms // 1000
        settings = stub.settings()
        object.__setattr__(settings, "post_timeout_ms", 100)
        running = PolymarketVenue(settings, clock=moment, keepalive=BRISK)
        await running.start()
        stub.answers[CANCEL] = lambda _: asyncio.sleep(3)
        stub.answers[BY_ID] = order_record()
        assert (await running.cancel(view(OrderState.LIVE))).state is OrderState.LIVE
        await running.close()

    async def test_cancel_alone_ends_nothing(self, stub, venue):
        """What filled before it must be seen first, or a fill is lost."""
        stub.answers[CANCEL] = {"canceled": [ORDER_ID], "not_canceled": {}}
        for where, answer in ((BY_ID, (500, "down")), (TRADES, (500, "down"))):
            stub.answers[where] = answer
            assert (await venue.cancel(view(OrderState.LIVE))).state is OrderState.LIVE

    async def test_delayed_order_cannot_be_canceled(self, stub, venue):
        """Trap 7.21."""
        stub.answers[CANCEL] = {"canceled": [], "not_canceled": {ORDER_ID: "order is delayed"}}
        stub.answers[BY_ID] = order_record(status="DELAYED")
        assert (await venue.cancel(view(OrderState.PENDING))).state is OrderState.PENDING

    async def test_accepted_order_that_is_gone_is_over_in_the_end(self, stub, venue, moment):
        """Trap 7.19: `already canceled or matched`, for ever, on a venue that hides finished orders."""
        seen = await venue.cancel(view(OrderState.LIVE))
        assert (seen.state, seen.denied_ms) == (OrderState.LIVE, moment.ms)
        moment.ms += proving.GONE_MS - 1
        seen = await venue.cancel(seen)
        assert seen.state is OrderState.LIVE
        moment.ms += 1
        seen = await venue.cancel(seen)
        assert (seen.state, seen.known, seen.reason) == (OrderState.DONE, 0, "no longer at the venue")

    async def test_unknown_order_is_denied_by_a_cancel_too(self, stub, venue, moment):
        assert (await venue.cancel(view())).denied_ms == moment.ms

    async def test_evidence_is_told_once(self, stub, venue):
        seen = await venue.cancel(await venue.cancel(view(OrderState.LIVE)))
        assert len(seen.evidence) == 1


async def test_rest_that_knows_more_than_the_stream_was_told(stub, venue):
    """Trap 7.13: fills by request that the stream does not follow up on replace its connection."""
    stub.answers[BY_ID] = order_record(status="MATCHED", size_matched="10")
    stub.answers[TRADES] = {"data": [trade_record()]}
    stream = venue._session.stream
    stream._expect_ns = 50_000_000
    assert venue.streaming()
    await look(venue, view(OrderState.LIVE))
    await until(lambda: stream.interruptions == 1)
    await until(venue.streaming)


async def test_what_the_stream_remembers_does_not_hide_a_fill_that_was_taken_back(stub, venue):
    """A trade that is run again starts from nothing, in the process that once saw its fill CONFIRMED."""
    event = trade_record(event_type="trade", type="TRADE", status="CONFIRMED", matchtime="1790000001")
    await stub.send(order_record(event_type="order", type="UPDATE", status="MATCHED", size_matched="10"))
    await stub.send(event)
    await until(lambda: venue._session.stream.knows(ORDER_ID))
    stub.answers[BY_ID] = order_record(status="MATCHED", size_matched="10")
    stub.answers[TRADES] = {"data": [trade_record(status="TRADE_STATUS_FAILED")]}
    seen = await look(venue, view())
    assert (seen.state, seen.filled, seen.failed) == (OrderState.DONE, 0, 10)
