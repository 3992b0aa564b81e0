"""The `arbsaga` command. Each command's code is in `workers/commands`."""

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import typer

from workers import console, lifeline

COMMANDS: Final = {
    "up": "run",
    "trades": "book",
    "show": "book",
    "trade": "control",
    "abort": "control",
    "resolve": "control",
    "halt": "book",
    "resume": "book",
    "pairs": "pairs",
    "doctor": "health",
    "ledger": "ledger",
    "config": "settings",
    "trader": "trading",
    "worker": "trading",
    "exchange": "servers",
    "watchdog": "health",
    "temporal": "servers",
}
"""Each command and the module in `workers/commands` that has it, in the order of the help."""
HIDDEN: Final = frozenset({"temporal"})


def build(argv: Sequence[str]) -> typer.Typer:
    """The command line. Only the named command's module is imported: all of them take two seconds."""
    app = typer.Typer(
        help="Durable arbitrage for prediction markets: each trade is a Temporal workflow.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_together)
    for name in [argv[0]] if argv and argv[0] in COMMANDS else COMMANDS:
        found = getattr(importlib.import_module(f"workers.commands.{COMMANDS[name]}"), name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name, hidden=name in HIDDEN)(found)
    return app


def _together() -> None:
    """Keeps a single command a command: typer would make it the whole program."""


def run(argv: Sequence[str]) -> int:
    """Run a command; its exit code is 0 done, 1 failed, 2 a mistake that a person can mend."""
    return console.guarded(lambda: build(argv)(args=list(argv), standalone_mode=False))


def main() -> None:
    """The program."""
    lifeline.die_with_parent()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
