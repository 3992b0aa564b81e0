"""Events, markets and rules: of the simulated exchange, and of answers that it does not give."""

from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome
from arbsaga.errors import BadMessage, UnknownThing, VenueError
from arbsaga.exchange.kalshi.model import Event, Market, Series
from arbsaga.exchange.kalshi.venue import WireSettings
from arbsaga.venues.kalshi.discovery import FULL_MS, KEPT, Discovery
from arbsaga.venues.kalshi.fees import UnknownFees
from arbsaga.venues.kalshi.records import read_settlement
from arbsaga.venues.kalshi.rest import RefusedRead
from arbsaga.venues.kalshi.wire import read_fault

from .market_rig import market_rig, until
from .test_market_records import EVENT, MARKET, SERIES


@pytest.fixture
async def rig(tmp_path):
    async with market_rig(tmp_path) as running:
        yield running


def by_event(listings):
    return {listing.event: listing for listing in listings}


class Settings:
    precision = Decimal("0.0001")


class Api:
    """A REST API that has these records, and notes what it is asked."""

    def __init__(self, events=(), markets=(), series=(SERIES,)):
        self.events, self.markets, self.series = list(events), list(markets), list(series)
        self.settlements = []
        self.asked, self.fails, self.now_ms = [], False, 1_790_000_000_000
        self.discovery = Discovery(self, Settings(), lambda: self.now_ms)

    async def listing(self, path, name, params=None):
        self.asked.append((path, dict(params or {})))
        if self.fails:
            raise VenueError("no answer")
        found = getattr(self, name)
        if (params or {}).get("status") == "open":
            return [one for one in found if any(each.get("status") == "active" for each in one["markets"])]
        if "tickers" in (params or {}):
            return [one for one in found if one["ticker"] in params["tickers"].split(",")]
        return found

    async def get(self, path, params=None):
        self.asked.append((path, dict(params or {})))
        if self.fails:
            raise VenueError("no answer")
        _, kind, ticker = path.split("/")
        keys = {"events": ("event_ticker", "event"), "series": ("ticker", "series"), "markets": ("ticker", "market")}
        key, name = keys[kind]
        found = [one for one in getattr(self, kind) if one[key] == ticker]
        if not found:
            raise RefusedRead(path, read_fault(404, b'{"error": {"code": "not_found"}}'))
        return {name: found[0]}

    async def told(self):
        return by_event(await self.discovery.events())

    def paths(self):
        asked, self.asked = [path for path, _ in self.asked], []
        return asked


def event(*markets, **changes):
    return EVENT | {"markets": list(markets)} | changes


def market(name="X", **changes):
    return MARKET | {"ticker": f"KXA-27-{name}"} | changes


# --- the simulated exchange ---------------------------------------------------------------------------


async def test_events(rig):
    """At most one of an exclusive event's markets resolves YES; perhaps none, so no event is exhaustive."""
    told = by_event(await rig.discovery.events())
    assert set(told) == {"RAIN", "COIN", "GAME"}
    assert {name: each.neg_risk for name, each in told.items()} == {"RAIN": True, "COIN": False, "GAME": False}
    assert not any(each.exhaustive for each in told.values())
    assert told["RAIN"].title == "Where will it rain?"
    market = told["RAIN"].markets[0]
    assert (market.yes.token, market.yes.complement) == ("kalshi:RAIN-A:YES", "kalshi:RAIN-A:NO")
    assert (market.no.outcome, market.yes.market, market.yes.venue) == (Outcome.NO, "RAIN-A", "kalshi")
    assert market.open
    assert market.winner is None
    assert market.resolves_ms - market.closes_ms == 1_000


async def test_rules(rig):
    """The grid from price_ranges, hundredths of a contract, no least notional, the pocket of the shard."""
    told = by_event(await rig.discovery.events())
    coin = told["COIN"].markets[0].yes
    assert (coin.rules.pocket, coin.rules.nets, coin.rules.tick) == ("2", True, Decimal("0.001"))
    assert coin.rules.on_grid(Decimal("0.055"))
    assert not coin.rules.on_grid(Decimal("0.555"))
    assert coin.allows(Decimal("0.01"), Decimal("0.001"))
    assert not coin.allows(Decimal("0.005"), Decimal("0.5"))
    assert (coin.rules.fee.rate, coin.rules.fee.rounding) == (Decimal("0.07"), Decimal("0.01"))
    assert told["RAIN"].markets[0].yes.rules.pocket == "0"
    assert await rig.discovery.rules_of("COIN-1") == coin.rules


