"""Ways out of unequal legs: priced on fresh books, never more than is held, never below the budget."""

from dataclasses import replace
from decimal import Decimal

import pytest
from saga_make import NOW, book, market, plan, trade, view

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Band, Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import FillStatus, OrderState, Purpose
from arbsaga.saga import judge, undo
from arbsaga.saga.messages import PlannedLeg
from arbsaga.saga.trade import Trade

DONE = OrderState.DONE
ONE_SIDED = ((DONE, "20"), (DONE, "0"))


def only_move(way: undo.WayOut | None) -> undo.Move:
    assert way is not None
    assert len(way.moves) == 1
    return way.moves[0]


def test_the_missing_leg_is_completed_while_it_is_cheap() -> None:
    books = market(book("yes0", "0.38", "0.42"), book("yes1", "0.38", "0.45"), book("no0", "0.58", "0.62"), yes0="20")
    way = undo.choose(trade(*ONE_SIDED), books)
    move = only_move(way)
    assert (move.leg, move.purpose, move.side, move.size, move.limit) == (
        1,
        Purpose.COMPLETE,
        Side.BUY,
        20,
        Decimal("0.45"),
    )
    assert way is not None
    assert way.result == 20 - 8 - 9, "pays 20, the first leg cost 8, this one 9"


def test_what_filled_is_sold_when_completing_is_dearer() -> None:
    books = market(book("yes0", "0.38", "0.42"), book("yes1", "0.60", "0.65"), book("no0", "0.60", "0.64"), yes0="20")
    move = only_move(undo.choose(trade(*ONE_SIDED), books))
    assert (move.leg, move.purpose, move.side, move.size, move.limit) == (
        0,
        Purpose.EXIT,
        Side.SELL,
        20,
        Decimal("0.38"),
    )


def test_unsettled_shares_are_hedged_with_the_complement() -> None:
    """Bought shares can be sold only when settled; until then "balance 0" means not yet."""
    books = market(book("yes0", "0.38", "0.42"), book("yes1", "0.60", "0.65"), book("no0", "0.58", "0.62"), yes0="0")
    move = only_move(undo.choose(trade(*ONE_SIDED), books))
    assert (move.purpose, move.instrument.token, move.side, move.size) == (Purpose.HEDGE, "no0", Side.BUY, 20)


def test_at_a_tie_money_now_is_better_than_a_pair() -> None:
    books = market(book("yes0", "0.38", "0.42"), book("no0", "0.58", "0.62"), yes0="20")
    assert only_move(undo.choose(trade(*ONE_SIDED), books)).purpose is Purpose.EXIT


def test_never_more_is_sold_than_can_be_sold() -> None:
    """An exit larger than the fill would be a new naked position."""
    books = market(book("yes0", "0.38", "0.42", size="500"), yes0="12.345")
    assert only_move(undo.choose(trade(*ONE_SIDED), books)).size == Decimal("12.34")


def test_a_way_out_takes_what_the_book_has() -> None:
    books = market(book("yes0", "0.38", "0.42", size="8"), yes0="20")
    assert (
        only_move(undo.choose(trade((DONE, "20"), (DONE, "0"), undo=replace(plan().undo, loss_budget=9)), books)).size
        == 8
    )


def test_no_way_out_is_taken_beyond_the_loss_budget() -> None:
    books = market(book("yes0", "0.10", "0.12"), yes0="20")
    assert undo.choose(trade(*ONE_SIDED), books) is None, "selling for 2 what cost 8 loses more than 5"


@pytest.mark.parametrize(
    "books",
    [
        market(),
        market(book("yes0", None, None), yes0="20"),
        market(book("yes0", "0.38", None, size="4.99"), yes0="20"),
        market(book("no0", "0.58", "0.62", size="4")),
    ],
)
def test_without_a_book_that_can_fill_an_order_there_is_no_way_yet(books: undo.Market) -> None:
    assert undo.choose(trade(*ONE_SIDED), books) is None


def test_a_buy_under_a_dollar_is_not_tried() -> None:
    """The venue refuses a marketable buy under $1."""
    books = market(book("yes1", "0.08", "0.10", size="9"))
    assert undo.choose(trade(*ONE_SIDED), books) is None


def test_three_unequal_legs_meet_where_it_pays_most() -> None:
    """20, 10, 0: completing the third to 10 and selling 10 of the first beats all else here."""
    uneven = trade((DONE, "20"), (DONE, "10"), (DONE, "0"), limit="0.30")
    books = market(
        book("yes0", "0.29", "0.31"), book("yes1", "0.70", "0.90"), book("yes2", "0.29", "0.31"), yes0="20", yes1="0"
    )
    way = undo.choose(uneven, books)
    assert way is not None
    assert [(move.leg, move.purpose, move.size) for move in way.moves] == [
        (0, Purpose.EXIT, 10),
        (2, Purpose.COMPLETE, 10),
    ]


