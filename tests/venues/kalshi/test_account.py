"""Cash by shard, signed positions, open orders, fills: as the venue tells them, in spite of lag."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.money import Size
from arbsaga.errors import BadMessage, UnknownThing, VenueError
from arbsaga.exchange.kalshi.model import NewOrder
from arbsaga.venues.kalshi.account import LAG_MS
from arbsaga.venues.kalshi.user_stream import NetPosition

from .rig import QUICK, instrument, now_ms, one, seen, terms, until

YES, NO = "kalshi:RAIN-A:YES", "kalshi:RAIN-A:NO"


def coin():
    found = instrument("COIN-1")
    return replace(found, rules=replace(found.rules, pocket="2"))


async def test_funds_of_the_pocket(rig, venue):
    """Only the cash of the buys' shard pays for them."""
    await rig.admin("POST", "deposit", {"address": "m", "amount": "5.5", "exchange_index": 2})
    assert (await venue.funds([instrument(), instrument("RAIN-B")])).cash == 1000
    assert await venue.funds([coin()]) == type(await venue.funds([]))(Decimal("5.5"), "")
    assert (await venue.funds([])).cash == Decimal("1005.5")


async def test_collateral_on_the_wrong_shard(rig, venue):
    """One clear line that says where it is."""
    funds = await venue.funds([coin()])
    assert funds.cash == 0
    assert funds.short == "exchange_index 2 has no collateral (1000 USD is on other shards): transfer some to it"


async def test_funds_of_two_pockets_at_once(rig, venue):
    """No one number would be true."""
    with pytest.raises(VenueError, match="several shards"):
        await venue.funds([instrument(), coin()])


async def test_resting_orders_are_not_free_cash(rig, venue):
    """The venue's balance leaves out what they keep aside; the whole cash has it."""
    await one(venue, terms())
    assert (await venue.funds([instrument()])).cash == Decimal("995.99")  # 10 * 0.40, and a cent kept for the fee
    assert Decimal("999.98") <= await venue.cash() <= 1000


async def test_cash_is_of_all_shards(rig, venue):
    """The sum."""
    await rig.admin("POST", "deposit", {"address": "m", "amount": "5.5", "exchange_index": 2})
    assert await venue.cash() == Decimal("1005.5")


async def test_orders_that_close_keep_nothing_aside(rig, venue):
    """Selling what is held costs nothing until the position is used up."""
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    await one(venue, terms())
    before = await venue.cash()
    await one(venue, terms(side=Side.SELL, limit="0.60", size="10"))
    assert await venue.cash() == before
    await one(venue, terms(side=Side.SELL, limit="0.61", size="2"))
    assert abs(await venue.cash() - before) <= Decimal("0.05")  # 2 * (1 - 0.61), and what the venue keeps for fees


async def test_positions_are_signed(rig, venue):
    """+ is YES, - is NO: only one of the two is ever held."""
    await rig.offer("RAIN-A", "bid", "0.70", "10")
    await one(venue, terms(instrument(outcome=Outcome.NO), limit="0.30", size="4"))
    await rig.offer("RAIN-B", "ask", "0.20", "10")
    await one(venue, terms(instrument("RAIN-B"), limit="0.20", size="2.5"))
    found = await venue.positions([YES, NO, "kalshi:RAIN-B:YES", "kalshi:RAIN-B:NO", "kalshi:NONE:YES"])
    assert list(found.values()) == [0, 4, Decimal("2.5"), 0, 0]
    assert await venue.positions([]) == {}
    assert (await venue.sellable(NO), await venue.sellable(YES)) == (4, 0)


async def test_buying_no_closes_yes(rig, venue):
    """The venue nets at once."""
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    await rig.offer("RAIN-A", "bid", "0.38", "4")
    await one(venue, terms())
    await one(venue, terms(instrument(outcome=Outcome.NO), limit="0.62", size="4"))
    assert await venue.positions([YES, NO]) == {YES: 6, NO: 0}


async def test_sellable_leaves_out_what_is_offered(rig, venue):
    """A resting order holds what it would close."""
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    await one(venue, terms())
    await one(venue, terms(side=Side.SELL, limit="0.60", size="3"))
    await one(venue, terms(size="1", limit="0.10"))
    assert await venue.sellable(YES) == 7


