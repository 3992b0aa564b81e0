"""Orders are built exactly as both official clients build them, and never with amounts that the venue refuses."""

from dataclasses import replace
from decimal import Decimal

import pytest
from eth_account import Account
from hypothesis import assume, given
from hypothesis import strategies as st
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import BYTES32_ZERO, UnsignedOrder
from polymarket._internal.protocol import is_v2_position_id

from arbsaga.domain.orders import SALT_BITS
from arbsaga.errors import VenueError
from arbsaga.venues.polymarket import PolymarketSettings
from arbsaga.venues.polymarket.client import deposit_wallets
from arbsaga.venues.polymarket.orders import (
    NEG_RISK,
    STANDARD,
    V3,
    ExchangeOrder,
    amounts,
    build_order,
    exchange_of,
    is_v2_token,
)
from arbsaga.venues.polymarket.signing import Signer

from .make import KEY, NO, OWNER, V2_YES, YES, instrument, terms

GOLDEN = ExchangeOrder(
    salt=479249096354,
    maker=OWNER,
    signer=OWNER,
    token_id=1234,
    maker_amount=5_200_000,
    taker_amount=10_000_000,
    side=0,
    signature_type=0,
    timestamp=1_790_000_000_000,
)


@pytest.mark.parametrize(
    ("exchange", "order_id"),
    [
        (STANDARD, "f6ebb2bd93f1d971ee65798028c7e21af02dfbe4ee48fe96920a9188f70b7306"),
        (NEG_RISK, "ecb89fdb3a19fa366786e3ce87e67458ccd831ebd9936233eac9dac5698759dc"),
        (V3, "27aba875f4006a9508bd65775bddeeb7de5cb72d5292f5dc9d4389c250a327af"),
    ],
)
def test_golden_order_ids(exchange, order_id):
    """The ids that polymarket-client and py-clob-client-v2 agree on, for each exchange."""
    assert GOLDEN.digest(exchange).hex() == order_id


@pytest.mark.parametrize("wallet", [0, 1, 2], ids=["eoa", "beacon deposit wallet", "uups deposit wallet"])
@pytest.mark.parametrize(
    "of",
    [instrument(), instrument(neg_risk=True), instrument(version="v2")],
    ids=["standard", "neg-risk", "protocol v2"],
)
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_id_and_signature_are_the_official_clients(wallet, of, side):
    """For every wallet, exchange and side, id and signature are byte for byte what the official client makes."""
    signer = _signer(wallet)
    order_id, signed = signer.sign(terms(side, of=of))
    unsigned = UnsignedOrder(
        chain_id=137,
        builder=BYTES32_ZERO,
        exchange_address=exchange_of(of).address,
        expiration=0,
        maker=signed.maker,
        maker_amount=signed.maker_amount,
        metadata=BYTES32_ZERO,
        order_type="GTC",
        salt=signed.salt,
        side=side,
        signature_type=signed.signature_type,
        signer=signed.signer,
        taker_amount=signed.taker_amount,
        timestamp=signed.timestamp,
        token_id=signed.token_id,
        protocol_version="3" if of.rules.version == "v2" else "2",
    )
    plain = Account.from_key(KEY).sign_typed_data(full_message=build_order_typed_data(unsigned))
    assert signed.signature == build_order_signature(unsigned, "0x" + plain.signature.hex())
    assert order_id == signer.order_id(terms(side, of=of))
    if wallet:
        assert len(signed.signature) == 2 + 2 * 317
        assert signed.maker == signed.signer == signer.wallet != signer.address


def _signer(wallet):
    if not wallet:
        return Signer(PolymarketSettings(KEY))
    derived = Signer(PolymarketSettings(KEY, signature_type=3))
    if wallet == 1:
        return derived
    return Signer(PolymarketSettings(KEY, wallet=deposit_wallets(OWNER)[1], signature_type=3))


def test_same_terms_are_the_same_bytes():
    """Signing twice, and in another signer, gives the same order: a retry is no second order."""
    first, second = Signer(PolymarketSettings(KEY)), Signer(PolymarketSettings(KEY))
    assert first.sign(terms()) == second.sign(terms()) == first.sign(terms())


def test_each_attempt_is_another_order():
    """Trade, leg and attempt are the salt, so that another attempt has another id."""
    signer = Signer(PolymarketSettings(KEY))
    ids = {
        signer.order_id(changed)
        for changed in (terms(), terms(attempt=2), replace(terms(), leg=1), replace(terms(), trade_id="other"))
    }
    assert len(ids) == 4


