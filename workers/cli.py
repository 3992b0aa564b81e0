"""The `arbsaga` command. Each command's code is in `workers/commands`."""

import sys

import typer

from workers import console, lifeline
from workers.commands import settings

app = typer.Typer(
    help="Durable arbitrage for prediction markets: each trade is a Temporal workflow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(settings.app, name="config")


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 failed, 2 a mistake that a person can mend."""
    lifeline.die_with_parent()
    sys.exit(console.guarded(lambda: app(standalone_mode=False)))


if __name__ == "__main__":
    main()
