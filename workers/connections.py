"""What a trading process connects to, as the configuration describes it: venue, Temporal, pager."""

from collections.abc import Callable
from dataclasses import replace

from pydantic import SecretStr

from arbsaga.config import Config
from arbsaga.notify import Pager
from arbsaga.venues.polymarket import PolymarketDeadMan, PolymarketSettings, PolymarketVenue
from workers.connect import TemporalSettings
from workers.folder import DataFolder
from workers.report import emit
from workers.site import exchange_url, known_ports, private_key

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


def open_venue(config: Config, folder: DataFolder) -> PolymarketVenue:
    """The venue, not yet connected. Raises UserError."""
    return PolymarketVenue(venue_settings(config, folder))


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
