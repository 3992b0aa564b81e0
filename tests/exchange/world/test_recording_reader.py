"""Reading recordings: pairs, messages, ticks, and files that are none."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arbsaga.errors import ConfigError, UnknownThing
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.recording import Message, RecordedMarket, Recording
from arbsaga.exchange.recordings import SYNTHETIC
from arbsaga.exchange.recordings.make import SCHEMA, synthetic
from arbsaga.exchange.units import ONE

from .tape import NO, YES, Tape, shared_recording


def test_rows_of_a_message_come_together_in_yes_terms(tmp_path: Path) -> None:
    """Mirrored rows are one level; all rows of a moment with the same best prices are one message."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.45), ms=5)
    tape.change("ASK", 0.45, 50.5, best=(0.40, 0.45), ms=5)
    tape.change("ASK", 0.44, 7, best=(0.40, 0.44), ms=5)
    (first, second) = Recording.open(tape.write(tmp_path)).messages()
    assert first == Message(5, 0, {("BUY", 400_000): 100 * ONE, ("SELL", 450_000): 50_500_000}, 400_000, 450_000, 4)
    assert second == Message(5, 0, {("SELL", 440_000): 7 * ONE}, 400_000, 440_000, 2)


def test_a_pair_is_found_by_its_mirrored_rows_and_the_first_token_is_yes(tmp_path: Path) -> None:
    """No list of pairs is needed; a row of either token alone is understood once the pair is known."""
    tape = Tape((NO, YES))
    tape.change("ASK", 0.30, 10, best=(0.2, 0.3), first=1)
    tape.row(NO, "BID", 0.25, 4, best=(0.25, 0.3))
    recording = Recording.open(tape.write(tmp_path))
    assert recording.markets == (RecordedMarket((YES, NO), 10_000),)
    assert [message.levels for message in recording.messages()] == [
        {("SELL", 300_000): 10 * ONE},
        {("SELL", 750_000): 4 * ONE},
    ]


def test_two_markets_whose_rows_stand_side_by_side_are_told_apart(tmp_path: Path) -> None:
    """A chance likeness between neighbouring rows of two markets does not make them a pair."""
    one, two = Tape(), Tape(v1_ids("other")[1])
    rows = []
    for _ in range(3):
        one.change("BID", 0.4, 10, best=(0.4, 0.5))
        two.change("BID", 0.4, 10, best=(0.4, 0.5))
    rows = [row for at in range(0, 6, 2) for tape in (one, two) for row in tape.rows[at : at + 2]]
    one.rows = rows
    assert [market.token_ids for market in Recording.open(one.write(tmp_path)).markets] == [one.tokens, two.tokens]


def test_last_trade_rows_say_nothing_about_levels(tmp_path: Path) -> None:
    """Their best prices are 0 because they are unset, and their size is no level's."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.45))
    tape.row(YES, "BID", 0.40, 33, best=(0.0, 0.0), kind="LAST_TRADE")
    tape.change("BID", 0.40, 67, best=(0.40, 0.45))
    messages = list(Recording.open(tape.write(tmp_path)).messages())
    assert [size for message in messages for size in message.levels.values()] == [67 * ONE]
    assert [message.rows for message in messages] == [4]


@pytest.mark.parametrize("unset", [0.0, 1.0, math.nan, None])
def test_an_unset_best_price_is_no_price(tmp_path: Path, unset: float | None) -> None:
    """0, 1, nothing and not-a-number do not say that every level is gone."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, unset))
    (message,) = Recording.open(tape.write(tmp_path)).messages()
    assert (message.best_bid, message.best_ask) == (400_000, None)


def test_the_tick_is_the_finest_that_the_prices_need(tmp_path: Path) -> None:
    """A market with one price on 0.001 has that tick."""
    tape = Tape()
    tape.change("BID", 0.40, 1, best=(0.4, 0.5))
    assert Recording.open(tape.write(tmp_path)).markets[0].tick == 10_000
    tape.change("BID", 0.401, 1, best=(0.401, 0.5))
    assert Recording.open(tape.write(tmp_path)).markets[0].tick == 1_000
    tape.change("BID", 0.4011, 1, best=(0.4011, 0.5))
    assert Recording.open(tape.write(tmp_path)).markets[0].tick == 100


