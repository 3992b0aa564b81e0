"""Each mistake of a person is one clear line on standard error, exit code 2, and never a traceback."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from arbsaga_command import ARBSAGA, Arbsaga

from workers.folder import DataFolder, free_port
from workers.temporal_server import HOST

NOWHERE = {"ARBSAGA_TEMPORAL__ADDRESS": "127.0.0.1:1", "ARBSAGA_VENUE__CLOB_URL": "http://127.0.0.1:1"}
KEY = "0x" + "5a" * 32

UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
"""A process on a full disk could not write its coverage either, and would say so."""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_live_trading_needs_its_switch(said: Arbsaga, tmp_path: Path) -> None:
    live = {"ARBSAGA_MODE": "live", "ARBSAGA_VENUE__PRIVATE_KEY": KEY}
    for command in (
        ("up",),
        ("trader",),
        ("worker",),
        ("watchdog",),
        ("trade", "--leg", "1", "--leg", "2", "--size", "9"),
    ):
        said(*command, env=live).is_one_clear_line('mode is "live" but --live was not given')
    said("up", "--live").is_one_clear_line('--live was given but mode is "paper"')


def test_live_trading_needs_a_key(said: Arbsaga) -> None:
    live = {"ARBSAGA_MODE": "live", "ARBSAGA_TEMPORAL__ADDRESS": "127.0.0.1:1"}
    said("trader", "--live", env=live).is_one_clear_line("venue.private_key is missing", "ARBSAGA_VENUE__PRIVATE_KEY")
    said("config", "check", env=live).is_one_clear_line("venue.private_key is missing")


@pytest.mark.parametrize("key", ["nonsense", "0x1234", "0x" + "00" * 32, "ff" * 32])
def test_a_bad_private_key_is_told_without_showing_it(said: Arbsaga, key: str) -> None:
    done = said("trader", env={**NOWHERE, "ARBSAGA_VENUE__PRIVATE_KEY": key})
    done.is_one_clear_line("private key")
    assert key.removeprefix("0x") not in done.err + done.out
    done = said("up", env={"ARBSAGA_VENUE__PRIVATE_KEY": key})
    done.is_one_clear_line("private key")
    assert key.removeprefix("0x") not in done.err + done.out


def test_an_unreachable_temporal_server(arbsaga: Arbsaga) -> None:
    env = {**NOWHERE, "ARBSAGA_VENUE__PRIVATE_KEY": KEY}
    arbsaga("trader", env=env).is_one_clear_line("no Temporal server at 127.0.0.1:1", "temporal.address")


def test_a_temporal_server_without_the_search_attributes(arbsaga: Arbsaga, tmp_path: Path) -> None:
    port = free_port(set())
    command = [
        str(ARBSAGA.with_name("temporal")),
        "server",
        "start-dev",
        "--headless",
        "--ip",
        HOST,
        "--port",
        str(port),
    ]
    with subprocess.Popen([*command, "--log-level", "never"], stdout=subprocess.DEVNULL) as server:
        try:
            asyncio.run(_until_listening(port))
            env = {**NOWHERE, "ARBSAGA_TEMPORAL__ADDRESS": f"{HOST}:{port}", "ARBSAGA_VENUE__PRIVATE_KEY": KEY}
            arbsaga("trader", env=env).is_one_clear_line("search attributes missing", "search-attribute create")
        finally:
            server.terminate()


async def _until_listening(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("the server does not listen")


def test_an_unreachable_exchange(said: Arbsaga) -> None:
    env = {"ARBSAGA_VENUE__CLOB_URL": "http://127.0.0.1:1", "ARBSAGA_VENUE__PRIVATE_KEY": KEY}
    done = said("doctor", env=env)
    assert done.code == 1
    assert "http://127.0.0.1:1 does not answer" in done.out
    assert "Traceback" not in done.out + done.err


def test_nothing_was_ever_started_here(said: Arbsaga) -> None:
    said("doctor").is_one_clear_line("no paper exchange is known", "arbsaga up")
    said("trader", env={"ARBSAGA_VENUE__PRIVATE_KEY": KEY}).is_one_clear_line("no paper exchange is known")


def test_a_taken_port(arbsaga: Arbsaga, taken_port: int) -> None:
    arbsaga("exchange", "--port", str(taken_port)).is_one_clear_line(f":{taken_port}", "--port")
    arbsaga("temporal", "--port", str(taken_port)).is_one_clear_line(f"port {taken_port}", "cannot be used")


def test_another_up_on_the_same_folder(said: Arbsaga, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / ".arbsaga")
    folder.create()
    with folder.lock():
        said("up").is_one_clear_line("another `arbsaga up`", f"process {os.getpid()}", "--data-dir")


def test_a_locked_ledger(arbsaga: Arbsaga, tmp_path: Path) -> None:
    assert arbsaga("trades").code == 0
    with sqlite3.connect(tmp_path / ".arbsaga" / "ledger.sqlite") as other:
        other.execute("BEGIN EXCLUSIVE")
        arbsaga("halt").is_one_clear_line("ledger", "locked")
        other.rollback()
    other.close()
    assert arbsaga("halt").code == 0


def test_a_ledger_that_is_none(said: Arbsaga, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database " * 1000)
    said("trades", env={"ARBSAGA_LEDGER__URL": f"sqlite:///{tmp_path}/notes.txt"}).is_one_clear_line("notes.txt")
    said("trades", env={"ARBSAGA_LEDGER__URL": "postgresql://x/y"}).is_one_clear_line("sqlite")


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_a_full_disk(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024));"
        "from workers.cli import main; sys.argv = ['arbsaga', 'trades']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=UNMEASURED
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "cannot be written" in done.stderr


def test_a_data_folder_that_cannot_be_made(said: Arbsaga, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said("up", "--data-dir", "file/data").is_one_clear_line("file/data cannot be written", "--data-dir")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--fault", "bogus:0.1"), "unknown fault 'bogus'"),
        (("--fault", "lose_leg:7"), "rate"),
        (("--min-edge", "much"), "--min-edge 'much' is not a number"),
        (("--min-edge", "2"), "must be in -1..1"),
        (("--speed", "fast"), "--speed 'fast' is neither a number"),
        (("--recording", "none.parquet"), "none.parquet cannot be read"),
        (("--trades", "0"), "--trades"),
    ],
)
def test_options_of_up_are_checked_before_anything_starts(
    said: Arbsaga, tmp_path: Path, args: tuple[str, str], words: str
) -> None:
    said("up", *args).is_one_clear_line(words)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_is_none_is_told_by_up(said: Arbsaga, tmp_path: Path) -> None:
    (tmp_path / "notes.parquet").write_text("no recording")
    said("up", "--recording", "notes.parquet", "--json").is_one_clear_line("notes.parquet")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "either an order file or legs"),
        (("--leg", "1", "--size", "5"), "two or more --leg"),
        (("--leg", "1", "--leg", "2"), "needs --size"),
        (("--leg", "1", "--leg", "2", "--size", "few"), "--size 'few' is not a number"),
        (("--leg", "1@x", "--leg", "2", "--size", "5"), "the limit 'x' is not a number"),
        (("none.toml",), "none.toml cannot be read"),
        (("empty.toml",), "size"),
        (("broken.toml",), "not valid TOML"),
    ],
)
def test_an_order_by_hand_is_checked_first(said: Arbsaga, tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    (tmp_path / "empty.toml").write_text('leg = [{token = "1"}, {token = "2"}]')
    (tmp_path / "broken.toml").write_text("leg = [")
    said("trade", *args).is_one_clear_line(words)


def test_a_trade_that_does_not_exist(said: Arbsaga) -> None:
    for command in (("show", "nobody"), ("abort", "nobody"), ("resolve", "nobody", "done")):
        said(*command).is_one_clear_line("no trade 'nobody'", "arbsaga trades")


def test_an_unexpected_error_is_one_line_that_names_the_log(tmp_path: Path) -> None:
    code = (
        "import sys; from workers import console\n"
        "console.log_to(__import__('pathlib').Path('it.log'))\n"
        "sys.exit(console.guarded(lambda: 1 / 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env=UNMEASURED
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "arbsaga: unexpected error: ZeroDivisionError: division by zero; details in it.log\n"
    assert "ZeroDivisionError" in (tmp_path / "it.log").read_text()
