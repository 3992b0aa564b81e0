"""Children of `arbsaga up`: restarted when they die alone, stopped in order, gone when the supervisor is gone."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbsaga.errors import Unavailable
from workers import supervisor
from workers.supervisor import Child

READY = 'import sys, time; print(\'{"event": "ready"}\', flush=True); '
LIVES = READY + "time.sleep(60)"


class Heard(list[tuple[str, dict[str, Any]]]):
    """Every event, in order."""

    def __call__(self, name: str, event: Any) -> None:
        self.append((name, event))

    def names(self) -> list[str]:
        return [event["event"] for _, event in self]


def child(tmp_path: Path, code: str, heard: Heard) -> Child:
    return Child("it", lambda: [sys.executable, "-c", code], tmp_path / "it.log", heard)


async def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if sys.platform == "linux" else True


async def test_a_child_that_dies_alone_is_restarted(tmp_path: Path) -> None:
    heard = Heard()
    it = child(tmp_path, LIVES, heard)
    it.start()
    await it.wait_ready(20)
    first = it.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: it.restarts == 1 and it.pid not in (None, first))
    await it.wait_ready(20)
    assert heard.names() == ["ready", "died", "ready"]
    await it.stop()
    assert it.pid is None


async def test_a_restart_waits_longer_each_time(tmp_path: Path) -> None:
    heard = Heard()
    it = child(tmp_path, READY, heard)
    it.start()
    await until(lambda: heard.names().count("died") == 3)
    await it.stop()
    pauses = [event["restart_in_s"] for _, event in heard if event["event"] == "died"]
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1]


async def test_a_child_that_was_ready_for_a_while_is_restarted_at_once_however_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traders that were killed every ten seconds stayed away for 5 s each time: it was counted 20 s from the start."""
    monkeypatch.setattr(supervisor, "STEADY_S", 0.2)
    heard = Heard()
    it = child(tmp_path, READY + "time.sleep(0.3)", heard)
    it.start()
    await until(lambda: heard.names().count("died") == 3)
    await it.stop()
    assert {event["restart_in_s"] for _, event in heard if event["event"] == "died"} == {supervisor.BACKOFF_S[0]}


async def test_a_later_life_knows_that_an_earlier_one_was_ready(tmp_path: Path) -> None:
    code = READY + "import os; print('{\"event\": \"again%s\"}' % os.environ.get('_ARBSAGA_AGAIN', '0'), flush=True)"
    heard = Heard()
    it = child(tmp_path, code, heard)
    it.start()
    await until(lambda: "again1" in heard.names())
    await it.stop()
    assert heard.names()[1] == "again0"


async def test_a_mistake_at_the_start_is_told_in_the_childs_own_words(tmp_path: Path) -> None:
    it = child(tmp_path, 'print(\'{"event": "error", "text": "port 1 is taken"}\'); raise SystemExit(2)', Heard())
    it.start()
    with pytest.raises(Unavailable, match=r"^port 1 is taken$"):
        await it.wait_ready(20)
    assert it.given_up
    await it.stop()


async def test_a_child_that_never_is_ready_is_a_mistake_that_names_its_log(tmp_path: Path) -> None:
    it = child(tmp_path, "import time; time.sleep(60)", Heard())
    it.start()
    with pytest.raises(Unavailable, match=r"it: not ready after 0 s; see .*it\.log"):
        await it.wait_ready(0.2)
    await it.stop()


async def test_a_child_that_was_ready_is_restarted_even_after_a_users_mistake(tmp_path: Path) -> None:
    it = child(tmp_path, READY + "sys.exit(2)", Heard())
    it.start()
    await until(lambda: it.restarts >= 1)
    assert not it.given_up
    await it.stop()


async def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LIVES
    it = child(tmp_path, code, Heard())
    it.start()
    await it.wait_ready(20)
    pid = it.pid
    assert pid is not None
    await it.stop(grace_s=0.2)
    assert not is_running(pid)


async def test_commands_reach_the_child_and_stray_output_is_no_event(tmp_path: Path) -> None:
    echo = "line = sys.stdin.readline().strip(); print('noise'); print('[1]'); "
    code = READY + echo + "print('{\"event\": \"' + line + '\"}', flush=True); time.sleep(60)"
    heard = Heard()
    it = child(tmp_path, code, heard)
    it.start()
    await it.wait_ready(20)
    it.tell("drain")
    await until(lambda: "drain" in heard.names())
    assert heard.names() == ["ready", "drain"]
    await it.stop()


async def test_an_oversized_line_is_dropped(tmp_path: Path) -> None:
    code = READY + "print('x' * 3_000_000, flush=True); print('{\"event\": \"after\"}', flush=True); time.sleep(60)"
    heard = Heard()
    it = child(tmp_path, code, heard)
    it.start()
    await until(lambda: "after" in heard.names())
    assert heard.names() == ["ready", "after"]
    await it.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_children_are_gone_when_the_supervisor_is_gone(tmp_path: Path, how: signal.Signals) -> None:
    inner = "from workers.lifeline import die_with_parent; die_with_parent(); " + LIVES
    outer = (
        "import asyncio, sys, pathlib\n"
        "from workers.supervisor import Child\n"
        "import structlog; structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))\n"
        "async def main():\n"
        f"    it = Child('it', lambda: [sys.executable, '-c', {inner!r}], pathlib.Path('it.log'), lambda *_: None)\n"
        "    it.start(); await it.wait_ready(20); print(it.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", outer], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    with supervisor:
        assert supervisor.stdout is not None
        pid = int(await asyncio.to_thread(supervisor.stdout.readline))
        assert is_running(pid)
        supervisor.send_signal(how)
        supervisor.wait()
    await until(lambda: not is_running(pid))
