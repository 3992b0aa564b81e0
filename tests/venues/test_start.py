"""Starting: what can be wrong with a key, a wallet, a clock or a host is one line; nothing is left open."""

import asyncio
import gc
import time

import pytest
from polymarket import AsyncSecureClient
from structlog.testing import capture_logs

import arbsaga.venues.polymarket as package
from arbsaga.domain.orders import OrderState
from arbsaga.errors import SecretError, Unavailable, UserError
from arbsaga.exchange.units import parse
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from arbsaga.venues.polymarket import client as official
from arbsaga.venues.port import Venue

from .make import KEY
from .rig import BRISK, terms, until


def test_exports():
    assert package.__all__ == [
        *("DEPOSIT_WALLET", "EOA", "PolymarketDeadMan", "PolymarketSettings", "PolymarketVenue", "generate_key")
    ]


def test_it_is_a_venue():
    """Checked by the type checker; here so that the line is run."""
    venue: Venue = PolymarketVenue(PolymarketSettings(KEY))
    assert (venue.name, venue.streaming()) == ("polymarket", False)


def test_live_hosts_are_the_default():
    """The official client's own production hosts."""
    settings = PolymarketSettings(KEY)
    config = official.internal.PRODUCTION_CONFIG
    assert settings.clob_url == config.clob_url
    assert settings.gamma_url == config.gamma_url
    assert settings.data_url == config.data_url
    assert settings.relayer_url == config.relayer_url
    assert settings.rpc_url == config.rpc_url
    assert settings.market_ws_url == config.clob_market_ws_url
    assert settings.user_ws_url == config.clob_user_ws_url


class TestOfficialClient:
    """Trap 8.1: its internal module is used in one function, so the version is pinned and checked."""

    def test_fits(self):
        official.check_fits()

    def test_another_version_is_refused(self, monkeypatch):
        monkeypatch.setattr(official, "version", lambda _: "0.15.0")
        with pytest.raises(Unavailable, match=r"polymarket-client 0\.15\.0 does not fit: install .*==0\.14\.0"):
            official.check_fits()

    def test_every_host_is_replaced_and_nothing_else(self):
        """Chain and contracts stay production's, or signatures would be for another exchange."""
        settings = PolymarketSettings.at("http://127.0.0.1:1", KEY)
        config = official.internal.get_environment_config(official.environment(settings))
        production = official.internal.PRODUCTION_CONFIG
        for name in (*production.__dataclass_fields__,):
            replaced = name in official._REPLACED
            assert (getattr(config, name) == getattr(production, name)) is not replaced, name
            assert not replaced or "127.0.0.1:1" in getattr(config, name)

    def test_rebuilt_client_is_refused(self):
        with pytest.raises(Unavailable, match="changed inside"):
            official.posting_http(object.__new__(AsyncSecureClient))


@pytest.mark.parametrize("kind", [0, 3], ids=["eoa", "deposit wallet"])
async def test_started_account_trades(rig, kind):
    """Trap 7.8: key, wallet, signature and allowance fit together, for each wallet type and kind of market."""
    venue = await rig.started(signature_type=kind)
    assert venue.streaming()
    assert (venue.wallet == venue.address) is (kind == 0)
    for event in "1234":
        for instrument in (await rig.instruments(venue, event))[0]:
            (view,) = await venue.post([terms(instrument, price="0.01", size="100")])
            assert view.state is OrderState.LIVE, view.evidence
            assert (await venue.cancel(view)).state is OrderState.DONE
    assert await venue.open_orders() == ()


async def test_a_wrong_signer_is_told_in_the_venues_words(rig):
    venue = await rig.started()
    yes, _ = (await rig.instruments(venue, "1"))[0]
    rig.fault("reject,text=the order signer address has to be the address of the API KEY")
    (view,) = await venue.post([terms(yes)])
    assert view.in_vain
    assert "signer address has to be" in view.reason
    assert venue.bars_account(view.reason)


async def test_second_start_derives_the_same_key(rig):
    """The first create answers 400 then; the key is derived."""
    first, second = await rig.started(), await rig.started()
    assert first._session.credentials == second._session.credentials


