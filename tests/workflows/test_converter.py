"""What goes into a history comes out the same, to the last digit."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from temporal_rig import make_plan
from temporalio.converter import PayloadConverter

from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.risk.desk import Claim, DeskNote, Ended
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import LegResult, Phase, Seen, TradePlan, TradeRecord
from workers.converter import DATA_CONVERTER, SharedPydanticConverter, warm

CONVERTER: PayloadConverter = DATA_CONVERTER.payload_converter
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None)


def round_trip(value, kind):
    (payload,) = CONVERTER.to_payloads([value])
    (back,) = CONVERTER.from_payloads([payload], [kind])
    return back


def view_of(plan: TradePlan, size: Decimal = Decimal("12.00")) -> OrderView:
    terms = entry_orders(plan)[0]
    fill = Fill("f", Size(size), Price(Decimal("0.4100")), Usd(Decimal("1E-7")), FillStatus.MINED, 7)
    return OrderView(terms, "0xid", OrderState.LIVE, (fill,), Size(size), "why", ("post: live",), 9)


def test_a_plan_survives_exactly() -> None:
    """Every decimal with its digits and exponent, every enum, the nested tuples."""
    plan = replace(make_plan(), fees=Usd(Decimal("1E-7")), edge=Usd(Decimal("-0.10")))
    back = round_trip(plan, TradePlan)
    assert back == plan
    assert repr(back) == repr(plan)


def test_a_record_and_its_evidence_survive_exactly() -> None:
    """Also what several orders and fills say."""
    plan = make_plan()
    leg = LegResult("token", "Łódź – ≥ 3", Size(Decimal("0E-2")), Size(Decimal(0)), Usd(Decimal("-1.50")))
    usd = Usd(Decimal("3.140"))
    record = TradeRecord(
        plan, Phase.HELD, (view_of(plan),), (leg,), Size(Decimal(1)), usd, usd, usd, Usd(-usd), "because", 11
    )
    back = round_trip(record, TradeRecord)
    assert repr(back) == repr(record)
    assert repr(round_trip(Seen("t", (view_of(plan),), 3), Seen)) == repr(Seen("t", (view_of(plan),), 3))


@given(decimals)
def test_any_decimal_survives(number: Decimal) -> None:
    """Exactly, however large or small."""
    plan = replace(make_plan(), cost=Usd(number))
    assert str(round_trip(plan, TradePlan).cost) == str(number)


def test_a_note_to_the_desk_keeps_its_kind() -> None:
    """A union is told apart by its fields."""
    claim = Claim("t", "basket/x", "x", "l", Usd(Decimal(5)))
    for body in (claim, Ended(claim, "run", Phase.FLAT, Usd(Decimal(0))), "trade-id"):
        assert round_trip(DeskNote("a", "s", body), DeskNote).body == body


def test_validators_are_built_once_for_all_workflows() -> None:
    """The SDK makes a converter for each run: all of them share one cache."""
    warm([TradePlan])
    first, second = SharedPydanticConverter(), SharedPydanticConverter()
    assert first.converters[b"json/plain"] is second.converters[b"json/plain"]