def test_completing_one_of_two_missing_legs_is_no_way_out() -> None:
    """It would cost money and leave more naked than before."""
    uneven = trade((DONE, "10"), (DONE, "5"), (DONE, "5"), size="10", limit="0.30")
    assert undo.choose(uneven, market(book("yes1", "0.29", "0.31"))) is None


def test_a_leg_is_not_sold_when_its_siblings_cannot_be() -> None:
    """Out of everything is only a way out where everything can be sold."""
    uneven = trade((DONE, "10"), (DONE, "7"), size="10", undo=replace(plan().undo, residue_usd=1))
    assert not judge.balanced(uneven)
    assert undo.choose(uneven, market(book("yes1", "0.38", "0.42"), yes1="7")) is None


def test_residue_above_the_cap_is_sold_with_some_of_its_siblings() -> None:
    """3 shares are too few for an order, but 8 and 5 are not."""
    uneven = trade((DONE, "20"), (DONE, "17"), undo=replace(plan().undo, residue_usd=1))
    assert not judge.balanced(uneven)
    books = market(book("yes0", "0.38", "0.42"), book("yes1", "0.38", "0.42"), yes0="20", yes1="17")
    way = undo.choose(uneven, books)
    assert way is not None
    assert [(move.leg, move.purpose, move.size) for move in way.moves] == [
        (0, Purpose.EXIT, 8),
        (1, Purpose.EXIT, 5),
    ]


def test_a_trade_too_small_to_be_made_equal_gets_out_of_everything() -> None:
    uneven = trade((DONE, "9"), (DONE, "6"), size="10", undo=replace(plan().undo, residue_usd=1))
    books = market(book("yes0", "0.38", "0.42"), book("yes1", "0.38", "0.42"), yes0="9", yes1="6")
    way = undo.choose(uneven, books)
    assert way is not None
    assert [(move.purpose, move.size) for move in way.moves] == [(Purpose.EXIT, 8), (Purpose.EXIT, 5)]
    books = market(book("yes0", "0.52", "0.54"), book("yes1", "0.52", "0.54"), yes0="9", yes1="6")
    way = undo.choose(uneven, books)
    assert way is not None
    assert [move.size for move in way.moves] == [9, 6], "the two are bid for more than they pay"


def test_a_naked_complement_is_paired_by_buying_the_leg() -> None:
    """A hedge stays when the fill it hedged FAILS."""
    entries = judge.entry_orders(plan())
    hedge = replace(entries[0], attempt=2, purpose=Purpose.HEDGE, instrument=entries[0].instrument.other())
    naked = trade((DONE, "0"), (DONE, "0")).with_orders([view(hedge, filled="20")])
    move = only_move(undo.choose(naked, market(book("yes0", "0.38", "0.42"))))
    assert (move.leg, move.purpose, move.size) == (0, Purpose.COMPLETE, 20)


def test_what_a_failed_sale_would_bring_back_is_not_bought_again() -> None:
    """8 of 20 were sold and can FAIL: completing all 8 again could leave 28. It waits until the sale is final."""
    entries = judge.entry_orders(plan())
    leave = replace(entries[0], attempt=2, purpose=Purpose.EXIT, side=Side.SELL)
    books = market(book("yes0", "0.38", "0.42"), book("yes1", None, None))
    begun = trade((DONE, "20"), (DONE, "20"))
    assert undo.choose(begun.with_orders([view(leave, filled="8", status=FillStatus.MATCHED)]), books) is None
    assert only_move(undo.choose(begun.with_orders([view(leave, filled="8")]), books)).size == 8


def test_undo_orders_are_new_attempts_with_their_own_fence() -> None:
    books = market(book("yes0", "0.38", "0.42"), yes0="20")
    unequal = trade(*ONE_SIDED)
    way = undo.choose(unequal, books)
    assert way is not None
    (order,) = undo.undo_orders(unequal, way, NOW + 7_000)
    assert (order.leg, order.attempt, order.created_ms, order.send_by_ms) == (0, 2, NOW + 7_000, NOW + 8_000)


def test_only_books_that_can_matter_are_read() -> None:
    assert undo.tokens_to_read(trade(*ONE_SIDED)) == ("yes0", "yes1", "no0")


# Two venues: here shares of 0.01 from 5 on; there contracts of 0.01, price bands, cents of rounding, one net position.

