"""The figures of a soak in words and as numbers."""

from collections import Counter
from collections.abc import Mapping

from proof.soak.plan import KINDS
from proof.soak.recovery import Recovery, percentile
from proof.soak.run import Outcome


def notes(outcome: Outcome) -> tuple[str, ...]:
    """A few lines for a person."""
    killed = Counter(kill.victim.kind for kill in outcome.struck)
    ends = ", ".join(f"{count:,} {phase}" for phase, count in sorted(outcome.phases.items()))
    struck = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items())) or "none"
    pace = f"{outcome.trades:,} trades in {outcome.seconds:.0f} s, {outcome.rate:.1f}/s"
    return (
        f"{pace}: {ends}; {outcome.orders:,} orders",
        f"{len(outcome.struck)} kills: {', '.join(f'{killed[kind]} {kind}' for kind in KINDS)}; faults: {struck}",
        *(_words(kind, outcome.recovered[kind]) for kind in KINDS if kind in outcome.recovered),
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
    return found
