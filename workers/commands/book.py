"""`arbsaga trades`, `show`, `halt`, `resume`: what the ledger knows, and its desk-wide halt flag."""

from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from arbsaga.ledger import Ledger, TradeRow, TradeStory
from workers import trade_names
from workers.commands.options import ConfigFile, DataDir, Json, read
from workers.console import show as answer
from workers.realised import of_ledger
from workers.site import open_ledger
from workers.story import tell, trades_table

_ROWS = TypeAdapter(list[TradeRow])
_STORY = TypeAdapter(TradeStory)

TradeName = Annotated[str, typer.Argument(metavar="ID", help="The trade's id, or as much of its end as is unique.")]


def trades(
    open_only: Annotated[bool, typer.Option("--open", help="Only trades that have not ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List trades, newest first."""
    rows = _ledger(config_file, data_dir).trades(open_only=open_only, limit=limit)
    answer({"trades": [_brief(row) for row in rows]}, trades_table(rows), as_json=as_json)


def show(trade: TradeName, config_file: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Tell a trade's story, with the evidence for every order."""
    ledger = _ledger(config_file, data_dir)
    story = trade_names.find(ledger, trade)
    result = of_ledger(ledger, story)
    paid = {"paid": result.paid, "profit": result.profit, "differently": result.differently} if result else None
    answer(_STORY.dump_python(story, mode="json") | {"realised": paid}, tell(story, result), as_json=as_json)


def halt(
    reason: Annotated[str, typer.Argument(help="Why; shown with every trade it refuses.")] = "halted by hand",
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Stop new trades in every process. Cancels and reducing orders go on."""
    _ledger(config_file, data_dir).halt(reason)
    answer({"halted": reason}, f"Halted: {reason}. New trades are refused; `arbsaga resume` lifts it.", as_json=as_json)


def resume(config_file: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Lift the halt."""
    ledger = _ledger(config_file, data_dir)
    before = ledger.halted()
    ledger.halt(None)
    answer({"halted": "", "before": before}, "Trading goes on." if before else "There was no halt.", as_json=as_json)


def _ledger(config_file: ConfigFile, data_dir: DataDir) -> Ledger:
    config, folder = read(config_file, data_dir)
    folder.create()
    return open_ledger(config, folder)


def _brief(row: TradeRow) -> dict[str, Any]:
    whole = _ROWS.dump_python([row], mode="json")[0]
    plan = whole.pop("plan")
    return {
        "basket": plan["basket"]["key"],
        "event": plan["basket"]["title"],
        "units": plan["units"],
        "edge": plan["edge"],
        **whole,
    }
