"""From an order's terms to the venue's order: its eleven signed fields and its id, known before it is posted.

The id is the EIP-712 digest of the order under the exchange's domain; it is a pure function of the
terms, since the salt and the timestamp come from them. Source: docs.polymarket.com/v2-migration, and
the golden vectors that both official clients agree on.
"""

from dataclasses import dataclass
from decimal import Decimal

from eth_hash.auto import keccak

from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import MICRO, floor_to
from arbsaga.domain.orders import OrderTerms, TimeInForce
from arbsaga.errors import VenueError

CHAIN_ID = 137
CENT = Decimal("0.01")
SHARE_STEP = Decimal("0.0001")
"""Step of what a FOK or FAK order gets. The SDK sends 5 decimals on 0.001 ticks: refused (py-clob-client-v2 #99)."""
TICKS = frozenset(Decimal(tick) for tick in ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"))
"""Every tick size of the venue; an order in a market with another one is not built."""

ORDER_TYPE = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_ORDER_TYPE_HASH = keccak(ORDER_TYPE)
_DOMAIN_TYPE_HASH = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_NO_WORDS = bytes(64)
"""Metadata and builder: both zero."""
_V2_RESERVED_BITS = ((1 << 64) - 1) << 40


@dataclass(frozen=True, slots=True)
class Exchange:
    """One of the venue's exchange contracts: an order is signed for it, and it needs the allowance."""

    name: str
    address: str
    domain: bytes


def word(value: int) -> bytes:
    """A uint256 as 32 bytes."""
    return value.to_bytes(32, "big")


def address_word(address: str) -> bytes:
    """An address ("0x" and 40 hex digits) as 32 bytes."""
    return bytes(12) + bytes.fromhex(address[2:])


def _exchange(name: str, version: bytes, address: str) -> Exchange:
    domain = _DOMAIN_TYPE_HASH + keccak(b"Polymarket CTF Exchange") + keccak(version) + word(CHAIN_ID)
    return Exchange(name, address, keccak(domain + address_word(address)))


STANDARD = _exchange("CTF exchange", b"2", "0xE111180000d2663C0091e4f400237545B87B996B")
NEG_RISK = _exchange("neg-risk exchange", b"2", "0xe2222d279d744050d28e00520010520000310F59")
V3 = _exchange("Protocol V2 exchange", b"3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa")


def is_v2_token(token: str) -> bool:
    """Whether an asset id is laid out as a Protocol V2 position id (bits 40 to 103 are zero), as the SDK decides."""
    return int(token) & _V2_RESERVED_BITS == 0


def exchange_of(instrument: Instrument) -> Exchange:
    """The contract that an order for this instrument is signed for, by its market's version and neg-risk flag.

    Raises VenueError for an unknown version, and when the token id is not laid out as the version
    says: a wrong exchange is refused as `invalid signature` (py-clob-client #79).
    """
    rules = instrument.rules
    if rules.version not in ("v1", "v2") or is_v2_token(instrument.token) != (rules.version == "v2"):
        raise VenueError(f"token {instrument.token} is not one of protocol version {rules.version!r}")
    if rules.version == "v2":
        return V3
    return NEG_RISK if rules.neg_risk else STANDARD


@dataclass(frozen=True, slots=True)
class ExchangeOrder:
    """The signed fields of an order; `metadata` and `builder` are zero. Amounts in 1e-6 USD or shares."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int

    def struct_hash(self) -> bytes:
        """The EIP-712 hash of the order alone."""
        return keccak(
            _ORDER_TYPE_HASH
            + word(self.salt)
            + address_word(self.maker)
            + address_word(self.signer)
            + word(self.token_id)
            + word(self.maker_amount)
            + word(self.taker_amount)
            + word(self.side)
            + word(self.signature_type)
            + word(self.timestamp)
            + _NO_WORDS
        )

    def digest(self, exchange: Exchange) -> bytes:
        """What is signed by an EOA, and the venue's id of the order for every kind of wallet."""
        return keccak(b"\x19\x01" + exchange.domain + self.struct_hash())


def build_order(terms: OrderTerms, wallet: str, signature_type: int) -> ExchangeOrder:
    """The order of these terms for this wallet. Raises VenueError for terms off the venue's grid."""
    maker_amount, taker_amount = amounts(terms)
    return ExchangeOrder(
        salt=terms.salt,
        maker=wallet,
        signer=wallet,
        token_id=int(terms.instrument.token),
        maker_amount=maker_amount,
        taker_amount=taker_amount,
        side=0 if terms.side is Side.BUY else 1,
        signature_type=signature_type,
        timestamp=terms.created_ms,
    )


def amounts(terms: OrderTerms) -> tuple[int, int]:
    """(maker amount, taker amount) in 1e-6: what the order gives and what it gets at its limit.

    GTC: shares and their exact price. FOK and FAK: cents (BUY) or hundredths of a share (SELL) in,
    at most 4 decimals out, both floored, so that the venue never finds more decimals than it takes
    (docs.polymarket.com, place orders). Raises VenueError for terms off the grid.
    """
    _check_grid(terms)
    shares, usd = terms.size, terms.size * terms.limit
    if terms.time_in_force is not TimeInForce.GTC:
        if terms.side is Side.BUY:
            usd = floor_to(usd, CENT)
            shares = type(terms.size)(floor_to(usd / terms.limit, SHARE_STEP))
        else:
            usd = floor_to(usd, SHARE_STEP)
    given, got = (usd, shares) if terms.side is Side.BUY else (shares, usd)
    return base_units(given), base_units(got)


def base_units(amount: Decimal) -> int:
    """An amount in 1e-6. Raises VenueError when it has more decimals than that, or is not above 0."""
    units = amount / MICRO
    if units != units.to_integral_value() or units <= 0:
        raise VenueError(f"{amount} is no amount of the venue: at most 6 decimals and above 0")
    return int(units)


def _check_grid(terms: OrderTerms) -> None:
    rules = terms.instrument.rules
    if rules.tick not in TICKS:
        raise VenueError(f"unknown tick size {rules.tick}: {terms.instrument.title}")
    if terms.limit % rules.tick or not rules.tick <= terms.limit <= 1 - rules.tick:
        raise VenueError(f"price {terms.limit} is off the tick grid {rules.tick}: {terms.instrument.title}")
    if terms.size % CENT:
        raise VenueError(f"size {terms.size} has more than 2 decimals: {terms.instrument.title}")
