"""Starting, what bars orders, and the whole port together."""

import asyncio
import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from arbsaga.domain.orders import OrderState
from arbsaga.errors import BadMessage, ConfigError, SecretError, Unavailable, UserError, VenueError
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.venues.kalshi import KalshiSettings, KalshiVenue
from arbsaga.venues.kalshi.attestation import Attestation
from arbsaga.venues.kalshi.checking import warn_of_attestation
from arbsaga.venues.kalshi.halts import halted, over, pause
from arbsaga.venues.kalshi.rest import Answer
from arbsaga.venues.port import Venue

from .rig import BRISK, QUICK, instrument, key, now_ms, one, pem, terms, until


async def test_it_is_a_venue(rig, venue):
    """The whole port, under its name."""
    checked: Venue = venue
    assert checked.name == "kalshi"


async def test_an_unknown_key(rig):
    """One line that names what to mend."""
    venue = rig.venue(KalshiSettings.at(rig.url, "no-such-key", pem(key())))
    with pytest.raises(SecretError, match="refuses the key no-such-key: the venue does not know it: mend key_id"):
        await venue.start()


async def test_a_private_key_of_another(rig):
    """The signature does not fit."""
    settings = await rig.member()
    venue = rig.venue(KalshiSettings.at(rig.url, settings.key_id, pem(key("rsa"))))
    with pytest.raises(SecretError, match="not the one that belongs to it: mend private_key"):
        await venue.start()


@pytest.mark.parametrize("scopes", [["read"], ["read", "write::transfer"], []])
async def test_a_key_without_the_right_to_trade(rig, scopes):
    """No order would be taken: said at the start."""
    venue = rig.venue(await rig.member(scopes=scopes))
    with pytest.raises(UserError, match=r"may not (trade|read)"):
        await venue.start()


async def test_a_key_with_the_narrow_right(rig):
    """write::trade is enough."""
    venue = rig.venue(await rig.member(scopes=["read", "write::trade"]))
    await venue.start()
    assert (await one(venue, terms())).state is OrderState.LIVE


async def test_a_key_of_a_subaccount(rig):
    """Its orders would go where nobody looks."""
    venue = rig.venue(await rig.member(subaccount=3))
    with pytest.raises(UserError, match="locked to subaccount 3"):
        await venue.start()


@pytest.mark.parametrize("off_ms", [-8_000, 8_000, 300_000])
async def test_a_clock_that_is_off(rig, off_ms):
    """Signatures would be refused sooner or later. The venue tells whole seconds, so ours are one off at most."""
    venue = rig.venue(await rig.member(), clock=lambda: now_ms() + off_ms)
    with pytest.raises(UserError, match="set it by NTP") as refused:
        await venue.start()
    told = re.search(r"clock is ([-+]\d+) s off Kalshi's", str(refused.value))
    assert told is not None
    assert abs(int(told[1]) - off_ms / 1000) <= 1


async def test_a_venue_whose_window_is_narrower(start):
    """The venue's own word on the timestamp."""
    rig = await start(replace(QUICK, skew_ms=1_000))
    venue = rig.venue(await rig.member(), clock=lambda: now_ms() - 2_500)
    with pytest.raises(UserError, match=r"clock is .*set it by NTP|clock is off: set it by NTP"):
        await venue.start()


async def test_no_collateral_anywhere(rig):
    """Neither cash, nor a position, nor an order."""
    venue = rig.venue(await rig.member(usd=None))
    with pytest.raises(UserError, match="no collateral on any shard"):
        await venue.start()


async def test_a_deposit_of_just_now_is_waited_for(start):
    """Reads lag: an account is not empty for that."""
    rig = await start(replace(QUICK, read_lag_ms=500))
    assert (await rig.trading()).streaming()


async def test_all_cash_in_positions(rig, venue):
    """Its trades must go on after a restart."""
    await rig.offer("RAIN-A", "ask", "0.99", "1000")
    await one(venue, terms(size="1000", limit="0.99"))
    free = (await venue.funds([])).cash
    await rig.offer("RAIN-B", "ask", "0.01", "10000")
    await one(venue, terms(instrument("RAIN-B"), size=f"{free / 2:.2f}", limit="0.01"))
    fresh = rig.venue(venue.settings)

    async def nothing():
        return 0

    fresh._account.free = nothing
    await fresh.start()


async def test_nobody_answers():
    """Unavailable, and everything is released."""
    venue = KalshiVenue(KalshiSettings.at("http://127.0.0.1:1", "id", pem(key())))
    with pytest.raises(Unavailable, match="does not answer"):
        await venue.start()


