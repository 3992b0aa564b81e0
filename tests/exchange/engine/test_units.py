"""Base units, ids and fees: the arithmetic of the exchange."""

from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polymarket._internal.protocol import is_v2_position_id

from arbsaga.exchange import ids
from arbsaga.exchange.fees import taker_fee
from arbsaga.exchange.model import Market
from arbsaga.exchange.units import ONE, TICKS, collateral, collateral_up, decimals, format_units, parse, to_decimal

from .place import plain_market


@given(st.integers(-(10**15), 10**15))
def test_amounts_survive_text_exactly(amount: int) -> None:
    """Formatting and parsing are inverse, and the text is the shortest decimal."""
    text = format_units(amount)
    assert parse(text) == amount
    assert Decimal(text) == to_decimal(amount)
    assert not ("." in text and text.endswith(("0", ".")))


@pytest.mark.parametrize("text", ["", "1.1234567", "1e6", "+1", "1,5", "--1", "٣"])
def test_other_texts_are_no_amounts(text: str) -> None:
    """At most 6 decimals, digits only."""
    with pytest.raises(ValueError, match="at most 6 decimals"):
        parse(text)


def test_decimals_counts_the_digits_in_use() -> None:
    """19.2307 uses 4 decimals, 20 none."""
    assert [decimals(parse(text)) for text in ("19.2307", "20", "0.000001", "9.98")] == [4, 0, 6, 2]


def test_the_tick_table_is_the_official_clients() -> None:
    """tick -> decimals of price, size, amount."""
    table = {format_units(tick): (rules.price, rules.size, rules.amount) for tick, rules in TICKS.items()}
    assert table == {
        "0.1": (1, 2, 3),
        "0.01": (2, 2, 4),
        "0.005": (3, 2, 5),
        "0.0025": (4, 2, 6),
        "0.001": (3, 2, 5),
        "0.0001": (4, 2, 6),
    }


def test_collateral_rounds_down_or_up() -> None:
    """The counter amount of a fill is floored; a reserve is not."""
    assert (collateral(3, 500_000), collateral_up(3, 500_000)) == (1, 2)


@given(
    st.integers(1, 10**11),
    st.integers(100, ONE - 100),
    st.sampled_from(["0", "0.03", "0.04", "0.0625", "0.07"]),
    st.integers(1, 2),
)
def test_fees_follow_the_formula(shares: int, price: int, rate: str, exponent: int) -> None:
    """shares * rate * (p(1-p))^exponent to 5 decimals in the direction of the setting, never above the value."""
    market = plain_market("fees", fee_rate=Decimal(rate), fee_exponent=exponent)
    p, value = to_decimal(price), collateral(shares, price)
    exact = to_decimal(shares) * Decimal(rate) * (p * (1 - p)) ** exponent
    for rounding, mode in (("up", ROUND_UP), ("half_even", ROUND_HALF_EVEN)):
        wanted = min(exact.quantize(Decimal("0.00001"), mode), to_decimal(value))
        assert to_decimal(taker_fee(shares, price, value, market, rounding)) == wanted
    assert to_decimal(taker_fee(shares, price, value, market, "down")) <= exact


def test_the_documented_example_of_a_fee() -> None:
    """100 crypto shares at 0.50 pay $1.75 (docs: trading/fees)."""
    market = plain_market("crypto", fee_rate=Decimal("0.07"))
    assert taker_fee(100 * ONE, 500_000, 50 * ONE, market, "up") == parse("1.75")


def test_v1_and_v2_ids_are_told_apart_by_the_official_client() -> None:
    """The client signs for Protocol V2 when bits 40..103 are zero."""
    _, v1 = ids.v1_ids("any")
    condition, v2 = ids.v2_ids("any", index=3, arity=5, neg_risk=True)
    assert not any(map(is_v2_position_id, v1))
    assert all(map(is_v2_position_id, v2))
    value = int(v2[1])
    assert (value >> 248, value >> 104 & 0xFFFF, value >> 8 & 0xFFFF, value & 0xFF) == (2, 5, 3, 1)
    assert (int(condition, 16), len(condition)) == (int(v2[0]), 66)
    other, _ = ids.v2_ids("any", index=4, arity=5, neg_risk=True)
    assert ids.v2_event_id(condition) == ids.v2_event_id(other) != condition


def test_wrongly_laid_out_ids_are_refused() -> None:
    """A v1 market with v2 ids, the reverse, and v2 tokens that are no pair."""
    condition, v2 = ids.v2_ids("x", index=0, arity=2, neg_risk=False)
    _, v1 = ids.v1_ids("x")
    for version, tokens in (("v1", v2), ("v2", v1), ("v2", (v2[1], v2[0]))):
        with pytest.raises(ValueError, match="ids"):
            ids.check_ids(Market(condition, "e", "q", "slug", version, tokens))


def test_each_market_has_its_exchange_contract() -> None:
    """CTF, neg-risk and V3 (docs: v2-migration)."""
    plain = plain_market("plain")
    assert ids.spender_of(plain) == ids.CTF_EXCHANGE
    plain.neg_risk = True
    assert ids.spender_of(plain) == ids.NEG_RISK_EXCHANGE
    plain.version = "v2"
    assert ids.spender_of(plain) == ids.EXCHANGE_V3
