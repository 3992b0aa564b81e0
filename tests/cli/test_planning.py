"""From an opportunity to a plan: the id, the capital that is surely enough, and what can be afforded."""

from dataclasses import replace
from decimal import Decimal

from cli_make import NOW, instrument

from arbsaga.detect import Opportunity
from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.books import Book, BookRef, Level
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates, Quote, price_basket
from arbsaga.saga.messages import Patience, UndoLimits
from workers.desk_client import Taken
from workers.planning import affordable, beat_ms, most_spent, new_trade_id, plan_trade

GATES = Gates(budget=Usd(Decimal(20)))
D25 = Decimal(25)
BASKET = yes_of_all("race", "Who wins?", [instrument("0"), instrument("1")])


def books(*asks: tuple[str, str]) -> dict[str, Book]:
    levels = tuple(Level(Price(Decimal(price)), Size(Decimal(size))) for price, size in asks)
    return {f"yes{at}": Book(f"yes{at}", (), levels, 1, NOW, NOW) for at in range(2)}


def quoted(made: dict[str, Book], gates: Gates = GATES) -> Quote:
    quote = price_basket(BASKET, made, gates)
    assert isinstance(quote, Quote)
    return quote


def test_trade_ids_sort_by_time_and_differ() -> None:
    ids = [new_trade_id(NOW + at) for at in (0, 1, 999, 1_000)]
    assert ids == sorted(ids)
    assert len({new_trade_id(NOW) for _ in range(100)}) == 100
    assert ids[0].startswith("260921T141320000-")


def test_what_can_be_spent_is_every_share_at_its_limit_with_the_dearest_fee() -> None:
    deep = quoted(books(("0.40", "10"), ("0.45", "10")))
    limit = deep.legs[0].limit
    fee = instrument("0").rules.fee
    assert limit == Decimal("0.45")
    assert most_spent(deep) == 2 * (deep.size * limit + fee.taker_fee(deep.size, limit))
    dear = replace(deep, legs=tuple(replace(leg, limit=Price(Decimal("0.7"))) for leg in deep.legs))
    assert most_spent(dear) == 2 * (deep.size * Decimal("0.7") + fee.taker_fee(deep.size, Price(Decimal("0.5"))))


def test_a_quote_is_priced_for_less_until_its_worst_case_can_be_afforded() -> None:
    made = books(("0.40", "10"), ("0.45", "50"))
    quote = quoted(made)
    assert most_spent(quote) > GATES.budget
    smaller = affordable(quote, GATES.budget, made, GATES)
    assert smaller is not None
    assert most_spent(smaller) <= GATES.budget
    assert smaller.size >= quote.size * Decimal("0.9")
    assert affordable(smaller, GATES.budget, made, GATES) is smaller


def test_what_is_nothing_when_it_is_smaller_cannot_be_afforded() -> None:
    made = books(("0.40", "10"), ("0.45", "50"))
    assert affordable(quoted(made), Usd(Decimal("0.50")), made, GATES) is None


def test_the_plan_carries_the_decision_and_its_capital() -> None:
    quote = quoted(books(("0.40", "20")))
    opportunity = Opportunity(quote, (BookRef("yes0", 1, NOW), BookRef("yes1", 1, NOW)), NOW, 77)
    taken = Taken("lease-7", NOW + 9_000, most_spent(quote))
    plan = plan_trade(opportunity, quote, taken, account="main", patience=Patience(), undo=UndoLimits(), cap=Usd(D25))
    assert (plan.lease_id, plan.lease_expires_ms, plan.reserved) == ("lease-7", NOW + 9_000, taken.amount)
    assert (plan.decided_ms, plan.decided_ns, plan.books) == (NOW, 77, opportunity.books)
    assert [(leg.size, leg.limit) for leg in plan.legs] == [(quote.size, Decimal("0.40"))] * 2
    assert (plan.edge, plan.cap) == (quote.edge, D25)


def test_beats_of_many_trades_leave_the_servers_disk_room() -> None:
    """200 trades at a beat in 0.8 s each were 250 writes a second: all that a disk with 4 ms to a sync can do."""
    assert [beat_ms(count) for count in (0, 1, 64)] == [2_000] * 3
    for count in (65, 200, 900):
        assert count / (beat_ms(count) / 1000 * 0.4) <= 80.1
    assert beat_ms(10_000) == 30_000