@pytest.mark.parametrize(
    ("path", "answer", "error", "why"),
    [
        ("/api_keys", Answer(500, b"<html>500</html>"), Unavailable, "does not answer: /api_keys: 500"),
        ("/api_keys", Answer(200, b"[]"), Unavailable, "does not answer"),
        ("/api_keys", Answer(403, b'{"error": {"code": "insufficient_scope"}}'), UserError, "may not read its account"),
        (
            "/api_keys",
            Answer(401, b'{"error": {"code": "x", "message": "new words"}}'),
            SecretError,
            "401 x: new words",
        ),
        ("/portfolio/balance", Answer(500, b""), Unavailable, "the Kalshi account cannot be read"),
    ],
)
async def test_odd_answers_at_the_start(rig, monkeypatch, path, answer, error, why):
    """One clear line each."""
    venue = rig.venue(await rig.member())
    ask = venue._rest.ask

    async def odd(method, asked, **more):
        return answer if asked == path else await ask(method, asked, **more)

    monkeypatch.setattr(venue._rest, "ask", odd)
    with pytest.raises(error, match=why):
        await venue.start()


async def test_a_key_that_is_not_listed_starts(rig, monkeypatch):
    """Its scopes are not known: the first order will tell. A date that is none is no clock, the status no reason."""
    venue = rig.venue(await rig.member())
    ask = venue._rest.ask

    async def odd(method, asked, **more):
        if asked == "/api_keys":
            return Answer(200, b'{"api_keys": [7, {"api_key_id": "other"}]}', "no date")
        return Answer(500, b"") if asked == "/exchange/status" else await ask(method, asked, **more)

    monkeypatch.setattr(venue._rest, "ask", odd)
    await venue.start()
    assert venue.streaming()


async def test_a_paused_venue_can_be_started(rig):
    """Open orders must be watched all the same."""
    await rig.admin("POST", "halt", {"exchange": True})
    assert (await rig.trading()).streaming()


async def test_it_starts_without_its_stream(rig, monkeypatch):
    """Fills are polled meanwhile; orders go."""
    monkeypatch.setattr("arbsaga.venues.kalshi.venue.STREAM_START_S", 0.1)
    settings = await rig.member()
    object.__setattr__(settings, "ws_url", "ws://127.0.0.1:1/x")
    venue = rig.venue(settings)
    await venue.start()
    assert not venue.streaming()
    assert (await one(venue, terms())).state is OrderState.LIVE


async def test_close_releases_everything(rig):
    """Twice is once."""
    venue = await rig.trading()
    await venue.close()
    await venue.close()
    await until(lambda: not [task for task in asyncio.all_tasks() if "user stream" in task.get_name()])


async def test_reads_before_start(rig):
    """Whoever only looks need not start."""
    venue = rig.venue(await rig.member())
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    [book] = await venue.books(["kalshi:RAIN-A:YES"])
    assert book.asks[0].price == Decimal("0.39")
    assert (await venue.listing("RAIN-A")).yes.rules.pocket == "0"
    assert (await venue.question("RAIN-A")).market == "RAIN-A"
    assert {event.event for event in await venue.events()} >= {"RAIN"}


async def test_a_listed_instrument_can_be_traded(rig, venue):
    """What discovery says is what a create needs."""
    listing = await venue.listing("COIN-1")
    await rig.admin("POST", "deposit", {"address": "m", "amount": "10", "exchange_index": 2})
    views = await venue.post([terms(listing.yes, size="1", limit="0.095"), terms(listing.no, size="1", limit="0.025")])
    assert [view.state for view in views] == [OrderState.LIVE] * 2


async def test_nothing_bars(rig, venue):
    """All shards and markets are open."""
    assert await venue.barred([instrument(), instrument("COIN-1")]) == ""
    assert await venue.barred([]) == ""


async def test_a_paused_shard_bars_its_own_markets(rig, venue):
    """The top level tells of shard 0 only."""
    coin = instrument("COIN-1")
    coin = replace(coin, rules=replace(coin.rules, pocket="2"))
    await rig.admin("POST", "halt", {"trading": True, "exchange_index": 2})
    assert await venue.barred([instrument()]) == ""
    assert await venue.barred([instrument(), coin]) == "trading is paused (exchange_index 2)"
    await rig.admin("POST", "halt", {"exchange": True})
    assert await venue.barred([instrument()]) == "the exchange is paused (exchange_index 0)"


async def test_a_market_that_takes_no_orders(rig, venue):
    """Its status is not `active`, whatever it is."""
    await rig.admin("POST", "resolve", {"ticker": "RAIN-A", "outcome": "YES"})
    assert await venue.barred([instrument("RAIN-B"), instrument("RAIN-A")]) == "RAIN-A is determined"
    assert await venue.barred([instrument("GONE")]) == "GONE is not listed"


