"""A trading process that is started again while its servers are being restarted too waits for them."""

import time
from collections.abc import Awaitable, Callable

import pytest
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.errors import ConfigError, Unavailable
from workers import lifeline, trader_process
from workers.trader_process import patiently

AWAY = RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")


def failing(times: int, error: Exception) -> Callable[[], Awaitable[str]]:
    left = [error] * times

    async def start() -> str:
        if left:
            raise left.pop()
        return "started"

    return start


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier life of this process was ready."""
    monkeypatch.setenv(lifeline.AGAIN, "1")
    monkeypatch.setattr(trader_process, "AGAIN_EVERY_S", 0.01)


@pytest.mark.parametrize("error", [Unavailable("no Temporal server"), AWAY])
async def test_a_restarted_process_waits_for_its_servers(again: None, error: Exception) -> None:
    """Ending with a user's mistake cost its trades another whole start, and a longer pause before it."""
    assert await patiently(failing(3, error)) == "started"


async def test_it_does_not_wait_for_ever(again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trader_process, "AGAIN_LIMIT_S", 0.05)
    with pytest.raises(Unavailable):
        await patiently(failing(1_000_000, Unavailable("no Temporal server")))


async def test_a_mistake_is_not_waited_for(again: None) -> None:
    with pytest.raises(ConfigError):
        await patiently(failing(1, ConfigError("ledger.url is no URL")))


async def test_a_new_process_says_at_once_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lifeline.AGAIN, raising=False)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await patiently(failing(1, Unavailable("no Temporal server")))
    assert time.monotonic() - began < 1