async def test_positions_do_not_lag_what_the_stream_told(start):
    """A fill tells the position after it: selling once more by a lagging read would open the other side."""
    rig = await start(replace(QUICK, read_lag_ms=2_500))
    venue = rig.venue(await rig.member())
    venue._stream.start()
    assert await venue._stream.proved(5)
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    view = await one(venue, terms())
    await seen(venue, view, lambda view: view.explained)
    assert await venue.sellable(YES) == 10
    await rig.offer("RAIN-A", "bid", "0.38", "4")
    sold = await one(venue, terms(side=Side.SELL, limit="0.38", size="4"))
    await seen(venue, sold, lambda view: view.explained)
    assert await venue.sellable(YES) == 6
    assert (await venue.positions([YES, NO])) == {YES: 6, NO: 0}


async def test_a_fill_that_was_never_told_is_not_sold_again(rig, venue, monkeypatch):
    """10 bought and 4 sold within a second, the sale untold: the fewer is sellable, and soon REST alone is believed."""
    bought_ms = now_ms()
    position = {"ticker": "RAIN-A", "position_fp": "6", "last_updated_ts": _moment(bought_ms // 1000 * 1000)}
    listing = venue._rest.listing

    async def listed(path, name, params=None):
        return [position] if path == "/portfolio/positions" else await listing(path, name, params)

    monkeypatch.setattr(venue._rest, "listing", listed)
    venue._stream._positions["RAIN-A"] = NetPosition(Decimal(10), bought_ms + 1)
    assert await venue.sellable(YES) == 6
    position["position_fp"] = "-3"
    assert (await venue.sellable(YES), await venue.sellable(NO)) == (0, 0), "which of both is held is not known"
    position["position_fp"] = "6"
    assert await venue.positions([YES]) == {YES: 10}, "reads lag"
    venue._account._clock = lambda: bought_ms + 1 + LAG_MS + 1
    assert await venue.positions([YES]) == {YES: 6}
    assert await venue.sellable(YES) == 6


def _moment(ms):
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


async def test_a_settled_market_holds_nothing(rig, venue):
    """It was paid out; what the stream once told of it is old."""
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    await seen(venue, await one(venue, terms()), lambda view: view.explained)
    await rig.admin("POST", "resolve", {"ticker": "RAIN-A", "outcome": "YES"})
    venue._account._clock = lambda: now_ms() + 60_000
    rig.clock.ahead_ms += 86_400_000
    await until(lambda: rig.engine.markets["RAIN-A"].status == "finalized")
    venue._signer._clock = rig.clock
    assert await venue.positions([YES]) == {YES: 0}


async def test_open_orders(rig, venue):
    """Both outcomes in their own prices, under our ids, with what filled."""
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    bid = await one(venue, terms())
    ask = await one(venue, terms(instrument("RAIN-B", Outcome.NO), limit="0.30", size="2"))
    found = {order.order_id: order for order in await venue.open_orders()}
    assert set(found) == {bid.order_id, ask.order_id}
    first, second = found[bid.order_id], found[ask.order_id]
    assert (first.token, first.side, first.price, first.size, first.matched) == (
        YES,
        Side.BUY,
        Decimal("0.40"),
        10,
        4,
    )
    assert (second.token, second.side, second.price) == ("kalshi:RAIN-B:NO", Side.BUY, Decimal("0.30"))
    assert abs(first.created_ms - now_ms()) < 5_000


async def test_an_order_without_an_id_of_ours(rig, venue):
    """Made by hand: it goes by the venue's id."""
    placed = rig.engine.submit(NewOrder("m", "RAIN-A", "bid", 300_000, 1_000_000, "good_till_canceled"))
    [order] = await venue.open_orders()
    assert order.order_id == placed.order_id


async def test_fills_since(rig, venue):
    """Under our ids also after a restart, with the billed fee, from that moment on."""
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    early = await one(venue, terms(size="4"))
    rig.clock.ahead_ms += 3_000
    cut = rig.clock()
    await rig.offer("RAIN-A", "bid", "0.70", "3")
    late = await one(venue, terms(instrument(outcome=Outcome.NO), limit="0.30", size="3"))
    again = rig.venue(venue.settings)
    fills = await again.fills_since(0)
    assert {fill.order_id for fill in fills} == {early.order_id, late.order_id}
    [fill] = await venue.fills_since(cut)
    assert (fill.order_id, fill.token, fill.side) == (late.order_id, NO, Side.BUY)
    assert (fill.fill.size, fill.fill.price) == (3, Decimal("0.30"))
    (view,) = await venue.look([late])
    assert view.fills == (fill.fill,)


async def test_many_fills_after_a_restart_cost_one_listing(rig, venue, monkeypatch):
    """An order at a time would use up the rate limit."""
    await rig.offer("RAIN-A", "ask", "0.39", "100")
    for _ in range(8):
        await one(venue, terms(size="1"))
    again = rig.venue(venue.settings)
    asked = []
    get = again._rest.get

    async def counting(path, params=None):
        asked.append(path)
        return await get(path, params)

    monkeypatch.setattr(again._rest, "get", counting)
    assert len({fill.order_id for fill in await again.fills_since(0)}) == 8
    assert asked == ["/portfolio/fills", "/portfolio/orders"]


async def test_pages(rig, venue, monkeypatch):
    """Every page, not the first."""
    for number in range(5):
        await one(venue, terms(limit=f"0.{10 + number}"))
    monkeypatch.setattr("arbsaga.venues.kalshi.account.PAGE", 2)
    assert len(await venue.open_orders()) == 5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("cash", "/portfolio/balance", {}),
        ("cash", "/portfolio/balance", {"balance_dollars": "x", "balance": 100}),
        ("cash", "/portfolio/positions", {"market_positions": [{"ticker": "A"}]}),
        ("open_orders", "/portfolio/orders", {"cursor": ""}),
    ],
)
async def test_answers_that_cannot_be_used(rig, venue, monkeypatch, method, path, body):
    """Never read as "nothing": a position or a balance that is missing must not look like none."""
    get = venue._rest.get

    async def odd(asked, params=None):
        return body if asked == path else await get(asked, params)

    monkeypatch.setattr(venue._rest, "get", odd)
    with pytest.raises(BadMessage):
        await getattr(venue, method)()


