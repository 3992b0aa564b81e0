"""Posting: every kind of answer on a real connection, once, in time, and on a warm connection."""

import asyncio
import time

import orjson
import pytest
from aiohttp import web

from arbsaga.domain.orders import OrderState
from arbsaga.errors import VenueError
from arbsaga.venues.polymarket.signing import Signer

from .make import instrument, terms
from .rig import until
from .stub import HANG_UP, poster_at


def now_ms():
    return time.time_ns() // 1_000_000


def orders(count=1, **options):
    return [terms(attempt=number + 1, created=now_ms(), **options) for number in range(count)]


def entry(order_id, **changes):
    """One accepted order, as the venue answers it."""
    return {
        "success": True,
        "errorMsg": "",
        "orderID": order_id,
        "status": "live",
        "makingAmount": "",
        "takingAmount": "",
        "transactionsHashes": [],
        "tradeIDs": [],
    } | changes


@pytest.fixture
async def posting(stub):
    """A poster at the stub."""
    poster, client = await poster_at(stub)
    yield poster
    await client.close()


@pytest.fixture
def ids(stub):
    return Signer(stub.settings()).order_id


async def test_one_order_goes_to_order(stub, posting, ids):
    (order,) = orders()
    stub.answers["POST", "/order"] = entry(ids(order))
    (view,) = await posting.post([order])
    assert (view.state, view.order_id) == (OrderState.LIVE, ids(order))
    sent = stub.body("POST", "/order")
    assert sent["order"]["salt"] == order.salt
    assert sent["order"]["timestamp"] == str(order.created_ms)
    assert (sent["orderType"], sent["owner"], "postOnly" in sent) == ("GTC", "the-key", False)


async def test_legs_go_in_one_request(stub, posting, ids):
    """All reach the venue at the same moment; the answers stay in the order asked."""
    legs = orders(3)
    refused = entry("", errorMsg="not enough balance / allowance", success=False, status="")
    stub.answers["POST", "/orders"] = [entry(ids(legs[0])), refused, entry(ids(legs[2]), status="delayed")]
    views = await posting.post(legs)
    assert [view.state for view in views] == [OrderState.LIVE, OrderState.DONE, OrderState.PENDING]
    assert [view.terms for view in views] == legs
    assert stub.count("POST", "/orders") == 1
    assert stub.count("POST", "/order") == 0


async def test_more_than_fifteen_go_in_several_requests(stub, posting, ids):
    legs = orders(17)
    known = {order.salt: ids(order) for order in legs}

    async def accept(request):
        return [entry(known[sent["order"]["salt"]]) for sent in orjson.loads(await request.read())]

    stub.answers["POST", "/orders"] = accept
    assert {view.state for view in await posting.post(legs)} == {OrderState.LIVE}
    assert sorted(len(orjson.loads(body)) for _, path, body in stub.requests if path == "/orders") == [2, 15]


