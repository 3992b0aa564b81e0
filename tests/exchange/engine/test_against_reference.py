"""The matching engine against a brute-force one, on seeded random flows over both tokens of a market."""

from fractions import Fraction
from pathlib import Path

import pytest

from arbsaga.exchange.desk import FAK_KILLED, FOK_KILLED
from arbsaga.exchange.model import Ack, NewOrder, TradePrinted
from arbsaga.exchange.units import ONE

from .flow import Flow
from .place import ANN, BOB, HOUSE, Place, check_conservation, open_place
from .reference import Reference

DEPOSITS = 2 * 100_000 * ONE


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = open_place(tmp_path / "truth.jsonl")
    for address in (ANN, BOB):
        place.engine.deposit(address, 99_000 * ONE)
    return place


@pytest.mark.parametrize("seed", range(12))
def test_fills_and_books_are_those_of_the_brute_force_matcher(place: Place, seed: int) -> None:
    """After every step: the same makers, prices, shares and USD, the same books of both tokens; nothing is lost."""
    flow, reference, matched = Flow(place, seed), Reference(), 0
    for _ in range(250):
        drawn = flow.rng.random()
        if drawn < 0.85 or not flow.ids:
            matched += _compare(place, flow, reference)
        elif drawn < 0.95:
            canceled = flow.cancel()
            if canceled:
                reference.cancel(canceled)
        else:
            place.wait(flow.rng.choice((500, 4_000)))
        assert (place.levels(0), place.levels(1)) == (reference.book(0), reference.book(1))
        check_conservation(place.engine, DEPOSITS)
    assert matched > 50


def _compare(place: Place, flow: Flow, reference: Reference) -> int:
    new = flow.order()
    place.told.clear()
    seen = _watch(place)
    answer = flow.submit(new)
    if isinstance(answer, str) and answer not in (FOK_KILLED, FAK_KILLED):
        assert "not enough balance" in answer or "min size: $1" in answer
        return 0
    expected = _expected(place, new, reference)
    assert (expected is None) == isinstance(answer, str)
    fills = [(maker, kind, shares, usd) for maker, kind, shares, usd in seen]
    wanted = [(one.maker, one.kind, one.shares, one.maker_usd) for one in expected or []]
    assert sorted(fills) == sorted(wanted)
    if isinstance(answer, Ack):
        _check_answer(place, new, answer, expected or [])
    return len(wanted)


def _watch(place: Place) -> list[tuple[str, str, int, int]]:
    """The maker fills of every trade from now on, house-only trades included."""
    clearing, seen = place.engine._clearing, []
    match = type(clearing).match

    def record(trade, steps) -> None:
        seen.extend((fill.order_id, trade.kind, fill.shares, fill.usd) for fill in trade.makers)
        match(clearing, trade, steps)

    clearing.match = record
    return seen


def _expected(place: Place, new: NewOrder, reference: Reference):
    token = place.markets[0].token_ids.index(new.token_id)
    cents = round(Fraction(new.usd, new.shares) * 100)
    return reference.submit(new.order_id, token, new.side, Fraction(cents, 100), new.shares, new.usd, new.order_type)


def _check_answer(place: Place, new: NewOrder, ack: Ack, expected) -> None:
    shares, usd = sum(one.shares for one in expected), sum(one.taker_usd for one in expected)
    assert (ack.making_amount, ack.taking_amount) == ((usd, shares) if new.side == "BUY" else (shares, usd))
    assert ack.status == ("matched" if expected else "live")
    prices = [Fraction(one.price, ONE) for one in place.happened(TradePrinted)]
    assert set(prices) == {one.price for one in expected}
    better = prices if new.side == "BUY" else [-price for price in prices]
    assert better == sorted(better)


def test_a_house_only_flow_conserves_shares_and_money(place: Place) -> None:
    """The house splits USD into pairs for what it sells, so that even its own trades lose nothing."""
    flow = Flow(place, 99)
    for _ in range(100):
        new = flow.order()
        flow.submit(NewOrder(**{name: getattr(new, name) for name in NewOrder.__slots__} | {"maker": HOUSE}))
        check_conservation(place.engine, DEPOSITS)
