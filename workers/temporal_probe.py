"""Whether a Temporal server answers, without Temporal's own client: the watchdog must not depend on what it watches.

Speaks just enough HTTP/2 (RFC 9113, 3.4): a live gRPC server answers the connection preface with a SETTINGS frame.
A stopped one may still take the connection, so that connecting alone proves nothing.
"""

import asyncio
import ssl

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4)
"""The client's connection preface with an empty SETTINGS frame."""
_FRAME_HEADER = 9
_SETTINGS = 4


async def probe(address: str, *, tls: bool = False, timeout_s: float = 3.0) -> str:
    """Empty when a gRPC server answers at `host:port` within `timeout_s`, else why not. Never raises for an outcome."""
    host, _, port = address.rpartition(":")
    context = _context() if tls else None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
            try:
                writer.write(_PREFACE)
                await writer.drain()
                header = await reader.readexactly(_FRAME_HEADER)
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer from {address} within {timeout_s:g} s"
    except asyncio.IncompleteReadError:
        return f"{address} closed the connection"
    except OSError as error:
        return f"{address} cannot be reached: {error.strerror or error}"
    return "" if header[3] == _SETTINGS else f"{address} is no gRPC server"


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    return context
