"""Markets are listed as the venue means them, and one that cannot be understood costs only itself."""

import json
from decimal import Decimal

import pytest

from arbsaga.domain.fees import NO_FEE, FeeSchedule
from arbsaga.domain.instruments import Outcome
from arbsaga.errors import BadMessage, UnknownThing, VenueError
from arbsaga.venues.polymarket.discovery import Discovery, read_market, read_question
from arbsaga.venues.polymarket.rest import Rest

from .make import NO, V2_NO, V2_YES, YES

CONDITION = "0x" + "11" * 32
V2_CONDITION = "0x02" + "22" * 30


def market(**changes):
    """A v1 market as Gamma sends it: arrays as text, numbers as numbers."""
    return {
        "id": "1",
        "version": "v1",
        "conditionId": CONDITION,
        "slug": "a-market",
        "question": "Will it?",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.4", "0.6"]',
        "clobTokenIds": json.dumps([YES, NO]),
        "negRisk": False,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "secondsDelay": 0,
        "feesEnabled": True,
        "feeSchedule": {"rate": 0.04, "exponent": 1, "takerOnly": True, "rebateRate": 0.25},
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
    } | changes


def v2_market(**changes):
    both = {"clobTokenIds": json.dumps([YES, NO]), "positionIds": [V2_YES, V2_NO]}
    return market(version="v2", conditionId=V2_CONDITION, **both) | changes


def event(*markets, **changes):
    return {
        "id": "77",
        "title": "An event",
        "negRisk": True,
        "negRiskAugmented": False,
        "closed": False,
        "markets": list(markets),
    } | changes


