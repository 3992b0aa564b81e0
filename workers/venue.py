"""The venue as the configuration describes it."""

from pydantic import SecretStr

from arbsaga.config import Config
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from workers.folder import DataFolder
from workers.site import exchange_url, private_key

_URLS = ("clob_url", "gamma_url", "data_url", "relayer_url", "rpc_url", "market_ws_url", "user_ws_url")


def venue_settings(config: Config, folder: DataFolder) -> PolymarketSettings:
    """Live: Polymarket's own addresses unless others are set. Paper: the exchange's one URL. Raises UserError."""
    key, section = SecretStr(private_key(config, folder)), config.venue
    if config.mode == "paper":
        url = exchange_url(config, folder)
        return PolymarketSettings.at(url, key, wallet=section.wallet, signature_type=section.signature_type)
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
