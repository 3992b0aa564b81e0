"""What a trading process connects to, as the configuration describes it: venue, Temporal, pager."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from pydantic import SecretStr

from arbsaga.config import Config
from arbsaga.notify import Pager
from arbsaga.venues.kalshi import KalshiSettings, KalshiVenue
from arbsaga.venues.polymarket import PolymarketDeadMan, PolymarketSettings, PolymarketVenue
from arbsaga.venues.port import Venue
from arbsaga.venues.several import Several
from workers.connect import TemporalSettings
from workers.folder import DataFolder
from workers.report import emit
from workers.site import exchange_url, kalshi_key, known_ports, open_venues, private_key

_URLS = ("clob_url", "gamma_url", "data_url", "relayer_url", "rpc_url", "market_ws_url", "user_ws_url")


def venue_settings(config: Config, folder: DataFolder) -> PolymarketSettings:
    """Live: Polymarket's own addresses unless others are set. Paper: the exchange's one URL. Raises UserError."""
    key, section = SecretStr(private_key(config, folder)), config.venue
    if config.mode == "paper":
        url = exchange_url(config, folder)
        settings = PolymarketSettings.at(url, key, wallet=section.wallet, signature_type=section.signature_type)
        return replace(settings, post_timeout_ms=config.patience.http_ms)
    urls = {name: url for name in _URLS if (url := getattr(section, name)) is not None}
    return PolymarketSettings(
        private_key=key,
        wallet=section.wallet,
        signature_type=section.signature_type,
        post_timeout_ms=config.patience.http_ms,
        **urls,
    )


def kalshi_settings(config: Config, folder: DataFolder) -> KalshiSettings:
    """Live: Kalshi's own addresses unless others are set. Paper: the exchange's one URL. Raises UserError."""
    section = config.kalshi
    key_id, pem = kalshi_key(config, folder)
    precision = Decimal(section.precision)
    if config.mode == "paper":
        settings = KalshiSettings.at(exchange_url(config, folder, "kalshi"), key_id, pem, precision=precision)
        return replace(settings, post_timeout_ms=config.patience.http_ms)
    urls = {name: url for name in ("rest_url", "ws_url") if (url := getattr(section, name)) is not None}
    return KalshiSettings(key_id, SecretStr(pem), precision=precision, post_timeout_ms=config.patience.http_ms, **urls)


def open_polymarket(config: Config, folder: DataFolder) -> PolymarketVenue:
    """Polymarket, not yet connected. Raises UserError."""
    return PolymarketVenue(venue_settings(config, folder))


def open_kalshi(config: Config, folder: DataFolder) -> KalshiVenue:
    """Kalshi, not yet connected. Raises UserError."""
    return KalshiVenue(kalshi_settings(config, folder))


OPEN: Mapping[str, Callable[[Config, DataFolder], Venue]] = {"polymarket": open_polymarket, "kalshi": open_kalshi}
"""How each venue is opened."""


def open_venue(config: Config, folder: DataFolder) -> Several:
    """The venues that are traded on, behind one port; not yet connected. Raises UserError.

    One alone is behind it too: nobody else may be asked about another venue's order. Its "there is no such order" once
    proved an order ABSENT that was live at the venue that the configuration had left out.
    """
    return Several(open_venues(config, folder), lambda name: OPEN[name](config, folder))


def open_dead_man(config: Config, folder: DataFolder) -> PolymarketDeadMan:
    """The venue's dead-man switch, not yet connected. Raises UserError."""
    return PolymarketDeadMan(venue_settings(config, folder))


def temporal_settings(config: Config, folder: DataFolder) -> TemporalSettings:
    """The Temporal server of the configuration, or the embedded one. Raises Unavailable, SecretError."""
    section = config.temporal
    address = section.address or f"127.0.0.1:{known_ports(folder, 'Temporal server', 'temporal.address').temporal}"
    return TemporalSettings(address, section.namespace, section.tls, config.temporal_api_key())


def open_pager(config: Config, folder: DataFolder, console: Callable[[str], None] | None = None) -> Pager:
    """The pager of the configuration. `console` shows a page; by default the supervisor does. Raises ConfigError."""
    urls = [url.get_secret_value() for url in config.notify.urls]
    return Pager(urls, folder.alerts, console or (lambda text: emit("alert", text=text)))
