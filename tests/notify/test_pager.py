"""A page reaches a person: logged first, shown, sent to every service, and never lost or repeated."""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from arbsaga.errors import ConfigError
from arbsaga.notify import Pager, read_alerts
from arbsaga.notify import services as services_module
from arbsaga.notify.pager import as_text
from arbsaga.saga.messages import Page

PAGE = Page("t1", "t1/held", "trade held: settlement is late", (("spent", "8 USD"), ("hedged", "0 units")), "decide")


@dataclass
class Phone:
    """A person's service: what it got, and whether it takes it."""

    status: int = 200
    pause_s: float = 0
    got: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """What apprise's json:// posts to."""
        self.got.append((await request.json())["title"])
        await asyncio.sleep(self.pause_s)
        return web.Response(status=self.status)


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    """A real server on a free port."""
    phone = Phone()
    app = web.Application()
    app.router.add_post("/{path:.*}", phone.answer)
    async with TestServer(app) as server:
        phone.url = f"json://user:s3cret@127.0.0.1:{server.port}/p"
        yield phone


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the alert log goes; its folder does not exist yet."""
    return tmp_path / "data" / "alerts.jsonl"


async def test_a_page_is_logged_shown_and_sent(phone: Phone, log: Path):
    """With everything a person needs to decide."""
    shown: list[str] = []
    assert await Pager([phone.url], log, shown.append).deliver(PAGE)
    assert phone.got == [PAGE.headline]
    assert shown == [as_text(PAGE)]
    assert "spent: 8 USD" in shown[0]
    assert "to do: decide" in shown[0]
    (alert,) = read_alerts(log)
    assert (alert.page, len(alert.sent), alert.failed) == (PAGE, 1, ())


async def test_the_log_has_the_page_before_the_console(log: Path):
    """A crash right after the console, or in it, must not lose the page."""
    seen = []
    await Pager([], log, lambda text: seen.append(read_alerts(log)[0].page)).deliver(PAGE)
    assert seen == [PAGE]


async def test_the_same_key_is_delivered_once(phone: Phone, log: Path):
    """By the same process, and by one that starts later."""
    shown: list[str] = []
    pager = Pager([phone.url], log, shown.append)
    assert await pager.deliver(PAGE)
    assert await pager.deliver(PAGE)
    assert await Pager([phone.url], log, shown.append).deliver(PAGE)
    assert (len(phone.got), len(shown), len(read_alerts(log))) == (1, 1, 1)


async def test_two_that_are_asked_at_once_send_once(phone: Phone, log: Path):
    """A retried activity can overlap with the one it replaces."""
    phone.pause_s = 0.1
    pagers = [Pager([phone.url], log, lambda text: None) for _ in range(2)]
    assert await asyncio.gather(*(pager.deliver(PAGE) for pager in pagers)) == [True, True]
    assert phone.got == [PAGE.headline]


async def test_a_page_given_up_while_it_waits_for_its_turn_leaves_the_turn_to_others(phone: Phone, log: Path):
    """An attempt that timed out behind a slow service once kept the turn for as long as its process lived."""
    pager = Pager([phone.url], log, lambda text: None)
    async with Pager([], log, lambda text: None)._a_turn():
        waiting = asyncio.create_task(pager.deliver(PAGE))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert await asyncio.wait_for(pager.deliver(PAGE), 5)
    assert phone.got == [PAGE.headline]


async def test_pages_that_wait_for_their_turn_keep_no_thread(log: Path):
    """The ledger's writes need the same threads: behind a slow service they once had to wait."""
    pager = Pager([], log, lambda text: None)
    async with pager._a_turn():
        pages = [replace(PAGE, key=f"t{number}/held") for number in range(64)]
        waiting = [asyncio.create_task(pager.deliver(page)) for page in pages]
        while len(read_alerts(log)) < len(pages):
            await asyncio.sleep(0.01)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: True), 5)
    assert all(await asyncio.gather(*waiting))


