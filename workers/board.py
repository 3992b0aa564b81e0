"""What `arbsaga up` knows of its run: fed by the events of its processes, read by the view and the summary."""

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from arbsaga.saga.messages import ENDS, Phase

KEPT_ALERTS = 50
KEPT_TRADES = 5_000
GAUGES = frozenset({"events", "baskets", "near", "books", "streams", "in_flight"})
"""Statistics that tell how it is now. The others count up, and start at 0 in a restarted trader."""
_NO_ORDER = frozenset({Phase.VALIDATING, Phase.PLACING, Phase.REFUSED})
"""A killed worker tells of PLACING before the server has it: lived again, such a trade can be refused as too late."""
_HEDGED = frozenset({Phase.HEDGED, Phase.SETTLING, Phase.COMMITTED})


@dataclass(slots=True)
class TradeLine:
    """One trade: its newest event, and when it was first hedged (0: not yet)."""

    event: Mapping[str, Any]
    sent: bool = False
    hedged_ms: int = 0

    @property
    def phase(self) -> Phase:
        """Where the trade stands."""
        return Phase(self.event["phase"])

    @property
    def ended(self) -> bool:
        """Whether the trade is over."""
        return self.phase in ENDS

    @property
    def profit(self) -> Decimal:
        """USD; 0 before the end."""
        return Decimal(self.event["profit"] or 0)

    @property
    def done_ms(self) -> int | None:
        """From the decision to HEDGED, or to the end of a trade that never was; None before."""
        if self.hedged_ms:
            return self.hedged_ms - int(self.event["decided_ms"])
        return int(self.event["time_ms"]) - int(self.event["decided_ms"]) if self.ended else None


@dataclass(slots=True)
class Board:
    """The run so far. `feed` takes every event of every process; nothing here does I/O."""

    trades: dict[str, TradeLine] = field(default_factory=dict)
    capital: dict[str, Decimal] = field(default_factory=dict)
    locked: dict[str, Decimal] = field(default_factory=dict)
    """USD that trades have, by venue and pocket, as `kalshi/2`."""
    stats: dict[str, int] = field(default_factory=dict)
    alerts: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_ALERTS))
    down: dict[str, str] = field(default_factory=dict)
    doing: str = ""
    halted: str = ""
    restarts: int = 0
    began: float = field(default_factory=time.monotonic)
    _stats_before: dict[str, int] = field(default_factory=dict)
    _past: Counter[Phase] = field(default_factory=Counter)
    _past_sent: int = 0
    _past_profit: Decimal = Decimal(0)

    def feed(self, process: str, event: Mapping[str, Any]) -> None:
        """Take one event of a process."""
        match event["event"]:
            case "trade":
                self._trade(event["trade"])
            case "paid":
                self._paid(event)
            case "capital":
                self.capital = {
                    key: Decimal(str(event[key])) for key in ("free", "reserved", "invested") if key in event
                }
                self.halted = str(event.get("halted", ""))
                self.locked = {_pocket(one): Decimal(str(one["usd"])) for one in event.get("locked", ())}
            case "stats":
                self._count(event)
            case "alert" | "note":
                self.alerts.append(str(event["text"]).partition("\n")[0])
            case "died":
                self._died(process, event)
            case "ready":
                self.down.pop(process, None)

    def _trade(self, event: Mapping[str, Any]) -> None:
        line = self.trades.get(event["trade_id"])
        if line is None:
            line = self.trades[event["trade_id"]] = TradeLine(event)
        elif int(event["time_ms"]) >= int(line.event["time_ms"]) and not line.ended:
            line.event = event
        phase = Phase(event["phase"])
        line.sent |= phase not in _NO_ORDER
        if phase in _HEDGED and not line.hedged_ms:
            line.hedged_ms = int(event["time_ms"])
        if len(self.trades) > KEPT_TRADES:
            self._fold()

    def _paid(self, event: Mapping[str, Any]) -> None:
        """The markets have spoken: what the trade came to is shown, no more what it promised."""
        line = self.trades.get(event["trade_id"])
        if line is not None:
            line.event = {**line.event, "profit": str(event["profit"])}

    def _fold(self) -> None:
        """Keep only the sums of the oldest trade that has ended: a run may last for months."""
        oldest = next((trade_id for trade_id, line in self.trades.items() if line.ended), None)
        if oldest is not None:
            line = self.trades.pop(oldest)
            self._past[line.phase] += 1
            self._past_sent += line.sent
            self._past_profit += line.profit

    def _count(self, event: Mapping[str, Any]) -> None:
        """Counters start at 0 in a restarted process: what it had counted before is kept."""
        for key, value in event.items():
            if isinstance(value, int):
                before = 0 if key in GAUGES else self._stats_before.get(key, 0)
                self.stats[key] = before + value

    def _died(self, process: str, event: Mapping[str, Any]) -> None:
        self.restarts += 1
        self.down[process] = f"exit code {event.get('exit_code')}"
        self.alerts.append(f"{process} died (exit code {event.get('exit_code')}) and is restarted")
        if process == "trader":
            self._stats_before = dict(self.stats)

    @property
    def sent(self) -> int:
        """Trades that have surely sent an order."""
        return self._past_sent + sum(1 for line in self.trades.values() if line.sent)

    @property
    def done(self) -> int:
        """Trades that sent an order and have ended."""
        return self._past_sent + sum(1 for line in self.trades.values() if line.sent and line.ended)

    @property
    def open(self) -> list[TradeLine]:
        """Trades that have not ended."""
        return [line for line in self.trades.values() if not line.ended]

    def why_idle(self, per_trade: Decimal) -> str:
        """Why no trade is started, as far as it can be seen from here, in words for a person.

        `per_trade`: USD that one trade may cost.
        """
        if self.down:
            return ", ".join(f"{name} is down ({state})" for name, state in self.down.items())
        if self.halted:
            return f"trading is halted: {self.halted}"
        if not self.stats.get("events"):
            return "the venue lists no open event"
        if not self.stats.get("books"):
            return "no book is live: the venue's stream of books says nothing"
        if self.capital.get("free", per_trade) < per_trade:
            return f"only ${self.capital['free']:.2f} of capital is free, until a market pays out"
        return f"of {self.stats.get('baskets', 0)} baskets none passes the gates"

    def count(self, phase: Phase) -> int:
        """Trades whose phase is this."""
        return self._past[phase] + sum(1 for line in self.trades.values() if line.phase is phase)

    @property
    def days(self) -> Decimal | None:
        """Days until the last market of a trade that was decided in this run is expected to pay; None: not known."""
        known = [Decimal(line.event["days"]) for line in self.trades.values() if line.event.get("days")]
        return max(known, default=None)

    def done_ms(self, since_ms: int) -> list[float]:
        """How long the trades decided since then took; of earlier ones the first hedge was not seen."""
        lines = (line for line in self.trades.values() if int(line.event["decided_ms"]) >= since_ms)
        return [done for line in lines if (done := line.done_ms) is not None]

    @property
    def profit(self) -> Decimal:
        """USD of profit of the trades that have ended."""
        return sum((line.profit for line in self.trades.values() if line.ended), self._past_profit)


def _pocket(one: Mapping[str, Any]) -> str:
    return f"{one['venue']}/{one['pocket']}" if one["pocket"] else str(one["venue"])
