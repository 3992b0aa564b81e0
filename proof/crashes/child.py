"""Child processes that cost a tenth of a second: forked from a server in which everything heavy is loaded.

Nothing of the SDK's runtime and no event loop is started before the fork; each child starts its own.
"""

import asyncio
import gc
import multiprocessing
import os
import random
import sys
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest.mock import patch

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from arbsaga.errors import Unavailable
from workers.connect import TemporalSettings, connect

CONNECT_TRIES = 50
PRELOAD = "proof.crashes.preload"


def forks() -> ForkServerContext:
    """The context whose processes are forked from the loaded server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def load() -> None:
    """For the server of forks: the modules, the validators, and one TLS context (the client makes eleven)."""
    import ssl  # noqa: PLC0415 - only the server of forks pays for these

    for name in (
        *("h2.connection", "httpcore", "anyio._backends._asyncio", "sqlalchemy.dialects.sqlite", "aiohttp.web"),
        *("websockets.asyncio.client", "websockets.asyncio.server", "Crypto.PublicKey.ECC", "proof.crashes.kalshi"),
        *("polymarket", "proof.crashes.exchange", "proof.crashes.doomed", "proof.crashes.standby", "rich.table"),
    ):
        import_module(name)
    from workers.converter import warm  # noqa: PLC0415 - see above
    from workers.worker import MESSAGES  # noqa: PLC0415 - see above

    warm(MESSAGES)
    context = ssl.create_default_context()
    patch("httpx._transports.default.create_ssl_context", lambda *_, **__: context).start()
    gc.collect()
    gc.freeze()  # a collection in a child must not copy the pages of what it shares


def begin(log: Path) -> None:
    """In a fresh child: its own chance, its own log, and an end with its parent's."""
    random.seed()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parent = multiprocessing.parent_process()
    assert parent is not None, "a child has a parent"
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


async def connected(temporal: str) -> Client:
    """A client on the Temporal server. While that one is being restarted, asked for again, as a supervisor would."""
    for _ in range(CONNECT_TRIES):
        with suppress(Unavailable, RPCError):
            return await connect(TemporalSettings(temporal))
        await asyncio.sleep(0.2)
    return await connect(TemporalSettings(temporal))


def mutated(name: str) -> AbstractContextManager[object]:
    """A deliberate mistake in our own code, by its name; nothing for the empty one."""
    if not name:
        return nullcontext()
    catalogue = import_module("proof.mutations.catalogue")
    found: AbstractContextManager[object] = next(one for one in catalogue.MUTATIONS if one.name == name).applied()
    return found
