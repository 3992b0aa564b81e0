"""Logs of a process: JSON lines in a file under the data folder, structlog and the standard library alike."""

import logging
import re
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

HIDDEN = "***"
_SECRET_NAMES = re.compile(
    r"(private|api|signing)_?key|secret|passphrase|signature|authorization|password", re.IGNORECASE
)
_SECRET_TEXT = re.compile(r"\b(0x)?[0-9a-fA-F]{64}\b")
_PUBLIC_HASHES = frozenset({"order_id", "market", "condition_id", "transaction_hash", "tx"})
"""Names under which 64 hex digits are a venue's public id, not a key."""


def configure(log_file: Path, level: int = logging.INFO) -> None:
    """Send all logs of this process to `log_file`, appended, secrets blanked."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    handler = logging.FileHandler(log_file, encoding="utf-8", delay=True)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    close()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "websockets", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def close() -> None:
    """Close the log file, if there is one."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.FileHandler:
            handler.close()


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank what is named like a secret, and any text with a 32-byte hex number that is no venue's public id."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str) and name not in _PUBLIC_HASHES:
            event[name] = _hide(value)
    return event


def _hide(text: str) -> Any:  # noqa: ANN401 (what structlog calls a value)
    return _SECRET_TEXT.sub(HIDDEN, text)
