"""Faults of the simulated exchange: what can be told to go wrong, how often, and for whom.

One grammar at the command line (`--fault`), in the admin API and in tests:

    NAME[:RATE][,key=value…]        e.g.  fail_settlement:0.1,only=SELL,count=3
                                          delayed,seconds=2      reject,text=not enough, sorry

RATE is a probability in 0..1 (default 1). `text=` runs to the end of the spec, commas included.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from arbsaga.errors import ConfigError
from arbsaga.exchange.units import ONE, TICKS, format_units

COMMON_KEYS: Final = frozenset({"count", "seconds", "only", "token", "address", "path"})
"""Keys every fault takes: how often at most; how long; and the limits `only`, `token`, `address`, `path`."""

FAULTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        # asked by the engine
        "lose_leg": frozenset(),
        "partial": frozenset({"share"}),
        "delayed": frozenset(),
        "unmatched": frozenset(),
        "reject": frozenset({"text"}),
        "fail_settlement": frozenset(),
        "retry_settlement": frozenset(),
        "slow_settlement": frozenset(),
        "cancel_loses": frozenset(),
        "tick_change": frozenset({"tick"}),
        "wipe": frozenset(),
        "phantom_matched": frozenset(),
        # asked by the wire
        "drop_response": frozenset(),
        "late_post": frozenset(),
        "status": frozenset({"code", "variant", "after"}),
        "restart": frozenset({"post_only_seconds"}),
        "cancel_error": frozenset(),
        "duplicate_events": frozenset({"channel"}),
        "reorder_events": frozenset({"channel"}),
        "drop_user_events": frozenset(),
        "freeze_stream": frozenset({"channel"}),
        "drop_stream": frozenset({"channel"}),
        "oversized_frame": frozenset({"bytes"}),
        "malformed_frame": frozenset({"variant"}),
        "stale_balance": frozenset(),
        "stale_book": frozenset({"variant"}),
        "torn_book": frozenset(),
        "partial_batch": frozenset({"variant"}),
        "latency": frozenset({"ms"}),
        # asked by the wire of Kalshi alone
        "lost": frozenset(),
        "stale_read": frozenset(),
        "gap": frozenset({"channel"}),
        "reset": frozenset({"channel"}),
        "overflow": frozenset({"channel"}),
    }
)
"""Every fault and the keys of its own, beside COMMON_KEYS."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One spec. `options` holds every key=value of it, the common ones included, as text."""

    name: str
    rate: Decimal = Decimal(1)
    options: Mapping[str, str] = field(default_factory=dict)

    def text(self, key: str, default: str = "") -> str:
        """The value of a key, or the default."""
        return self.options.get(key, default)

    def number(self, key: str, default: int | str) -> Decimal:
        """The value of a numeric key (seconds, share, ms, code …), or the default."""
        return Decimal(self.options.get(key, default))

    @property
    def milliseconds(self) -> int:
        """The key `seconds` in ms, 0 where absent."""
        return int(self.number("seconds", 0) * 1000)

    def concerns(self, context: Mapping[str, str]) -> bool:
        """Whether its limits admit this context. `only` names a side (BUY, SELL) or a phase (entry, exit)."""
        only = self.options.get("only", "").lower()
        if only and only not in (context.get("side", "").lower(), context.get("phase", "").lower()):
            return False
        limits = (key for key in ("token", "address", "path") if key in self.options)
        return all(self.options[key].lower() == context.get(key, "").lower() for key in limits)

    def __str__(self) -> str:
        """The spec this fault came from, in one canonical form."""
        return ",".join([f"{self.name}:{self.rate}", *(f"{key}={value}" for key, value in self.options.items())])


NUMERIC_KEYS: Final = frozenset({"seconds", "share", "ms", "code", "post_only_seconds", "bytes", "tick", "count"})


