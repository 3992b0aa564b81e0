"""`python -m proof.crashes --case NAME`: run one case again, with what its processes said and what the exchange saw."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from arbsaga.errors import UserError
from proof.crashes.scenarios import BY_NAME
from proof.crashes.setting import Case
from proof.crashes.theatre import theatre
from proof.crashes.writing import shown


def main(argv: Sequence[str] | None = None) -> int:
    """0: the promise held. 1: it did not. 2: there is no such case."""
    options = _options(argv)
    if options.list:
        print("\n".join(f"{name}: {scenario.story}" for name, scenario in BY_NAME.items()))
        return 0
    try:
        cases = [Case.read(name) for name in options.case] * options.times
    except UserError as mistake:
        print(mistake, file=sys.stderr)
        return 2
    with theatre(options.mutation) as opened:
        results = opened.run(cases, min(len(cases), 16))
        if not options.quiet:
            print(*(shown(folder) for folder in sorted(Path(opened.folder).glob("stage-*"))), sep="\n")
    for result in results:
        cut = "" if result.reached else ", its cut was not reached"
        print(f"{result.case}: {result.phase or 'no end'} after {result.seconds:.1f} s{cut}", *result.notes, sep="; ")
        print(*(f"  VIOLATION {text}" for text in result.violations), *result.trace, sep="\n  ")
    return 1 if any(result.violations for result in results) else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.crashes", description="Run cases of the crash layer again.")
    parser.add_argument("--case", action="append", default=[], help="e.g. exit/kill:sent:exit_leg#1, or exit/uncut")
    parser.add_argument("--times", type=int, default=1, help="how often, all at once")
    parser.add_argument("--mutation", default="", help="a deliberate mistake to apply in the workers")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--quiet", action="store_true", help="no logs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