async def test_a_market_that_is_about_to_close_takes_no_entry(rig, venue):
    """An order would be cancelled at the close with one leg filled, and nothing could be undone there any more."""
    close_ms = rig.engine.markets["RAIN-A"].close_ms
    for left_ms, said in ((60_000, ""), (29_500, "RAIN-A closes in 29 s"), (-500, "RAIN-A closes in 0 s")):
        venue._halts._clock = lambda left_ms=left_ms: close_ms - left_ms
        assert await venue.barred([instrument()]) == said
    assert await venue.barred([instrument("COIN-1")]) == "", "it has no end"


def test_a_close_that_cannot_be_read():
    """Not taken for none."""
    with pytest.raises(BadMessage, match="X: a close_time"):
        over("X", {"status": "active", "close_time": "soon"}, now_ms())
    assert over("X", {"status": "active", "close_time": None}, now_ms()) == ""


async def test_a_restart_of_the_exchange_bars(rig, venue):
    """503 is answered to orders, and the status says why."""
    rig.fault("restart,seconds=60,count=1")
    assert (await one(venue, terms())).state is OrderState.UNKNOWN
    assert "paused" in await venue.barred([instrument()])


async def test_the_status_is_read_whatever_the_code(rig, venue, monkeypatch):
    """500, 503 and 504 can carry it."""
    ask = venue._rest.ask
    said = {"status": 503}

    async def odd(method, path, **more):
        answer = await ask(method, path, **more)
        return replace(answer, **said) if path == "/exchange/status" else answer

    monkeypatch.setattr(venue._rest, "ask", odd)
    assert await venue.barred([instrument()]) == ""
    for raw in (b"<html>503</html>", b"{}", b"[]"):
        said["raw"] = raw
        with pytest.raises(BadMessage):
            await venue.barred([instrument()])
    said["status"] = 404
    with pytest.raises(VenueError):
        await venue.barred([instrument()])


async def test_the_announced_pause(start):
    """Thursdays 03:00-05:00 New York time, and half a minute before: what rests would rest into it."""
    rig = await start(QUICK, EngineSettings(thursday_pause=True))
    venue = rig.venue(await rig.member())
    for there, is_barred in (
        ("2026-12-03T02:59:00", False),
        ("2026-12-03T02:59:40", True),
        ("2026-12-03T03:30:00", True),
        ("2026-12-03T05:00:00", False),
        ("2026-12-04T03:30:00", False),
        ("2026-07-16T03:30:00", True),
    ):
        moment = round(datetime.fromisoformat(there).replace(tzinfo=ZoneInfo("America/New_York")).timestamp() * 1000)
        venue._halts._clock = lambda moment=moment: moment
        assert ("announced hours" in await venue.barred([instrument()])) is is_barred, there


async def test_the_schedule_is_kept_for_a_while(rig, venue, monkeypatch):
    """Read once in ten minutes, and used as it was when it cannot be read."""
    await venue.barred([instrument()])
    get = venue._rest.get

    async def failing(path, params=None):
        if path == "/exchange/schedule":
            raise VenueError("no answer")
        return await get(path, params)

    monkeypatch.setattr(venue._rest, "get", failing)
    assert await venue.barred([instrument()]) == ""
    venue._halts._clock = lambda: now_ms() + 3_600_000
    assert await venue.barred([instrument()]) == ""
    venue._halts._schedule = None
    with pytest.raises(VenueError):
        await venue.barred([instrument()])


async def test_a_schedule_that_is_missing(rig, venue, monkeypatch):
    """Not read as "always open"."""
    get = venue._rest.get

    async def odd(path, params=None):
        return {} if path == "/exchange/schedule" else await get(path, params)

    monkeypatch.setattr(venue._rest, "get", odd)
    with pytest.raises(BadMessage):
        await venue.barred([instrument()])


