"""Requests: signed, timed, never repeated; answers without floats, errors of every shape."""

import asyncio
import json
import logging
from decimal import Decimal

import pytest
from aiohttp import web

from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.kalshi import KalshiSettings
from arbsaga.venues.kalshi.rest import RefusedRead, Rest
from arbsaga.venues.kalshi.signing import Signer
from arbsaga.venues.kalshi.wire import decimal, load, moment_ms, read_fault

from .rig import key, one, pem, terms


class Server:
    """Answers what the test says, and counts."""

    def __init__(self):
        self.requests = []
        self.answer = lambda request: web.json_response({})

    async def handle(self, request):
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture
async def server():
    made = Server()
    app = web.Application()
    app.add_routes([web.route("*", "/{tail:.*}", made.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def rest(server):
    settings = KalshiSettings.at(server.url, "some-key", pem(key()))
    object.__setattr__(settings, "read_timeout_ms", 300)
    made = Rest(settings, Signer("some-key", settings.private_key))
    yield made
    await made.close()


async def test_reads_are_signed(rest, server):
    """All of them: unsigned market data is up to 15 s old. The query is not signed, lists repeat their name."""
    await rest.get("/markets/orderbooks", {"tickers": ["A", "B"], "depth": 0})
    [(method, path, headers, _)] = server.requests
    assert (method, path) == ("GET", "/trade-api/v2/markets/orderbooks?tickers=A&tickers=B&depth=0")
    assert headers["KALSHI-ACCESS-KEY"] == "some-key"
    assert headers["KALSHI-ACCESS-SIGNATURE"]


async def test_odd_tickers_are_signed_as_sent(rig):
    """The path is signed as it stands in the address."""
    venue = rig.venue(await rig.member())
    with pytest.raises(RefusedRead) as caught:
        await venue._rest.get("/markets/NO SUCH%/orderbook")
    assert caught.value.status == 404


async def test_fractions_are_decimals(rest, server):
    """Never through a float."""
    server.answer = lambda _: web.Response(body=b'{"a": 0.1, "b": 1, "c": [0.07]}', content_type="application/json")
    body = await rest.get("/x")
    assert body == {"a": Decimal("0.1"), "b": 1, "c": [Decimal("0.07")]}
    assert isinstance(body["a"], Decimal)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[1]", b"7", b"{", b"\xff"])
async def test_an_answer_that_is_no_object(rest, server, raw):
    """BadMessage."""
    server.answer = lambda _: web.Response(body=raw)
    with pytest.raises(BadMessage):
        await rest.get("/x")


async def test_the_limit_covers_the_whole_request(rest, server):
    """A server that drips its answer is given up as well."""

    async def drip(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(20):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    server.answer = drip
    with pytest.raises(VenueError, match="TimeoutError"):
        await rest.get("/x")
    assert len(server.requests) == 1


async def test_nothing_is_asked_twice(rest, server):
    """Neither a dropped connection nor an error is tried again, for writes and reads alike."""

    def drop(request):
        request.transport.abort()
        return web.Response()

    for answer in (
        drop,
        lambda _: web.Response(status=503),
        lambda _: web.json_response({"error": "too many"}, status=429),
    ):
        server.answer = answer
        with pytest.raises(VenueError):
            await rest.get("/x")
    server.answer = drop
    with pytest.raises(VenueError):
        await rest.send(rest.build("POST", "/y", body=b"{}"))
    with pytest.raises(VenueError):
        await rest.delete("/z")
    assert [request[0] for request in server.requests] == ["GET", "GET", "GET", "POST", "DELETE"]


async def test_redirects_are_not_followed(rest, server):
    """A signature belongs to one address."""
    server.answer = lambda _: web.Response(status=307, headers={"Location": "/elsewhere"})
    with pytest.raises(RefusedRead):
        await rest.get("/x")
    assert len(server.requests) == 1


async def test_pages(rest, server):
    """Until the cursor is empty; what is no object is left out, null is an empty page."""
    pages = {
        "": {"orders": [{"a": 1}, 7, None], "cursor": "p2"},
        "p2": {"orders": None, "cursor": "p3"},
        "p3": {"orders": [{"a": 2}], "cursor": ""},
    }
    server.answer = lambda request: web.json_response(pages[request.query.get("cursor", "")])
    assert await rest.listing("/x", "orders", {"limit": 2}) == [{"a": 1}, {"a": 2}]
    assert [request[1].partition("?")[2] for request in server.requests] == [
        "limit=2",
        "limit=2&cursor=p2",
        "limit=2&cursor=p3",
    ]


@pytest.mark.parametrize("page", [{"cursor": ""}, {"orders": 7, "cursor": ""}, {"orders": {}, "cursor": ""}])
async def test_a_page_without_its_list(rest, server, page):
    """Not read as "there are none"."""
    server.answer = lambda _: web.json_response(page)
    with pytest.raises(BadMessage, match="without orders"):
        await rest.listing("/x", "orders")


async def test_a_cursor_that_repeats(rest, server):
    """An unknown cursor silently gives the first page: that must end."""
    server.answer = lambda _: web.json_response({"orders": [{}], "cursor": "again"})
    with pytest.raises(BadMessage, match="does not end"):
        await rest.listing("/x", "orders")
    assert len(server.requests) == 2


async def test_an_address_that_is_none(rest):
    """VenueError, whatever the library says."""
    with pytest.raises(VenueError):
        await rest.get("/x\n")
    with pytest.raises(VenueError):
        rest.build("POST", "/\x00")


@pytest.mark.parametrize(
    ("raw", "code", "text", "own"),
    [
        ({"error": {"code": "c", "message": "m", "details": "d", "service": "s"}}, "c", "m, d", True),
        ({"code": "bad_request", "message": "m", "details": "d"}, "bad_request", "m, d", True),
        ({"msg": "limit is too large"}, "", "limit is too large", True),
        ({"error": "too many requests"}, "", "too many requests", False),
        ({}, "", "{}", False),
        ([], "", "[]", False),
        (None, "", "None", False),
        ({"error": None}, "", "None", False),
        ({"error": {"code": None, "message": None}}, "", '{"code": null, "message": null}', False),
        (b"<html>502</html>", "", "<html>502</html>", False),
        (b"", "", "no text", False),
        (b"\xff\xfe", "", "\ufffd\ufffd", False),
    ],
)
def test_errors_of_every_shape(raw, code, text, own):
    """By one function; `own` tells the venue from a gateway in front of it."""
    fault = read_fault(400, raw if isinstance(raw, bytes) else json.dumps(raw).encode())
    assert (fault.code, fault.text, fault.own) == (code, text, own)


def test_long_errors_are_cut():
    """A gateway's page is not logged whole."""
    assert len(read_fault(502, b"x" * 10_000).text) == 300


@pytest.mark.parametrize("value", [None, True, 1.5, "x", "NaN", "Infinity", "", [], {}])
def test_what_is_no_number(value):
    """ValueError; a float never gets here."""
    with pytest.raises(ValueError, match="number"):
        decimal(value)


def test_numbers_and_times():
    """Fixed-point texts, and RFC 3339 with its zone."""
    assert [decimal("10.00"), decimal(3), decimal(Decimal("0.5"))] == [10, 3, Decimal("0.5")]
    assert moment_ms("2026-11-20T17:00:00.123Z") == 1_795_194_000_123
    assert moment_ms("2026-11-20T12:00:00-05:00") == 1_795_194_000_000
    for bad in (None, 5, "", "2026-11-20T17:00:00"):
        with pytest.raises(ValueError, match=r"time|zone|isoformat"):
            moment_ms(bad)
    with pytest.raises(BadMessage):
        load(b"[" * 100_000)


async def test_no_secret_is_logged(rig, caplog, capsys):
    """Not at DEBUG either: neither key nor signature."""
    caplog.set_level(logging.DEBUG)
    venue = await rig.trading()
    await one(venue, terms())
    text = caplog.text + "".join(capsys.readouterr())
    assert "KALSHI-ACCESS-SIGNATURE" not in text
    assert pem(key()).splitlines()[1] not in text
