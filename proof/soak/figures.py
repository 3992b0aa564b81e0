"""The figures of a soak in words and as numbers."""

from collections import Counter
from collections.abc import Mapping

from proof.soak.plan import KINDS
from proof.soak.recovery import Recovery, percentile
from proof.soak.run import Outcome
from proof.soak.weathering import Weathered


def notes(outcome: Outcome) -> tuple[str, ...]:
    """A few lines for a person."""
    killed = Counter(kill.victim.kind for kill in outcome.struck)
    ends = ", ".join(f"{count:,} {phase}" for phase, count in sorted(outcome.phases.items()))
    struck = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items())) or "none"
    hit = ", ".join(f"{killed[kind]} {kind}" for kind in KINDS if killed[kind]) or "nobody"
    pace = f"{outcome.trades:,} trades in {outcome.seconds:.0f} s, {outcome.rate:.1f}/s"
    across = f", {outcome.across:,} of them over both venues" if outcome.across else ""
    return (
        f"{pace}{across}: {ends}; {outcome.orders:,} orders",
        f"{len(outcome.struck)} kills: {hit}; faults: {struck}",
        *(_words(kind, outcome.recovered[kind]) for kind in KINDS if kind in outcome.recovered),
        *([_of_outage(outcome.weathered)] if outcome.weathered else []),
    )


def _of_outage(one: Weathered) -> str:
    away = (one.away.until_ms - one.away.from_ms) / 1000
    again = f"{one.again / 1000:.2f} s" if one.again is not None else "never"
    hit = one.over_before + len(one.moved)
    return (
        f"{one.away.venue} dead for {away:.0f} s: {hit} trades over both venues were open, "
        f"{one.over_before} ended meanwhile; after its return they moved in {_spread(one.moved)} s and ended in "
        f"{_spread(one.ended)} s; {one.elsewhere} entries elsewhere meanwhile; traded across again in {again}"
    )


def _words(kind: str, recovery: Recovery) -> str:
    hurt = len(recovery.open_trades)
    return (
        f"kill -9 of {kind}: open trades move again p50/p99/max {_spread(recovery.open_trades)} s "
        f"({hurt} hit, {recovery.unharmed} unharmed); trading again {_spread(recovery.trading_again)} s"
    )


def _spread(values: list[int]) -> str:
    if not values:
        return "–"
    return " / ".join(f"{(percentile(values, rank) or 0) / 1000:.2f}" for rank in (50, 99, 100))


def figures(outcome: Outcome) -> Mapping[str, float | int | str]:
    """For the JSON line. Seconds."""
    found: dict[str, float | int | str] = {
        "trades": outcome.trades,
        "trades_per_s": round(outcome.rate, 2),
        "kills": len(outcome.struck),
        "orders": outcome.orders,
        "faults": sum(outcome.faults.values()),
    }
    for kind, recovery in outcome.recovered.items():
        for name, values in (("moves", recovery.open_trades), ("trading", recovery.trading_again)):
            for rank in (50, 99, 100):
                if (value := percentile(values, rank)) is not None:
                    found[f"{kind}_{name}_p{rank}_s"] = value / 1000
    if outcome.across:
        found["across"] = outcome.across
    if (one := outcome.weathered) is not None:
        found["outage_s"] = (one.away.until_ms - one.away.from_ms) / 1000
        found["outage_open"] = one.over_before + len(one.moved)
        found["outage_elsewhere"] = one.elsewhere
        found |= {"outage_again_s": one.again / 1000} if one.again is not None else {}
    return found
