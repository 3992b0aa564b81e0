"""An aiohttp application that can be killed and started again on the port it had."""

import socket

from aiohttp import web


class Host:
    """Serves on a free loopback port, which stays its own over restarts."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it answers; known from the first start on."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self, app: web.Application) -> None:
        """Serve."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Close the port and break every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
