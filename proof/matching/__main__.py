"""`python -m proof.matching --seed N`: one flow again, with what differs; its truth journal is kept."""

import argparse
import sys
import tempfile
from pathlib import Path

from proof.matching.compare import STEPS, compare


def main() -> int:
    """0 where nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m proof.matching", description="One random order flow, compared.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    told = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="proof-matching-"))
    done = compare(told.seed, folder, told.steps)
    print(done.wrong or "nothing differs")
    print(f"{done.orders} orders, {done.trades} trades; the exchange's record is in {folder}")
    return 1 if done.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
