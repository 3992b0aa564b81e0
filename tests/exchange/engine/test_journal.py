"""The truth journal: what is written when, and what happens when it cannot be written or read."""

import json
import os
import random
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.journal import Journal, read_journal
from arbsaga.exchange.units import ONE

from .place import ANN, BOB, HOUSE, Clock, Place, neg_risk_event, open_place
from .snapshot import snapshot


@contextmanager
def full_disk(path: Path, room: int) -> Iterator[None]:
    """Files cannot grow beyond what this one has plus `room` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_line_has_its_sequence_batch_and_clocks(place: Place) -> None:
    """`n` without gaps, `to` the last of the batch, wall and monotonic clock."""
    before = time.monotonic_ns()
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "10")
    lines = place.journal()
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    batch = lines[-3:]
    assert [line["kind"] for line in batch] == ["order", "trade", "fill"]
    assert {line["to"] for line in batch} == {lines[-1]["n"]}
    assert {line["ms"] for line in batch} == {place.clock.ms}
    assert before < batch[0]["ns"] < time.monotonic_ns()
    assert lines[0]["kind"] == "opened"
    assert (lines[0]["seed"], lines[0]["settings"]["settled_at"]) == (0, "MINED")


def test_an_order_line_says_how_the_order_came_in(place: Place) -> None:
    """The fields that judges of latency and idempotency need."""
    more = {"received_ns": 7, "received_ms": 8, "salt": 9, "timestamp_ms": 10, "metadata": "0xabc"}
    order_id = place.submit(ANN, "BUY", "0.41", "12.5", **more).order_id
    line = place.journal("order")[0]
    expected = {
        "order_id": order_id,
        "address": ANN,
        "token_id": place.markets[0].token_ids[0],
        "side": "BUY",
        "price": "0.41",
        "size": "12.5",
        "type": "GTC",
        "received_ns": 7,
        "received_ms": 8,
        "salt": 9,
        "timestamp": 10,
        "metadata": "0xabc",
    }
    assert {key: line[key] for key in expected} == expected


def test_the_journal_is_written_in_one_write_before_the_answer(place: Place, monkeypatch) -> None:
    """A crossing order is one write; when it happens nothing has changed or been told yet."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    writes, write, told = [], os.write, len(place.told)

    def watched(fd: int, data: bytes) -> int:
        writes.append((data.count(b"\n"), len(place.told) - told, place.levels()[1], place.engine.trades(ANN)))
        return write(fd, data)

    monkeypatch.setattr(os, "write", watched)
    place.submit(ANN, "BUY", "0.5", "10")
    assert writes == [(3, 0, [(500_000, 10 * ONE)], [])]


@pytest.mark.parametrize("room", [0, 40, 400])
def test_a_full_disk_refuses_the_order_and_changes_nothing(place: Place, room: int) -> None:
    """Whatever part of the batch fitted is taken back; once there is room the exchange goes on."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    before, told, content = snapshot(place.engine), len(place.told), place.path.read_bytes()
    books = place.levels()
    with full_disk(place.path, room), pytest.raises(Unavailable, match="cannot be written"):
        place.submit(ANN, "BUY", "0.5", "10", order_id="0xagain")
    assert (snapshot(place.engine), len(place.told), place.path.read_bytes()) == (before, told, content)
    assert place.levels() == books
    assert place.submit(ANN, "BUY", "0.5", "10", order_id="0xagain").status == "matched"


def test_what_could_not_be_taken_back_is_taken_back_before_the_next_write(place: Place, monkeypatch) -> None:
    """A half-written batch never comes to stand in the middle of the journal."""
    content, truncate = place.path.read_bytes(), os.ftruncate

    def refuse(fd: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", refuse)
    with full_disk(place.path, 40):
        for _ in range(2):
            with pytest.raises(Unavailable, match="Input/output error"):
                place.submit(ANN, "BUY", "0.3", "10", order_id="0xlater")
    assert len(place.path.read_bytes()) == len(content) + 40
    monkeypatch.setattr(os, "ftruncate", truncate)
    place.submit(ANN, "BUY", "0.3", "10", order_id="0xlater")
    assert [line["order_id"] for line in place.journal("order")] == ["0xlater"]


def test_a_full_disk_stops_time_too(place: Place) -> None:
    """A settlement step, an expiry or the end of a delay that cannot be journaled happens later, once."""
    place.submit(HOUSE, "SELL", "0.5", "20")
    place.submit(ANN, "BUY", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "10", delay_ms=1_000)
    place.submit(ANN, "BUY", "0.3", "10", "GTD", expiration=place.clock.ms // 1000 + 200)
    place.clock.ms += 200_000
    before = snapshot(place.engine)
    with full_disk(place.path, 0):
        for _ in range(3):
            with pytest.raises(Unavailable, match="cannot be written"):
                place.engine.advance()
            assert snapshot(place.engine) == before
    place.settled()
    assert sorted(line["status"] for line in place.journal("settlement")) == ["CONFIRMED"] * 2 + ["MINED"] * 2
    assert (len(place.journal("released")), len(place.journal("canceled"))) == (1, 1)


ACTIONS = {
    "rest": lambda place: place.submit(ANN, "BUY", "0.2", "10"),
    "delay": lambda place: place.submit(ANN, "BUY", "0.5", "10", delay_ms=500),
    "kill": lambda place: place.submit(ANN, "BUY", "0.5", "50", "FOK"),
    "refuse": lambda place: place.submit(ANN, "BUY", "0.123", "10"),
    "duplicate": lambda place: place.submit(ANN, "BUY", "0.3", "10", order_id="0xlive"),
    "house taker": lambda place: place.submit(HOUSE, "SELL", "0.3", "10"),
    "cancel": lambda place: place.engine.cancel(ANN, "0xlive"),
    "cancel all": lambda place: place.engine.cancel_all(ANN),
    "wipe": lambda place: place.engine.wipe(place.markets[0].condition_id),
    "late cancel": lambda place: place.faults.add("cancel_loses") and place.engine.cancel(ANN, "0xlive"),
    "deposit": lambda place: place.engine.deposit(BOB, ONE),
    "allow": lambda place: place.engine.set_allowance(BOB, "0xspender", 1),
    "account": lambda place: place.engine.create_account("0xNew"),
    "tick": lambda place: place.engine.change_tick(place.markets[0].condition_id, 1_000),
    "resolve": lambda place: place.engine.resolve(place.markets[0].condition_id, 0),
    "open": lambda place: neg_risk_event(place, 2),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_happens_that_is_not_journaled(place: Place, action: str) -> None:
    """Every way to change the exchange fails as a whole; books, users and what was told stay as they were."""
    place.submit(HOUSE, "SELL", "0.5", "20")
    place.submit(ANN, "BUY", "0.3", "10", order_id="0xlive")
    before, told, content = snapshot(place.engine), len(place.told), place.path.read_bytes()
    books = place.levels()
    with full_disk(place.path, 0), pytest.raises(Unavailable, match="cannot be written"):
        ACTIONS[action](place)
    assert (snapshot(place.engine), len(place.told), place.levels()) == (before, told, books)
    assert place.path.read_bytes() == content


def test_refusals_are_journaled_for_users_only(place: Place) -> None:
    """With the venue's text."""
    for maker in (ANN, HOUSE):
        with pytest.raises(Rejected):
            place.submit(maker, "BUY", "0.5", "1", order_id=f"id {maker}")
    lines = place.journal("refused")
    assert [(line["order_id"], line["address"], line["used"]) for line in lines] == [("id 0xAnn", ANN, False)]
    assert "lower than the minimum" in lines[0]["text"]


