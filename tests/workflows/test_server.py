"""The embedded server and the way to one: clear errors, and no server outlives its parent."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from arbsaga.errors import Unavailable
from workers import connect as connecting
from workers import temporal_server
from workers.connect import TemporalSettings, connect, ensure_attributes, missing_attributes, prepare
from workers.temporal_server import LIFELINE, EmbeddedTemporal
from workflows.attributes import ALL

PARENT = """
import asyncio, sys
from pathlib import Path
from workers.temporal_server import EmbeddedTemporal

async def main():
    server = EmbeddedTemporal(Path(sys.argv[1]), ui_port=None)
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def gone(pid: int, limit_s: float = 10) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
async def own_server(tmp_path: Path):
    """A server of the test's own, to be broken."""
    server = EmbeddedTemporal(tmp_path, ui_port=0)
    await server.start()
    yield server
    await server.stop()


async def test_it_starts_with_ui_keeps_its_state_and_stops(own_server: EmbeddedTemporal, tmp_path: Path) -> None:
    """Free ports are chosen; the attributes are there from the first moment; a second start finds the same file."""
    assert await own_server.healthy()
    await prepare(TemporalSettings(own_server.address))
    client = await connect(TemporalSettings(own_server.address))
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert described.config.workflow_execution_retention_ttl.ToTimedelta().days == 90
    with socket.create_connection(("127.0.0.1", int(own_server.ui_url.rsplit(":", 1)[1])), timeout=5):
        pass
    await own_server.stop()
    assert not await own_server.healthy()
    await own_server.stop()  # twice is no error
    again = EmbeddedTemporal(tmp_path, port=own_server.port, ui_port=None)
    await again.start()
    assert again.ui_url is None
    await again.stop()


async def test_a_dead_server_is_noticed(own_server: EmbeddedTemporal) -> None:
    """`wait` returns, health is gone."""
    os.kill(own_server.pid, signal.SIGKILL)
    assert await asyncio.wait_for(own_server.wait(), 10) != 0
    assert not await own_server.healthy()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Kill -9 of the supervisor leaves no server behind."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    assert gone(pid)


def test_the_lifeline_of_other_systems_works_too() -> None:
    """Where the kernel has no such signal a shell ends the child when the parent's pipe closes."""
    command = ["/bin/sh", "-c", LIFELINE, "temporal", "/bin/sh", "-c", "echo $$; exec sleep 60"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        pid = int(shell.stdout.readline())
        shell.stdin.close()
        assert gone(pid)
        shell.wait(10)


async def test_a_server_under_the_shell_starts_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same class on a system without the signal."""
    monkeypatch.setattr(temporal_server.sys, "platform", "darwin")
    server = EmbeddedTemporal(tmp_path, ui_port=None)
    await server.start()
    assert await server.healthy()
    await server.stop()
    assert not await server.healthy()


async def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """Which port, whose, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} for Temporal cannot be used"):
            await EmbeddedTemporal(tmp_path, port=port).start()


async def test_a_missing_binary_is_one_clear_line(tmp_path: Path) -> None:
    """It says how to get it."""
    with pytest.raises(Unavailable, match=r"no temporal binary at .*make setup"):
        await EmbeddedTemporal(tmp_path, binary=tmp_path / "none").start()


async def test_a_broken_binary_is_one_clear_line(tmp_path: Path) -> None:
    """Its last words are shown."""
    broken = tmp_path / "temporal"
    broken.write_text("#!/bin/sh\necho wrong architecture >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(Unavailable, match="ended at once: wrong architecture"):
        await EmbeddedTemporal(tmp_path / "data", binary=broken).start()


async def test_a_silent_binary_is_given_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs but never answers is stopped again."""
    silent = tmp_path / "temporal"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setattr(temporal_server, "START_LIMIT_S", 0.3)
    server = EmbeddedTemporal(tmp_path / "data", binary=silent)
    with pytest.raises(Unavailable, match="did not answer"):
        await server.start()
    assert gone(server.pid)


async def test_a_server_that_ignores_being_asked_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping never hangs."""
    stubborn = tmp_path / "temporal"
    stubborn.write_text("#!/bin/sh\ntrap '' TERM\nwhile true; do sleep 1; done\n")
    stubborn.chmod(0o755)
    monkeypatch.setattr(temporal_server, "START_LIMIT_S", 0.5)
    monkeypatch.setattr(temporal_server, "STOP_LIMIT_S", 0.3)
    server = EmbeddedTemporal(tmp_path / "data", binary=stubborn)
    with pytest.raises(Unavailable):
        await server.start()
    assert gone(server.pid)


async def test_no_server_is_one_clear_line() -> None:
    """Where it was looked for, and how to mend it."""
    with pytest.raises(Unavailable, match=r"no Temporal server at 127.0.0.1:1 \(connection refused\): start one"):
        await connect(TemporalSettings("127.0.0.1:1"))


async def test_a_server_that_dies_between_dialling_and_the_checks_is_one_clear_line(
    own_server: EmbeddedTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks ask a server that was there a moment ago."""
    dial = connecting._dial

    async def dialled_just_before_its_end(settings: TemporalSettings) -> Client:
        client = await dial(settings)
        os.kill(own_server.pid, signal.SIGKILL)
        await asyncio.wait_for(own_server.wait(), 10)
        return client

    monkeypatch.setattr(connecting, "_dial", dialled_just_before_its_end)
    with pytest.raises(Unavailable, match=f"the Temporal server at {own_server.address} says: "):
        await connect(TemporalSettings(own_server.address))


async def test_a_missing_namespace_is_one_clear_line(temporal_server: EmbeddedTemporal) -> None:
    """It names the command that makes it."""
    with pytest.raises(Unavailable, match=r"no namespace nowhere .*namespace create nowhere"):
        await connect(TemporalSettings(temporal_server.address, namespace="nowhere"))


async def test_an_old_server_is_one_clear_line(
    temporal_server: EmbeddedTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version and the one that is needed."""
    monkeypatch.setattr(connecting, "MIN_SERVER", (99, 0))
    with pytest.raises(Unavailable, match=r"is version 1\.\d+\.\d+: 99\.0 or newer is needed"):
        await connect(TemporalSettings(temporal_server.address))


async def test_missing_attributes_are_refused_and_can_be_registered(own_server: EmbeddedTemporal) -> None:
    """A worker would hang on them for ever without a word, so it does not even start."""
    settings = TemporalSettings(own_server.address)
    client = await connect(settings)
    await client.operator_service.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace="default", search_attributes=["Edge", "Venues"])
    )
    assert await missing_attributes(client) == ["Venues", "Edge"]
    with pytest.raises(Unavailable, match=r"search attributes missing .*--name Venues --type KeywordList"):
        await connect(settings)
    await ensure_attributes(client)
    await ensure_attributes(client)  # twice is no error
    assert await missing_attributes(await connect(settings)) == []


async def test_attributes_that_may_not_be_registered_are_one_clear_line(
    temporal_server: EmbeddedTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More doubles than the server allows."""
    client = await connect(TemporalSettings(temporal_server.address))
    monkeypatch.setattr(connecting, "ALL", ALL | {f"More{number}": "Double" for number in range(5)})
    with pytest.raises(Unavailable, match="search attributes cannot be registered"):
        await ensure_attributes(client)


def test_an_api_key_is_never_shown() -> None:
    """Not in a repr, so in no log or error."""
    assert "s3cret" not in repr(TemporalSettings("cloud:7233", tls=True, api_key="s3cret"))