KALSHI = MarketRules(
    tick=Decimal("0.001"),
    min_size=Size(Decimal("0.01")),
    min_notional=Usd(Decimal(0)),
    fee=FeeSchedule(Decimal("0.07"), step=Decimal("0.000001"), rounding=Usd(Decimal("0.01"))),
    bands=(
        Band(Price(Decimal(0)), Price(Decimal("0.10")), Decimal("0.001")),
        Band(Price(Decimal("0.10")), Price(Decimal("0.90")), Decimal("0.01")),
        Band(Price(Decimal("0.90")), Price(Decimal(1)), Decimal("0.001")),
    ),
    nets=True,
)
HERE = Instrument("polymarket", "0xabc", "y", "n", Outcome.YES, "Rain", MarketRules(tick=Decimal("0.01")))
THERE = Instrument("kalshi", "KX", "k:NO", "k:YES", Outcome.NO, "Rain", KALSHI)


def pair(here: str, there: str, limit: str = "0.45") -> Trade:
    """20 units of YES here and NO there at 0.45 each; so much filled."""
    legs = (PlannedLeg(Size(Decimal(20)), Price(Decimal(limit))),) * 2
    made = replace(plan(), basket=cross("rain", "Rain?", BasketKind.IDENTITY, HERE, THERE), legs=legs)
    entries = judge.entry_orders(made)
    return Trade(made).with_orders(view(terms, filled=size) for terms, size in zip(entries, (here, there), strict=True))


def test_the_complement_is_no_way_out_where_the_venue_nets_both_outcomes() -> None:
    """Buying it is the same order as selling: never both. Its book is not read either."""
    lone = pair("0", "20")
    assert undo.tokens_to_read(lone) == ("y", "k:NO")
    books = market(book("k:NO", "0.40", "0.42"), book("k:YES", "0.58", "0.60"), **{"k:NO": "0"})
    assert undo.choose(lone, books) is None, "not settled: it waits, and does not buy YES"
    books = market(book("k:NO", "0.40", "0.42"), book("k:YES", "0.58", "0.60"), **{"k:NO": "20"})
    move = only_move(undo.choose(lone, books))
    assert (move.purpose, move.side, move.instrument.token) == (Purpose.EXIT, Side.SELL, "k:NO")


def test_the_cheapest_way_counts_the_venues_fees() -> None:
    """0.43 there costs 0.07 * 0.43 * 0.57 a share and a cent of rounding; selling here costs nothing but the spread."""
    lone = pair("20", "0")
    books = market(book("y", "0.44", "0.46"), book("k:NO", "0.41", "0.43"), y="20")
    way = undo.choose(lone, books)
    move = only_move(way)
    assert (move.purpose, move.size, move.limit) == (Purpose.COMPLETE, 20, Decimal("0.43"))
    assert move.cost == Decimal("8.6") + Decimal("0.343140") + Decimal("0.01")
    assert way is not None
    assert way.result == 20 - 9 - move.cost
    books = market(book("y", "0.44", "0.46"), book("k:NO", "0.54", "0.58"), y="20")
    assert only_move(undo.choose(lone, books)).purpose is Purpose.EXIT, "0.2 lost is less than 1.95"


def test_contracts_come_in_hundredths_and_prices_in_bands() -> None:
    books = market(book("k:NO", "0.0955", "0.0965", size="7.777"), **{"k:NO": "20"})
    cheap = pair("0", "12.34", limit="0.10")
    move = only_move(undo.choose(cheap, books))
    assert (move.size, move.limit) == (Decimal("7.77"), Decimal("0.095")), "rounded down to the finer band"
    dear = market(book("k:NO", "0.9055", "0.9065"), **{"k:NO": "20"})
    assert only_move(undo.choose(cheap, dear)).limit == Decimal("0.905")
    middle = market(book("k:NO", "0.455", "0.475"), **{"k:NO": "20"})
    assert only_move(undo.choose(cheap, middle)).limit == Decimal("0.45"), "whole cents between"


def test_a_level_that_no_order_can_reach_is_no_depth() -> None:
    """A sale at 0.005 is below the lowest price of an order: what is above it can still be sold."""
    deep = book("yes0", "0.38", "0.42", size="8")
    deep = replace(deep, bids=(*deep.bids, replace(deep.bids[0], price=Price(Decimal("0.005")))))
    roomy = replace(plan().undo, loss_budget=Usd(Decimal(9)))
    move = only_move(undo.choose(trade(*ONE_SIDED, undo=roomy), market(deep, yes0="20")))
    assert (move.size, move.limit) == (8, Decimal("0.38"))


def refused(lone: Trade, *ways: tuple[int, Purpose], reason: str = "409 trading_is_paused") -> Trade:
    """The trade after these undo orders, each refused."""
    for leg, purpose in ways:
        entry = judge.entry_orders(lone.plan)[leg]
        side = Side.SELL if purpose is Purpose.EXIT else Side.BUY
        terms = replace(entry, attempt=lone.next_attempt(leg), purpose=purpose, side=side)
        lone = lone.with_orders([replace(view(terms), reason=reason)])
    return lone


