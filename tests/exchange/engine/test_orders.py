"""What happens to an order: checks with the venue's texts, time in force, matching, answers."""

import pytest

from arbsaga.errors import NotCanceled, Rejected, UnknownToken
from arbsaga.exchange.model import BookChanged, BookReset, OrderUpdated, TradePrinted
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.units import ONE, parse

from .place import ANN, BOB, HOUSE, START, Place, open_place

FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."


def refused(place: Place, maker: str, *order, **more) -> str:
    """The text with which an order is refused; always HTTP 400."""
    with pytest.raises(Rejected) as refusal:
        place.submit(maker, *order, **more)
    assert refusal.value.status == 400
    return refusal.value.text


def test_a_resting_order_shows_in_both_tokens_books(place: Place) -> None:
    """A BUY of YES at 0.40 is an offer of NO at 0.60."""
    ack = place.submit(ANN, "BUY", "0.4", "10")
    assert (ack.status, ack.making_amount, ack.trade_ids) == ("live", 0, ())
    assert place.levels(0) == ([(400_000, 10 * ONE)], [])
    assert place.levels(1) == ([], [(600_000, 10 * ONE)])
    changed = place.happened(BookChanged)[-1]
    assert [(level.side, level.price, level.size) for level in changed.levels] == [
        ("BUY", 400_000, 10 * ONE),
        ("SELL", 600_000, 10 * ONE),
    ]
    assert changed.cause_order_id == ack.order_id


def test_best_prices_come_last_in_both_books(place: Place) -> None:
    """As on the wire: bids ascend, asks descend."""
    for price in ("0.3", "0.4", "0.35"):
        place.submit(HOUSE, "BUY", price, "10")
    for price in ("0.7", "0.6", "0.65"):
        place.submit(HOUSE, "SELL", price, "10")
    for token in (0, 1):
        bids, asks = place.levels(token)
        assert [price for price, _ in bids] == [300_000, 350_000, 400_000]
        assert [price for price, _ in asks] == [700_000, 650_000, 600_000]


def test_price_then_time_at_the_makers_price(place: Place) -> None:
    """The best offer first, of equal ones the oldest; the improvement is the taker's."""
    first = place.submit(ANN, "BUY", "0.45", "10", token=1).order_id
    second = place.submit(HOUSE, "SELL", "0.55", "10").order_id
    best = place.submit(HOUSE, "SELL", "0.5", "10").order_id
    ack = place.submit(BOB, "BUY", "0.6", "25")
    trades = [place.engine.trade(trade_id) for trade_id in ack.trade_ids]
    makers = {fill.order_id: fill.shares for trade in trades if trade for fill in trade.makers}
    assert makers == {best: 10 * ONE, first: 10 * ONE, second: 5 * ONE}
    assert ack.making_amount == parse("5") + 15 * 550_000
    remaining = place.engine.order(second)
    assert remaining is not None
    assert remaining.remaining == 5 * ONE


@pytest.mark.parametrize(
    ("maker_side", "maker_token", "taker_side", "kind"),
    [("SELL", 0, "BUY", "complementary"), ("BUY", 1, "BUY", "mint"), ("SELL", 1, "SELL", "merge")],
)
def test_the_three_kinds_of_match(place: Place, maker_side, maker_token, taker_side, kind) -> None:
    """A BUY meets SELLs of its token and BUYs of the other; a SELL meets SELLs of the other."""
    place.buy_shares(BOB, "20")
    place.submit(HOUSE, maker_side, "0.5", "10", token=maker_token)
    ack = place.submit(BOB, taker_side, "0.5", "10")
    trade = place.engine.trade(ack.trade_ids[0])
    assert trade is not None
    assert trade.kind == kind
    paid = trade.taker.usd + (trade.makers[0].usd if kind != "complementary" else 0)
    assert paid == (10 * ONE if kind != "complementary" else 5 * ONE)


def test_yes_and_no_offers_under_a_dollar_cannot_rest_together(place: Place) -> None:
    """YES at 0.40 and NO at 0.50 are both for sale: whoever comes second meets nobody, but its buyer's side crosses."""
    place.submit(HOUSE, "SELL", "0.4", "10")
    ack = place.submit(HOUSE, "SELL", "0.5", "10", token=1)
    assert ack.status == "matched"
    assert place.levels() == ([], [])


