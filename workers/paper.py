"""The paper account: a signing key of its own per data folder."""

import os

from coincurve import PrivateKey
from eth_account import Account

from arbsaga.config import Config
from arbsaga.errors import SecretError
from workers.folder import DataFolder
from workers.site import private_key


def ensure_key(config: Config, folder: DataFolder) -> None:
    """Write a new signing key where there is neither a configured one nor one of an earlier run."""
    configured = config.venue.private_key or config.venue.private_key_file
    if config.mode == "live" or configured or folder.key.exists():
        return
    with open(os.open(folder.key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write("0x" + PrivateKey().to_hex())


def wallet_address(config: Config, folder: DataFolder) -> str:
    """The address that holds the account's money. Raises SecretError for a key that is none."""
    if config.venue.wallet:
        return config.venue.wallet
    try:
        return str(Account.from_key(private_key(config, folder)).address)
    except ValueError:  # its text can hold the key
        raise SecretError("the private key is not 32 bytes in hex: write it as 0x and 64 hex digits") from None
