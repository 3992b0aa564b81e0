"""The pager: first the alert log, then the console, then every service; nothing that fails loses a page."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from arbsaga.errors import ConfigError
from arbsaga.notify.alert_log import Alert, AlertLog
from arbsaga.notify.services import Service
from arbsaga.saga.messages import Page

_log = structlog.get_logger(__name__)

TURN_EVERY_S = 0.05
"""How often a page looks whether it is its turn to be sent."""


class Pager:
    """Delivers pages to a person."""

    def __init__(self, urls: Sequence[str], alert_log: Path, console: Callable[[str], None]) -> None:
        """`urls` are apprise URLs, `console` prints one page. Raises ConfigError for a URL apprise does not know."""
        try:
            self._services = [Service(url) for url in urls]
        except ValueError as error:
            raise ConfigError(f"a page URL cannot be used: {error}; see appriseit.com/services") from None
        self._alerts = AlertLog(alert_log)
        self._turn = alert_log.with_name(alert_log.name + ".lock")
        self._console = console
        self._shown: set[str] = set()
        self._sent: set[tuple[str, str]] = set()

    async def deliver(self, page: Page) -> bool:
        """True once the page is on the alert log, the console and every service. Idempotent by `page.key`.

        False when something failed, which is logged: call again later, and only what failed is tried again. A
        crash between a service's answer and its line in the log can send a page twice; none is ever lost.
        """
        known, logged = await asyncio.to_thread(self._write_down, page)
        if known is None and page.key not in self._shown:
            self._shown.add(page.key)
            self._console(as_text(page))
        async with self._a_turn():
            had = await asyncio.to_thread(self._had, page.key)
            left = [service for service in self._services if service.name not in had]
            sent = await asyncio.gather(*(self._send(page, service) for service in left))
        return logged and all(sent)

    def alerts(self) -> tuple[Alert, ...]:
        """Every page so far, oldest first; none where the log cannot be read, which is logged."""
        try:
            return tuple(self._alerts.read().values())
        except OSError as error:
            _log.error("alert log failed", error=str(error))
            return ()

    def _write_down(self, page: Page) -> tuple[Alert | None, bool]:
        try:
            return self._alerts.add(page), True
        except OSError as error:
            _log.error("alert log failed", key=page.key, error=str(error))
            return None, False

    @asynccontextmanager
    async def _a_turn(self) -> AsyncIterator[None]:
        """One process sends at a time, so that two that were asked at once do not both send.

        Never waits in a thread: pages behind a slow service took all of them, and an undo's order waited for its
        ledger; and a page that was given up while its thread waited kept the turn for ever.
        """
        try:
            turn = os.open(self._turn, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            _log.error("alert log failed", error=str(error))
            yield  # a page twice is better than none
            return
        try:
            while not _locked(turn):  # noqa: ASYNC110 - another process has it: there is no event to wait for
                await asyncio.sleep(TURN_EVERY_S)
            yield
        finally:
            os.close(turn)

    def _had(self, key: str) -> set[str]:
        """Services that took the page, by the log or, where that fails, by memory."""
        had = {name for sent_key, name in self._sent if sent_key == key}
        try:
            alert = self._alerts.read().get(key)
        except OSError as error:
            _log.error("alert log failed", key=key, error=str(error))
            return had
        return had | set(alert.sent) if alert else had

    async def _send(self, page: Page, service: Service) -> bool:
        failure = await service.send(page.headline, as_text(page))
        if not failure:
            self._sent.add((page.key, service.name))
        await asyncio.to_thread(self._note, page.key, service.name, failure)
        return not failure

    def _note(self, key: str, service: str, failure: str) -> None:
        if failure:
            _log.warning("page not sent", key=key, service=service, why=failure)
        try:
            self._alerts.note(key, "failed" if failure else "sent", service, failure)
        except OSError as error:
            _log.error("alert log failed", key=key, error=str(error))


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def as_text(page: Page) -> str:
    """The page for a person: what happened, the facts, and what to do."""
    rows = (f"  {name}: {text}" for name, text in page.facts)
    trade = f"  trade: {page.trade_id}" if page.trade_id else ""
    return "\n".join(line for line in (page.headline, trade, *rows, f"  to do: {page.to_do}") if line)
