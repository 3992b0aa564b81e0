"""A trading process that is started again waits for servers that are being restarted too, and opens no account anew."""

import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_make import plan, record
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.config import load
from arbsaga.domain.money import Usd
from arbsaga.errors import ConfigError, Unavailable, VenueError
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase
from arbsaga.venues.several import Several
from workers import lifeline, trader_process
from workers.accounts import open_account
from workers.trader_process import Parts, patiently, prepare_account

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
        self.left, self.down = Usd(Decimal(cash)), False

    async def cash(self) -> Usd:
        if self.down:
            raise VenueError("no answer")
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


async def test_a_venue_that_is_open_in_the_ledger_need_not_answer_for_another_to_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(f"sqlite:///{path}")
    ledger.open_account("main", "polymarket", Usd(Decimal(100)))
    here, there = Purse("1"), Purse("50")
    both = Several({"polymarket": here, "kalshi": there})  # type: ignore[dict-item]  # all that it asks of a venue
    parts = Parts(load(), ledger, both, None, None)  # type: ignore[arg-type]  # neither is asked
    here.down = there.down = True
    with pytest.raises(Unavailable, match="the opening balance at kalshi cannot be booked: no answer; start again"):
        await prepare_account(parts, path)
    there.down = False
    await prepare_account(parts, path)
    assert ledger.cash("main", "kalshi") == Decimal(50)
    there.down = True
    await prepare_account(parts, path)
    ledger.close()