class TestMarket:
    def test_rules_and_ids(self):
        listed = read_market(market(negRisk=True, secondsDelay=3, orderPriceMinTickSize="0.001"))
        rules = listed.yes.rules
        assert (listed.yes.market, listed.yes.token, listed.no.token) == (CONDITION, YES, NO)
        assert (listed.yes.outcome, listed.no.outcome) == (Outcome.YES, Outcome.NO)
        assert (rules.tick, rules.min_size, rules.neg_risk, rules.delay_ms) == (Decimal("0.001"), 5, True, 3_000)
        assert rules.fee == FeeSchedule(Decimal("0.04"))
        assert listed.open

    def test_version_chooses_the_id(self):
        """Trap 1.6: both id fields can be there; Protocol V2's condition ids come in 31 bytes."""
        listed = read_market(v2_market())
        assert (listed.yes.token, listed.no.token) == (V2_YES, V2_NO)
        assert listed.yes.market == V2_CONDITION + "00"
        assert read_market(market(positionIds=[V2_YES, V2_NO])).yes.token == YES

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"version": "v3"}, "unknown protocol version"),
            ({"version": "v2", "positionIds": [YES, NO]}, "not laid out"),
            ({"clobTokenIds": json.dumps([V2_YES, V2_NO])}, "not laid out"),
            ({"clobTokenIds": '["", ""]'}, "no two token ids"),
            ({"clobTokenIds": "[]"}, "no two token ids"),
            ({"clobTokenIds": "7"}, "no array"),
            ({"clobTokenIds": json.dumps([YES, NO, "7"])}, "no two token ids"),
            ({"enableOrderBook": False}, "no order book"),
            ({"orderPriceMinTickSize": 0.02}, "unknown tick size"),
            ({"feeSchedule": {"rate": 0.04, "exponent": 1, "takerOnly": False}}, "unknown kind of fee"),
            ({"feeSchedule": {"rate": 0.04, "exponent": 0.5, "takerOnly": True}}, "unknown kind of fee"),
        ],
    )
    def test_market_we_must_not_trade_is_refused(self, changes, why):
        with pytest.raises(ValueError, match=why):
            read_market(market(**changes))

    @pytest.mark.parametrize("key", ["conditionId", "clobTokenIds", "orderPriceMinTickSize", "orderMinSize", "negRisk"])
    def test_missing_key_is_no_default(self, key):
        """Trap 7.6: neg-risk never defaults to false."""
        raw = market()
        del raw[key]
        with pytest.raises(KeyError, match=key):
            read_market(raw)

    @pytest.mark.parametrize("changes", [{"active": False}, {"closed": True}, {"acceptingOrders": False}])
    def test_trade_ready_only_when_active_open_and_accepting(self, changes):
        assert not read_market(market(**changes)).open

    @pytest.mark.parametrize("changes", [{"feesEnabled": False}, {"feeSchedule": None}, {"feesEnabled": None}])
    def test_no_fee(self, changes):
        assert read_market(market(**changes)).yes.rules.fee is NO_FEE

    @pytest.mark.parametrize(
        ("changes", "winner"),
        [
            ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'}, Outcome.YES),
            ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0", "1"]'}, Outcome.NO),
            ({"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}, None),
            ({"closed": True, "umaResolutionStatus": "proposed", "outcomePrices": '["1", "0"]'}, None),
            ({"closed": False, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'}, None),
        ],
    )
    def test_winner_is_final(self, changes, winner):
        """A market at 1/0 that is only proposed, or still open, has no winner; a split has none either."""
        assert read_market(market(**changes)).winner is winner

    def test_a_split_decision_has_a_value(self):
        """It once was no decision at all: the position stayed in the books for ever."""
        split = {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}
        found = read_market(market(**split))
        assert (found.winner, found.value) == (None, Decimal("0.5"))
        undecided = ({"closed": False}, {"umaResolutionStatus": "proposed"}, {"outcomePrices": '["0.26", "0.74"]'})
        for changes in undecided:
            assert read_market(market(**split | changes)).value is None
        v2 = {"closed": True, "resolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'}
        assert read_market(v2_market(**v2)).value == Decimal("0.5")
        assert read_market(market(**split | {"outcomePrices": '["1", "0"]'})).value is None

    def test_winner_of_protocol_v2(self):
        decided = {"closed": True, "resolutionStatus": "resolved", "outcomePrices": '["0", "1"]'}
        assert read_market(v2_market(**decided)).winner is Outcome.NO


@pytest.fixture
async def discovery(stub):
    rest = Rest(2_000)
    yield Discovery(rest, stub.url, stub.url)
    await rest.close()


class TestEvents:
    async def test_exhaustive_when_the_venue_lists_all_of_it(self, stub, discovery):
        stub.answers["GET", "/events/keyset"] = {"events": [event(market(negRisk=True))]}
        (listed,) = await discovery.events()
        assert (listed.event, listed.title, listed.neg_risk, listed.exhaustive) == ("77", "An event", True, True)

    @pytest.mark.parametrize(
        ("markets", "changes"),
        [
            ([market(negRisk=True)], {"negRiskAugmented": True}),
            ([market(negRisk=True), market(negRisk=True, closed=True)], {}),
            ([market(negRisk=True), market(negRisk=True, version="v3")], {}),
            ([market(negRisk=True), market(negRisk=True, clobTokenIds="[]")], {}),
            ([market(negRisk=False)], {}),
            ([market(negRisk=True)], {"negRisk": False}),
        ],
    )
    async def test_not_exhaustive(self, stub, discovery, markets, changes):
        """An "Other" that is no market, or a sibling that is closed or that we cannot trade: a bet, no arbitrage."""
        stub.answers["GET", "/events/keyset"] = {"events": [event(*markets, **changes)]}
        (listed,) = await discovery.events()
        assert not listed.exhaustive

    async def test_one_odd_market_costs_only_itself(self, stub, discovery):
        """The official client refuses the whole page for one unknown version."""
        markets = [market(version="v9"), market(), "junk", {"id": 1}]
        stub.answers["GET", "/events/keyset"] = {"events": [event(*markets), "junk", event(), {"markets": 7}]}
        (listed,) = await discovery.events()
        assert len(listed.markets) == 1
        assert not listed.exhaustive

    async def test_all_pages_are_read(self, stub, discovery):
        def page(request):
            assert request.query.getall("version") == ["v1", "v2"]
            assert (request.query["limit"], request.query["closed"]) == ("500", "false")
            if "after_cursor" not in request.query:
                return {"events": [event(market(), id="1")], "next_cursor": "two"}
            assert request.query["after_cursor"] == "two"
            return {"events": [event(market(), id="2")]}

        stub.answers["GET", "/events/keyset"] = page
        assert [listed.event for listed in await discovery.events()] == ["1", "2"]

    async def test_repeated_cursor_is_an_end(self, stub, discovery):
        stub.answers["GET", "/events/keyset"] = {"events": [event(market())], "next_cursor": "same"}
        assert len(await discovery.events()) == 2

    @pytest.mark.parametrize("answer", [[], {"markets": []}, (500, "down"), None])
    async def test_unusable_answer_is_a_venue_error(self, stub, discovery, answer):
        stub.answers["GET", "/events/keyset"] = answer
        with pytest.raises(VenueError):
            await discovery.events()

    async def test_fee_from_the_clob_where_gamma_has_none(self, stub, discovery):
        """`feesEnabled` without a schedule: the CLOB's `fd` says it. It wants 32 bytes."""
        stub.answers["GET", f"/clob-markets/{V2_CONDITION}00"] = {"fd": {"r": 0.07, "e": 1, "to": True}}
        stub.answers["GET", "/events/keyset"] = {"events": [event(v2_market(feeSchedule=None))]}
        (listed,) = await discovery.events()
        assert listed.markets[0].yes.rules.fee == FeeSchedule(Decimal("0.07"))

    async def test_unknown_fee_is_no_market(self, stub, discovery):
        """New markets are on Gamma before the CLOB knows them: left out until it does."""
        stub.answers["GET", "/events/keyset"] = {"events": [event(market(feeSchedule=None))]}
        assert await discovery.events() == ()


class TestResolved:
    """Trap 7.17: market_resolved may never be delivered, so Gamma is asked."""

    async def test_told_once(self, stub, discovery):
        stub.answers["GET", "/events/keyset"] = {"events": [event(market())]}
        await discovery.events()
        stub.answers["GET", "/events/keyset"] = {"events": []}
        stub.answers["GET", "/markets/keyset"] = {"markets": [market(closed=True)]}
        assert await discovery.events() == ()
        decided = market(closed=True, umaResolutionStatus="resolved", outcomePrices='["1", "0"]')
        stub.answers["GET", "/markets/keyset"] = {"markets": [decided]}
        (listed,) = await discovery.events()
        assert (listed.event, listed.exhaustive, listed.markets[0].winner) == ("77", False, Outcome.YES)
        assert await discovery.events() == ()

    async def test_on_the_exchange(self, rig):
        venue = rig.venue()
        await venue.events()
        market = rig.markets("3")[1]
        rig.engine.resolve(market.condition_id, 0)
        (listed,) = [found for found in await venue.events() if found.event == "3"]
        winners = {one.yes.market: one.winner for one in listed.markets}
        assert winners[market.condition_id] is Outcome.YES
        assert sorted(winners.values()) == [Outcome.NO, Outcome.NO, Outcome.YES]


class TestListing:
    async def test_found_open_or_closed(self, rig):
        venue = rig.venue()
        for event_id in ("1", "2", "4"):
            condition = rig.markets(event_id)[0].condition_id
            listed = await venue.listing(condition)
            assert (listed.yes.market, listed.winner) == (condition, None)
        gone = rig.markets("1")[0]
        rig.engine.resolve(gone.condition_id, 1)
        assert (await venue.listing(gone.condition_id)).winner is Outcome.NO

    @pytest.mark.parametrize("market", ["0x" + "99" * 32, "nonsense"])
    async def test_unknown_market_is_one_line(self, rig, market):
        with pytest.raises(UnknownThing, match="give its condition id"):
            await rig.venue().listing(market)

    @pytest.mark.parametrize("status", [400, 404, 422])
    async def test_refused_id_is_an_unknown_market(self, stub, discovery, status):
        stub.answers["GET", "/markets/keyset"] = (status, "invalid condition id")
        with pytest.raises(UnknownThing, match="nonsense"):
            await discovery.listing("nonsense")

    async def test_asked_in_both_widths(self, stub, discovery):
        asked = []

        def note(request):
            asked.extend(request.query.getall("condition_ids"))
            return {"markets": [v2_market()] if request.query["closed"] == "false" else []}

        stub.answers["GET", "/markets/keyset"] = note
        assert (await discovery.listing(V2_CONDITION + "00")).yes.token == V2_YES
        assert set(asked) == {V2_CONDITION, V2_CONDITION + "00"}

    async def test_venue_that_is_down_is_not_an_unknown_market(self, stub, discovery):
        stub.answers["GET", "/markets/keyset"] = (500, "down")
        with pytest.raises(VenueError, match="down"):
            await discovery.listing(CONDITION)


class TestQuestion:
    def test_rules_are_description_and_source_in_this_order(self):
        told = read_question(market(description="It resolves so.", resolutionSource="https://a.example/x"))
        assert (told.venue, told.market, told.title) == ("polymarket", CONDITION, "Will it?")
        assert told.rules == "It resolves so.\n\nResolution source: https://a.example/x"
        assert read_question(market(description="It resolves so.", resolutionSource="")).rules == "It resolves so."

    @pytest.mark.parametrize(
        ("end", "ms"),
        [
            ("2026-12-31T12:00:00Z", 1_798_718_400_000),
            ("2026-12-31", 1_798_675_200_000),
            ("2026-12-31T12:00:00.250+00:00", 1_798_718_400_250),
            (None, 0),
            ("soon", 0),
        ],
    )
    def test_the_end_is_told_in_ms(self, end, ms):
        """A time, a date or nothing: one that cannot be read costs neither the market nor its question."""
        told, listed = read_question(market(endDate=end)), read_market(market(endDate=end))
        assert (told.closes_ms, told.resolves_ms, listed.closes_ms, listed.resolves_ms) == (ms, ms, ms, ms)

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({}, "active"),
            ({"acceptingOrders": False}, "paused"),
            ({"active": False}, "paused"),
            ({"closed": True}, "closed"),
            ({"umaResolutionStatus": "proposed"}, "proposed"),
            ({"umaResolutionStatus": "disputed", "closed": True}, "disputed"),
            ({"umaResolutionStatus": "", "resolutionStatus": "active"}, "active"),
            ({"resolutionStatus": "resolved", "closed": True}, "resolved"),
        ],
    )
    def test_the_resolutions_word_comes_before_the_markets(self, changes, status):
        told = read_question(market(**changes))
        assert (told.status, told.open) == (status, read_market(market(**changes)).open)

    async def test_on_the_exchange(self, rig):
        venue = rig.venue()
        for event_id in ("1", "2"):
            here = rig.markets(event_id)[0]
            told = await venue.question(here.condition_id)
            assert (told.market, told.title, told.status, told.open) == (
                here.condition_id,
                here.question,
                "active",
                True,
            )
            assert here.question in told.rules
            assert told.closes_ms == here.resolves_ms // 1000 * 1000
        rig.engine.resolve(rig.markets("1")[0].condition_id, 1)
        told = await venue.question(rig.markets("1")[0].condition_id)
        assert (told.status, told.open) == ("resolved", False)

    async def test_a_market_we_could_not_trade_has_a_question_too(self, stub, discovery):
        stub.answers["GET", "/markets/keyset"] = {"markets": [market(enableOrderBook=False)]}
        assert (await discovery.question(CONDITION)).title == "Will it?"
        with pytest.raises(UnknownThing):
            await discovery.listing(CONDITION)

    @pytest.mark.parametrize("market", ["0x" + "99" * 32, "nonsense"])
    async def test_unknown_market_is_one_line(self, rig, market):
        with pytest.raises(UnknownThing, match="give its condition id"):
            await rig.venue().question(market)


async def test_endless_pages_end(stub, discovery, monkeypatch):
    monkeypatch.setattr("arbsaga.venues.polymarket.discovery.MAX_PAGES", 3)
    cursors = iter(range(100))
    stub.answers["GET", "/events/keyset"] = lambda _: {"events": [], "next_cursor": str(next(cursors))}
    with pytest.raises(BadMessage, match="more than 3 pages"):
        await discovery.events()
