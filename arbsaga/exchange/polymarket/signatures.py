"""Signatures as the venue checks them: EIP-712 digests of orders and of the login message, and who signed.

Written from the specifications and not from arbsaga's own order builder: the exchange is the judge of that builder.
Sources: docs.polymarket.com/v2-migration and /protocol-v2-migration, EIP-712, ERC-7739, Solady's deposit wallet.
"""

from dataclasses import dataclass
from functools import lru_cache

from coincurve import PublicKey
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from arbsaga.exchange.ids import CHAIN, EXCHANGE_V3

EOA = 0
DEPOSIT_WALLET = 3

ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_LOGIN_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId)"
_LOGIN_TYPE = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_LOGIN_MESSAGE = b"This message attests that I control the given wallet"
_WRAPPER_TYPE = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,"
    b"bytes32 salt)" + ORDER_TYPE
)

_ORDER_TYPE_HASH = keccak(ORDER_TYPE)
_WRAPPER_PREFIX_HASH = keccak(_WRAPPER_TYPE)
_WALLET_NAME_HASH = keccak(b"DepositWallet")
_WALLET_VERSION_HASH = keccak(b"1")
_LENGTH_OF_TYPE = len(ORDER_TYPE).to_bytes(2, "big")
_MAX_UINT = 1 << 256


@dataclass(frozen=True, slots=True)
class SignedFields:
    """The eleven fields of the venue's order struct, amounts in base units (1e-6), `timestamp` in ms."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes
    builder: bytes


def _word(value: int) -> bytes:
    """A uint256. Raises ValueError outside of its range (as the contract would refuse the calldata)."""
    if not 0 <= value < _MAX_UINT:
        raise ValueError(f"not a uint256: {value}")
    return value.to_bytes(32, "big")


def _address(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x")).rjust(32, b"\0")


@lru_cache(maxsize=8)
def domain_separator(contract: str) -> bytes:
    """Domain of one of the three exchanges: version "3" for Protocol V2's exchange, "2" for the CTF ones."""
    version = b"3" if contract == EXCHANGE_V3 else b"2"
    return keccak(
        keccak(_DOMAIN_TYPE) + keccak(b"Polymarket CTF Exchange") + keccak(version) + _word(CHAIN) + _address(contract)
    )


def struct_hash(order: SignedFields) -> bytes:
    """EIP-712 hash of the order struct. Raises ValueError when a number does not fit its type."""
    return keccak(
        _ORDER_TYPE_HASH
        + _word(order.salt)
        + _address(order.maker)
        + _address(order.signer)
        + _word(order.token_id)
        + _word(order.maker_amount)
        + _word(order.taker_amount)
        + _word(order.side)
        + _word(order.signature_type)
        + _word(order.timestamp)
        + order.metadata.rjust(32, b"\0")
        + order.builder.rjust(32, b"\0")
    )


def digest(contract: str, contents: bytes) -> bytes:
    """What an EOA signs, and the venue's order id, for an order whose struct hash is `contents`."""
    return keccak(b"\x19\x01" + domain_separator(contract) + contents)


def order_id(contract: str, order: SignedFields) -> str:
    """The venue's order id: the plain digest of the order, for every signature type (0x + 64 hex)."""
    return "0x" + digest(contract, struct_hash(order)).hex()


def recover(message: bytes, signature: bytes) -> str | None:
    """Checksummed address that signed the 32-byte `message`, or None when the 65 bytes are no signature."""
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        return None
    compact = signature[:64] + bytes([signature[64] % 27])
    try:
        key = PublicKey.from_signature_and_message(compact, message, hasher=None)
    except Exception:  # noqa: BLE001  coincurve raises bare Exception for an unrecoverable signature
        return None
    return checksum(keccak(key.format(compressed=False)[1:])[12:].hex())


@lru_cache(maxsize=4096)
def checksum(address: str) -> str:
    """EIP-55 form of a hex address. Raises ValueError when it is none."""
    return str(to_checksum_address(address))


def order_signer(contract: str, order: SignedFields, contents: bytes, signature: bytes) -> str | None:
    """Address whose key signed the order, or None when the signature is not one of a known form.

    Type 0 is a plain 65-byte signature of the digest; type 3 is the 317-byte ERC-7739 wrapper in which the key
    signs the order as seen by the deposit wallet (signature, domain, contents hash, type string, its length).
    """
    if order.signature_type == EOA:
        return recover(digest(contract, contents), signature)
    if order.signature_type != DEPOSIT_WALLET:
        return None
    trailer = domain_separator(contract) + contents + ORDER_TYPE + _LENGTH_OF_TYPE
    if signature[65:] != trailer:
        return None
    wrapped = keccak(
        _WRAPPER_PREFIX_HASH
        + contents
        + _WALLET_NAME_HASH
        + _WALLET_VERSION_HASH
        + _word(CHAIN)
        + _address(order.signer)
        + bytes(32)
    )
    return recover(digest(contract, wrapped), signature[:65])


def login_signer(address: str, timestamp: str, nonce: int, signature: bytes) -> str | None:
    """Address that signed the ClobAuth message of the L1 headers, or None when it is no signature."""
    domain = keccak(
        keccak(_LOGIN_DOMAIN_TYPE) + keccak(b"ClobAuthDomain") + keccak(b"1") + _word(CHAIN),
    )
    contents = keccak(
        keccak(_LOGIN_TYPE) + _address(address) + keccak(timestamp.encode()) + _word(nonce) + keccak(_LOGIN_MESSAGE)
    )
    return recover(keccak(b"\x19\x01" + domain + contents), signature)
