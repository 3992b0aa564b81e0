"""The official client, pointed at any host, and a check that what we reach into still is as it was.

`polymarket-client` only knows production: `Environment()` raises. One function here builds another
environment from its internal module, which is why the version is pinned and checked at start. The
post and cancel requests, and the API credentials, are the client's own.
"""

import dataclasses
import functools
import logging
from importlib.metadata import version
from typing import Any

import httpx
from httpx._transports import default as transports
from polymarket import AsyncSecureClient
from polymarket._internal import environment as internal
from polymarket._internal.wallet import derive_beacon_deposit_wallet_address, derive_uups_deposit_wallet_address
from polymarket.environments import Environment
from polymarket.errors import PolymarketError, RequestRejectedError, UserInputError
from pydantic import SecretStr

from arbsaga.errors import SecretError, Unavailable, UserError
from arbsaga.venues.polymarket.settings import PolymarketSettings

PINNED = "0.14.0"
_REPLACED = (
    "clob_url",
    "gamma_url",
    "data_url",
    "relayer_url",
    "rpc_url",
    "clob_market_ws_url",
    "clob_user_ws_url",
)


def check_fits() -> None:
    """Raises Unavailable when the installed official client is not the one this adapter was written for."""
    found = version("polymarket-client")
    fields = {field.name for field in dataclasses.fields(internal.PRODUCTION_CONFIG)}
    if found != PINNED or not fields.issuperset(_REPLACED):
        raise Unavailable(f"polymarket-client {found} does not fit: install polymarket-client=={PINNED}")


def environment(settings: PolymarketSettings) -> Environment:
    """The client's environment with our hosts. Chain and contracts stay production's, so signatures stay valid."""
    config = dataclasses.replace(
        internal.PRODUCTION_CONFIG,
        clob_url=settings.clob_url,
        gamma_url=settings.gamma_url,
        data_url=settings.data_url,
        relayer_url=settings.relayer_url,
        rpc_url=settings.rpc_url,
        clob_market_ws_url=settings.market_ws_url,
        clob_user_ws_url=settings.user_ws_url,
    )
    return internal.create_environment(name="arbsaga", config=config)


def deposit_wallets(owner: str) -> tuple[str, str]:
    """The deposit wallets of a key's address: the current (beacon) kind, then the older (UUPS) one. Pure."""
    derivation = internal.PRODUCTION_CONFIG.wallet_derivation
    return (
        derive_beacon_deposit_wallet_address(owner, derivation),
        derive_uups_deposit_wallet_address(owner, derivation),
    )


async def connect(settings: PolymarketSettings, private_key: SecretStr, wallet: str) -> AsyncSecureClient:
    """The official client, with API credentials for this key.

    Raises SecretError when the venue refuses the key, UserError when the wallet does not exist,
    Unavailable when the venue does not answer.
    """
    check_fits()
    _silence()
    _share_tls()
    try:
        return await AsyncSecureClient.create(
            private_key="0x" + private_key.get_secret_value().strip().removeprefix("0x"),
            wallet=wallet,
            environment=environment(settings),
        )
    except RequestRejectedError as error:
        if error.status in (400, 401, 403):
            raise SecretError(f"the venue refuses this key ({error.status}): {error}") from error
        raise Unavailable(f"no API key from {settings.clob_url} ({error.status}): {error}") from error
    except UserInputError as error:
        raise UserError(f"the wallet {wallet} cannot trade: deploy it at the venue first ({error})") from error
    except PolymarketError as error:
        raise Unavailable(f"the venue at {settings.clob_url} does not answer: {error}") from error


def posting_http(client: AsyncSecureClient) -> httpx.AsyncClient:
    """The HTTP client that posts go through. Raises Unavailable when the official client has been rebuilt."""
    transport: Any = getattr(getattr(client, "_ctx", None), "secure_clob", None)
    http = getattr(transport, "_client", None)
    if not isinstance(http, httpx.AsyncClient):
        raise Unavailable(f"the official client has changed inside: install polymarket-client=={PINNED}")
    return http


def _share_tls() -> None:
    """One TLS context for all of the official client's connection pools.

    Each of the eleven loaded every root certificate anew: 0.3 s of the start that a killed trader's trades wait for.
    """
    names = vars(transports)
    if not hasattr(names["create_ssl_context"], "cache_info"):
        names["create_ssl_context"] = functools.cache(names["create_ssl_context"])


def _silence() -> None:
    """At DEBUG these libraries log headers and frames: the API key's passphrase and secret."""
    for name in ("httpcore", "httpx", "websockets", "hpack"):
        logging.getLogger(name).setLevel(logging.WARNING)
