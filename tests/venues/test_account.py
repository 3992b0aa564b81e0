"""Money and shares in base units, less what is reserved, and read anew where the venue caches."""

from decimal import Decimal

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import MarketRules, Side
from arbsaga.errors import VenueError
from arbsaga.exchange.engine import EngineSettings
from arbsaga.exchange.ids import EXCHANGE_V3, NEG_RISK_EXCHANGE
from arbsaga.venues.polymarket.account import Account, balance_figures
from arbsaga.venues.polymarket.rest import Credentials, Rest

from .make import ORDER_ID, V2_YES, YES, instrument, maker_record, order_record, trade_record
from .rig import terms, until

SLOW = EngineSettings(mined_ms=(60_000, 60_000), confirmed_ms=(60_000, 60_000))


@pytest.fixture
async def account(stub):
    """An account at the stub with $100 and two exchanges that may spend it."""
    rest = Rest(2_000)
    rest.credentials = Credentials("0xaddress", "api-key", "c2VjcmV0", "pass")
    spenders = {NEG_RISK_EXCHANGE: str(2**256 - 1), EXCHANGE_V3: "0"}
    stub.answers["GET", "/balance-allowance"] = {"balance": "100000000", "allowances": spenders}
    rules = MarketRules(tick=Decimal("0.01"), fee=FeeSchedule(Decimal("0.05")))
    yield Account(rest, stub.url, 0, {YES: rules})
    await rest.close()


class TestFunds:
    async def test_free_cash(self, stub, account):
        """Less what resting buys and unsettled matches hold: B - A - M, fees included."""
        stub.answers["GET", "/data/orders"] = {
            "data": [
                order_record(size_matched="4", price="0.50"),
                order_record(id="0xb", side="SELL", price="0.50"),
                {"id": "junk"},
            ]
        }
        sell = trade_record(id="t3", side="SELL")
        settled = trade_record(id="t4", status="TRADE_STATUS_MINED")
        stub.answers["GET", "/data/trades"] = {"data": [trade_record(), sell, settled]}
        funds = await account.funds([instrument(neg_risk=True)])
        assert funds.cash == Decimal(100) - 3 - Decimal("5.2") - Decimal("0.12480")
        assert funds.short == ""

    async def test_missing_allowance_is_named(self, account):
        """Traps 7.5 and 7.6: every exchange that the buys go to, by name and address."""
        funds = await account.funds([instrument(neg_risk=True), instrument(version="v2"), instrument()])
        assert funds.cash == 0
        assert EXCHANGE_V3 in funds.short
        assert "CTF exchange" in funds.short
        assert NEG_RISK_EXCHANGE not in funds.short

    async def test_never_more_than_the_allowance(self, stub, account):
        stub.answers["GET", "/balance-allowance"] = {
            "balance": "100000000",
            "allowances": {NEG_RISK_EXCHANGE.lower(): "7000000"},
        }
        assert (await account.funds([instrument(neg_risk=True)])).cash == 7

    async def test_on_the_exchange(self, start):
        """Resting and matched money is not free; a revoked allowance is named."""
        rig = await start(SLOW)
        venue = await rig.started("100")
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.offer(rig.markets("1")[0], "SELL", "0.40", "10")
        await venue.post([terms(yes, price="0.40"), terms(yes, price="0.30")])
        assert (await venue.funds([yes])).cash == Decimal(100) - 4 - Decimal("0.12") - 3
        assert await venue.cash() == 100
        rig.engine.set_allowance(venue.wallet, "0xE111180000d2663C0091e4f400237545B87B996B", 0)
        assert "CTF exchange" in (await venue.funds([yes])).short

    @pytest.mark.parametrize(
        "answer", [{}, {"balance": "1.5", "allowances": {}}, [], {"balance": "1", "allowances": 7}]
    )
    async def test_unreadable_balance_is_a_venue_error(self, stub, account, answer):
        stub.answers["GET", "/balance-allowance"] = answer
        with pytest.raises(VenueError, match="balance"):
            await account.funds([])