async def test_a_service_that_is_down_loses_nothing(phone: Phone, log: Path):
    """The page is logged and shown; the next try sends only what failed."""
    phone.status = 500
    shown: list[str] = []
    pager = Pager([phone.url], log, shown.append)
    assert not await pager.deliver(PAGE)
    (alert,) = read_alerts(log)
    assert (alert.sent, len(alert.failed)) == ((), 1)
    phone.status = 200
    assert await pager.deliver(PAGE)
    (alert,) = read_alerts(log)
    assert (len(alert.sent), alert.failed, len(shown)) == (1, (), 1)


async def test_a_service_that_hangs_counts_as_failed(phone: Phone, log: Path, monkeypatch: pytest.MonkeyPatch):
    """Nobody waits for it for ever."""
    monkeypatch.setattr(services_module, "TIMEOUT_S", 0.05)
    phone.pause_s = 0.3
    assert not await Pager([phone.url], log, lambda text: None).deliver(PAGE)
    assert len(read_alerts(log)[0].failed) == 1
    await asyncio.sleep(0.3)  # apprise's thread still talks to the server: let it end before the server does


async def test_one_service_down_does_not_repeat_the_other(phone: Phone, log: Path):
    """Only the one that failed is asked again."""
    nobody = "json://127.0.0.1:9/p"
    pager = Pager([phone.url, nobody], log, lambda text: None)
    assert not await pager.deliver(PAGE)
    assert not await pager.deliver(PAGE)
    assert phone.got == [PAGE.headline]


async def test_a_log_that_cannot_be_written_does_not_stop_the_page(phone: Phone, tmp_path: Path):
    """It is shown and sent, once, and the answer says that it was not all."""
    (tmp_path / "data").write_text("a file where a folder should be")
    shown: list[str] = []
    pager = Pager([phone.url], tmp_path / "data" / "alerts.jsonl", shown.append)
    assert not await pager.deliver(PAGE)
    assert not await pager.deliver(PAGE)
    assert (len(shown), len(phone.got)) == (1, 1)


async def test_a_torn_line_spoils_neither_the_log_nor_the_next_page(log: Path):
    """What a crash or a full disk leaves at the end of the file."""
    pager = Pager([], log, lambda text: None)
    await pager.deliver(PAGE)
    with log.open("ab") as file:
        file.write(b'{"ms":1,"kind":"page","pa')
    other = Page("t2", "t2/held", "trade held", (), "decide")
    assert await pager.deliver(other)
    assert [alert.page for alert in read_alerts(log)] == [PAGE, other]
    assert [alert.page for alert in read_alerts(log, "t2")] == [other]


async def test_a_disk_that_fills_up_in_a_line_does_not_stop_the_page(log: Path, monkeypatch: pytest.MonkeyPatch):
    """Half a line is not a logged page: it is told again, and the log is whole after it."""
    shown: list[str] = []
    pager, write = Pager([], log, shown.append), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:20]))
        assert not await pager.deliver(PAGE)
    assert await pager.deliver(PAGE)
    assert [alert.page for alert in read_alerts(log)] == [PAGE]
    assert len(shown) == 1


def test_a_url_that_apprise_does_not_know_is_one_line_without_its_secret(tmp_path: Path):
    """The URL holds tokens, so that the message must not show it."""
    with pytest.raises(ConfigError, match="apprise") as caught:
        Pager(["nonsense://tok3n@host"], tmp_path / "a.jsonl", print)
    assert "tok3n" not in str(caught.value)
    with pytest.raises(ConfigError):
        Pager(["tok3n"], tmp_path / "a.jsonl", print)


async def test_no_secret_of_a_service_is_in_the_log(phone: Phone, log: Path):
    """Neither when it takes the page nor when it refuses."""
    phone.status = 500
    pager = Pager([phone.url], log, lambda text: None)
    await pager.deliver(PAGE)
    phone.status = 200
    await pager.deliver(PAGE)
    assert b"s3cret" not in log.read_bytes()
    assert "s3cret" not in repr(pager)


def _deliver(log: str, number: int) -> None:
    for count in range(10):
        pages = (Page("", f"shared/{count}", "x" * 2_000, (), "-"), Page("", f"{number}/{count}", "y", (), "-"))
        for page in pages:
            asyncio.run(Pager([], Path(log), lambda text: None).deliver(page))


def test_processes_that_write_at_once_keep_every_line_whole(log: Path):
    """Each key once, each line whole JSON."""
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_deliver, args=(str(log), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    keys = [line["page"]["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 40
