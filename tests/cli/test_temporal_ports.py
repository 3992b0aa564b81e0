"""The embedded server's own choice of ports: two that differ, and others when somebody was faster."""

from pathlib import Path

import pytest

from arbsaga.errors import Unavailable
from workers import temporal_server
from workers.temporal_server import EmbeddedTemporal, _claim_ports

TAKEN = "Error: can't set frontend port: listen tcp 127.0.0.1: bind: address already in use"


def server_that_says(text: str, tmp_path: Path, **ports: int | None) -> tuple[EmbeddedTemporal, Path]:
    """A server whose binary notes its start, says this and ends."""
    binary, starts = tmp_path / "temporal", tmp_path / "starts"
    binary.write_text(f'#!/bin/sh\necho "$@" >> {starts}\necho "{text}"\nexit 1\n')
    binary.chmod(0o755)
    return EmbeddedTemporal(tmp_path / "data", binary=binary, **ports), starts


def test_chosen_ports_differ() -> None:
    """The first was let go before the second was chosen, so that both could be the same."""
    for _ in range(50):
        port, ui_port = _claim_ports(0, 0)
        assert port != ui_port


@pytest.mark.parametrize(
    ("text", "ports", "starts"),
    [
        (TAKEN, {"port": 0, "ui_port": 0}, temporal_server.PORT_TRIES),
        (TAKEN, {"port": 0, "ui_port": None}, temporal_server.PORT_TRIES),
        ("unable to open database file", {"port": 0, "ui_port": 0}, 1),
    ],
)
async def test_a_port_that_somebody_took_meanwhile_is_chosen_anew(
    tmp_path: Path, text: str, ports: dict[str, int | None], starts: int
) -> None:
    server, started = server_that_says(text, tmp_path, **ports)
    with pytest.raises(Unavailable, match="ended at once"):
        await server.start()
    asked = [line.split() for line in started.read_text().splitlines()]
    assert len(asked) == starts
    assert all(line[line.index("--port") + 1] != "0" for line in asked)


async def test_a_port_that_was_asked_for_is_not_exchanged(tmp_path: Path) -> None:
    port, ui_port = _claim_ports(0, 0)
    server, started = server_that_says(TAKEN, tmp_path, port=port, ui_port=ui_port)
    with pytest.raises(Unavailable, match="ended at once"):
        await server.start()
    assert len(started.read_text().splitlines()) == 1