class TestShares:
    async def test_asset_type_by_token(self, stub, account):
        """Trap 1.7: Protocol V2 positions are another asset type."""
        asked = []

        def note(request):
            asked.append((request.query["asset_type"], request.query.get("token_id")))
            return {"balance": "0", "allowances": {}}

        stub.answers["GET", "/balance-allowance"] = note
        await account.positions([YES, V2_YES])
        await account.cash()
        assert asked == [("CONDITIONAL", YES), ("CONDITIONAL-V2", V2_YES), ("COLLATERAL", None)]

    async def test_sellable_is_settled_and_unreserved(self, stub, account):
        stub.answers["GET", "/balance-allowance"] = {"balance": "20500000", "allowances": {}}
        stub.answers["GET", "/data/orders"] = {
            "data": [order_record(side="SELL", size_matched="4"), order_record(id="0xb", side="BUY")]
        }
        stub.answers["GET", "/data/trades"] = {"data": [trade_record(side="SELL", size="3", maker_orders=[])]}
        assert await account.sellable(YES) == Decimal("11.5")

    async def test_bought_shares_are_not_sellable_before_they_settle(self, start):
        """Trap 2.7: `balance 0` means not yet. Counted once MINED, the sale of them at once."""
        rig = await start(EngineSettings(mined_ms=(300, 300), confirmed_ms=(50, 50)))
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.offer(rig.markets("1")[0], "SELL", "0.40", "10")
        await venue.post([terms(yes, price="0.40")])
        assert await venue.sellable(yes.token) == 0

        async def settled():
            return await venue.sellable(yes.token) == 10

        await until(settled)
        await venue.post([terms(yes, "SELL", price="0.90", size="6")])
        assert await venue.sellable(yes.token) == 4
        assert await venue.positions([yes.token]) == {yes.token: 10}

    async def test_stale_balance_is_read_anew(self, rig):
        """Fault stale_balance: the venue serves a cached balance until it is told to look again."""
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        assert await venue.sellable(yes.token) == 0
        rig.fault("stale_balance")
        rig.offer(rig.markets("1")[0], "SELL", "0.40", "10")
        await venue.post([terms(yes, price="0.40")])

        async def seen():
            return await venue.sellable(yes.token) == 10

        await until(seen)
        assert await venue.cash() == Decimal(1000) - 4 - Decimal("0.12")

    async def test_body_of_the_refresh_says_nothing(self, stub, account):
        stub.answers["GET", "/balance-allowance/update"] = lambda _: _empty()
        assert await account.cash() == 100


def _empty():
    return web.Response(body=b"")


