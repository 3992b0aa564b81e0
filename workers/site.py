"""Where things are: what the configuration leaves open is found in the data folder of `arbsaga up`."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from arbsaga.config import VENUES, Config, read_secret
from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from workers.folder import DataFolder, Ports

if TYPE_CHECKING:
    from arbsaga.venues.port import Venue

_URL_KEYS = {"polymarket": "venue.clob_url", "kalshi": "kalshi.rest_url"}


def venues_of(config: Config, folder: DataFolder) -> tuple[str, ...]:
    """The venues that are traded on: the configured ones, and in paper mode those the folder's account is at already.

    What it holds there goes on to be looked after by whichever process opens the folder next. Where nobody has said
    which venues, a folder that was started before has only its own.
    """
    ports = folder.ports() if config.mode == "paper" else None
    before = [venue for venue in VENUES if ports is not None and ports.of(venue)]
    if before and "venues" not in config.model_fields_set:
        return tuple(before)
    return tuple(venue for venue in VENUES if venue in config.venues or venue in before)


def venues_for_new_trades(config: Config, folder: DataFolder) -> tuple[str, ...]:
    """Those of `venues_of` that new trades may go to: what somebody has named, or all.

    The others are open only to look after what is there.
    """
    venues = venues_of(config, folder)
    return tuple(venue for venue in venues if venue in config.venues or "venues" not in config.model_fields_set)


def open_venues(config: Config, folder: DataFolder) -> dict[str, "Venue"]:
    """The venues that are traded on, by name, not yet connected. Raises UserError."""
    from workers import connections  # noqa: PLC0415 (most commands need no venue, and its client takes a second)

    return {venue: connections.OPEN[venue](config, folder) for venue in venues_of(config, folder)}


def exchange_url(config: Config, folder: DataFolder, venue: str = "polymarket") -> str:
    """The one URL of a venue's paper exchange. Raises Unavailable where none was ever started."""
    if venue == "polymarket" and config.venue.clob_url:
        return config.venue.clob_url.rstrip("/")
    if venue == "kalshi" and config.kalshi.rest_url:
        return config.kalshi.rest_url.rstrip("/").removesuffix("/trade-api/v2")
    port = known_ports(folder, "paper exchange", _URL_KEYS[venue]).of(venue)
    if not port:
        raise Unavailable(f"the paper exchange of {venue} was never started on {folder.path}: `arbsaga up --venues`")
    return f"http://127.0.0.1:{port}"


def private_key(config: Config, folder: DataFolder) -> str:
    """The account's signing key: in paper mode the data folder's own where none is configured. Raises SecretError."""
    configured = config.venue.private_key or config.venue.private_key_file
    if config.mode == "paper" and not configured and folder.key.exists():
        return read_secret(folder.key, "paper key")
    return config.private_key()


def has_own_kalshi_key(config: Config) -> bool:
    """Whether a key for Kalshi is configured."""
    return bool(config.kalshi.private_key or config.kalshi.private_key_file)


def kalshi_key(config: Config, folder: DataFolder) -> tuple[str, str]:
    """Kalshi's key id and private key (PEM): in paper mode the data folder's own where none is configured.

    Raises SecretError.
    """
    if config.mode == "paper" and not has_own_kalshi_key(config) and folder.kalshi_key.exists():
        pem = read_secret(folder.kalshi_key, "paper Kalshi key")
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"arbsaga paper {folder.path}")), pem
    return config.kalshi_key()


def pairs_file(config: Config, folder: DataFolder) -> Path:
    """Where the approved pairs are: a relative name is in the data folder."""
    return folder.path / config.pairs.file.expanduser()


def open_ledger(config: Config, folder: DataFolder) -> Ledger:
    """The ledger of the configuration, by default in the data folder. Raises Unavailable, ConfigError."""
    return Ledger.open(config.ledger.url or folder.ledger_url, alert_log=folder.alerts)


def known_ports(folder: DataFolder, what: str, key: str) -> Ports:
    """The ports of the last `arbsaga up` on the folder. Raises Unavailable: `what` is missing, `key` would name it."""
    ports = folder.ports()
    if ports is None:
        raise Unavailable(f"no {what} is known in {folder.path}: run `arbsaga up`, or set {key}, or give --data-dir")
    return ports
