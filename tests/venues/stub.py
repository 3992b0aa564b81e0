"""A small server that answers exactly what a test tells it to: for answers that no healthy venue gives."""

import asyncio
import time

import orjson
from aiohttp import web

from arbsaga.venues.polymarket import PolymarketSettings
from arbsaga.venues.polymarket.client import connect
from arbsaga.venues.polymarket.posting import Poster
from arbsaga.venues.polymarket.signing import Signer

from .make import KEY

HANG_UP = "hang up"


class Stub:
    """Answers by (method, path): a JSON value, (status, text), a function of the request, or HANG_UP."""

    def __init__(self):
        self.answers = {
            ("POST", "/auth/api-key"): {"apiKey": "the-key", "secret": "c2VjcmV0", "passphrase": "pass"},
            ("GET", "/auth/ban-status/closed-only"): {"closed_only": False},
            ("GET", "/time"): lambda _: int(time.time()),
            ("GET", "/data/trades"): {"data": [], "next_cursor": "LTE="},
            ("GET", "/data/orders"): {"data": [], "next_cursor": "LTE="},
            ("GET", "/balance-allowance"): {"balance": "0", "allowances": {}},
            ("GET", "/balance-allowance/update"): {},
        }
        self.requests = []
        self.sockets = []
        self.frames = []
        self.pongs = True
        self.on_connect = None
        self.connections = set()

    def count(self, method, path):
        return sum(1 for request in self.requests if request[:2] == (method, path))

    def body(self, method, path):
        return next(orjson.loads(body) for *request, body in self.requests if request == [method, path])

    async def handle(self, request):
        if request.path.startswith("/ws/"):
            return await self.socket(request)
        self.connections.add(id(request.transport))
        self.requests.append((request.method, request.path, await request.read()))
        answer = self.answers.get((request.method, request.path), (404, "not found"))
        if callable(answer):
            answer = answer(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer is HANG_UP:
            request.transport.abort()
            return web.Response()
        if isinstance(answer, web.StreamResponse):
            return answer
        status, body = (answer[0], {"error": answer[1]}) if isinstance(answer, tuple) else (200, answer)
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

    async def socket(self, request):
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.data == "PING":
                if self.pongs:
                    await socket.send_str("PONG")
                continue
            self.frames.append(orjson.loads(message.data))
            if self.on_connect is not None:
                await self.on_connect(socket)
        return socket

    async def send(self, *events):
        """To every open socket, one frame for each event."""
        for socket in [open_ for open_ in self.sockets if not open_.closed]:
            for event in events:
                await socket.send_bytes(event) if isinstance(event, bytes) else await socket.send_str(
                    event if isinstance(event, str) else orjson.dumps(event).decode()
                )

    async def start(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        host, port = self.runner.addresses[0]
        self.url = f"http://{host}:{port}"
        return self

    async def stop(self):
        for socket in self.sockets:
            await socket.close()
        await self.runner.cleanup()

    def settings(self):
        return PolymarketSettings.at(self.url, KEY)


async def poster_at(stub, timeout_ms=2_000, connections=2, clock=None):
    """(poster, official client) at the stub; the caller closes the client."""
    settings = stub.settings()
    signer = Signer(settings)
    client = await connect(settings, settings.private_key, signer.wallet)
    wall = clock or (lambda: time.time_ns() // 1_000_000)
    return Poster(client, signer, timeout_ms=timeout_ms, connections=connections, clock=wall), client
