"""`arbsaga watchdog` beats the venue's dead-man heartbeat, unless `venue.dead_man` says no; kills do not stop it."""

import asyncio
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from arbsaga_command import ARBSAGA

from workers.heartbeat import Heart, Rhythm

AWAY = {
    "ARBSAGA_TEMPORAL__ADDRESS": "127.0.0.1:1",
    "ARBSAGA_VENUE__CLOB_URL": "http://127.0.0.1:1",
    "ARBSAGA_VENUE__PRIVATE_KEY": "0x" + "5a" * 32,
}


@pytest.mark.parametrize("on", [True, False])
def test_the_watchdog_owns_the_heartbeat_where_it_is_switched_on(tmp_path: Path, on: bool) -> None:
    """It takes the lock with its first step, whether the venue answers or not; it ends when it is asked to."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARBSAGA_")}
    env = {**clean, **AWAY, "ARBSAGA_VENUE__DEAD_MAN": str(on).lower()}
    command = [str(ARBSAGA), "watchdog", "--data-dir", "data"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE)
    try:
        assert b"ready" in process.stdout.readline()
        lock, deadline = tmp_path / "data" / "heartbeat.lock", time.monotonic() + 30
        while on and not lock.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        assert process.wait(30) == 0
        assert lock.exists() is on
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class KilledError(BaseException):
    """The process ends here."""


class Switch:
    """A venue that accepts every beat, and keeps the ids that the beats carried."""

    key = "0xours"

    def __init__(self) -> None:
        self.carried: list[str] = []

    async def beat(self, last: str) -> str:
        self.carried.append(last)
        return f"{self.key}-{len(self.carried)}"

    async def close(self) -> None:
        """Nothing is open."""


def heart(folder: Path, switch: Switch, *, resting: bool, venue: str = "polymarket") -> Heart:
    """With an order of ours that may rest at a venue, or none."""
    terms = SimpleNamespace(instrument=SimpleNamespace(venue=venue))
    ledger = SimpleNamespace(open_intents=lambda: [SimpleNamespace(account="main", terms=terms)] if resting else [])
    lock = folder / "heartbeat.lock"
    return Heart(lambda: switch, ledger, None, account="main", lock_file=lock, rhythm=Rhythm(0.01, 0.01, 0.01))


async def beats(folder: Path) -> list[str]:
    """The ids that the next owner's beats carry, of the first steps of one that finds no order resting."""
    switch, stop = Switch(), asyncio.Event()
    task = asyncio.create_task(heart(folder, switch, resting=False).run(stop))
    deadline = time.monotonic() + 0.5
    while not switch.carried and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    stop.set()
    await task
    return switch.carried


async def test_a_kill_while_the_chain_is_written_leaves_the_key_armed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on the disk is always whole: the next owner beats at once, with the id that was last written."""
    replaced, replace = [], os.replace

    def third_kills(source: Path, target: Path) -> None:
        replaced.append(target)
        if len(replaced) == 3:
            raise KilledError
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", third_kills)
        with pytest.raises(KilledError):
            await asyncio.wait_for(heart(tmp_path, Switch(), resting=True).run(asyncio.Event()), 5)
    assert (await beats(tmp_path))[0] == "0xours-1"


async def test_what_cannot_be_read_is_tried_again_and_another_keys_chain_is_left_alone(tmp_path: Path) -> None:
    """Taken for nothing, an armed key would stay silent for ever."""
    state = tmp_path / "heartbeat.armed"
    state.write_text("0xsomeone 123")
    assert await beats(tmp_path) == []
    state.unlink()
    state.mkdir()
    switch, stop = Switch(), asyncio.Event()
    task = asyncio.create_task(heart(tmp_path, switch, resting=False).run(stop))
    await asyncio.sleep(0.05)
    state.rmdir()
    state.write_text("0xours 123")
    deadline = time.monotonic() + 5
    while not switch.carried:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    stop.set()
    await task
    assert switch.carried[0] == "123"


async def test_an_order_that_rests_at_another_venue_arms_nothing(tmp_path: Path) -> None:
    """Kalshi has no such switch, and Polymarket's would cancel nothing of it."""
    switch, stop = Switch(), asyncio.Event()
    task = asyncio.create_task(heart(tmp_path, switch, resting=True, venue="kalshi").run(stop))
    deadline = time.monotonic() + 0.3
    while not switch.carried and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    stop.set()
    await task
    assert switch.carried == []
