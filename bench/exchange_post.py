"""Loopback latency of POST /order on the simulated exchange: `python -m bench.exchange_post [--orders N]`.

One aiohttp client on one keep-alive connection, orders signed beforehand (EOA), sent one after the other to a process
of its own whose seeded world is running. Prints p50 and p99 in ms of orders that rest and of orders that match at once.
The goal is a p50 under 2 ms.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from coincurve import PrivateKey
from eth_account import Account

from arbsaga.exchange.ids import CTF_EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE
from arbsaga.exchange.polymarket.auth import credentials, request_signature
from arbsaga.exchange.polymarket.signatures import SignedFields, digest, struct_hash
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.exchange.server import KEYS, ExchangeSettings, run
from arbsaga.exchange.units import collateral, parse
from arbsaga.exchange.world import WorldSettings

_SECRET = bytes(31) + b"\x07"
ADDRESS = str(Account.from_key(_SECRET).address)
API_KEY = credentials(ADDRESS, 0)
ZERO = "0x" + "00" * 32
_SALTS = itertools.count(time.time_ns() // 1000)


@dataclass(frozen=True, slots=True)
class Target:
    """A token to buy: the contract its orders are signed for, and the best price it is offered at."""

    token: str
    contract: str
    ask: str


def serve(directory: str, urls: "multiprocessing.Queue[str]") -> None:
    """The exchange in a process of its own."""
    (Path(directory) / KEYS).write_text(json.dumps([[ADDRESS, 0]]))
    settings = ExchangeSettings(
        data_dir=Path(directory),
        world=WorldSettings(lifetime_s=(600, 600), mispricing=None),
        deposits={ADDRESS: Decimal(1_000_000)},
        wire=WireSettings(rate_limits="off"),
    )
    asyncio.run(run(settings, urls.put))


def order(target: Target, price: str, shares: str) -> bytes:
    """The body of a signed BUY."""
    wanted = parse(shares)
    fields = SignedFields(
        salt=next(_SALTS),
        maker=ADDRESS,
        signer=ADDRESS,
        token_id=int(target.token),
        maker_amount=collateral(wanted, parse(price)),
        taker_amount=wanted,
        side=0,
        signature_type=0,
        timestamp=time.time_ns() // 1_000_000,
        metadata=bytes(32),
        builder=bytes(32),
    )
    hashed = digest(target.contract, struct_hash(fields))
    signature = PrivateKey(_SECRET).sign_recoverable(hashed, hasher=None)
    signed = {
        "builder": ZERO,
        "expiration": "0",
        "maker": ADDRESS,
        "makerAmount": str(fields.maker_amount),
        "metadata": ZERO,
        "salt": fields.salt,
        "side": "BUY",
        "signature": "0x" + signature[:64].hex() + f"{signature[64] + 27:02x}",
        "signatureType": 0,
        "signer": ADDRESS,
        "takerAmount": str(fields.taker_amount),
        "timestamp": str(fields.timestamp),
        "tokenId": target.token,
    }
    body = {"deferExec": False, "order": signed, "orderType": "GTC", "owner": API_KEY.key}
    return json.dumps(body, separators=(",", ":")).encode()


def headers(body: bytes) -> dict[str, str]:
    """L2 headers of POST /order."""
    now = str(int(time.time()))
    return {
        "POLY_ADDRESS": ADDRESS,
        "POLY_API_KEY": API_KEY.key,
        "POLY_PASSPHRASE": API_KEY.passphrase,
        "POLY_TIMESTAMP": now,
        "POLY_SIGNATURE": request_signature(API_KEY.secret, now, "POST", "/order", body),
        "Content-Type": "application/json",
    }


async def targets(session: aiohttp.ClientSession, url: str) -> list[Target]:
    """YES of every market whose ask is between 0.2 and 0.8."""
    async with session.get(f"{url}/markets/keyset", params={"limit": "100"}) as answer:
        markets: list[dict[str, Any]] = (await answer.json())["markets"]
    found = []
    for market in markets:
        v2 = market["version"] == "v2"
        token = market["positionIds"][0] if v2 else json.loads(market["clobTokenIds"])[0]
        contract = EXCHANGE_V3 if v2 else NEG_RISK_EXCHANGE if market["negRisk"] else CTF_EXCHANGE
        if 0.2 <= market["bestAsk"] <= 0.8:
            found.append(Target(token, contract, str(market["bestAsk"])))
    return found


async def measure(
    session: aiohttp.ClientSession, url: str, bodies: Iterator[bytes]
) -> tuple[list[float], dict[str, int]]:
    """Milliseconds of each call, and how many answers had which status."""
    taken, statuses = [], dict[str, int]()
    for body in bodies:
        signed = headers(body)
        started = time.perf_counter()
        async with session.post(f"{url}/order", data=body, headers=signed) as answer:
            found = await answer.json()
        taken.append((time.perf_counter() - started) * 1000)
        status = found.get("status") or found["error"]
        statuses[status] = statuses.get(status, 0) + 1
    return taken, statuses


async def bench(url: str, orders: int) -> dict[str, Any]:
    """p50 and p99 in ms of both kinds of orders."""
    figures: dict[str, Any] = {}
    async with aiohttp.ClientSession() as session:
        around = itertools.cycle(await targets(session, url))
        resting = [order(next(around), "0.01", "5") for _ in range(orders + 50)]
        await measure(session, url, iter(resting[:50]))
        figures["resting"] = summary(*await measure(session, url, iter(resting[50:])))
        fresh = itertools.cycle(await targets(session, url))
        crossing = (order(target, target.ask, "5") for target, _ in zip(fresh, range(orders), strict=False))
        figures["crossing"] = summary(*await measure(session, url, crossing))
    return figures


def summary(taken: list[float], statuses: dict[str, int]) -> dict[str, Any]:
    """The figures of one run."""
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3), "answers": statuses}


def main() -> None:
    """Starts the exchange, measures, prints one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=1000, help="orders of each kind")
    chosen = parser.parse_args()
    spawning = multiprocessing.get_context("spawn")
    urls: multiprocessing.Queue[str] = spawning.Queue()
    with tempfile.TemporaryDirectory() as directory:
        exchange = spawning.Process(target=serve, args=(directory, urls))
        exchange.start()
        try:
            print(json.dumps(asyncio.run(bench(urls.get(timeout=20), chosen.orders))))
        finally:
            exchange.terminate()
            exchange.join()


if __name__ == "__main__":
    main()