def test_house_orders_are_not_journaled_but_fills_that_touch_a_user_are(place: Place) -> None:
    """With both sides."""
    place.submit(ANN, "BUY", "0.5", "10")
    before = len(place.journal())
    house = place.submit(HOUSE, "SELL", "0.5", "10").order_id
    place.submit(HOUSE, "SELL", "0.6", "10")
    lines = place.journal()[before:]
    assert [line["kind"] for line in lines] == ["trade", "fill"]
    assert lines[0]["taker"]["order_id"] == house
    assert (lines[1]["address"], lines[1]["role"]) == (ANN, "maker")


def test_a_journal_has_one_writer(place: Place) -> None:
    """A second exchange on the same file is told to wait, and a new one not to begin in a used file."""
    with pytest.raises(Unavailable, match="in use by another exchange"):
        Engine.recover(place.path, place.clock, EngineSettings(), random.Random(0))
    place.engine.close()
    with pytest.raises(Unavailable, match="is not empty"):
        Journal(place.path, place.clock)
    place.engine = Engine.recover(place.path, place.clock, EngineSettings(), random.Random(0))


def test_a_journal_that_cannot_be_opened_says_so(tmp_path) -> None:
    """A missing folder, a folder in its place."""
    with pytest.raises(Unavailable, match="cannot be opened: No such file"):
        Journal(tmp_path / "nowhere" / "j", Clock())
    with pytest.raises(Unavailable, match="cannot be opened: Is a directory"):
        Journal.resume(tmp_path, Clock())
    with pytest.raises(Unavailable, match="cannot be read: Is a directory"):
        read_journal(tmp_path)


@pytest.mark.parametrize("junk", [b"junk\n", b"[1]\n", b'{"n":1}\n', b'{"n":3,"to":3,"kind":"opened"}\n', b"\n"])
def test_damage_before_the_end_is_an_error(tmp_path, junk: bytes) -> None:
    """A whole line that is none of ours: nobody guesses what was meant."""
    place = open_place(tmp_path / "j")
    place.engine.close()
    lines = place.path.read_bytes().splitlines(keepends=True)
    place.path.write_bytes(lines[0] + junk + b"".join(lines[1:]))
    for _ in range(2):
        with pytest.raises(Unavailable, match="damaged at line 2"):
            Journal.resume(place.path, place.clock)


def test_every_amount_is_a_decimal_string(place: Place) -> None:
    """No JSON number ever carries money or shares."""
    place.buy_shares(ANN, "10")
    for line in place.path.read_text().splitlines():
        fields = json.loads(line)
        for key in ("price", "size", "usd", "fee", "delta", "balance", "amount", "shares"):
            assert isinstance(fields.get(key, ""), str)


def test_a_journal_says_its_format_and_another_one_is_refused(place: Place, tmp_path: Path) -> None:
    """Fields that mean something else would be misread: balances, and so the verdict, would be wrong in silence."""
    assert place.journal("opened")[0]["format"] == 1
    text, path = place.engine.core.journal.path.read_text(), tmp_path / "copied.jsonl"
    path.write_text(text.replace('"format":1,', ""))
    assert read_journal(path).last == len(text.splitlines()), "journals from before there was a format are the same"
    path.write_text(text.replace('"format":1,', '"format":2,'))
    with pytest.raises(Unavailable, match="has format 2 at line 1, this version reads format 1"):
        read_journal(path)