def test_a_limit_buy_gets_its_shares_for_less(place: Place) -> None:
    """GTC targets shares: with improvement exactly `size` for less USD."""
    place.submit(HOUSE, "SELL", "0.4", "100")
    ack = place.submit(ANN, "BUY", "0.5", "20")
    assert (ack.making_amount, ack.taking_amount) == (8 * ONE, 20 * ONE)


@pytest.mark.parametrize("kind", ["FOK", "FAK"])
def test_a_market_buy_spends_its_dollars_and_gets_more_shares(place: Place, kind) -> None:
    """FOK/FAK BUYs target USD (docs: fill rule): 10 USD at 0.40 instead of 0.50 are 25 shares, not 20."""
    place.submit(HOUSE, "SELL", "0.4", "100")
    ack = place.submit(ANN, "BUY", "0.5", "20", kind)
    assert (ack.status, ack.making_amount, ack.taking_amount) == ("matched", 10 * ONE, 25 * ONE)
    order = place.engine.order(ack.order_id)
    assert order is not None
    assert (order.matched, order.size, order.status) == (25 * ONE, 20 * ONE, "MATCHED")


def test_a_market_buy_may_leave_one_base_unit(place: Place) -> None:
    """10 USD at 0.67 are 14.925373 shares for 9.999999 USD, as on the venue; that is a filled FOK."""
    place.submit(HOUSE, "SELL", "0.67", "100")
    ack = place.submit(ANN, "BUY", "0.67", "14.9253", "FOK", usd="10")
    assert (ack.making_amount, ack.taking_amount) == (9_999_999, 14_925_373)
    place.submit(HOUSE, "BUY", "0.33", "100", token=1, market=1)
    ack = place.submit(ANN, "BUY", "0.67", "14.9253", "FOK", usd="10", market=1)
    assert (ack.making_amount, ack.taking_amount) == (10 * ONE, 14_925_373)


def test_a_market_sell_takes_bids_down_to_its_limit(place: Place) -> None:
    """A FAK SELL sells what is bid at or above its limit and never rests."""
    place.buy_shares(ANN, "50")
    place.submit(HOUSE, "BUY", "0.45", "10")
    place.submit(HOUSE, "BUY", "0.4", "10")
    place.submit(HOUSE, "BUY", "0.3", "10")
    ack = place.submit(ANN, "SELL", "0.4", "50", "FAK")
    assert (ack.making_amount, ack.taking_amount) == (20 * ONE, parse("8.5"))
    assert place.engine.open_orders(ANN) == []
    assert place.levels() == ([(300_000, 10 * ONE)], [])


def test_a_killed_order_leaves_everything_as_it_was(place: Place) -> None:
    """FOK with too little, FAK with nothing: HTTP 400, the book is untouched, the id is used forever."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    assert refused(place, ANN, "BUY", "0.5", "20", "FOK", order_id="0xfok") == FOK
    assert refused(place, ANN, "BUY", "0.4", "20", "FAK", order_id="0xfak") == FAK
    assert place.levels() == ([], [(500_000, 10 * ONE)])
    assert place.engine.trades(ANN) == []
    for order_id in ("0xfok", "0xfak"):
        killed = place.engine.order(order_id)
        assert killed is not None
        assert (killed.status, killed.matched) == ("CANCELED", 0)
        text = refused(place, ANN, "BUY", "0.5", "10", order_id=order_id)
        assert text == f"order {order_id} is invalid. Duplicated."


def test_an_id_is_taken_once_and_forever(place: Place) -> None:
    """Live, canceled or filled: the same order posted again is a duplicate, and nothing else happens."""
    place.submit(ANN, "BUY", "0.4", "10", order_id="0x1d")
    for _ in range(2):
        assert refused(place, ANN, "BUY", "0.4", "10", order_id="0x1d") == "order 0x1d is invalid. Duplicated."
    place.engine.cancel(ANN, "0x1d")
    assert refused(place, ANN, "BUY", "0.4", "10", order_id="0x1d") == "order 0x1d is invalid. Duplicated."
    assert (place.engine.accepted, place.engine.duplicates) == (1, 3)
    assert [line["order_id"] for line in place.journal("duplicate")] == ["0x1d"] * 3


def test_an_id_of_the_house_is_taken_while_its_order_is_open(place: Place) -> None:
    """House orders are forgotten once they end, so that a long run does not remember them all."""
    place.submit(HOUSE, "BUY", "0.4", "10", order_id="0xh")
    assert "Duplicated" in refused(place, HOUSE, "BUY", "0.4", "10", order_id="0xh")
    place.engine.cancel(HOUSE, "0xh")
    assert place.engine.order("0xh") is None
    assert place.submit(HOUSE, "BUY", "0.4", "10", order_id="0xh").status == "live"


def test_a_refused_order_may_come_again(place: Place) -> None:
    """The venue's clients re-post the same bytes after an approval: a refusal before matching does not use the id."""
    assert "not enough balance" in refused(place, ANN, "BUY", "0.5", "9000", order_id="0xa")
    place.engine.deposit(ANN, 10_000 * ONE)
    assert place.submit(ANN, "BUY", "0.5", "9000", order_id="0xa").status == "live"


