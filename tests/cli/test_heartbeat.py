"""`arbsaga watchdog` beats the venue's dead-man heartbeat, unless `venue.dead_man` says no."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from arbsaga_command import ARBSAGA

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
