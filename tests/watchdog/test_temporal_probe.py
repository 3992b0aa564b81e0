"""Whether a Temporal server answers: a real one, one that hangs, something else, and nothing."""

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from workers.temporal_probe import probe

TEMPORAL = shutil.which("temporal", path=str(Path(sys.executable).parent))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def test_a_real_server_answers(tmp_path: Path):
    """As soon as it has started."""
    assert TEMPORAL is not None
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        TEMPORAL,
        *("server", "start-dev", "--headless", "--port", str(port), "--db-filename", str(tmp_path / "t.db")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while why := await probe(f"127.0.0.1:{port}"):
                assert "cannot be reached" in why
                await asyncio.sleep(0.1)
    finally:
        server.terminate()
        await server.wait()


@asynccontextmanager
async def answering(data: bytes, *, hang: bool = False) -> AsyncIterator[str]:
    """The address of a server that answers every connection with these bytes."""
    talks = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        await reader.read(10)
        writer.write(data)
        if hang:
            await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*talks)


async def test_a_server_that_takes_the_connection_and_says_nothing_is_down():
    """A stopped process still has its port."""
    async with answering(b"", hang=True) as address:
        assert await probe(address, timeout_s=0.05) == f"no answer from {address} within 0.05 s"


async def test_something_else_on_the_port_is_told():
    """A web server, or one that hangs up."""
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert await probe(address) == f"{address} is no gRPC server"
    async with answering(b"") as address:
        assert await probe(address) == f"{address} closed the connection"


async def test_nobody_on_the_port_is_told():
    """In one line."""
    address = f"127.0.0.1:{free_port()}"
    assert (await probe(address)).startswith(f"{address} cannot be reached")
    assert (await probe("no.such.host.invalid:1")).startswith("no.such.host.invalid:1 cannot be reached")


async def test_tls_to_a_server_without_it_is_told():
    """Instead of a traceback of the TLS library."""
    async with answering(b"not TLS at all, whatever this is, it is long enough") as address:
        assert (await probe(address, tls=True)).startswith(f"{address} cannot be reached")
