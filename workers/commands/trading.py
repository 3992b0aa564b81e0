"""`arbsaga trader` and `arbsaga worker`: the trading processes, as `arbsaga up` or several machines need them."""

from typing import Annotated

import typer

from workers import console, trader_process
from workers.commands.options import ConfigFile, DataDir, Live, open_folder, read, require_switch
from workers.trader_process import TraderOptions


def trader(
    trades: Annotated[int | None, typer.Option(min=0, help="Start at most so many that send an order.")] = None,
    drain: Annotated[bool, typer.Option(help="Start no trade, only go on with the open ones.")] = False,
    live: Live = False,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
) -> int:
    """Run the trader: scanner, desk lease and trading worker."""
    config, _ = read(config_file, data_dir)
    require_switch(config, live=live)
    folder = open_folder(config, "trader")
    return console.run(lambda stop: trader_process.serve(config, folder, TraderOptions(trades, drain), stop))


def worker(live: Live = False, config_file: ConfigFile = None, data_dir: DataDir = None) -> int:
    """Run one more trading worker: it starts no trades, but goes on with any that is open."""
    config, _ = read(config_file, data_dir)
    require_switch(config, live=live)
    folder = open_folder(config, "worker")
    return console.run(lambda stop: trader_process.serve_worker(config, folder, stop))
