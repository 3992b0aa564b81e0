"""`python -m proof`: run the layers, print one table, end with 1 when the promise was broken.

python -m proof [--effort quick|usual|full] [--json] [--only LAYER]... [--mutations]
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from proof.layers import LAYERS, prove
from proof.result import Effort, Result


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for. 0: the promise held everywhere; 1: it did not."""
    options = _options(argv)
    effort = Effort(options.effort)
    console = Console(stderr=options.json)
    results: list[tuple[Result, float]] = []
    for name in options.only or LAYERS:
        console.print(f"{name} …", style="dim")
        began = time.monotonic()
        result = prove(name, effort)
        results.append((result, time.monotonic() - began))
        _say(console, *results[-1])
    console.print(_table(results))
    if options.json:
        print(json.dumps(_object(results)))
    return 1 if any(result.violations for result, _ in results) else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof", description="Attack the promise, layer by layer.")
    parser.add_argument("--effort", choices=list(Effort), default=Effort.USUAL)
    parser.add_argument("--only", action="append", choices=list(LAYERS), help="this layer only; may be repeated")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args(argv)


def _say(console: Console, result: Result, seconds: float) -> None:
    for violation in result.violations[:20]:
        console.print(f"  VIOLATION {violation}", style="red", markup=False, highlight=False)
    if len(result.violations) > 20:
        console.print(f"  … and {len(result.violations) - 20} more", style="red")
    console.print(f"{result.layer}: {result.cases:,} {result.unit}, {seconds:.0f} s", style="dim", markup=False)
    for note in result.notes:
        console.print(f"  {note}", markup=False, highlight=False)


def _table(results: Sequence[tuple[Result, float]]) -> Table:
    table = Table(title="No order sent twice, no leg silently naked")
    for heading, justify in (("layer", "left"), ("cases", "right"), ("", "left"), ("seeds", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # the literals above
    table.add_column("violations", justify="right")
    table.add_column("time", justify="right")
    for result, seconds in results:
        seeds = f"{result.seeds:,}" if result.seeds else "–"
        broken = str(len(result.violations))
        table.add_row(result.layer, f"{result.cases:,}", result.unit, seeds, broken, f"{seconds:.0f} s")
    return table


def _object(results: Sequence[tuple[Result, float]]) -> dict[str, object]:
    mutations = next((dict(result.figures) for result, _ in results if result.layer == "mutations"), {})
    return {
        "layers": {
            result.layer: {
                "cases": result.cases,
                "unit": result.unit,
                "seeds": result.seeds,
                "violations": len(result.violations),
                "seconds": round(seconds, 1),
                **result.figures,
            }
            for result, seconds in results
        },
        "cases": sum(result.cases for result, _ in results),
        "seeds": sum(result.seeds for result, _ in results),
        "violations": sum(len(result.violations) for result, _ in results),
        "mutations_caught": mutations.get("caught", 0),
        "mutations": mutations.get("mutations", 0),
        "seconds": round(sum(seconds for _, seconds in results), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
