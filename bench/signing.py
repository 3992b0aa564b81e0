"""How long signing one order takes: our own path with coincurve, and the same digest by eth-keys' own Python."""

import statistics
import time
from collections.abc import Callable
from decimal import Decimal

import coincurve
from eth_keys.backends.native import NativeECCBackend
from eth_keys.datatypes import PrivateKey
from pydantic import SecretStr

from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderTerms, Purpose, TimeInForce
from arbsaga.venues.polymarket.settings import PolymarketSettings
from arbsaga.venues.polymarket.signing import Signer

KEY = bytes(31) + b"\x01"
RUNS = 300
RULES = MarketRules(tick=Decimal("0.01"))


def microseconds(work: Callable[[], object]) -> float:
    """The median of many runs, in µs."""
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter_ns()
        work()
        taken.append((time.perf_counter_ns() - started) / 1000)
    return round(statistics.median(taken), 1)


def figures() -> dict[str, float]:
    """Median µs: the whole order (build, digest, sign) with coincurve; the bare signature with and without it."""
    settings = PolymarketSettings(private_key=SecretStr("0x" + KEY.hex()))
    signer = Signer(settings)
    terms = OrderTerms(
        trade_id="bench",
        leg=0,
        attempt=1,
        purpose=Purpose.ENTER,
        instrument=Instrument("polymarket", "0x" + "11" * 32, "7" * 70, "8" * 70, Outcome.YES, "", RULES),
        side=Side.BUY,
        size=Size(Decimal(10)),
        limit=Price(Decimal("0.52")),
        time_in_force=TimeInForce.GTC,
        created_ms=1_790_000_000_000,
        send_by_ms=1_790_000_001_000,
    )
    digest = bytes.fromhex(signer.order_id(terms)[2:])
    fast, slow = coincurve.PrivateKey(KEY), PrivateKey(KEY, backend=NativeECCBackend())
    return {
        "order_with_coincurve_us": microseconds(lambda: signer.sign(terms)),
        "signature_with_coincurve_us": microseconds(lambda: fast.sign_recoverable(digest, hasher=None)),
        "signature_without_coincurve_us": microseconds(lambda: slow.sign_msg_hash(digest)),
    }
