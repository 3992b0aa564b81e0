"""`python -m proof.soak --trades N --seed S [--keep] [--calm]`: one soak, told as it ends."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from arbsaga.config import known_venues, split_venues
from proof.soak import SEED
from proof.soak.figures import notes
from proof.soak.outage import Outage
from proof.soak.plan import Pauses
from proof.soak.run import Soak, run, told


def main(argv: Sequence[str] | None = None) -> int:
    """0: every promise held."""
    options = _options(argv)
    usual = Soak(0, 0)
    soak = Soak(
        options.trades,
        options.seed,
        Pauses(options.least, options.most),
        tuple(options.fault or usual.faults),
        keep=options.keep,
        venues=known_venues(split_venues(options.venues)),
        kalshi_faults=tuple(options.kalshi_fault or usual.kalshi_faults),
        outage=Outage("kalshi", options.outage_at, options.outage) if options.outage else None,
    )
    outcome = asyncio.run(run(soak))
    for line in (*notes(outcome), *told(soak, outcome)):
        print(line)
    if outcome.violations or soak.keep:
        print(f"records: {outcome.folder}")
    return 1 if outcome.violations else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.soak", description="Kill processes while trades flow.")
    parser.add_argument("--trades", type=int, default=100, help="trades that send an order")
    parser.add_argument("--seed", type=int, default=SEED, help="of kills, exchange and faults")
    parser.add_argument("--least", type=float, default=2.0, help="shortest pause between kills (s)")
    parser.add_argument("--most", type=float, default=15.0, help="longest pause between kills (s)")
    parser.add_argument("--fault", action="append", metavar="SPEC", help="instead of the usual ones; may be repeated")
    parser.add_argument("--venues", default="polymarket", help="polymarket, or polymarket,kalshi")
    parser.add_argument("--kalshi-fault", action="append", metavar="SPEC", help="the same at Kalshi")
    parser.add_argument("--outage", type=float, default=0.0, metavar="SECONDS", help="Kalshi is dead for so long")
    parser.add_argument("--outage-at", type=float, default=10.0, metavar="SECONDS", help="from then on")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder in any case")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