async def test_account_needs_no_money_to_start(rig):
    """But it is told, since it is most often the wrong wallet (trap 7.5)."""
    with capture_logs() as logs:
        await rig.venue().start()
    assert any("no pUSD and no allowance" in line["event"] for line in logs)
    with capture_logs() as logs:
        await rig.started()
    assert not any("no pUSD" in line["event"] for line in logs)


class TestRefused:
    async def test_unreachable_host(self):
        venue = PolymarketVenue(PolymarketSettings.at("http://127.0.0.1:9", KEY))
        with pytest.raises(Unavailable, match=r"the venue at http://127\.0\.0\.1:9 does not answer"):
            await venue.start()

    @pytest.mark.parametrize("seconds", [-60, 60])
    async def test_clock_skew(self, stub, seconds):
        stub.answers["GET", "/time"] = lambda _: int(time.time()) - seconds
        with pytest.raises(UserError, match=rf"clock is {seconds} s off the venue's: set it by NTP"):
            await PolymarketVenue(stub.settings()).start()

    @pytest.mark.parametrize("answer", ["now", {}, None, (500, "down")])
    async def test_no_clock(self, stub, answer):
        stub.answers["GET", "/time"] = answer
        with pytest.raises(Unavailable, match="does not answer"):
            await PolymarketVenue(stub.settings()).start()

    async def test_clock_as_an_object(self, stub):
        stub.answers["GET", "/time"] = lambda _: {"time": int(time.time())}
        venue = PolymarketVenue(stub.settings(), keepalive=BRISK)
        await venue.start()
        await venue.close()

    @pytest.mark.parametrize("status", [400, 401, 403])
    async def test_refused_key(self, stub, status):
        stub.answers["POST", "/auth/api-key"] = (status, "Invalid L1 Request headers")
        stub.answers["GET", "/auth/derive-api-key"] = (status, "Could not derive api key!")
        with pytest.raises(SecretError, match="the venue refuses this key"):
            await PolymarketVenue(stub.settings()).start()

    @pytest.mark.parametrize("answer", [(500, "down"), (429, "slow"), {"odd": 1}])
    async def test_no_key(self, stub, answer):
        stub.answers["POST", "/auth/api-key"] = answer
        with pytest.raises(Unavailable):
            await PolymarketVenue(stub.settings()).start()

    async def test_wallet_that_is_not_deployed(self, stub):
        """Trap 1.4: the official client would deploy one; without a relayer key it cannot, and says so."""
        stub.answers["GET", "/deployed"] = {"deployed": False}
        settings = PolymarketSettings.at(stub.url, KEY, signature_type=3)
        with pytest.raises(UserError, match="deploy it at the venue first"):
            await PolymarketVenue(settings).start()

    async def test_closed_only_account(self, stub):
        stub.answers["GET", "/auth/ban-status/closed-only"] = {"closed_only": True}
        with pytest.raises(UserError, match="closed-only mode"):
            await PolymarketVenue(stub.settings()).start()

    @pytest.mark.parametrize("path", ["/auth/ban-status/closed-only", "/balance-allowance"])
    async def test_unreadable_account(self, stub, path):
        stub.answers["GET", path] = (500, "down")
        with pytest.raises(Unavailable, match="account cannot be read"):
            await PolymarketVenue(stub.settings(), keepalive=BRISK).start()


async def test_missing_user_stream_does_not_hold_it_up(stub, monkeypatch):
    """Fills are polled meanwhile."""
    monkeypatch.setattr("arbsaga.venues.polymarket.venue.STREAM_START_S", 0.1)
    stub.pongs = False
    venue = PolymarketVenue(stub.settings(), keepalive=BRISK)
    await venue.start()
    assert not venue.streaming()
    assert not await venue.news(["0x1"], 10)
    stub.pongs = True
    await until(venue.streaming)
    await venue.close()


async def test_close_leaves_nothing_behind(rig):
    """Warnings are errors here: an open session or a pending task would fail the test."""
    before = asyncio.all_tasks()
    venue = rig.venue()
    rig.engine.deposit(venue.wallet, parse("10"))
    await venue.start()
    await venue.close()
    await venue.close()
    gc.collect()
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert not [name for name in left if "stream" in name]
