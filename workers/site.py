"""Where things are: what the configuration leaves open is found in the data folder of `arbsaga up`."""

from arbsaga.config import Config, read_secret
from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from workers.folder import DataFolder, Ports


def exchange_url(config: Config, folder: DataFolder) -> str:
    """The paper exchange's one URL. Raises Unavailable where none was ever started."""
    if config.venue.clob_url:
        return config.venue.clob_url.rstrip("/")
    return f"http://127.0.0.1:{known_ports(folder, 'paper exchange', 'venue.clob_url').exchange}"


def private_key(config: Config, folder: DataFolder) -> str:
    """The account's signing key: in paper mode the data folder's own where none is configured. Raises SecretError."""
    configured = config.venue.private_key or config.venue.private_key_file
    if config.mode == "paper" and not configured and folder.key.exists():
        return read_secret(folder.key, "paper key")
    return config.private_key()


def open_ledger(config: Config, folder: DataFolder) -> Ledger:
    """The ledger of the configuration, by default in the data folder. Raises Unavailable, ConfigError."""
    return Ledger.open(config.ledger.url or folder.ledger_url, alert_log=folder.alerts)


def known_ports(folder: DataFolder, what: str, key: str) -> Ports:
    """The ports of the last `arbsaga up` on the folder. Raises Unavailable: `what` is missing, `key` would name it."""
    ports = folder.ports()
    if ports is None:
        raise Unavailable(f"no {what} is known in {folder.path}: run `arbsaga up`, or set {key}, or give --data-dir")
    return ports
