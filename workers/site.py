"""Where things are: what the configuration leaves open is found in the data folder of `arbsaga up`."""

from collections.abc import Callable

from arbsaga.config import Config, read_secret
from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from workers.connect import TemporalSettings
from workers.folder import DataFolder, Ports
from workers.report import emit


def temporal_settings(config: Config, folder: DataFolder) -> TemporalSettings:
    """The Temporal server of the configuration, or the embedded one. Raises Unavailable, SecretError."""
    section = config.temporal
    address = section.address or f"127.0.0.1:{_ports(folder, 'Temporal server', 'temporal.address').temporal}"
    return TemporalSettings(address, section.namespace, section.tls, config.temporal_api_key())


def exchange_url(config: Config, folder: DataFolder) -> str:
    """The paper exchange's one URL. Raises Unavailable where none was ever started."""
    if config.venue.clob_url:
        return config.venue.clob_url.rstrip("/")
    return f"http://127.0.0.1:{_ports(folder, 'paper exchange', 'venue.clob_url').exchange}"


def private_key(config: Config, folder: DataFolder) -> str:
    """The account's signing key: in paper mode the data folder's own where none is configured. Raises SecretError."""
    configured = config.venue.private_key or config.venue.private_key_file
    if config.mode == "paper" and not configured and folder.key.exists():
        return read_secret(folder.key, "paper key")
    return config.private_key()


def open_ledger(config: Config, folder: DataFolder) -> Ledger:
    """The ledger of the configuration, by default in the data folder. Raises Unavailable, ConfigError."""
    return Ledger.open(config.ledger.url or folder.ledger_url, alert_log=folder.alerts)


def open_pager(config: Config, folder: DataFolder, console: Callable[[str], None] | None = None) -> Pager:
    """The pager of the configuration. `console` shows a page; by default the supervisor does. Raises ConfigError."""
    urls = [url.get_secret_value() for url in config.notify.urls]
    return Pager(urls, folder.alerts, console or (lambda text: emit("alert", text=text)))


def _ports(folder: DataFolder, what: str, key: str) -> Ports:
    ports = folder.ports()
    if ports is None:
        raise Unavailable(f"no {what} is known in {folder.path}: run `arbsaga up`, or set {key}, or give --data-dir")
    return ports