class TestUnknown:
    """Trap 7.1: whatever happens after the bytes have left, the order may exist."""

    async def test_dropped_answer(self, stub, posting):
        stub.answers["POST", "/order"] = HANG_UP
        (view,) = await posting.post(orders())
        assert view.state is OrderState.UNKNOWN
        assert "TransportError" in view.evidence[0]

    async def test_dropped_answer_of_a_batch_is_unknown_for_each(self, stub, posting):
        stub.answers["POST", "/orders"] = HANG_UP
        assert {view.state for view in await posting.post(orders(3))} == {OrderState.UNKNOWN}

    async def test_slow_answer_ends_at_our_own_limit(self, stub):
        """The official client would wait 10 s."""
        poster, client = await poster_at(stub, timeout_ms=200)
        await poster.warm()
        stub.answers["POST", "/order"] = lambda _: asyncio.sleep(3)
        began = time.monotonic()
        (view,) = await poster.post(orders())
        assert time.monotonic() - began < 1
        assert view.state is OrderState.UNKNOWN
        assert "TimeoutError" in view.evidence[0]
        await client.close()

    @pytest.mark.parametrize("status", [425, 500, 502, 503])
    async def test_server_errors(self, stub, posting, status):
        stub.answers["POST", "/order"] = (status, "could not insert order")
        (view,) = await posting.post(orders())
        assert view.state is OrderState.UNKNOWN

    async def test_duplicated(self, stub, posting, ids):
        """Trap 7.2: it proves that an earlier attempt was there, not what became of it."""
        (order,) = orders()
        stub.answers["POST", "/order"] = (400, f"order {ids(order)} is invalid. Duplicated.")
        (view,) = await posting.post([order])
        assert (view.state, view.reason) == (OrderState.UNKNOWN, "")

    async def test_unmatched(self, stub, posting, ids):
        (order,) = orders()
        stub.answers["POST", "/order"] = entry(ids(order), status="unmatched")
        assert (await posting.post([order]))[0].state is OrderState.UNKNOWN

    @pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"null", b'{"success": true}'])
    async def test_answer_of_another_shape(self, stub, posting, body):
        stub.answers["POST", "/order"] = lambda _: web.Response(body=body, content_type="application/json")
        assert (await posting.post(orders()))[0].state is OrderState.UNKNOWN

    @pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b"null", b'["x", 3]'])
    async def test_batch_answer_of_another_shape(self, stub, posting, body):
        stub.answers["POST", "/orders"] = lambda _: web.Response(body=body, content_type="application/json")
        assert {view.state for view in await posting.post(orders(2))} == {OrderState.UNKNOWN}


class TestPartOfABatch:
    """Trap 2.4: the official client gives up on the whole batch although orders were placed."""

    async def test_missing_entry_is_unknown_for_its_order_only(self, stub, posting, ids):
        legs = orders(3)
        stub.answers["POST", "/orders"] = [entry(ids(legs[0])), entry(ids(legs[1]))]
        states = [view.state for view in await posting.post(legs)]
        assert states == [OrderState.LIVE, OrderState.LIVE, OrderState.UNKNOWN]

    @pytest.mark.parametrize("damage", [{"makingAmount": 5.2}, {"status": None}, {"success": "yes?"}])
    async def test_malformed_entry_is_unknown_for_its_order_only(self, stub, posting, ids, damage):
        legs = orders(3)
        entries = [entry(ids(order)) for order in legs]
        entries[1] |= damage
        stub.answers["POST", "/orders"] = entries
        states = [view.state for view in await posting.post(legs)]
        assert states == [OrderState.LIVE, OrderState.UNKNOWN, OrderState.LIVE]

    async def test_entry_without_a_key(self, stub, posting, ids):
        legs = orders(2)
        entries = [entry(ids(order)) for order in legs]
        del entries[0]["makingAmount"]
        stub.answers["POST", "/orders"] = entries
        assert [view.state for view in await posting.post(legs)] == [OrderState.UNKNOWN, OrderState.LIVE]


class TestRefused:
    @pytest.mark.parametrize(
        "text",
        [
            "order couldn't be fully filled. FOK orders are fully filled or killed.",
            "not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2",
        ],
    )
    async def test_proved_by_its_text(self, stub, posting, text):
        """Trap 7.12: a FAK or FOK without a match is a 400, and a normal outcome."""
        stub.answers["POST", "/order"] = (400, text)
        (view,) = await posting.post(orders())
        assert (view.state, view.reason, view.known) == (OrderState.DONE, text, 0)

    async def test_rate_limit_refuses_the_whole_batch(self, stub, posting):
        """Trap 3.3: the bucket takes a batch whole or not at all."""
        stub.answers["POST", "/orders"] = (429, "Too Many Requests")
        assert {view.state for view in await posting.post(orders(3))} == {OrderState.DONE}

    async def test_text_about_one_order_says_nothing_of_a_batch(self, stub, posting):
        stub.answers["POST", "/orders"] = (400, "invalid signature")
        assert {view.state for view in await posting.post(orders(2))} == {OrderState.UNKNOWN}


