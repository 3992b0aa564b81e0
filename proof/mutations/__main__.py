"""`python -m proof.mutations [NAME]...`: how each mutation is caught, layer by layer; no NAME: all of them."""

import argparse
import sys

from proof.mutations import details, run
from proof.mutations.catalogue import BY_NAME, MUTATIONS
from proof.mutations.layers import LAYERS
from proof.result import Effort


def main() -> int:
    """0: every mutation was caught, and nothing was found without one."""
    parser = argparse.ArgumentParser(prog="python -m proof.mutations", description="How each mutation is caught.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {'; '.join(BY_NAME)}")
    parser.add_argument("--layer", action="append", choices=list(LAYERS), default=[])
    parser.add_argument("--effort", choices=list(Effort), default=Effort.USUAL)
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BY_NAME]:
        parser.error(f"no such mutation: {', '.join(unknown)}")
    chosen = [mutation for mutation in MUTATIONS if mutation.name in options.names or not options.names]
    trials = run(chosen, Effort(options.effort), options.layer)
    print("\n".join(details(trials)))
    caught = {trial.mutation for trial in trials if trial.how}
    return 1 if "" in caught or {one.name for one in chosen} - caught else 0


if __name__ == "__main__":
    sys.exit(main())