@pytest.mark.parametrize("body", [{}, {"order": None}, {"order": []}])
async def test_an_order_that_is_no_record(rig, venue, monkeypatch, body):
    """BadMessage, not "unknown"."""

    async def odd(_path, _params=None):
        return body

    monkeypatch.setattr(venue._rest, "get", odd)
    with pytest.raises(BadMessage):
        await venue._account.order("v-1")
    with pytest.raises(BadMessage):
        await venue._account.as_of_ms()


async def test_null_lists_are_empty(rig, venue, monkeypatch):
    """One null list made the official client raise."""
    await one(venue, terms())
    get = venue._rest.get

    async def null(asked, params=None):
        return {"orders": None, "cursor": ""} if asked == "/portfolio/orders" else await get(asked, params)

    monkeypatch.setattr(venue._rest, "get", null)
    assert await venue.open_orders() == ()


async def test_one_odd_record_does_not_hide_the_others(rig, venue, monkeypatch):
    """An unknown side is left out and logged; an unknown status can fill for all we know."""
    await one(venue, terms())
    listing = venue._rest.listing

    async def odd(path, name, params=None):
        items = await listing(path, name, params)
        return [{**items[0], "book_side": "?", "order_id": "x"}, {**items[0], "status": "new_word"}, {}]

    monkeypatch.setattr(venue._rest, "listing", odd)
    assert len(await venue.open_orders()) == 1


async def test_tokens_of_another_venue(venue):
    """They are not ours to answer."""
    for ask in (venue.sellable("123"), venue.positions(["123"])):
        with pytest.raises(UnknownThing):
            await ask


async def test_a_small_fraction_can_be_sold(rig, venue):
    """0.01 is a position."""
    await rig.offer("RAIN-A", "ask", "0.39", "0.01")
    await one(venue, terms(size="0.01"))
    assert await venue.sellable(YES) == Size(Decimal("0.01"))