def parse_fault(spec: str) -> Fault:
    """Read `NAME[:RATE][,key=value…]`. Raises ConfigError that says what is wrong and what would do."""
    spec, _, text = spec.strip().partition(",text=")
    head, *pairs = spec.split(",")
    name, _, rate = (part.strip() for part in head.partition(":"))
    if name not in FAULTS:
        raise ConfigError(f"unknown fault {name!r}: choose one of {', '.join(sorted(FAULTS))}")
    options = dict(_pair(name, pair) for pair in pairs)
    if text:
        options |= [_pair(name, f"text={text}")]
    return Fault(name, _rate(name, rate or "1"), MappingProxyType(options))


def _rate(name: str, text: str) -> Decimal:
    rate = _number(text)
    if rate is None or not 0 <= rate <= 1:
        raise ConfigError(f"fault {name}: the rate {text!r} is not a number in 0..1, write {name}:0.1")
    return rate


def _pair(name: str, pair: str) -> tuple[str, str]:
    key, found, value = (part.strip() for part in pair.partition("="))
    allowed = COMMON_KEYS | FAULTS[name]
    if not found or not value or key not in allowed:
        raise ConfigError(f"fault {name}: {pair!r} is not key=value with a key of {', '.join(sorted(allowed))}")
    number = _number(value)
    if key in NUMERIC_KEYS and (number is None or number < 0):
        raise ConfigError(f"fault {name}: {key} must be a number not below 0, not {value!r}")
    if key == "share" and number is not None and number > 1:
        raise ConfigError(f"fault {name}: share must be in 0..1, not {value!r}")
    if key == "tick" and number is not None and number * ONE not in TICKS:
        ticks = ", ".join(format_units(tick) for tick in TICKS)
        raise ConfigError(f"fault {name}: tick must be one of {ticks}, not {value!r}")
    if key == "only" and value.lower() not in {"entry", "exit", "buy", "sell"}:
        raise ConfigError(f"fault {name}: only must be entry, exit, BUY or SELL, not {value!r}")
    return key, value


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


class FaultPlan:
    """The faults in force. `draw` is asked at every place where one could strike; the answer is seeded."""

    def __init__(self, seed: int | str = 0, specs: tuple[str, ...] = ()) -> None:
        self._rng = random.Random(f"faults {seed}")
        self._faults: list[Fault] = []
        self._struck: list[int] = []
        self.on_strike: Callable[[Fault, Mapping[str, str]], None] | None = None
        """Called with each fault that strikes: the engine puts it into the truth journal."""
        for spec in specs:
            self.add(spec)

    def add(self, spec: str) -> Fault:
        """Put a fault in force. Raises ConfigError."""
        fault = parse_fault(spec)
        self._faults.append(fault)
        self._struck.append(0)
        return fault

    def clear(self, name: str | None = None) -> int:
        """Lift all faults, or those of one name. Returns how many were lifted."""
        kept = [at for at, fault in enumerate(self._faults) if name is not None and fault.name != name]
        lifted = len(self._faults) - len(kept)
        self._faults = [self._faults[at] for at in kept]
        self._struck = [self._struck[at] for at in kept]
        return lifted

    def active(self) -> list[tuple[Fault, int]]:
        """The faults in force, each with how often it has struck so far."""
        return list(zip(self._faults, self._struck, strict=True))

    def draw(self, name: str, **context: str) -> Fault | None:
        """The fault that strikes here, or None.

        Context keys that limits are compared with: side, phase ("entry"/"exit"), token, address, path.
        """
        for at, fault in enumerate(self._faults):
            if fault.name == name and fault.concerns(context) and self._strikes(at, fault):
                self._struck[at] += 1
                if self.on_strike is not None:
                    self.on_strike(fault, context)
                return fault
        return None

    def _strikes(self, at: int, fault: Fault) -> bool:
        if "count" in fault.options and self._struck[at] >= fault.number("count", 0):
            return False
        return self._rng.random() < fault.rate