async def test_pages_are_followed_to_the_last(rig):
    """The last page has an empty cursor. A page of events has 200 at most."""
    rig.engine.open_series(Series("MANY"))
    for number in range(230):
        rig.engine.open_event(Event(f"MANY-{number}", "MANY"), [Market(f"MANY-{number}-M", f"MANY-{number}")])
    assert len(await rig.discovery.events()) == 233


async def test_a_resolved_market_is_told_once(rig):
    """Its winner when it is paid out, not before: until then the result can be disputed and amended."""
    await rig.discovery.events()
    rig.engine.determine("GAME-1", 1_000_000)
    assert "GAME" not in by_event(await rig.discovery.events())
    rig.exchange.clock.ahead_ms += 61_000
    rig.engine.advance()
    told = by_event(await rig.discovery.events())
    assert (told["GAME"].markets[0].winner, told["GAME"].markets[0].open) == (Outcome.YES, False)
    assert "GAME" not in by_event(await rig.discovery.events())
    assert (await rig.discovery.listing("GAME-1")).winner is Outcome.YES


async def test_a_scalar_settlement_has_a_value_and_no_winner(rig):
    """An ambiguous market can be settled at its last price: YES $0.26, NO $0.74."""
    rig.engine.determine("RAIN-A", 260_000)
    rig.exchange.clock.ahead_ms += 2_000
    rig.engine.advance()
    listing = await rig.discovery.listing("RAIN-A")
    assert (listing.winner, listing.value, listing.open) == (None, Decimal("0.26"), False)
    markets = by_event(await rig.discovery.events())["RAIN"].markets
    assert [each.value for each in markets] == [Decimal("0.26"), None, None]


@pytest.mark.parametrize(("value", "winner"), [(0, Outcome.NO), (1_000_000, Outcome.YES)])
async def test_winner(rig, value, winner):
    """Yes or no, when it is paid out."""
    rig.engine.determine("RAIN-A", value)
    assert (await rig.discovery.listing("RAIN-A")).winner is None
    rig.exchange.clock.ahead_ms += 2_000
    rig.engine.advance()
    assert (await rig.discovery.listing("RAIN-A")).winner is winner


async def test_a_closed_market_is_not_open(rig):
    """The filter `open` finds events with another market that is."""
    rig.engine.close_market("RAIN-A")
    markets = by_event(await rig.discovery.events())["RAIN"].markets
    assert [each.open for each in markets] == [False, True, True]


async def test_what_a_stream_tells_is_in_the_next_listing(rig):
    """Another grid, other fees: told by the stream, asked for by name, believed at once."""
    await rig.discovery.events()
    async with rig.streaming("RAIN-A"):
        rig.engine.set_price_ranges("RAIN-A", ((0, 1_000_000, 1_000),))
        rig.engine.set_event_fees("RAIN", "quadratic", Decimal(2))
        await until(lambda: len(rig.changed) >= 3)
    for ticker in rig.changed:
        rig.discovery.changed(ticker)
    rules = by_event(await rig.discovery.events())["RAIN"].markets[0].yes.rules
    assert (rules.tick, rules.fee.rate) == (Decimal("0.001"), Decimal("0.14"))


async def test_flat_fees_are_not_traded(tmp_path):
    """Listed and closed; asked for, one line that says why."""
    async with market_rig(tmp_path) as rig:
        rig.engine.open_series(Series("FLAT", "flat"))
        rig.engine.open_event(Event("FLAT-1", "FLAT"), [Market("FLAT-1-M", "FLAT-1"), Market("FLAT-1-N", "FLAT-1")])
        assert "FLAT-1" not in by_event(await rig.discovery.events())
        assert not (await rig.discovery.listing("FLAT-1-M")).open
        with pytest.raises(UnknownFees, match="FLAT-1-M is not traded: fees of the type 'flat'"):
            await rig.discovery.rules_of("FLAT-1-M")


