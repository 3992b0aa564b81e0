"""How commands speak: results on standard output, one line for each mistake on standard error."""

import asyncio
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console, RenderableType
from typer.exceptions import Abort, TyperException

from arbsaga.errors import ArbsagaError, UserError
from workers import lifeline, logs
from workers.report import emit

PIPE_WIDTH = 160
"""Columns where there is no terminal to ask."""
OK, FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Place:
    """Where details of an unexpected error go: the process's log, once it has one."""

    log_file: Path = field(default_factory=lambda: Path(tempfile.gettempdir()) / "arbsaga-error.log")


_place = _Place()


def log_to(file: Path) -> None:
    """Send this process's logs to a file under the data folder."""
    _place.log_file = file
    logs.configure(file)


def show(value: Any, human: RenderableType | None, *, as_json: bool) -> None:  # noqa: ANN401 (whatever JSON can hold)
    """Print a command's result: `value` as one JSON line, or `human` for a person."""
    if as_json:
        sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    elif human is not None:
        Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(human)


def guarded(command: Callable[[], int | None]) -> int:
    """Run a command; every error becomes one line (never a traceback) and an exit code."""
    try:
        return command() or OK
    except BaseException as error:  # noqa: BLE001 (the last resort of the process; nothing is swallowed)
        return _explain(_first(error))


def _first(error: BaseException) -> BaseException:
    """What a person should hear of an exception group: the first mistake that they can mend."""
    while isinstance(error, BaseExceptionGroup):
        mendable = error.subgroup(UserError)
        error = (mendable or error).exceptions[0]
    return error


def _explain(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, KeyboardInterrupt | Abort):
        return INTERRUPTED
    if isinstance(error, UserError):
        _complain(str(error))
        return USER_ERROR
    if isinstance(error, TyperException):
        if message := error.format_message():  # empty when no arguments were given: the help was shown
            _complain(f"{message.rstrip('.')}. Try `arbsaga --help`.")
        return USER_ERROR
    _write_down(error)
    kind = "" if isinstance(error, ArbsagaError) else f"{type(error).__name__}: "
    first = str(error).splitlines()[0] if str(error) else "no message"
    _complain(f"unexpected error: {kind}{first}; details in {_place.log_file}")
    return FAILED


def _write_down(error: BaseException) -> None:
    if not logging.getLogger().handlers:
        logs.configure(_place.log_file)
    log.error("unexpected error", exc_info=error)


def _complain(text: str) -> None:
    if lifeline.supervised():
        emit("error", text=text)
    for line in text.splitlines():
        sys.stderr.write(f"arbsaga: {line}\n")


def run(main: Callable[[asyncio.Event], Awaitable[int | None]]) -> int:
    """Run `main(stop)`; SIGTERM and Ctrl-C set `stop`, and a second one cancels what is still going on."""

    async def runner() -> int | None:
        stop, task, loop = asyncio.Event(), asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a coroutine that runs is a task"

        def asked() -> None:
            if stop.is_set():
                task.cancel()
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked)
        return await main(stop)

    try:
        return asyncio.run(runner()) or OK
    except asyncio.CancelledError:
        return INTERRUPTED
