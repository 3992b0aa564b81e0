"""The account's key: whose wallet it is, and signatures that are the same every time.

Signing is RFC 6979 deterministic, so the same terms are the same bytes in every process and retry.
"""

from coincurve import PrivateKey
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address
from polymarket.models.clob.orders import SignedOrder
from polymarket.models.types import PositionId
from polymarket.types import EvmAddress, HexString
from pydantic import SecretStr

from arbsaga.domain.orders import OrderTerms
from arbsaga.errors import SecretError, UserError
from arbsaga.venues.polymarket.client import deposit_wallets
from arbsaga.venues.polymarket.orders import (
    CHAIN_ID,
    ORDER_TYPE,
    Exchange,
    ExchangeOrder,
    address_word,
    build_order,
    exchange_of,
    word,
)
from arbsaga.venues.polymarket.settings import DEPOSIT_WALLET, EOA, PolymarketSettings

KEY_BYTES = 32
_ZERO = HexString("0x" + "00" * 32)
_WRAPPER_TYPE_HASH = keccak(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + ORDER_TYPE
)
_WALLET_DOMAIN = keccak(b"DepositWallet") + keccak(b"1") + word(CHAIN_ID)
_TYPE_TRAILER = ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")


class Signer:
    """Signs the orders of one wallet. Never shows its key.

    `address` is the key's own address, `wallet` the one that trades; both checksummed. Raises
    SecretError for a key that is none, UserError for a wallet that is not the key's.
    """

    def __init__(self, settings: PolymarketSettings) -> None:
        self._key = _parse(settings.private_key)
        self.address = _address(self._key)
        self.signature_type = settings.signature_type
        self.wallet = _wallet(settings, self.address)

    def __repr__(self) -> str:
        return f"Signer(address={self.address!r}, wallet={self.wallet!r})"

    def order_id(self, terms: OrderTerms) -> str:
        """The venue's id of the order of these terms. Raises VenueError for terms off the venue's grid."""
        order = build_order(terms, self.wallet, self.signature_type)
        return "0x" + order.digest(exchange_of(terms.instrument)).hex()

    def sign(self, terms: OrderTerms) -> tuple[str, SignedOrder]:
        """(id, signed order as the official client posts it). Raises VenueError for terms off the venue's grid."""
        order, exchange = build_order(terms, self.wallet, self.signature_type), exchange_of(terms.instrument)
        digest = order.digest(exchange)
        signed = SignedOrder(
            builder=_ZERO,
            expiration=0,
            maker=EvmAddress(order.maker),
            maker_amount=order.maker_amount,
            metadata=_ZERO,
            order_type=terms.time_in_force.value,
            salt=order.salt,
            side=terms.side.value,
            signature=HexString("0x" + self._signature(order, exchange, digest).hex()),
            signature_type=order.signature_type,
            signer=EvmAddress(order.signer),
            taker_amount=order.taker_amount,
            timestamp=order.timestamp,
            token_id=PositionId(terms.instrument.token),
        )
        return "0x" + digest.hex(), signed

    def _signature(self, order: ExchangeOrder, exchange: Exchange, digest: bytes) -> bytes:
        if self.signature_type == EOA:
            return self._sign(digest)
        return self._sign_wrapped(order, exchange)

    def _sign_wrapped(self, order: ExchangeOrder, exchange: Exchange) -> bytes:
        """ERC-7739: the wallet's contract verifies the key's signature over the order, nested in its own domain."""
        contents = order.struct_hash()
        wrapper = keccak(_WRAPPER_TYPE_HASH + contents + _WALLET_DOMAIN + address_word(order.signer) + bytes(32))
        inner = self._sign(keccak(b"\x19\x01" + exchange.domain + wrapper))
        return inner + exchange.domain + contents + _TYPE_TRAILER

    def _sign(self, digest: bytes) -> bytes:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


def _parse(secret: SecretStr) -> PrivateKey:
    try:
        raw = bytes.fromhex(secret.get_secret_value().strip().removeprefix("0x"))
        if len(raw) == KEY_BYTES:
            return PrivateKey(raw)
    except ValueError:
        pass  # not chained: the error's text and context could show the key
    raise SecretError("the private key is no key: it must be 64 hex digits, with or without 0x")


def _address(key: PrivateKey) -> str:
    public = key.public_key.format(compressed=False)[1:]
    return to_checksum_address("0x" + keccak(public)[12:].hex())


def _wallet(settings: PolymarketSettings, owner: str) -> str:
    own = (owner,) if settings.signature_type == EOA else deposit_wallets(owner)
    if settings.wallet is None:
        return own[0]
    if settings.wallet.lower() not in {wallet.lower() for wallet in own}:
        kind = "own address" if settings.signature_type != DEPOSIT_WALLET else "deposit wallet"
        raise UserError(
            f"wallet {settings.wallet} is not the {kind} of this key ({own[0]}): mend wallet or signature_type"
        )
    return to_checksum_address(settings.wallet)
