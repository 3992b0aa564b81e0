"""The paper account: signing keys of its own per data folder, and since when its paired questions run."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from coincurve import PrivateKey
from Crypto.PublicKey import ECC
from eth_account import Account
from pydantic import SecretStr

from arbsaga.config import Config
from arbsaga.errors import ConfigError, SecretError
from arbsaga.venues.kalshi.signing import read_key
from workers.folder import DataFolder
from workers.site import has_own_kalshi_key, kalshi_key, private_key

KALSHI_MEMBER = "paper"
"""The paper account's name at the simulated Kalshi."""
SHARDS = (0, 2, 3)
"""Where it has money there: the shards that the simulated markets are on."""


def ensure_key(config: Config, folder: DataFolder) -> None:
    """Write new signing keys where there is neither a configured one nor one of an earlier run."""
    if config.mode == "live":
        return
    if not (config.venue.private_key or config.venue.private_key_file):
        _write_once(folder.key, lambda: "0x" + PrivateKey().to_hex())
    if "kalshi" in config.venues and not has_own_kalshi_key(config):
        _write_once(folder.kalshi_key, lambda: str(ECC.generate(curve="Ed25519").export_key(format="PEM")))


def _write_once(file: Path, text: Callable[[], str]) -> None:
    if not file.exists():
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
            opened.write(text())


def wallet_address(config: Config, folder: DataFolder) -> str:
    """The address that holds the account's money. Raises SecretError for a key that is none."""
    if config.venue.wallet:
        return config.venue.wallet
    try:
        return str(Account.from_key(private_key(config, folder)).address)
    except ValueError:  # its text can hold the key
        raise SecretError("the private key is not 32 bytes in hex: write it as 0x and 64 hex digits") from None


def public_key(config: Config, folder: DataFolder) -> tuple[str, str]:
    """The account's key id at the simulated Kalshi, and the public key to be registered there. Raises UserError."""
    key_id, pem = kalshi_key(config, folder)
    return key_id, str(read_key(SecretStr(pem)).public_key().export_key(format="PEM"))


def paired_since(folder: DataFolder, seed: int | None) -> tuple[int, int]:
    """Since when (ms since the epoch) the folder's paired questions run, and by which seed: as in the first run.

    Both exchanges must agree on it for ever: else one question would end in two ways. Raises ConfigError.
    """
    try:
        known = json.loads(folder.paired.read_text())
        return int(known["since_ms"]), int(known["seed"])
    except FileNotFoundError:
        chosen = {"since_ms": time.time_ns() // 1_000_000, "seed": seed or 0}
        folder.paired.write_text(json.dumps(chosen))
        return chosen["since_ms"], chosen["seed"]
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{folder.paired} is damaged: take another --data-dir") from None