class TestOrdersAndFills:
    async def test_open_orders(self, rig):
        venue = await rig.started()
        ((yes, no),) = await rig.instruments(venue, "2")
        views = await venue.post([terms(yes, price="0.10"), terms(no, price="0.20", size="7")])
        found = {order.order_id: order for order in await venue.open_orders()}
        assert set(found) == {view.order_id for view in views}
        order = found[views[1].order_id]
        assert (order.token, order.side, order.price, order.size, order.matched) == (
            no.token,
            Side.BUY,
            Decimal("0.20"),
            7,
            0,
        )

    async def test_every_page_is_read(self, stub, account):
        def page(request):
            if request.query.get("next_cursor") == "two":
                return {"data": [order_record(id="0xb")], "next_cursor": "LTE="}
            return {"data": [order_record()], "next_cursor": "two"}

        stub.answers["GET", "/data/orders"] = page
        assert [order.order_id for order in await account.open_orders()] == [ORDER_ID, "0xb"]

    async def test_endless_pages_end(self, stub, account, monkeypatch):
        monkeypatch.setattr("arbsaga.venues.polymarket.rest.MAX_PAGES", 3)
        cursors = iter(range(100))
        stub.answers["GET", "/data/orders"] = lambda _: {"data": [7], "next_cursor": str(next(cursors))}
        with pytest.raises(VenueError, match="more than 3 pages"):
            await account.open_orders()

    async def test_redirect_is_not_followed(self, stub, account):
        """The headers hold the API key: they go to no other host."""
        stub.answers["GET", "/data/orders"] = lambda _: web.Response(status=302, headers={"Location": "/elsewhere"})
        with pytest.raises(VenueError, match="302"):
            await account.open_orders()
        assert stub.count("GET", "/elsewhere") == 0

    async def test_page_without_data_is_a_venue_error(self, stub, account):
        stub.answers["GET", "/data/orders"] = {"next_cursor": "LTE="}
        with pytest.raises(VenueError, match="without data"):
            await account.open_orders()

    async def test_fills_as_taker_and_as_maker(self, stub, account):
        """Ours are known by the API key of each part; strangers' parts are not ours."""
        ours = maker_record(order_id="0xmine", owner="api-key", matched_amount="4")
        theirs = trade_record(
            id="t2", taker_order_id="0xtheirs", trader_side="MAKER", maker_orders=[ours, maker_record()]
        )
        stub.answers["GET", "/data/trades"] = {"data": [trade_record(), theirs, {"id": "junk"}]}
        fills = await account.fills_since(0)
        assert [(one.order_id, one.fill.fill_id, one.fill.size, one.fill.fee) for one in fills] == [
            (ORDER_ID, "t1", 10, Decimal("0.12480")),
            ("0xmine", "t2/0xmine", 4, 0),
        ]

    async def test_fills_since_a_moment(self, stub, account):
        stub.answers["GET", "/data/trades"] = {"data": [trade_record()]}
        assert len(await account.fills_since(1_790_000_001_999)) == 1
        assert await account.fills_since(1_790_000_002_000) == ()

    async def test_fills_on_the_exchange_are_the_orders_fills(self, rig):
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        market = rig.markets("1")[0]
        rig.offer(market, "SELL", "0.40", "6")
        rig.offer(market, "SELL", "0.41", "6")
        (view,) = await venue.post([terms(yes, price="0.45")])
        (view,) = await venue.look([view])
        fills = await venue.fills_since(view.terms.created_ms)
        assert {one.fill for one in fills} == set(view.fills)
        assert {one.order_id for one in fills} == {view.order_id}


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        (
            "not enough balance / allowance: the balance is not enough -> balance: 45967864, order amount: 5000000",
            {"balance": Decimal("45.967864"), "order amount": 5},
        ),
        (
            "not enough balance / allowance: the balance is not enough -> balance: 7000000, sum of active orders: "
            "1000000, sum of matched orders: 6500000, order amount (inc. fees): 5000000",
            {
                "balance": 7,
                "sum of active orders": 1,
                "sum of matched orders": Decimal("6.5"),
                "order amount": 5,
            },
        ),
        (
            "not enough balance / allowance: the allowance is not enough -> spender: 0xd91E80cF, allowance: 0, "
            "sum of matched orders: 0, order amount (inc. fees): 5000000",
            {"allowance": 0, "sum of matched orders": 0, "order amount": 5},
        ),
        ("not enough balance / allowance", {}),
        ("", {}),
    ],
)
def test_figures_of_a_balance_text(text, figures):
    """Trap 7.4: the phantom `sum of matched orders` is told with its figure."""
    assert balance_figures(text) == figures


async def test_balance_refusal_has_the_venue_look_again(rig, monkeypatch):
    """Trap 7.4: told with figures, the cached balance refreshed once, and no loop."""
    venue = await rig.started("5")
    ((yes, _),) = await rig.instruments(venue, "1")
    rig.offer(rig.markets("1")[0], "SELL", "0.40", "100")
    refreshed = []

    async def refresh(token):
        refreshed.append(token)

    monkeypatch.setattr(venue._account, "refresh", refresh)
    with capture_logs() as logs:
        (view,) = await venue.post([terms(yes, price="0.40", size="50")])
        await until(lambda: refreshed == [""])
    assert view.reason.startswith("not enough balance")
    told = next(line for line in logs if line["event"] == "not enough balance or allowance")

    async def fail(_token):
        raise VenueError("down")

    monkeypatch.setattr(venue._account, "refresh", fail)
    with capture_logs() as logs:
        await venue.post([terms(yes, price="0.40", size="50")])
        await until(lambda: [line for line in logs if line["event"] == "the balance cannot be refreshed"])
    assert told["balance"] == "5.000000"