def test_post_only_rests_or_is_refused(place: Place) -> None:
    """A crossing post-only order is not taken."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    crosses = "invalid post-only order: order crosses book"
    assert refused(place, ANN, "BUY", "0.5", "10", post_only=True) == crosses
    assert refused(place, ANN, "SELL", "0.5", "10", token=1, post_only=True).startswith("invalid post-only")
    assert place.submit(ANN, "BUY", "0.49", "10", post_only=True).status == "live"
    assert refused(place, ANN, "BUY", "0.4", "10", "FAK", post_only=True) == "Invalid order payload"


def test_gtd_dies_a_minute_before_its_expiration(place: Place) -> None:
    """The venue reports the expiry as a cancellation."""
    seconds = START // 1000
    ack = place.submit(ANN, "BUY", "0.4", "10", "GTD", expiration=seconds + 240)
    place.wait(179_000)
    assert [order.order_id for order in place.engine.open_orders(ANN)] == [ack.order_id]
    place.wait(1_000)
    assert place.engine.open_orders(ANN) == []
    last = place.happened(OrderUpdated)[-1]
    assert (last.kind, last.order.status) == ("CANCELLATION", "CANCELED_EXPIRED_ORDER")
    assert place.journal("canceled")[0]["why"] == "expired"
    assert place.levels() == ([], [])


def test_a_gtd_order_that_is_gone_does_not_expire(place: Place) -> None:
    """Canceled before: nothing more is told when its time comes."""
    ack = place.submit(ANN, "BUY", "0.4", "10", "GTD", expiration=START // 1000 + 240)
    place.engine.cancel(ANN, ack.order_id)
    told = len(place.told)
    place.wait(200_000)
    assert len(place.told) == told


@pytest.mark.parametrize(("kind", "seconds"), [("GTD", 179), ("GTD", None), ("GTC", 500), ("FAK", 500), ("FOK", 500)])
def test_expirations_out_of_place_are_refused(place: Place, kind, seconds) -> None:
    """GTD needs one at least 3 minutes ahead, the others none."""
    expiration = 0 if seconds is None else START // 1000 + seconds
    assert refused(place, ANN, "BUY", "0.4", "10", kind, expiration=expiration) == "invalid expiration"


@pytest.mark.parametrize("price", ["0.123", "0.995"])
def test_a_price_must_be_on_the_tick(place: Place, price: str) -> None:
    """Multiples of the tick, from one tick to one below a dollar."""
    text = refused(place, ANN, "BUY", price, "10", order_id="0xp")
    assert text == f"order 0xp is invalid. Price ({price}) breaks minimum tick size rule: 0.01"


@pytest.mark.parametrize(("usd", "shares"), [("10", "10"), ("20", "10")])
def test_a_price_must_be_below_a_dollar(place: Place, usd: str, shares: str) -> None:
    """1 and above are no prices."""
    assert "breaks minimum tick size rule" in refused(place, ANN, "BUY", "0.5", shares, usd=usd)


def test_the_minimum_size_is_five_shares(place: Place) -> None:
    """Below it every order is refused; FOK/FAK only if the setting says so."""
    text = refused(place, ANN, "BUY", "0.5", "4.99", order_id="0xs")
    assert text == "order 0xs is invalid. Size (4.99) lower than the minimum: 5"
    place.submit(HOUSE, "SELL", "0.5", "10")
    assert "lower than the minimum" in refused(place, ANN, "BUY", "0.5", "4", "FAK")


def test_market_orders_may_be_small_where_the_venue_lets_them(tmp_path) -> None:
    """The unit and scope of the minimum are not documented: a setting."""
    place = open_place(tmp_path / "j", settings=EngineSettings(min_size_of_market_orders=False))
    place.submit(HOUSE, "SELL", "0.5", "10")
    assert place.submit(ANN, "BUY", "0.5", "4", "FAK").status == "matched"


def test_a_marketable_buy_is_worth_a_dollar(place: Place) -> None:
    """Less is refused if it would trade at once; it may rest."""
    place.submit(HOUSE, "SELL", "0.1", "10")
    text = "invalid amount for a marketable BUY order ($0.6), min size: $1"
    assert refused(place, ANN, "BUY", "0.1", "6") == text
    assert refused(place, ANN, "BUY", "0.1", "6", "FAK") == text
    assert place.submit(ANN, "BUY", "0.09", "6").status == "live"
    place.submit(HOUSE, "BUY", "0.08", "10", market=1)
    place.buy_shares(ANN, "6", market=1)
    assert place.submit(ANN, "SELL", "0.08", "6", market=1).status == "matched"


@pytest.mark.parametrize(
    ("side", "kind", "size", "usd", "text"),
    [
        ("BUY", "FAK", "19.23077", "10", "market buy orders maker amount supports a max accuracy of 2 decimals, taker"
         " amount a max of 4 decimals"),
        ("BUY", "FOK", "19.98", "9.999", "market buy orders maker amount supports a max accuracy of 2 decimals"),
        ("SELL", "FAK", "10.001", "5", "sell orders maker amount supports a max accuracy of 2 decimals, taker amount a"
         " max of 4 decimals"),
        ("BUY", "GTC", "10.001", "5.0005", "buy orders maker amount supports a max accuracy of 4 decimals, taker amount"
         " a max of 2 decimals"),
        ("SELL", "GTC", "10.001", "5.0005", "sell orders maker amount supports a max accuracy of 2 decimals"),
    ],
)  # fmt: skip
def test_precision_of_amounts(place: Place, side, kind, size, usd, text) -> None:
    """2 decimals given; received 4 of a market order, 2 of a limit BUY (py-clob-client #121, #253)."""
    refusal = refused(place, ANN, side, "0.5", size, kind, usd=usd)
    assert refusal.startswith("invalid amounts, the ")
    assert text in refusal


def test_precision_grows_with_finer_ticks_for_limits_only(place: Place) -> None:
    """On 0.001 ticks a limit's USD may have 5 decimals; a market BUY's shares stay at 4 (py-clob-client-v2 #99)."""
    place.engine.change_tick(place.markets[0].condition_id, 1_000)
    assert place.submit(ANN, "BUY", "0.123", "10.01").status == "live"
    assert "max of 4 decimals" in refused(place, ANN, "BUY", "0.5", "10.13197", "FAK", usd="9.98")


def test_precision_of_market_orders_can_follow_the_table(tmp_path) -> None:
    """The official client emits 5 decimals on 0.001 ticks: a setting takes them."""
    settings = EngineSettings(market_share_decimals="table")
    place = open_place(tmp_path / "j", settings=settings, tick=1_000)
    place.submit(HOUSE, "SELL", "0.985", "100")
    ack = place.submit(ANN, "BUY", "0.985", "10.13197", "FAK", usd="9.98")
    assert parse("9.98") - ack.making_amount == 1


def test_the_usd_of_a_limit_order_is_size_times_price(place: Place) -> None:
    """The venue says what it should have been."""
    text = refused(place, ANN, "SELL", "0.22", "19.69", usd="4.33")
    assert text == (
        "invalid amounts, the taker amount for a $0.22 order of size 19.69 should be '4.3318' "
        "but the value submited is '4.33'"
    )
    assert "the maker amount for a $0.22 order" in refused(place, ANN, "BUY", "0.22", "19.69", usd="4.33")


def test_nonsense_amounts_and_tokens_are_refused(place: Place) -> None:
    """Zero amounts, and tokens nobody knows."""
    assert refused(place, ANN, "BUY", "0.5", "0") == "Invalid order payload"
    new = place.new(ANN, "BUY", "0.5", "10")
    stranger = type(new)(**{name: getattr(new, name) for name in type(new).__slots__} | {"token_id": "12"})
    with pytest.raises(Rejected, match="Invalid token id"):
        place.engine.submit(stranger)
    with pytest.raises(UnknownToken):
        place.engine.book("12")


def test_a_market_that_takes_no_orders_says_so(place: Place) -> None:
    """Closed, inactive or not yet accepting."""
    text = "the market is not yet ready to process new orders"
    for field, value in (("closed", True), ("active", False), ("accepting_orders", False)):
        before = getattr(place.markets[0], field)
        setattr(place.markets[0], field, value)
        assert refused(place, ANN, "BUY", "0.5", "10") == text
        setattr(place.markets[0], field, before)


def test_cancel_takes_the_order_out(place: Place) -> None:
    """The reserve is free again, the book is told, the line is in the journal."""
    order_id = place.submit(ANN, "BUY", "0.4", "10").order_id
    place.told.clear()
    place.engine.cancel(ANN, order_id)
    account = place.engine.account(ANN)
    assert account is not None
    assert (account.open, place.levels()) == ({}, ([], []))
    assert [type(happening).__name__ for happening in place.told] == ["OrderUpdated", "BookChanged"]
    line = place.journal("canceled")[0]
    assert (line["order_id"], line["why"], line["size_matched"]) == (order_id, "user", "0")


def test_cancels_that_come_too_late_or_from_others(place: Place) -> None:
    """The venue's reasons."""
    resting = place.submit(ANN, "BUY", "0.4", "10").order_id
    with pytest.raises(NotCanceled, match="order can't be found - already canceled or matched"):
        place.engine.cancel(BOB, resting)
    with pytest.raises(NotCanceled, match="order can't be found - already canceled or matched"):
        place.engine.cancel(ANN, "0xunknown")
    place.engine.cancel(ANN, resting)
    with pytest.raises(NotCanceled, match="Order not found or already canceled"):
        place.engine.cancel(ANN, resting)
    place.submit(HOUSE, "SELL", "0.5", "10")
    filled = place.submit(ANN, "BUY", "0.5", "10").order_id
    with pytest.raises(NotCanceled, match="Order already matched"):
        place.engine.cancel(ANN, filled)


def test_cancel_all_by_wallet_market_and_token(place: Place) -> None:
    """Only the wallet's own resting orders, narrowed by market or token."""
    ids = {
        (market, token): place.submit(ANN, "BUY", "0.1", "10", market=market, token=token).order_id
        for market in (0, 1)
        for token in (0, 1)
    }
    other = place.submit(BOB, "BUY", "0.1", "10").order_id
    first, second = place.markets
    assert place.engine.cancel_all(ANN, condition_id=second.condition_id) == [ids[1, 0], ids[1, 1]]
    assert place.engine.cancel_all(ANN, token_id=first.token_ids[1]) == [ids[0, 1]]
    assert place.engine.cancel_all(ANN) == [ids[0, 0]]
    assert [order.order_id for order in place.engine.open_orders(BOB)] == [other]


def test_what_is_told_of_a_trade(place: Place) -> None:
    """Placement, update, levels, tape, then that both books are due anew."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.told.clear()
    place.submit(ANN, "BUY", "0.5", "10")
    names = [type(happening).__name__ for happening in place.told]
    assert names == ["OrderUpdated", "OrderUpdated", "BookChanged", "TradeUpdated", "TradePrinted"] + ["BookReset"] * 2
    placed, updated = place.happened(OrderUpdated)
    assert (placed.kind, placed.order.matched) == ("PLACEMENT", 0)
    assert (updated.kind, updated.order.matched, updated.order.status) == ("UPDATE", 10 * ONE, "MATCHED")
    printed = place.happened(TradePrinted)[0]
    assert (printed.price, printed.size, printed.side) == (500_000, 10 * ONE, "BUY")
    assert {reset.token_id for reset in place.happened(BookReset)} == set(place.markets[0].token_ids)
    view = place.engine.book(place.markets[0].token_ids[1])
    assert view.last_trade_price == 500_000


def test_a_tick_change_lets_orders_stay(place: Place) -> None:
    """Resting orders stay; new ones obey the new tick; unknown ticks are refused."""
    place.submit(ANN, "BUY", "0.4", "10")
    condition_id = place.markets[0].condition_id
    place.engine.change_tick(condition_id, 1_000)
    assert place.submit(ANN, "BUY", "0.401", "10").status == "live"
    place.engine.change_tick(condition_id, 100_000)
    assert "breaks minimum tick size rule: 0.1" in refused(place, ANN, "BUY", "0.41", "10")
    assert len(place.engine.open_orders(ANN)) == 2
    with pytest.raises(ValueError, match="tick 7"):
        place.engine.change_tick(condition_id, 7)


def test_the_book_is_the_same_object_until_it_changes(place: Place) -> None:
    """Reading a quiet book costs nothing, and its hash changes with it."""
    token = place.markets[0].token_ids[0]
    before = place.engine.book(token)
    assert place.engine.book(token) is before
    place.submit(HOUSE, "BUY", "0.4", "10")
    assert place.engine.book(token).hash != before.hash
