"""`arbsaga trade`, `abort` and `resolve`: a person's hand on single trades."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.desk import RESOLVED
from arbsaga.config import Config
from arbsaga.domain.money import Price
from arbsaga.errors import Unavailable, UserError
from arbsaga.ledger import Ledger, TradeStory
from arbsaga.saga.messages import Phase, TradeRecord
from workers import trade_names
from workers.by_hand import BasketOrder, HandLeg, read_order
from workers.by_hand import trade as trade_basket
from workers.commands.book import TradeName
from workers.commands.options import ConfigFile, DataDir, Json, Live, number, open_folder, read, require_switch
from workers.connect import connect
from workers.connections import temporal_settings
from workers.console import show
from workers.folder import DataFolder
from workers.site import open_ledger
from workers.story import tell
from workflows.arbitrage import ArbitrageWorkflow
from workflows.held import HeldWorkflow
from workflows.messages import basket_id, held_id

_RECORD = TypeAdapter(TradeRecord)


def trade(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="Order file (TOML): size, min_edge, [[leg]] token, limit.")
    ] = None,
    leg: Annotated[list[str] | None, typer.Option(metavar="TOKEN[@LIMIT]", help="A token to buy; repeat it.")] = None,
    size: Annotated[str | None, typer.Option(metavar="UNITS", help="Units of the basket.")] = None,
    min_edge: Annotated[str | None, typer.Option(metavar="EDGE", help="USD of profit per $1 of payout.")] = None,
    live: Live = False,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Trade one basket by hand and wait for its end."""
    order = _order(file, leg or [], size, min_edge)
    config, _ = read(config_file, data_dir)
    require_switch(config, live=live)
    folder = open_folder(config, "trade")
    record = asyncio.run(trade_basket(config, order))
    story = open_ledger(config, folder).trade(record.plan.trade_id)
    show(_RECORD.dump_python(record, mode="json"), tell(story) if story else None, as_json=as_json)


def abort(
    *,
    name: TradeName,
    reason: Annotated[str, typer.Option(help="Why; it stands in the trade's record.")] = "aborted by hand",
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """End a trade: cancel what rests, undo what filled."""
    config, folder = read(config_file, data_dir)
    ledger = open_ledger(config, folder)
    story = trade_names.find(ledger, name)
    trade_id = story.orders[0].terms.trade_id if story.row is None else story.row.trade_id
    if story.row is not None and story.row.ended:
        raise UserError(_ended(story.row.trade_id, story.row.phase))
    workflow_id = _workflow_id(ledger, story)

    async def send(client: Client) -> None:
        await client.get_workflow_handle_for(ArbitrageWorkflow.run, workflow_id).signal(ArbitrageWorkflow.abort, reason)

    _signal(config, folder, trade_id, send)
    show(
        {"trade_id": trade_id, "abort": reason},
        f"{trade_id} is told to end; `arbsaga show {trade_id}`",
        as_json=as_json,
    )


def resolve(
    *,
    name: TradeName,
    decision: Annotated[str, typer.Argument(help="What was decided; it stands in the trade's record.")],
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """End the watch over a HELD trade that you have dealt with; its capital is free again."""
    config, folder = read(config_file, data_dir)
    story = trade_names.find(open_ledger(config, folder), name)
    if story.row is None or story.row.phase is not Phase.HELD:
        phase = story.row.phase if story.row else "open"
        raise UserError(f"only a HELD trade can be resolved, and this one is {phase}: see `arbsaga abort`")
    trade_id = story.row.trade_id
    if RESOLVED in story.row.reason:
        raise UserError(f"trade {trade_id} is over: {story.row.reason}")

    async def send(client: Client) -> None:
        await client.get_workflow_handle_for(HeldWorkflow.run, held_id(trade_id)).signal(HeldWorkflow.resolve, decision)

    _signal(config, folder, trade_id, send)
    show({"trade_id": trade_id, "resolve": decision}, f"{trade_id} is resolved: {decision}", as_json=as_json)


def _ended(trade_id: str, phase: Phase) -> str:
    hint = f"see `arbsaga resolve {trade_id}`" if phase is Phase.HELD else "there is nothing to abort"
    return f"trade {trade_id} has ended {phase}: {hint}"


def _workflow_id(ledger: Ledger, story: TradeStory) -> str:
    if story.row is not None:
        return basket_id(story.row.plan.basket.key)
    terms = story.orders[0].terms
    intent = ledger.intent(terms.trade_id, terms.leg, terms.attempt)
    assert intent is not None, "an order without a trade's row is there because it was intended"
    return intent.workflow_id


def _signal(config: Config, folder: DataFolder, trade_id: str, send: Callable[[Client], Awaitable[None]]) -> None:
    """Connect and send. Raises Unavailable where no workflow listens."""

    async def run() -> None:
        client = await connect(temporal_settings(config, folder))
        try:
            await send(client)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise Unavailable(
                    f"no workflow of {trade_id} is running: `arbsaga doctor` finds what it left"
                ) from None
            raise Unavailable(f"Temporal did not take it: {error.message}") from None

    asyncio.run(run())


def _order(file: Path | None, legs: list[str], size: str | None, min_edge: str | None) -> BasketOrder:
    if (file is None) == (not legs):
        raise UserError("name either an order file or legs: `arbsaga trade --leg TOKEN --leg TOKEN --size 10`")
    if file is not None:
        return read_order(file)
    if size is None or len(legs) < 2:
        raise UserError("a basket needs --size and two or more --leg TOKEN[@LIMIT]")
    edge = None if min_edge is None else _number(min_edge, "--min-edge")
    return BasketOrder(_number(size, "--size"), tuple(_leg(text) for text in legs), edge)


def _leg(text: str) -> HandLeg:
    token, found, limit = text.partition("@")
    return HandLeg(token, Price(_number(limit, f"--leg {text!r}: the limit")) if found else None)


def _number(text: str, what: str) -> Decimal:
    return number(text, f"{what} {text!r} is not a number")
