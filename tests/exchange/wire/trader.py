"""A client of our own that can also do wrong: signs orders and requests, listens to both channels."""

import asyncio
import itertools
import json
import time

import aiohttp
import orjson
from eth_account import Account
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from polymarket._internal.hmac import build_hmac_signature
from polymarket._internal.l1_auth import sign_api_key_auth

from arbsaga.exchange.ids import spender_of
from arbsaga.exchange.polymarket.wallets import wallets_of
from arbsaga.exchange.units import collateral, parse

ZERO = "0x" + "00" * 32
_SALTS = itertools.count(1)


class Trader:
    """One key. `wallet` 0 is the key's own address, 1 and 2 its deposit wallets."""

    def __init__(self, exchange, key, wallet=0):
        self.exchange = exchange
        self.account = Account.from_key(key)
        self.wallets = wallets_of(self.account.address)
        self.wallet = self.wallets[wallet]
        self.kind = 3 if wallet else 0
        self.credentials = None
        exchange.traders.append(self)
        self._sockets = []

    async def login(self):
        """Creates or derives the API key."""
        if self.credentials is None:
            status, body, _ = await self.exchange.call("POST", "/auth/api-key", headers=self.l1_headers())
            if status == 400:
                _, body, _ = await self.exchange.call("GET", "/auth/derive-api-key", headers=self.l1_headers())
            self.credentials = body
        return self.credentials

    def l1_headers(self, nonce=0, **changes):
        proof = sign_api_key_auth(self.account, chain_id=137, timestamp=int(time.time()), nonce=nonce)
        headers = {
            "POLY_ADDRESS": proof.address,
            "POLY_NONCE": str(nonce),
            "POLY_SIGNATURE": proof.signature,
            "POLY_TIMESTAMP": str(proof.timestamp),
        }
        return headers | changes

    def l2_headers(self, method, path, body="", **changes):
        now = int(time.time())
        secret = self.credentials["secret"]
        headers = {
            "POLY_ADDRESS": self.account.address,
            "POLY_API_KEY": self.credentials["apiKey"],
            "POLY_PASSPHRASE": self.credentials["passphrase"],
            "POLY_TIMESTAMP": str(now),
            "POLY_SIGNATURE": build_hmac_signature(
                secret=secret, timestamp=now, method=method, path=path, body=body or None
            ),
        }
        return headers | changes

    async def call(self, method, path, body=None, query="", **changes):
        """(status, JSON body, headers) of a signed call."""
        await self.login()
        text = "" if body is None else json.dumps(body, separators=(",", ":"))
        headers = self.l2_headers(method, path, text, **changes) | {"Content-Type": "application/json"}
        return await self.exchange.call(method, path + query, data=text or None, headers=headers)

    def payload(self, market, side, price, size, kind="GTC", outcome=0, **changes):
        """A signed order. `changes` are applied to the signed fields before signing, `wrong_…` after it."""
        shares = parse(size)
        usd = collateral(shares, parse(price))
        given, wanted = (usd, shares) if side == "BUY" else (shares, usd)
        contract = spender_of(market)
        fields = {
            "chain_id": 137,
            "builder": ZERO,
            "exchange_address": contract,
            "expiration": 0,
            "maker": self.wallet,
            "maker_amount": given,
            "metadata": ZERO,
            "order_type": kind,
            "salt": next(_SALTS),
            "side": side,
            "signature_type": self.kind,
            "signer": self.wallet,
            "taker_amount": wanted,
            "timestamp": time.time_ns() // 1_000_000,
            "token_id": market.token_ids[outcome],
            "protocol_version": "3" if market.version == "v2" else "2",
        }
        order = UnsignedOrder(**(fields | {key: value for key, value in changes.items() if key in fields}))
        plain = self.account.sign_typed_data(full_message=build_order_typed_data(order))
        signature = build_order_signature(order, "0x" + plain.signature.hex())
        body = {
            "deferExec": False,
            "order": {
                "builder": order.builder,
                "expiration": str(order.expiration),
                "maker": order.maker,
                "makerAmount": str(order.maker_amount),
                "metadata": order.metadata,
                "salt": order.salt,
                "side": order.side,
                "signature": signature,
                "signatureType": order.signature_type,
                "signer": order.signer,
                "takerAmount": str(order.taker_amount),
                "timestamp": str(order.timestamp),
                "tokenId": order.token_id,
            },
            "orderType": kind,
            "owner": self.credentials["apiKey"],
        }
        if changes.get("post_only"):
            body["postOnly"] = True
        return body

    async def post(self, *order, **changes):
        """POST /order."""
        await self.login()
        return await self.call("POST", "/order", self.payload(*order, **changes))

    async def cancel(self, order_id):
        return await self.call("DELETE", "/order", {"orderID": order_id})

    async def listen(self, path, frame):
        """A stream whose first frame the exchange has dealt with."""
        stream = Stream(await self.exchange.http.ws_connect(self.exchange.url + path))
        self._sockets.append(stream)
        await stream.socket.send_json(frame)
        await stream.settled()
        return stream

    async def listen_market(self, *tokens, custom=False):
        frame = {"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": custom}
        return await self.listen("/ws/market", frame)

    async def listen_user(self, **frame):
        auth = {key: (await self.login())[key] for key in ("apiKey", "secret", "passphrase")}
        return await self.listen("/ws/user", {"type": "user", "auth": auth, **frame})

    async def close(self):
        for stream in self._sockets:
            await stream.socket.close()


class Stream:
    """Events of one socket in their order."""

    def __init__(self, socket):
        self.socket = socket
        self.seen = []
        self._events = []

    async def next(self, wanted=lambda event: True, within=3.0):
        """The next event that is wanted; earlier ones are passed over. Fails after `within` seconds."""
        async with asyncio.timeout(within):
            while True:
                while self._events:
                    event = self._events.pop(0)
                    self.seen.append(event)
                    if wanted(event):
                        return event
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, message
                self._take(message.data)

    async def settled(self):
        """Waits until the exchange has read all that was sent to it; keeps what it sent meanwhile."""
        await self.socket.send_str("PING")
        while "PONG" not in self._events:
            self._take((await self.socket.receive(timeout=3)).data)
        self._events.remove("PONG")

    def _take(self, text):
        if text == "PONG":
            self._events.append("PONG")
            return
        body = orjson.loads(text)
        self._events += body if isinstance(body, list) else [body]

    async def next_of(self, kind, **fields):
        """The next event of a type with these fields."""

        def wanted(event):
            return isinstance(event, dict) and event["event_type"] == kind and fields.items() <= event.items()

        return await self.next(wanted)