def test_salt_and_timestamp_come_from_the_terms():
    """The salt fits a JSON number, and the signed time is the attempt's, not the clock's."""
    order = build_order(terms(created=123_456), OWNER, 0)
    assert order.salt == terms().salt < 1 << SALT_BITS
    assert order.timestamp == 123_456


class TestExchange:
    """Trap 7.6: an order signed for the wrong exchange is refused as `invalid signature`."""

    def test_chosen_by_version_and_neg_risk(self):
        assert exchange_of(instrument()) is STANDARD
        assert exchange_of(instrument(neg_risk=True)) is NEG_RISK
        assert exchange_of(instrument(version="v2")) is exchange_of(instrument(version="v2", neg_risk=True)) is V3

    def test_unknown_version_is_refused(self):
        """Trap 7.7: after a cutover no order is sent at all, instead of a loop of refused ones."""
        with pytest.raises(VenueError, match="v3"):
            exchange_of(replace(instrument(), rules=replace(instrument().rules, version="v3")))

    @pytest.mark.parametrize(("version", "token"), [("v1", V2_YES), ("v2", YES)])
    def test_token_laid_out_otherwise_is_refused(self, version, token):
        with pytest.raises(VenueError, match="not one of protocol version"):
            exchange_of(instrument(version=version, token=token))

    @given(st.integers(min_value=0, max_value=2**256 - 1))
    def test_layout_is_judged_as_the_official_client_does(self, token):
        assert is_v2_token(str(token)) == is_v2_position_id(str(token))


class TestAmounts:
    """Traps 2.5, 7.9, 7.10: integer arithmetic only, on the grid, with the decimals that the venue takes."""

    def test_gtc_is_share_targeted_and_exact(self):
        assert amounts(terms("BUY", "0.52", "10.01")) == (5_205_200, 10_010_000)
        assert amounts(terms("SELL", "0.52", "10.01")) == (10_010_000, 5_205_200)

    def test_finest_tick_is_exact(self):
        assert amounts(terms("BUY", "0.0001", "5", of=instrument(tick="0.0001"))) == (500, 5_000_000)

    def test_fok_buy_gives_cents_and_gets_four_decimals(self):
        """The official client sends 5 decimals on a 0.001 tick (10131970), which the venue refused."""
        fine = instrument(tick="0.001")
        assert amounts(terms("BUY", "0.985", "10.14", kind="FOK", of=fine)) == (9_980_000, 10_131_900)

    def test_fak_sell_gives_hundredths_and_gets_four_decimals(self):
        fine = instrument(tick="0.0001")
        assert amounts(terms("SELL", "0.1234", "5.55", kind="FAK", of=fine)) == (5_550_000, 684_800)

    @given(
        tick=st.sampled_from(["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"]),
        place=st.integers(min_value=1, max_value=9_999),
        hundredths=st.integers(min_value=500, max_value=10**7),
        side=st.sampled_from(["BUY", "SELL"]),
        kind=st.sampled_from(["GTC", "FOK", "FAK"]),
    )
    def test_never_more_decimals_than_the_venue_takes(self, tick, place, hundredths, side, kind):
        """Whatever the order: no more decimals than the server's checks allow, never more shares than asked."""
        step = Decimal(tick)
        price, size = step * (place % (int(1 / step) - 1) + 1), Decimal(hundredths) / 100
        assume(size * price >= Decimal("0.01"))
        given_, got = amounts(terms(side, str(price), str(size), kind=kind, of=instrument(tick=tick)))
        usd, shares = (given_, got) if side == "BUY" else (got, given_)
        assert shares <= size * 10**6
        assert usd <= price * size * 10**6
        if kind == "GTC":
            assert (usd, shares) == (price * size * 10**6, size * 10**6)
        else:
            assert given_ % 10_000 == 0
            assert got % 100 == 0

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"price": "0.525"}, "off the tick grid"),
            ({"price": "1"}, "off the tick grid"),
            ({"price": "0"}, "off the tick grid"),
            ({"size": "10.001"}, "more than 2 decimals"),
            ({"size": "0"}, "above 0"),
            ({"size": "0.01", "price": "0.01", "kind": "FAK"}, "above 0"),
            ({"of": instrument(tick="0.02")}, "unknown tick size"),
        ],
    )
    def test_terms_off_the_grid_are_no_order(self, changes, why):
        """What the venue would refuse never gets an id, let alone a signature."""
        with pytest.raises(VenueError, match=why):
            Signer(PolymarketSettings(KEY)).sign(terms(**changes))


def test_tokens_of_the_test_are_as_they_should_be():
    assert not is_v2_token(YES)
    assert not is_v2_token(NO)
    assert is_v2_token(V2_YES)
