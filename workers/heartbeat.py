"""The dead-man heartbeat: a machine that dies leaves nothing resting at the venue.

One owner beats for the account's API key: the watchdog process that holds the lock in the data folder. It begins
when an order may first rest, and then never stops while it lives: the venue knows no disarming, and cancels whatever
is placed under a key that was armed and fell silent. That the key is armed outlives the process in a file beside the
lock, so that the next watchdog beats from its first step on, whether an order rests or not. Nothing makes the trader
wait for that beat: what it sends before is cancelled by the venue, to its trade a shortfall.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.saga.messages import Page
from arbsaga.venues.port import DeadMan

log = structlog.get_logger(__name__)

LIMIT_S = 10.0
"""Without an accepted beat for so long, the venue cancels (Polymarket's 10 s)."""
PAGE_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between beats, between tries of one that failed, and between looks for a first order or a free lock."""

    beat_s: float = 5.0
    retry_s: float = 1.0
    look_s: float = 1.0


class Heart:
    """Beats for one account while it owns the lock. `run` ends with `stop`; no failure of the venue ends it."""

    def __init__(
        self,
        open_switch: Callable[[], DeadMan],
        ledger: Ledger,
        pager: Pager,
        *,
        account: str,
        lock_file: Path,
        venue: str = "polymarket",
        rhythm: Rhythm | None = None,
    ) -> None:
        """`open_switch` may raise UserError: it is tried again. `account` is the ledger's, `venue` the switch's.

        `lock_file` stays empty; what outlives the process stands beside it, its name ending in `.armed`.
        """
        self._open, self._ledger, self._pager = open_switch, ledger, pager
        self._account, self._venue = account, venue
        self._lock_file, self._rhythm = lock_file, rhythm or Rhythm()
        self._armed_file = lock_file.with_suffix(".armed")
        self._lock: IO[str] | None = None
        self._switch: DeadMan | None = None
        self._armed, self._last = False, ""
        self._accepted = time.monotonic()
        self._incident = ""
        self._pages: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until `stop` is set."""
        try:
            while not stop.is_set():
                pause = await self._step()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
        finally:
            for page in self._pages:
                page.cancel()
            if self._switch is not None:
                await self._switch.close()
            if self._lock is not None:
                self._lock.close()

    async def _step(self) -> float:
        """One step; how many seconds to wait before the next."""
        try:
            if not self._owns():
                return self._rhythm.look_s
            if not self._armed and not await asyncio.to_thread(self._may_rest):
                return self._rhythm.look_s
            await self._beat()
        except (ArbsagaError, OSError) as error:
            log.warning("heartbeat failed", error=str(error), armed=self._armed)
            self._page_if_silent(str(error))
            return self._rhythm.retry_s
        return self._rhythm.beat_s

    def _owns(self) -> bool:
        """Whether this process is the owner, or becomes it now because nobody is."""
        if self._lock is not None:
            return True
        if self._switch is None:
            self._switch = self._open()
        file = self._lock_file.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._recall(self._switch.key)
        except BlockingIOError:
            file.close()
            return False
        except OSError:  # what an earlier owner left cannot be read: no owner yet, it is tried again
            file.close()
            raise
        self._lock, self._accepted = file, time.monotonic()
        log.info("heartbeat owned", armed=self._armed)
        return True

    def _recall(self, our_key: str) -> None:
        """Whether an earlier owner armed our key, and with which id the next beat goes on."""
        with contextlib.suppress(FileNotFoundError):
            key, _, last = self._armed_file.read_text().partition(" ")
            if key == our_key:
                self._armed, self._last = True, last

    def _may_rest(self) -> bool:
        """Whether an order of the account may rest at this venue, HELD trades' included."""
        mine = (one.terms for one in self._ledger.open_intents() if one.account == self._account)
        return any(terms.instrument.venue == self._venue for terms in mine)

    async def _beat(self) -> None:
        assert self._switch is not None, "the owner has opened the switch"
        if not self._armed:
            await asyncio.to_thread(self._note)  # a beat whose answer is lost arms all the same
            self._armed, self._accepted = True, time.monotonic()
        self._last = await self._switch.beat(self._last)
        self._accepted = time.monotonic()
        await asyncio.to_thread(self._note)
        if self._incident:
            to_do = "Nothing: trades that lost an order have ended or gone on by themselves."
            self._page(f"{self._incident}/over", "the dead-man heartbeat is accepted again", to_do)
            self._incident = ""

    def _note(self) -> None:
        """Keep whose switch is armed, and the id that the next beat must carry: at every moment the old or the new."""
        assert self._lock is not None, "only the owner writes"
        assert self._switch is not None, "the owner has opened the switch"
        draft = self._armed_file.with_suffix(".draft")
        with draft.open("w") as file:
            file.write(f"{self._switch.key} {self._last}")
            file.flush()
            os.fsync(file.fileno())  # a machine that dies must not leave an empty file under the new name
        draft.replace(self._armed_file)

    def _page_if_silent(self, why: str) -> None:
        if not self._armed or self._incident or time.monotonic() - self._accepted < LIMIT_S:
            return
        self._incident = f"heartbeat/{time.time_ns() // 1_000_000}"
        headline = f"no heartbeat accepted for {LIMIT_S:g} s: the venue cancels every open order of {self._account}"
        self._page(self._incident, headline, "Look at the network and the venue; trades take it as a shortfall.", why)

    def _page(self, key: str, headline: str, to_do: str, why: str = "") -> None:
        page = Page("", key, headline, (("why", why),) if why else (), to_do)
        task = asyncio.create_task(self._deliver(page))
        self._pages.add(task)
        task.add_done_callback(self._pages.discard)

    async def _deliver(self, page: Page) -> None:
        """Beside the beats: a slow paging service must not silence them."""
        while not await self._pager.deliver(page):  # noqa: ASYNC110 - a service that failed gives no sign of life
            await asyncio.sleep(PAGE_AGAIN_S)