@pytest.mark.parametrize(
    "bad",
    [
        {"price": 1.3},
        {"price": 0.0},
        {"price": math.nan},
        {"price": None},
        {"size": -1.0},
        {"size": math.inf},
        {"side": "BUY"},
        {"event_type": "BOOK"},
        {"asset_id": None},
        {"timestamp": None},
    ],
)
def test_a_row_that_cannot_be_true_is_refused_by_its_number(tmp_path: Path, bad: dict[str, Any]) -> None:
    """One line names the file and the row, before anything is played."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.45))
    tape.rows.append(tape.rows[0] | bad)
    with pytest.raises(ConfigError, match=r"recording\.parquet: row 3 is no change of a book"):
        Recording.open(tape.write(tmp_path))


def test_a_token_without_a_mirror_is_refused(tmp_path: Path) -> None:
    """Without both tokens of a market its book cannot be served."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.45))
    tape.row("9", "BID", 0.1, 5, best=(0.1, 0.2))
    with pytest.raises(ConfigError, match="token 9 has no rows that mirror"):
        Recording.open(tape.write(tmp_path))


@pytest.mark.parametrize("tokens", [("yes", "no"), ("1", "2")])
def test_tokens_that_nobody_could_sign_for_are_refused(tmp_path: Path, tokens: tuple[str, str]) -> None:
    """The official client chooses the contract by the token id: it must be one of the CTF's."""
    tape = Tape(tokens)
    tape.change("BID", 0.40, 100, best=(0.40, 0.45))
    with pytest.raises(ConfigError, match=f"{tokens[0]} is no token id of the CTF"):
        Recording.open(tape.write(tmp_path))


def test_prices_finer_than_any_tick_are_refused(tmp_path: Path) -> None:
    """The venue's finest tick is 0.0001."""
    tape = Tape()
    tape.change("BID", 0.40001, 100, best=(0.40001, 0.45))
    with pytest.raises(ConfigError, match=r"finer than 0\.0001"):
        Recording.open(tape.write(tmp_path))


def test_files_that_are_no_recordings_are_refused_in_one_line(tmp_path: Path) -> None:
    """Absent, no parquet, other columns, no rows."""
    path = tmp_path / "recording.parquet"
    with pytest.raises(UnknownThing, match="no recording at"):
        Recording.open(path)
    path.write_bytes(b"not parquet at all")
    with pytest.raises(ConfigError, match="not a readable parquet file"):
        Recording.open(path)
    pq.write_table(pa.table({"timestamp": [1], "price": [0.5]}), path)
    with pytest.raises(ConfigError, match="it lacks asset_id, event_type, side, size, best_bid, best_ask"):
        Recording.open(path)
    pq.write_table(pa.table({"timestamp": [1], **{name: [1] for name in SCHEMA.names[1:]}}), path)
    with pytest.raises(ConfigError, match=r"no change of a book|not a readable"):
        Recording.open(path)
    pq.write_table(SCHEMA.empty_table(), path)
    with pytest.raises(ConfigError, match="no PRICE_CHANGE rows"):
        Recording.open(path)


def test_the_shipped_recording_is_what_its_script_makes() -> None:
    """The committed file and the code that makes it agree, row by row."""
    assert pq.read_table(SYNTHETIC).to_pylist() == synthetic().to_pylist()


def test_the_shipped_recording_has_the_traps_of_real_ones() -> None:
    """Applied row by row it crosses, and applied without regard to best prices it stays crossed after lost removals."""
    recording = Recording.open(SYNTHETIC)
    rows = synthetic().to_pylist()
    times = [row["timestamp"] for row in rows]
    assert times != sorted(times)
    assert any(row["event_type"] == "LAST_TRADE" and row["best_bid"] == 0 for row in rows)
    assert any(0 < row["size"] < 5 for row in rows)
    assert {market.tick for market in recording.markets} == {1_000, 10_000}
    halfway, after = _crossings(recording)
    assert halfway > after > 0


def _crossings(recording: Recording) -> tuple[int, int]:
    books: list[dict[str, dict[int, int]]] = [{"BUY": {}, "SELL": {}} for _ in recording.markets]
    halfway = after = 0
    for message in recording.messages():
        book = books[message.market]
        for (side, price), size in message.levels.items():
            book[side][price] = size
            if not size:
                del book[side][price]
            halfway += _crossed(book)
        after += _crossed(book)
    return halfway, after


def _crossed(book: dict[str, dict[int, int]]) -> bool:
    return bool(book["BUY"] and book["SELL"]) and max(book["BUY"]) >= min(book["SELL"])


def test_the_shared_recording_is_read_whole() -> None:
    """The real one: 6 markets of 12 tokens, its LAST_TRADE rows left out, nothing else."""
    recording = Recording.open(shared_recording())
    assert recording.rows == 206_848
    assert len({token for market in recording.markets for token in market.token_ids}) == 12
    assert sorted(market.tick for market in recording.markets) == [1_000] + [10_000] * 5
    assert sum(message.rows for message in recording.messages()) == 206_848 - 483
    first = next(recording.messages())
    assert (
        datetime.fromtimestamp(first.ms / 1000, UTC).isoformat(timespec="milliseconds")
        == "2026-06-07T01:30:51.472+00:00"
    )