class TestSendBy:
    """No byte leaves after `send_by`, whoever wakes up late."""

    async def test_late_order_is_not_sent(self, stub, posting):
        late = terms(created=now_ms() - 2_000, send_by=now_ms() - 1)
        (view,) = await posting.post([late])
        assert view.state is OrderState.ABSENT
        assert "after its last moment" in view.reason
        assert stub.count("POST", "/order") == 0

    async def test_checked_after_waiting_for_a_connection(self, stub):
        """The moment passes while the request is built: the check stands immediately before the bytes."""
        moments = iter([10_000, 10_501])
        poster, client = await poster_at(stub, clock=lambda: next(moments))
        next(moments)
        (view,) = await poster.post([terms(created=10_000, send_by=10_500)])
        assert (view.state, view.reason) == (OrderState.ABSENT, "not sent: 1 ms after its last moment")
        assert stub.count("POST", "/order") == 0
        await client.close()

    async def test_one_late_leg_holds_the_others_back(self, stub, posting):
        """They go in one request, which must not leave after the first of their limits."""
        legs = [*orders(2), terms(attempt=9, created=now_ms() - 2_000, send_by=now_ms() - 1)]
        assert {view.state for view in await posting.post(legs)} == {OrderState.ABSENT}
        assert stub.count("POST", "/orders") == 0

    async def test_no_connection_is_no_order(self, stub, posting):
        """Where nothing listens, no byte can have left."""
        await stub.runner.cleanup()
        (view,) = await posting.post(orders())
        assert view.state is OrderState.ABSENT
        assert view.reason.startswith("not sent: ")

    async def test_terms_off_the_grid_send_nothing_at_all(self, stub, posting):
        """All are signed before the first is sent."""
        with pytest.raises(VenueError, match="tick grid"):
            await posting.post([*orders(), terms(price="0.525")])
        assert stub.count("POST", "/orders") + stub.count("POST", "/order") == 0


async def test_posted_once_whatever_the_answer(stub, posting):
    """Trap 7.26: no retry, also of what could be retried: whoever wants to know looks."""
    for answer in ((425, "Service is not ready"), (500, "order timed out"), HANG_UP, (429, "Too Many Requests")):
        stub.requests.clear()
        stub.answers["POST", "/order"] = answer
        await posting.post(orders())
        assert stub.count("POST", "/order") == 1


async def test_only_what_was_signed_is_posted(stub, posting):
    """Trap 8.2: no place_*, which may approve spending on-chain and post again; nothing is read first either."""
    stub.answers["POST", "/order"] = (400, "not enough balance / allowance: the allowance is not enough")
    stub.requests.clear()
    await posting.post(orders())
    assert [path for _, path, _ in stub.requests] == ["/order"]


async def test_same_attempt_is_the_same_bytes(stub, posting):
    """A second process that posts the same attempt sends the same order, which the venue knows as a duplicate."""
    stub.answers["POST", "/order"] = (500, "order timed out")
    order = orders()
    await posting.post(order)
    await posting.post(order)
    bodies = {body for method, path, body in stub.requests if (method, path) == ("POST", "/order")}
    assert len(bodies) == 1


class TestWarm:
    async def test_posts_find_a_live_connection(self, stub):
        """Concurrent posts after a warm-up open no connection of their own."""
        poster, client = await poster_at(stub, connections=3)
        assert await poster.warm()
        stub.answers["POST", "/order"] = (400, "invalid nonce")
        warm = set(stub.connections)
        await asyncio.gather(*(poster.post(orders(of=instrument(neg_risk=True))) for _ in range(3)))
        assert stub.connections == warm
        await client.close()

    async def test_kept_warm_through_failures(self, stub, monkeypatch):
        """A venue that does not answer for a while must not end the warming for good."""
        monkeypatch.setattr("arbsaga.venues.polymarket.posting.WARM_EVERY_S", 0.05)
        poster, client = await poster_at(stub, connections=1)
        path = ("GET", "/auth/ban-status/closed-only")
        healthy = stub.answers[path]
        stub.answers[path] = lambda _: asyncio.sleep(0.2, {})
        keeping = asyncio.create_task(poster.keep_warm())
        await asyncio.sleep(0.3)
        stub.answers[path] = healthy
        seen = stub.count(*path)
        await until(lambda: stub.count(*path) >= seen + 2)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await client.close()

    async def test_failure_is_told_and_not_raised(self, stub, posting):
        stub.answers["GET", "/auth/ban-status/closed-only"] = (500, "down")
        assert not await posting.warm()