@pytest.mark.parametrize("ticker", ["NOPE", "", "a/b", "0xabc", "../events"])
async def test_unknown_markets(rig, ticker):
    """One line for a person."""
    for ask in (rig.discovery.listing, rig.discovery.question, rig.discovery.rules_of):
        with pytest.raises((UnknownThing, VenueError)):
            await ask(ticker)


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>no such page</html>"), (400, b'{"error": {"code": "bad_request"}}')]
)
@pytest.mark.parametrize("what", ["markets", "series"])
async def test_only_the_venues_own_404_says_that_there_is_none_such(monkeypatch, what, status, body):
    """A market that is taken for gone is not paid out; a gateway's page says nothing of it."""
    api = Api([event(market())])
    api.markets, api.series = [market()], [SERIES]
    get = api.get

    async def refused(path, params=None):
        if path.startswith(f"/{what}/"):
            raise RefusedRead(path, read_fault(status, body))
        return await get(path, params)

    monkeypatch.setattr(api, "get", refused)
    with pytest.raises(RefusedRead, match=str(status)):
        await api.discovery.listing("KXA-27-X")
    monkeypatch.undo()
    api.markets = []
    with pytest.raises(UnknownThing, match="Kalshi has no market KXA-27-X"):
        await api.discovery.listing("KXA-27-X")


async def test_question(rig):
    """The rules in a fixed order: both texts, the contract's terms, who decides."""
    source = {"name": "Met Office", "url": "https://met.example"}
    rig.engine.open_series(
        Series("SNOWS", texts={"contract_terms_url": "https://terms.example", "settlement_sources": [source]})
    )
    texts = {"rules_primary": "If it snows, Yes.", "rules_secondary": "Sleet counts.", "yes_sub_title": "Alps"}
    rig.engine.open_event(
        Event("SNOW", "SNOWS", texts={"title": "Where does it snow?"}), [Market("SNOW-1", "SNOW", texts=texts)]
    )
    question = await rig.discovery.question("SNOW-1")
    assert question.rules.split("\n") == [
        "If it snows, Yes.",
        "Sleet counts.",
        "https://terms.example",
        "Met Office https://met.example",
    ]
    assert (question.venue, question.market, question.title) == ("kalshi", "SNOW-1", "Where does it snow?: Alps")
    assert (question.status, question.open) == ("active", True)


async def test_a_small_account_can_list_for_ever(tmp_path):
    """The token buckets of the basic tier: two reads a listing leave room."""
    wire = WireSettings(tier="basic", rate_limits=True, read_lag_ms=0)
    async with market_rig(tmp_path, wire) as rig:
        for _ in range(15):
            await rig.discovery.events()


# --- answers that the simulated exchange does not give ------------------------------------------------


