"""Which wallets a key owns: itself and its two deposit wallets, whose addresses follow from the key by CREATE2.

Constants and layout: the factory at 0x…Cc07 deploys ERC-1967 proxies (UUPS for the older, beacon for the current ones).
"""

from functools import lru_cache

from eth_hash.auto import keccak

from arbsaga.exchange.polymarket.signatures import checksum

_FACTORY = bytes.fromhex("00000000000Fb5C9ADea0298D729A0CB3823Cc07")
_IMPLEMENTATION = bytes.fromhex("58CA52ebe0DadfdF531Cde7062e76746de4Db1eB")
_BEACON = bytes.fromhex("7A18EDfe055488A3128f01F563e5B479D92ffc3a")

_UUPS_HEAD = 0x61003D3D8160233D3973
_UUPS_TAIL = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_HEAD = 0x6100523D8160233D3973
_BEACON_TAIL = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)


def _create2(salt: bytes, code_hash: bytes) -> str:
    return checksum(keccak(b"\xff" + _FACTORY + salt + code_hash)[12:].hex())


def _proxy(head: int, target: bytes, tail: bytes, arguments: bytes) -> bytes:
    """Creation code of a Solady ERC-1967 proxy with immutable arguments (their length is in the third byte)."""
    return (head + (len(arguments) << 56)).to_bytes(10, "big") + target + tail + arguments


@lru_cache(maxsize=4096)
def wallets_of(key_address: str) -> tuple[str, str, str]:
    """(the key's own address, its UUPS deposit wallet, its beacon deposit wallet), all checksummed."""
    owner = bytes.fromhex(key_address.removeprefix("0x")).rjust(32, b"\0")
    arguments = _FACTORY.rjust(32, b"\0") + owner
    salt = keccak(arguments)
    uups = _create2(salt, keccak(_proxy(_UUPS_HEAD, _IMPLEMENTATION, _UUPS_TAIL, arguments)))
    beacon = _create2(salt, keccak(_proxy(_BEACON_HEAD, _BEACON, _BEACON_TAIL, arguments)))
    return checksum(key_address), uups, beacon
