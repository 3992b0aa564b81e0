"""`python -m proof.simulation`: one seed as a readable trace, a failure made small, or the speed.

python -m proof.simulation --seed N [--weather drop=0.3,late=0.1 | --weather fair] [--legs N] [--shrink]
python -m proof.simulation --speed | --digests SEED... | --effort quick|usual|full
"""

import argparse
import random
import sys
from collections.abc import Sequence

from arbsaga.saga.simulator.run import Run
from arbsaga.saga.simulator.weather import Weather
from proof.result import Effort
from proof.simulation import prove
from proof.simulation.many import again, digest, run_block, traced
from proof.simulation.shrink import failure, shrink

SPEED_SEEDS = 1_000
SPEED_ROUNDS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked for. 1 when the promise was broken."""
    options = _options(argv)
    if options.digests:
        print("\n".join(map(digest, options.digests)))
        return 0
    if options.speed:
        return _speed()
    if options.seed is None:
        return _prove(Effort(options.effort))
    weather = _weather(options)
    return (
        _shrink(options.seed, weather, options.legs) if options.shrink else _show(options.seed, weather, options.legs)
    )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.simulation", description="One trade in seeded weather.")
    parser.add_argument("--seed", type=int, help="show this seed's run")
    parser.add_argument("--weather", help="in place of the seed's own, as `drop=0.3,late=0.1`, or `fair`")
    parser.add_argument("--legs", type=int, choices=(2, 3, 4), default=0, help="in place of what the seed draws")
    parser.add_argument("--shrink", action="store_true", help="find the least that still breaks the promise")
    parser.add_argument("--speed", action="store_true", help="trades a second of one core")
    parser.add_argument("--digests", type=int, nargs="+", metavar="SEED", help="SHA-256 of each seed's trace")
    parser.add_argument("--effort", choices=list(Effort), default=Effort.QUICK, help="run the layer")
    options = parser.parse_args(argv)
    try:
        _weather(options)
    except ValueError as error:
        parser.error(str(error))
    return options


def _weather(options: argparse.Namespace) -> Weather | None:
    if options.weather is None:
        return None
    return Weather.read("" if options.weather == "fair" else options.weather)


def _prove(effort: Effort) -> int:
    result = prove(effort)
    print("\n".join([*result.notes, *result.violations]))
    return 1 if result.violations else 0


def _speed() -> int:
    """The best of a few rounds: what else runs on the machine only ever makes one slower."""
    rounds = [run_block(range(SPEED_SEEDS)) for _ in range(SPEED_ROUNDS)]
    best = max(rounds, key=lambda tally: tally.speed)
    effects = best.effects / best.trades
    print(f"{best.speed:,.0f} trades a second on a core ({SPEED_SEEDS} seeds, {effects:.1f} effects each)")
    return 0


def _show(seed: int, weather: Weather | None, legs: int) -> int:
    run, trace = traced(seed, weather, legs)
    print("\n".join(trace))
    print(_end(run, weather if weather is not None else Weather.draw(random.Random(seed))))
    return 1 if run.violations else 0


def _end(run: Run, weather: Weather) -> str:
    struck = ", ".join(f"{kind} {count}" for kind, count in run.struck) or "nothing"
    broken = [f"VIOLATION {violation}" for violation in run.violations] or ["the promise was kept"]
    ended = f"{run.record.phase}: {run.record.reason} ({run.effects} effects, {run.crashes} crashes)"
    return "\n".join(
        ["", f"weather  {weather.in_words() or 'fair'}", f"struck   {struck}", f"ended    {ended}", *broken]
    )


def _shrink(seed: int, weather: Weather | None, legs: int) -> int:
    """Print the smallest failure that is found from here, and its trace."""
    weather = weather if weather is not None else Weather.draw(random.Random(seed))
    found = failure(seed, weather, legs)
    if found is None:
        print(f"seed {seed} keeps the promise in this weather: there is nothing to make smaller")
        return 0
    least = shrink(found)
    _show(least.seed, least.weather, least.legs)
    print(f"shrunk to {again(least.seed, least.weather, least.legs)}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
