"""`python -m proof.judgements`: explore one space, or show one path through it in words.

python -m proof.judgements --list
python -m proof.judgements --space NAME [--path 0.3.1]
"""

import argparse
import sys
from collections.abc import Sequence

from proof.judgements.explore import Limits, explore
from proof.judgements.search import Search, trace
from proof.judgements.space import FULL, TINY, Space

SPACES: dict[str, Space] = {space.name: space for space in (*TINY, *FULL)}


def main(argv: Sequence[str] | None = None) -> int:
    """0: nothing is broken; 1: something is."""
    parser = argparse.ArgumentParser(
        prog="python -m proof.judgements", description="Explore one space of small trades."
    )
    parser.add_argument("--space", choices=list(SPACES), default="tiny")
    parser.add_argument("--path", help="the choices to take from the first state, e.g. 0.3.1: shown in words")
    parser.add_argument("--list", action="store_true", help="the spaces and what they hold")
    options = parser.parse_args(argv)
    if options.list:
        for space in SPACES.values():
            print(space)
        return 0
    space = SPACES[options.space]
    if options.path is not None:
        path = tuple(int(choice) for choice in options.path.split(".") if choice)
        print("\n".join(trace(Search(space), path)))
        return 0
    seen = explore(Limits(spaces=(space,)))
    (found,) = seen.spaces
    print(f"{found.states:,} states, {found.transitions:,} transitions, longest life {found.longest}")
    print("\n".join(f"{phase}: {count:,}" for phase, count in sorted(found.ends.items())))
    print("\n".join(seen.violations))
    return 1 if seen.violations else 0


if __name__ == "__main__":
    sys.exit(main())
