"""Fees by the venue's worked examples, and the accumulator that makes many small fills cost what one large one does."""

import random
from decimal import Decimal

import pytest

from arbsaga.exchange.kalshi.engine import EngineSettings
from arbsaga.exchange.kalshi.fees import Schedule, charge, schedule
from arbsaga.exchange.kalshi.model import Event, Market, Series
from arbsaga.exchange.units import ONE, parse

from .scene import ANN, BOB, HOUSE, open_scene

CENT, CENTICENT = 10_000, 100
TAKER = Decimal("0.07")


def trade_fee(price: str, count: str, fee_type: str = "quadratic", multiplier: str = "1", *, taker: bool = True) -> int:
    """The model fee."""
    return Schedule(fee_type, Decimal(multiplier), TAKER, 20_000).trade_fee(parse(price), parse(count), is_taker=taker)


def test_one_contract_at_5_5_cents_costs_half_a_cent_where_balances_have_cents() -> None:
    """The documented example: 0.003639 + 0.001361 = 0.005000, and the balance falls by 0.06."""
    fee = trade_fee("0.055", "1")
    assert fee == 3_639
    assert charge(-55_000, fee, 0, CENT) == (5_000, 1_361)


@pytest.mark.parametrize(("precision", "out"), [(CENTICENT, "57.7248"), (CENT, "57.73")])
def test_a_hundred_contracts_at_56_cents(precision: int, out: str) -> None:
    """1.7248 of fees; a direct member pays 57.7248 in all, one cleared by a broker 57.73."""
    fee = trade_fee("0.56", "100")
    assert fee == parse("1.7248")
    billed, _ = charge(parse("-56"), fee, 0, precision)
    assert parse("56") + billed == parse(out)


@pytest.mark.parametrize(
    ("fee_type", "taker", "maker"),
    [
        ("quadratic", 1_750_000, 0),
        ("quadratic_with_maker_fees", 1_750_000, 437_500),
        ("quadratic_with_combo_maker_fees", 1_750_000, 875_000),
        ("flat", 2_000_000, 0),
    ],
)
def test_rates_by_fee_type(fee_type: str, taker: int, maker: int) -> None:
    """Of 100 contracts at 50 cents: a maker pays nothing, a quarter, or half of the taker's rate."""
    assert trade_fee("0.5", "100", fee_type) == taker
    assert trade_fee("0.5", "100", fee_type, taker=False) == maker


def test_the_fee_is_the_same_for_both_sides_of_a_price_and_scales() -> None:
    """P x (1 - P), times the multiplier of the series."""
    assert trade_fee("0.2", "10") == trade_fee("0.8", "10")
    assert trade_fee("0.5", "100", multiplier="0.5") == 875_000


def test_an_event_overrides_its_series_and_a_waiver_everything() -> None:
    """In that order; once the waiver is over the fees are back."""
    series, settings = Series("S", multiplier := "quadratic", Decimal(1)), EngineSettings()
    event = Event("E", "S", fee_type_override="quadratic_with_maker_fees", fee_multiplier_override=Decimal(2))
    market = Market("M", "E", fee_waiver_until_ms=1_000)
    assert schedule(series, Event("E", "S"), Market("M", "E"), settings, 0).fee_type == multiplier
    chosen = schedule(series, event, market, settings, 1_000)
    assert (chosen.fee_type, chosen.multiplier) == ("quadratic_with_maker_fees", Decimal(2))
    assert schedule(series, event, market, settings, 999).multiplier == 0


@pytest.mark.parametrize("precision", [CENT, CENTICENT])
@pytest.mark.parametrize("seed", range(5))
def test_an_order_pays_its_exact_fees_and_less_than_one_unit_more(seed: int, precision: int) -> None:
    """However it is split: the accumulator gives back what rounding took; no fill's fee is below 0."""
    rng = random.Random(seed)
    carry = billed = exact = balance = 0
    for _ in range(200):
        price, count = rng.randrange(10_000, ONE, 10_000), rng.randrange(10_000, 3 * ONE, 10_000)
        fee = trade_fee(f"{Decimal(price) / ONE}", f"{Decimal(count) / ONE}")
        revenue = -price * count // ONE
        cost, carry = charge(revenue, fee, carry, precision)
        assert cost >= 0
        assert carry >= 0
        billed, exact, balance = billed + cost, exact + fee, balance + revenue - cost
        assert balance % precision == 0
    assert 0 <= billed - exact == carry
    assert carry < 2 * precision


def test_the_engine_bills_both_sides_and_carries_from_taker_to_maker(tmp_path) -> None:
    """An order that first takes and then makes keeps one accumulator; its fees are apart."""
    scene = open_scene(tmp_path / "t", fee_multiplier=Decimal(1), fee_type="quadratic_with_maker_fees")
    scene.submit(HOUSE, "ask", "0.55", "1")
    placed = scene.submit(ANN, "bid", "0.55", "3")
    assert (placed.fill_count, placed.remaining_count) == (ONE, 2 * ONE)
    assert placed.average_fill_price == Decimal("0.55")
    scene.submit(BOB, "ask", "0.55", "2", "ioc")
    order = scene.engine.order(placed.order_id)
    assert order is not None
    fills = scene.engine.fills(ANN)
    assert [one.is_taker for one in fills] == [True, False]
    assert (order.taker_fees, order.maker_fees) == (fills[0].fee, fills[1].fee)
    assert placed.average_fee_paid == Decimal(fills[0].fee) / ONE
    model = trade_fee("0.55", "1") + trade_fee("0.55", "2", "quadratic_with_maker_fees", taker=False)
    assert order.taker_fees + order.maker_fees == model + order.carry
    assert scene.cash(ANN) == 1000 - Decimal("1.65") - Decimal(order.taker_fees + order.maker_fees) / ONE
    scene.check()


def test_fees_of_an_event_can_change_live(tmp_path) -> None:
    """The next fill pays the new ones."""
    scene = open_scene(tmp_path / "t")
    scene.engine.set_event_fees("EV", "quadratic", Decimal(1))
    scene.submit(HOUSE, "ask", "0.5", "200")
    scene.submit(ANN, "bid", "0.5", "100", "ioc")
    scene.engine.set_event_fees("EV", None, None)
    scene.submit(ANN, "bid", "0.5", "100", "ioc")
    assert [fill.fee for fill in scene.engine.fills(ANN)] == [1_750_000, 0]
    scene.check()


@pytest.mark.parametrize(
    ("fee_type", "multiplier"), [("cubic", Decimal(1)), ("flat", Decimal(-1)), (None, Decimal("nan"))]
)
def test_unknown_fees_are_refused(tmp_path, fee_type, multiplier: Decimal) -> None:
    """Before anything is written; as are those of an unknown event."""
    scene = open_scene(tmp_path / "t")
    size = scene.path.stat().st_size
    with pytest.raises(ValueError, match="fee"):
        scene.engine.set_event_fees("EV", fee_type, multiplier)
    with pytest.raises(ValueError, match="no event"):
        scene.engine.set_event_fees("X", None, None)
    assert scene.path.stat().st_size == size