async def test_only_updates_are_asked_for_between_full_listings():
    """Thousands of events are open: between two full listings, what changed since the last asking."""
    api = Api([event(market())], [market()])
    await api.told()
    assert api.paths() == ["/series", "/events"]
    api.now_ms += 2_000
    await api.told()
    since = {dict(query)["min_updated_ts"] for _, query in api.asked}
    assert since == {(api.now_ms - 2_000) // 1000 - 30}
    assert api.asked[1][1]["mve_filter"] == "exclude"
    assert api.paths() == ["/events", "/markets"]
    api.now_ms += FULL_MS
    await api.told()
    assert api.paths() == ["/series", "/events"]


async def test_an_update_of_a_market_is_merged():
    """Its status, say, though its event was not updated."""
    api = Api([event(market(), market("Y"))])
    await api.told()
    api.events, api.markets = [], [market("Y", status="inactive"), market("Z", event_ticker="ANOTHER")]
    told = await api.told()
    assert [(each.yes.market, each.open) for each in told["KXA-27"].markets] == [
        ("KXA-27-X", True),
        ("KXA-27-Y", False),
    ]
    assert (await api.told())["KXA-27"] is told["KXA-27"]


async def test_a_failed_listing_changes_nothing():
    """It is raised, and asked for again from where the last good one was; what a stream told is not forgotten."""
    api = Api([event(market())])
    await api.told()
    api.discovery.changed("KXA-27-X")
    api.fails = True
    with pytest.raises(VenueError):
        await api.told()
    api.fails = False
    api.events[0] = event(market(status="closed"))
    api.paths()
    assert await api.told() == {}
    assert "/events/KXA-27" in api.paths()


async def test_many_changes_are_one_full_listing():
    """Missed news concern every market: they are not asked for one by one."""
    events = [event(market(str(n), event_ticker=f"E{n}"), event_ticker=f"E{n}") for n in range(12)]
    api = Api(events)
    await api.told()
    for number in range(12):
        api.discovery.changed(f"KXA-27-{number}")
    api.paths()
    await api.told()
    assert api.paths() == ["/series", "/events"]


@pytest.mark.parametrize("status", ["initialized", "inactive", "closed", "disputed", "amended", "brand_new", "", None])
async def test_unknown_statuses_are_not_tradable(status):
    """Only `active` is open, whatever comes."""
    told = await Api([event(market(status=status), market("Y"))]).told()
    assert [each.open for each in told["KXA-27"].markets] == [False, True]


async def test_a_market_that_cannot_be_read_takes_its_events_exclusivity():
    """The event's other markets are listed; what holds over all of them is not known to hold."""
    told = await Api([event(market(), market("Y", price_ranges=None))]).told()
    assert not told["KXA-27"].neg_risk
    assert [each.yes.market for each in told["KXA-27"].markets] == ["KXA-27-X"]
    whole = await Api([event(market(), market("Y"))]).told()
    assert whole["KXA-27"].neg_risk


async def test_a_market_that_becomes_unreadable_goes():
    """In an update, too."""
    api = Api([event(market(), market("Y"))])
    await api.told()
    api.events, api.markets = [], [market("Y", price_ranges=[])]
    told = await api.told()
    assert (told["KXA-27"].neg_risk, len(told["KXA-27"].markets)) == (False, 1)


async def test_bad_records_do_not_lose_a_page():
    """An event or series that cannot be read costs itself."""
    api = Api(
        [{"markets": [market("Z")]}, event(market(), event_ticker="GOOD", series_ticker="KXA")],
        series=[{"fee_type": "quadratic"}, SERIES | {"fee_multiplier": "x", "ticker": "B"}, SERIES],
    )
    assert set(await api.told()) == {"GOOD"}


async def test_an_event_without_markets_is_nothing():
    """Its list is empty or null."""
    api = Api([event(market())])
    await api.told()
    api.events[0] = EVENT | {"markets": None}
    assert await api.told() == {}


async def test_the_series_of_a_new_event_is_asked_for():
    """Between full listings: until its fees are known, it is not open."""
    api = Api([])
    await api.told()
    api.events, api.series = [event(market(), series_ticker="NEW")], [SERIES | {"ticker": "NEW"}]
    assert (await api.told())["KXA-27"].markets[0].open
    assert "/series/NEW" in api.paths()


async def test_without_its_series_a_market_is_closed():
    """Nobody knows its fees."""
    api = Api([event(market(), series_ticker="LOST")])
    assert await api.told() == {}
    api.markets = [market()]
    with pytest.raises(UnknownFees, match="series LOST is not listed"):
        await api.discovery.rules_of("KXA-27-X")


async def test_an_event_that_is_gone_is_asked_for_until_it_is_over():
    """Closed and not paid out yet: not listed, but not forgotten."""
    api = Api([event(market())])
    await api.told()
    api.events[0] = event(market(status="determined", result="yes"))
    api.markets = [market(status="determined", result="yes")]
    for _ in range(2):
        api.now_ms += FULL_MS
        assert await api.told() == {}
    api.markets = [market(status="finalized", result="yes", settlement_value_dollars="1.0000")]
    api.now_ms += FULL_MS
    assert (await api.told())["KXA-27"].markets[0].winner is Outcome.YES
    api.paths()
    api.now_ms += FULL_MS
    assert await api.told() == {}
    assert api.paths() == ["/series", "/events"]


@pytest.mark.parametrize(
    ("settled", "winner", "value"),
    [
        ([{"market_result": "yes", "value": 100}], Outcome.YES, None),
        ([{"market_result": "no"}], Outcome.NO, None),
        ([{"market_result": "scalar", "value": 26}], None, "0.26"),
        ([{"market_result": "scalar", "value": 0}], Outcome.NO, None),
        ([{"market_result": "scalar"}], None, None),
        ([{"market_result": "", "value": 50}], None, None),
        ([{"market_result": "yes", "ticker": "ANOTHER"}], None, None),
        ([], None, None),
    ],
)
async def test_a_market_that_names_no_decision_is_told_by_the_accounts_settlement(settled, winner, value):
    """It once was never booked. What the settlement leaves open stays so: the missing position is paged."""
    api = Api([event(market())], [market(status="finalized", result="", settlement_value_dollars=None)])
    api.settlements = [{"ticker": "KXA-27-X"} | one for one in settled]
    found = await api.discovery.listing("KXA-27-X")
    assert (found.open, found.winner, found.value) == (False, winner, value and Decimal(value))


@pytest.mark.parametrize("value", [-1, 101, "much"])
async def test_a_settlement_that_cannot_be_read_is_an_error(value):
    """Nothing is booked by it."""
    with pytest.raises(BadMessage):
        read_settlement({"ticker": "KXA-27-X", "market_result": "scalar", "value": value})


@pytest.mark.parametrize(
    ("changes", "winner", "value"),
    [
        ({"result": "scalar", "settlement_value_dollars": "0.2600"}, None, "0.26"),
        ({"result": "scalar", "settlement_value_dollars": "1.0000"}, Outcome.YES, None),
        ({"result": "no"}, Outcome.NO, None),
        ({"result": "", "settlement_value_dollars": None}, None, None),  # voided: its shape is not known
        ({"result": "new", "settlement_value_dollars": "0.5"}, None, "0.5"),
    ],
)
async def test_decisions(changes, winner, value):
    """What one YES paid; who won, where that was 0 or 1."""
    api = Api([event(market())], [market(status="finalized", **changes)])
    listing = await api.discovery.listing("KXA-27-X")
    assert (listing.winner, listing.value) == (winner, None if value is None else Decimal(value))


async def test_odd_markets_are_listed_and_not_open():
    """A scalar market, say: a YES of it is not 0 or 1."""
    told = await Api([event(market(market_type="scalar"), market("Y"))]).told()
    assert [each.open for each in told["KXA-27"].markets] == [False, True]


async def test_event_and_series_are_remembered_for_a_minute():
    """Whoever asks for one market after the other does not ask for its event each time."""
    api = Api([event(market())], [market()])
    await api.discovery.listing("KXA-27-X")
    assert api.paths() == ["/markets/KXA-27-X", "/events/KXA-27", "/series/KXA"]
    await api.discovery.listing("KXA-27-X")
    assert api.paths() == ["/markets/KXA-27-X"]
    api.now_ms += FULL_MS + 1
    await api.discovery.listing("KXA-27-X")
    assert api.paths() == ["/markets/KXA-27-X", "/events/KXA-27", "/series/KXA"]


@pytest.mark.parametrize("broken", ["markets", "events", "series"])
async def test_answers_without_their_record(broken):
    """Said, not taken for a market that is not there."""

    class Broken(Api):
        async def get(self, path, params=None):
            return {} if path.startswith(f"/{broken}/") else await super().get(path, params)

    with pytest.raises(BadMessage, match=f"/{broken}/"):
        await Broken([event(market())], [market()]).discovery.listing("KXA-27-X")


@pytest.mark.parametrize("path", ["/markets/KXA-27-X", "/series/KXA"])
async def test_a_read_that_fails_is_no_missing_market(path):
    """A gateway's 502 says nothing about the market or its fees."""

    class Failing(Api):
        async def get(self, asked, params=None):
            if asked == path:
                raise RefusedRead(path, read_fault(502, b"<html>"))
            return await super().get(asked, params)

    with pytest.raises(RefusedRead, match="502"):
        await Failing([event(market())], [market()]).discovery.listing("KXA-27-X")


async def test_remembered_events_are_bounded():
    """Asking for market after market must not grow for ever."""
    api = Api([event(market())], [market()])
    api.discovery._events = dict.fromkeys(map(str, range(KEPT)), (0, None))
    await api.discovery.listing("KXA-27-X")
    assert set(api.discovery._events) == {"KXA-27"}