def test_what_a_venue_refuses_twice_gives_way_to_another_way() -> None:
    """Paused there, its book as good as ever: completing was refused 24 times while 20 could be sold here."""
    lone = pair("20", "0")
    books = market(book("y", "0.44", "0.46"), book("k:NO", "0.41", "0.43"), y="20")
    complete, leave = (1, Purpose.COMPLETE), (0, Purpose.EXIT)
    assert only_move(undo.choose(refused(lone, complete), books)).purpose is Purpose.COMPLETE, "once may be chance"
    move = only_move(undo.choose(refused(lone, complete, complete), books))
    assert (move.leg, move.purpose, move.size) == (0, Purpose.EXIT, 20)
    both = refused(lone, complete, complete, leave, leave)
    assert only_move(undo.choose(both, books)).purpose is Purpose.COMPLETE, "nothing else is left: tried again"


def test_what_is_refused_is_tried_again_where_nothing_else_is_within_the_budget() -> None:
    books = market(book("y", "0.10", "0.12"), book("k:NO", "0.41", "0.43"), y="20")
    lone = refused(pair("20", "0"), (1, Purpose.COMPLETE), (1, Purpose.COMPLETE), (1, Purpose.COMPLETE))
    assert only_move(undo.choose(lone, books)).purpose is Purpose.COMPLETE, "selling for 2 what cost 9 loses more"


def test_a_sale_that_is_refused_twice_gives_way_to_the_complement() -> None:
    """Another market, or the venue's balance that still says nothing is there to sell."""
    books = market(book("yes0", "0.38", "0.42"), book("no0", "0.60", "0.62"), yes0="20")
    leave = (0, Purpose.EXIT)
    assert only_move(undo.choose(refused(trade(*ONE_SIDED), leave), books)).purpose is Purpose.EXIT
    assert only_move(undo.choose(refused(trade(*ONE_SIDED), leave, leave), books)).purpose is Purpose.HEDGE


def test_only_refusals_in_a_row_count() -> None:
    """An order between that filled shows that the venue takes them; one that was withdrawn was not refused."""
    books = market(book("y", "0.44", "0.46"), book("k:NO", "0.41", "0.43"), y="20")
    complete = (1, Purpose.COMPLETE)
    again = refused(pair("20", "0"), complete)
    filled = view(replace(again.orders[-1].terms, attempt=3), filled="2")
    assert only_move(undo.choose(refused(again.with_orders([filled]), complete), books)).purpose is Purpose.COMPLETE
    withdrawn = refused(pair("20", "0"), complete, complete, reason="")
    assert only_move(undo.choose(withdrawn, books)).purpose is Purpose.COMPLETE


def test_a_book_that_cannot_be_read_is_noted_since_when() -> None:
    lone = pair("20", "0")
    books = market(book("y", "0.44", "0.46"), book("n", "0.53", "0.57"), y="20")
    blind = undo.looked(lone, undo.tokens_to_read(lone), books, NOW + 5)
    assert blind.blind_ms == NOW + 5
    assert undo.looked(blind, undo.tokens_to_read(lone), books, NOW + 900).blind_ms == NOW + 5
    back = market(*books.books, book("k:NO", None, None))
    assert undo.looked(blind, undo.tokens_to_read(lone), back, NOW + 900).blind_ms == 0


def test_a_losing_way_waits_for_a_book_that_cannot_be_read_but_not_for_long() -> None:
    """The dead venue may show a better way in a second; being naked for minutes is worse than a loss in the budget."""
    lone = pair("20", "0")
    books = market(book("y", "0.44", "0.46"), y="20")
    blind = undo.looked(lone, undo.tokens_to_read(lone), books, NOW)
    way = undo.choose(blind, books)
    assert only_move(way).purpose is Purpose.EXIT, "the missing leg is not taken for done: 20 are to be sold"
    assert way is not None
    assert way.result == Decimal("-0.2")
    assert undo.hasty(blind, way, NOW + 2_999)
    assert not undo.hasty(blind, way, NOW + 3_000)
    assert not undo.hasty(lone, way, NOW), "nothing better can show"
    brings = market(book("y", "0.46", "0.48"), y="20")
    gain = undo.choose(blind, brings)
    assert gain is not None
    assert not undo.hasty(blind, gain, NOW), "a way that loses nothing is taken at once"


def test_a_missing_book_of_a_leg_that_is_right_needs_no_wait() -> None:
    """12 are there and 20 here: 8 are sold here, whatever the other venue's book says."""
    uneven = pair("20", "12")
    books = market(book("y", "0.44", "0.46"), y="20")
    way = undo.choose(uneven, books)
    move = only_move(way)
    assert (move.purpose, move.size) == (Purpose.EXIT, 8)
    assert way is not None
    assert way.equal
    assert not undo.hasty(undo.looked(uneven, undo.tokens_to_read(uneven), books, NOW), way, NOW)