DAY = {day: [{"open_time": "00:00", "close_time": "24:00"}] for day in ("monday", "tuesday", "friday")}
SPAN = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z"}
FRIDAY = 1_795_194_000_000  # 2026-11-20 17:00 UTC, 12:00 in New York


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({}, ""),
        ({"standard_hours": [SPAN | DAY], "maintenance_windows": None}, ""),
        ({"standard_hours": [SPAN | DAY | {"friday": []}]}, "announced hours"),
        (
            {"standard_hours": [SPAN | DAY | {"friday": [{"open_time": "13:00:00", "close_time": "00:00"}]}]},
            "announced",
        ),
        ({"standard_hours": [SPAN | DAY | {"friday": [{"open_time": "12:00", "close_time": "12:01"}]}]}, ""),
        ({"standard_hours": [DAY | {"start_time": "2025-01-01T00:00:00Z", "end_time": "2025-02-01T00:00:00Z"}]}, ""),
        (
            {
                "maintenance_windows": [
                    {"start_datetime": "2026-11-20T16:00:00Z", "end_datetime": "2026-11-20T18:00:00Z"}
                ]
            },
            "announced maintenance until 2026-11-20T18:00:00Z",
        ),
        (
            {
                "maintenance_windows": [
                    {"start_datetime": "2026-11-20T17:00:01Z", "end_datetime": "2026-11-20T18:00:00Z"}
                ]
            },
            "",
        ),
    ],
)
def test_schedules(schedule, words):
    """Sessions of the day in New York, and windows of maintenance."""
    found = pause(schedule, FRIDAY)
    assert words in found
    assert bool(found) is bool(words)


@pytest.mark.parametrize(
    "schedule",
    [
        {"standard_hours": [{}]},
        {"standard_hours": 7},
        {"standard_hours": [SPAN | {"friday": [{"open_time": "x", "close_time": "00:00"}]}]},
        {"maintenance_windows": [{"start_datetime": "x", "end_datetime": "y"}]},
    ],
)
def test_a_schedule_that_cannot_be_read(schedule):
    """Not read as "always open"."""
    with pytest.raises(BadMessage):
        pause(schedule, FRIDAY)


def test_a_status_without_shards():
    """The top level counts for each; what is not said to be active is not; the venue's estimate is told."""
    open_ = {"exchange_active": True, "trading_active": True}
    assert halted(open_, "2") == ""
    assert halted(open_ | {"exchange_index_statuses": []}, "0") == ""
    assert "paused" in halted({"exchange_active": True}, "0")
    closed = open_ | {"exchange_active": False, "exchange_estimated_resume_time": "2026-11-20T18:00:00Z"}
    assert halted(closed, "0").endswith("back by 2026-11-20T18:00:00Z")


def test_the_location_attestation_is_watched(capsys):
    """Lapsed: sports, elections and entertainment are closed; the rest goes on."""
    warn_of_attestation({"api_key_region_expiration_ts": 100}, 200)
    assert "lapsed" in capsys.readouterr().out
    warn_of_attestation({"api_key_region_expiration_ts": 86_600}, 200)
    assert "days_left" in capsys.readouterr().out
    warn_of_attestation({}, 200)
    assert capsys.readouterr().out == ""


async def test_a_lapsed_attestation_bars_its_categories_before_any_order(rig):
    """The other venue's leg would be placed for nothing, again and again."""
    venue = await rig.trading("lapsed", region_expires=1)
    game, rain = instrument("GAME-1"), instrument()
    reason = await venue.barred([rain, game])
    assert reason.startswith("GAME-1 is closed to this key: its location attestation has lapsed, which sports needs")
    assert await venue.barred([rain]) == ""
    attested = await rig.trading("attested", region_expires=rig.clock() // 1000 + 3600)
    assert await attested.barred([game]) == ""


async def test_a_renewed_attestation_is_seen_without_a_restart(rig):
    """Looked at again once a minute; until the venue says otherwise it stays lapsed."""
    asked, now, categories = [], [200_000], {"GAME-1": frozenset({"sports"})}

    class Keys:
        renewed = False

        async def get(self, path):
            asked.append(path)
            if not self.renewed:
                raise VenueError("the venue does not answer")
            return {"api_key_region_expiration_ts": 900}

    async def of(market):
        return categories[market]

    keys = Keys()
    attestation = Attestation(keys, lambda: now[0])
    assert await attestation.barred(["GAME-1"], of) == ""
    attestation.take({"api_key_region_expiration_ts": 100})
    assert await attestation.barred(["GAME-1"], of)
    assert asked == []
    now[0] += 60_000
    assert await attestation.barred(["GAME-1"], of)
    keys.renewed = True
    assert await attestation.barred(["GAME-1"], of) == ""
    assert asked == ["/api_keys"] * 2


async def test_two_processes_of_one_account(rig, venue):
    """The dead one's orders are found and cancelled by the other one."""
    await one(venue, terms())
    await venue.close()
    other = rig.venue(venue.settings, keepalive=BRISK)
    await other.start()
    [order] = await other.open_orders()
    assert order.order_id == rig.orders()[0].client_order_id


def test_a_bad_pem():
    """Before anything is connected."""
    with pytest.raises(ConfigError):
        KalshiSettings.at("http://127.0.0.1:1", "id", "nonsense")
