"""Where the venue is, whose account trades there, and the adapter's own limits."""

from dataclasses import dataclass
from typing import Self

from coincurve import PrivateKey
from pydantic import SecretStr

from arbsaga.errors import ConfigError

EOA = 0
DEPOSIT_WALLET = 3
CLOB = "https://clob.polymarket.com"


@dataclass(frozen=True, slots=True)
class PolymarketSettings:
    """One account at one Polymarket (the live venue by default). The repr never shows the key.

    `wallet` holds the money: by default the key's own address (`signature_type` 0), or the deposit
    wallet that belongs to the key (3). `post_timeout_ms` bounds a post and a cancel, `read_timeout_ms`
    any other request. `warm_connections` are kept open for posting. `tokens_per_socket` keeps the
    first dump of a book socket under 1 MiB; books without news for `quiet_ms` are compared by request.
    Raises ConfigError.
    """

    private_key: SecretStr
    wallet: str | None = None
    signature_type: int = EOA
    clob_url: str = CLOB
    gamma_url: str = "https://gamma-api.polymarket.com"
    data_url: str = "https://data-api.polymarket.com"
    relayer_url: str = "https://relayer-v2.polymarket.com"
    rpc_url: str = "https://polygon.drpc.org"
    market_ws_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    user_ws_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    post_timeout_ms: int = 2_000
    read_timeout_ms: int = 5_000
    warm_connections: int = 4
    tokens_per_socket: int = 100
    quiet_ms: int = 5_000

    def __post_init__(self) -> None:
        if isinstance(self.private_key, str):  # a plain text key is accepted, but never kept as one
            object.__setattr__(self, "private_key", SecretStr(self.private_key))
        if self.signature_type not in (EOA, DEPOSIT_WALLET):
            raise ConfigError(
                f"signature_type {self.signature_type} is not supported: use {EOA} (the key's own address) "
                f"or {DEPOSIT_WALLET} (a deposit wallet)"
            )

    @classmethod
    def at(
        cls, url: str, private_key: SecretStr | str, *, wallet: str | None = None, signature_type: int = EOA
    ) -> Self:
        """An account at a Polymarket whose services all answer at one URL, as the simulated exchange does."""
        base = url.rstrip("/")
        stream = base.replace("http", "ws", 1)
        return cls(
            private_key=SecretStr(private_key) if isinstance(private_key, str) else private_key,
            wallet=wallet,
            signature_type=signature_type,
            clob_url=base,
            gamma_url=base,
            data_url=base,
            relayer_url=base,
            rpc_url=base,
            market_ws_url=f"{stream}/ws/market",
            user_ws_url=f"{stream}/ws/user",
        )


def generate_key() -> SecretStr:
    """A fresh private key, for paper accounts."""
    return SecretStr("0x" + PrivateKey().to_hex())
