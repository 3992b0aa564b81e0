"""The data folder: one `arbsaga up` at a time, ports that stay, and clear words when it cannot be used."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from arbsaga.errors import ConfigError, Unavailable
from workers.folder import DataFolder, free_port, is_free


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def test_it_is_readable_by_its_owner_only(folder: DataFolder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_ports_are_remembered_while_they_are_free(folder: DataFolder) -> None:
    assert folder.ports() is None
    first = folder.choose_ports()
    assert len({first.temporal, first.ui, first.exchange}) == 3
    assert folder.choose_ports() == first == folder.ports()


def test_a_remembered_port_that_was_taken_is_replaced(folder: DataFolder) -> None:
    first = folder.choose_ports()
    with socket.create_server(("127.0.0.1", first.exchange)):
        second = folder.choose_ports()
    assert second.exchange != first.exchange
    assert (second.temporal, second.ui) == (first.temporal, first.ui)


def test_a_damaged_port_file_is_one_line_that_says_what_to_do(folder: DataFolder) -> None:
    (folder.path / "ports.json").write_text("{")
    with pytest.raises(ConfigError, match=r"ports\.json is damaged: delete it"):
        folder.ports()


def test_only_one_up_runs_on_a_folder(folder: DataFolder) -> None:
    code = (
        "import sys, pathlib; from workers.folder import DataFolder\n"
        "lock = DataFolder(pathlib.Path(sys.argv[1])).lock(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Unavailable, match=rf"another `arbsaga up` \(process {other.pid}\) runs on .*--data-dir"):
            folder.lock()
        other.communicate("")
    with folder.lock() as lock:
        lock.seek(0)
        assert lock.read() == str(os.getpid())


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"file/data cannot be written: .*--data-dir"):
        DataFolder(tmp_path / "file" / "data").create()


def test_free_ports_are_below_the_ephemeral_range() -> None:
    port = free_port(set())
    assert is_free(port)
    assert 20_000 <= port < 30_000


def test_when_no_port_is_free_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.folder.is_free", lambda port: False)
    with pytest.raises(Unavailable, match="no free port"):
        free_port(set())
