"""Order ids and signatures against the golden vectors of the venue's facts and both official clients."""

import dataclasses

import pytest
from eth_account import Account
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.l1_auth import sign_api_key_auth
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_uups_deposit_wallet_address,
)

from arbsaga.exchange.ids import CHAIN, CTF_EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE
from arbsaga.exchange.polymarket.signatures import (
    SignedFields,
    login_signer,
    order_id,
    order_signer,
    recover,
    struct_hash,
)
from arbsaga.exchange.polymarket.wallets import wallets_of

KEY = "0x" + "00" * 31 + "01"
OWNER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
ZERO = "0x" + "00" * 32
ORDER = SignedFields(
    salt=479249096354,
    maker=OWNER,
    signer=OWNER,
    token_id=1234,
    maker_amount=5_200_000,
    taker_amount=10_000_000,
    side=0,
    signature_type=0,
    timestamp=1_790_000_000_000,
    metadata=bytes(32),
    builder=bytes(32),
)
GOLDEN = {
    CTF_EXCHANGE: "0xf6ebb2bd93f1d971ee65798028c7e21af02dfbe4ee48fe96920a9188f70b7306",
    NEG_RISK_EXCHANGE: "0xecb89fdb3a19fa366786e3ce87e67458ccd831ebd9936233eac9dac5698759dc",
    EXCHANGE_V3: "0x27aba875f4006a9508bd65775bddeeb7de5cb72d5292f5dc9d4389c250a327af",
}


def signed_by_client(contract: str, order: SignedFields) -> bytes:
    """The official client's signature of the order with KEY."""
    unsigned = UnsignedOrder(
        chain_id=137,
        builder=ZERO,
        exchange_address=contract,
        expiration=0,
        maker=order.maker,
        maker_amount=order.maker_amount,
        metadata=ZERO,
        order_type="GTC",
        salt=order.salt,
        side="BUY",
        signature_type=order.signature_type,
        signer=order.signer,
        taker_amount=order.taker_amount,
        timestamp=order.timestamp,
        token_id=str(order.token_id),
        protocol_version="3" if contract == EXCHANGE_V3 else "2",
    )
    plain = Account.from_key(KEY).sign_typed_data(full_message=build_order_typed_data(unsigned))
    return bytes.fromhex(build_order_signature(unsigned, "0x" + plain.signature.hex())[2:])


@pytest.mark.parametrize("contract", GOLDEN)
def test_order_id_is_the_golden_digest(contract):
    """The id the exchange computes is the one both official clients agree on, per exchange contract."""
    assert order_id(contract, ORDER) == GOLDEN[contract]


@pytest.mark.parametrize("contract", GOLDEN)
def test_eoa_signature_recovers_the_key(contract):
    """A type 0 signature of the official client is the owner's on its own exchange."""
    assert order_signer(contract, ORDER, struct_hash(ORDER), signed_by_client(contract, ORDER)) == OWNER


def test_signature_for_another_exchange_is_someone_elses():
    """A neg-risk order signed for the standard exchange does not recover to the owner (py-clob-client #79)."""
    signature = signed_by_client(CTF_EXCHANGE, ORDER)
    assert order_signer(NEG_RISK_EXCHANGE, ORDER, struct_hash(ORDER), signature) != OWNER


@pytest.mark.parametrize("contract", GOLDEN)
@pytest.mark.parametrize("which", [1, 2])
def test_deposit_wallet_signature_recovers_the_key(contract, which):
    """A type 3 signature (ERC-7739 wrapper, 317 bytes) is the owner's; the id stays the plain digest."""
    wallet = wallets_of(OWNER)[which]
    order = dataclasses.replace(ORDER, maker=wallet, signer=wallet, signature_type=3)
    signature = signed_by_client(contract, order)
    assert len(signature) == 317
    assert order_signer(contract, order, struct_hash(order), signature) == OWNER


@pytest.mark.parametrize("cut", [slice(0, 65), slice(0, 316), slice(1, 317)])
def test_damaged_wrapper_is_no_signature(cut):
    """A wrapper without its trailer, or shifted by a byte, is refused."""
    wallet = wallets_of(OWNER)[1]
    order = dataclasses.replace(ORDER, maker=wallet, signer=wallet, signature_type=3)
    signature = signed_by_client(EXCHANGE_V3, order)[cut]
    assert order_signer(EXCHANGE_V3, order, struct_hash(order), signature) is None


def test_proxy_and_safe_wallets_are_not_accepted():
    """Signature types 1 and 2 are not offered by the simulated exchange."""
    order = dataclasses.replace(ORDER, signature_type=2)
    assert order_signer(CTF_EXCHANGE, order, struct_hash(order), bytes(65)) is None


@pytest.mark.parametrize("junk", [b"", bytes(64), bytes(65), b"\xff" * 64 + b"\x1b", bytes(64) + b"\x05"])
def test_junk_is_no_signature(junk):
    """Whatever bytes come, recovery answers None and never raises."""
    assert recover(bytes(32), junk) is None


def test_numbers_that_do_not_fit_are_refused():
    """A negative or over-long number cannot be hashed."""
    with pytest.raises(ValueError, match="uint256"):
        struct_hash(dataclasses.replace(ORDER, salt=-1))
    with pytest.raises(ValueError, match="uint256"):
        struct_hash(dataclasses.replace(ORDER, maker_amount=1 << 256))


def test_login_signature_recovers_the_key():
    """The official client's ClobAuth signature proves its address, and only for its timestamp and nonce."""
    proof = sign_api_key_auth(Account.from_key(KEY), chain_id=137, timestamp=1_790_000_000, nonce=3)
    signature = bytes.fromhex(proof.signature[2:])
    assert login_signer(OWNER, "1790000000", 3, signature) == OWNER
    assert login_signer(OWNER, "1790000001", 3, signature) != OWNER
    assert login_signer(OWNER, "1790000000", 0, signature) != OWNER


def test_wallet_addresses_are_the_official_ones():
    """A key's deposit wallets are those the official client derives."""
    config = PRODUCTION_CONFIG.wallet_derivation
    assert wallets_of(OWNER) == (
        OWNER,
        derive_uups_deposit_wallet_address(OWNER, config),
        derive_beacon_deposit_wallet_address(OWNER, config),
    )


def test_contract_addresses_are_the_official_ones():
    """The three verifying contracts are those of the official client's production environment."""
    official = (
        PRODUCTION_CONFIG.standard_exchange,
        PRODUCTION_CONFIG.neg_risk_exchange,
        PRODUCTION_CONFIG.exchange_v3,
    )
    assert official == (CTF_EXCHANGE, NEG_RISK_EXCHANGE, EXCHANGE_V3)
    assert PRODUCTION_CONFIG.chain_id == CHAIN
