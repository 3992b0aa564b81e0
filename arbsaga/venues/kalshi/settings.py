"""Where the venue is, whose account trades there, and the adapter's own limits."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Self

from pydantic import SecretStr

from arbsaga.errors import ConfigError
from arbsaga.venues.kalshi.signing import read_key

PRECISIONS: Final = (Decimal("0.01"), Decimal("0.0001"))
REST_PATH: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"


@dataclass(frozen=True, slots=True)
class KalshiSettings:
    """One API key at one Kalshi (the live venue by default). The repr never shows the private key.

    `private_key` is the PEM text of an RSA or Ed25519 key. `precision` in USD is what the venue aligns the account's
    balance to with every fill: 0.0001 for a direct member, 0.01 otherwise; nothing in the API tells which, so the
    dearer is the default. `post_timeout_ms` bounds a create and a cancel, `read_timeout_ms` any other request.
    `warm_connections` are kept open for posting; books without news for `quiet_ms` are compared by request.
    Raises ConfigError.
    """

    key_id: str
    private_key: SecretStr
    rest_url: str = "https://external-api.kalshi.com" + REST_PATH
    ws_url: str = "wss://external-api-ws.kalshi.com" + WS_PATH
    precision: Decimal = PRECISIONS[0]
    post_timeout_ms: int = 2_000
    read_timeout_ms: int = 5_000
    warm_connections: int = 4
    quiet_ms: int = 5_000

    def __post_init__(self) -> None:
        if isinstance(self.private_key, str):  # a plain text key is accepted, but never kept as one
            object.__setattr__(self, "private_key", SecretStr(self.private_key))
        if not self.key_id.strip():
            raise ConfigError("the Kalshi key id is empty: it is shown beside the key at kalshi.com, API keys")
        if self.precision not in PRECISIONS:
            raise ConfigError(
                f"the Kalshi precision {self.precision} is none: write 0.01, or 0.0001 for a direct member"
            )
        read_key(self.private_key)

    @classmethod
    def at(cls, url: str, key_id: str, private_key: SecretStr | str, *, precision: Decimal = PRECISIONS[0]) -> Self:
        """A key at a Kalshi that answers at one URL, as the simulated exchange does."""
        base = url.rstrip("/")
        return cls(
            key_id=key_id,
            private_key=SecretStr(private_key) if isinstance(private_key, str) else private_key,
            rest_url=base + REST_PATH,
            ws_url=base.replace("http", "ws", 1) + WS_PATH,
            precision=precision,
        )
