"""A trading process that is started again waits for servers that are being restarted too, and opens no account anew."""

import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_make import plan, record
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.domain.money import Usd
from arbsaga.errors import ConfigError, Unavailable
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase
from workers import lifeline, trader_process
from workers.accounts import open_account
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


class Purse:
    """A venue, as far as opening an account asks it."""

    name = "sim"

    def __init__(self, cash: str) -> None:
        self.left = Usd(Decimal(cash))

    async def cash(self) -> Usd:
        return self.left


async def test_a_ledger_that_was_made_again_opens_with_the_cash_before_its_trades(tmp_path: Path) -> None:
    """Today's cash would count what its trades spent twice, for ever."""
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    ledger.record(record(plan(), Phase.COMMITTED, "20", "20"))
    purse = Purse("83.80")
    await open_account(ledger, purse, "main")  # type: ignore[arg-type]  # all that it asks of a venue
    assert ledger.cash("main") == Decimal("83.80")
    purse.left = Usd(Decimal("70"))  # a later start finds an account that is open
    await open_account(ledger, purse, "main")  # type: ignore[arg-type]  # all that it asks of a venue
    assert ledger.cash("main") == Decimal("83.80")
    ledger.close()
