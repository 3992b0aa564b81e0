"""The pure parts of the soak: what is killed when, and how recovery is measured."""

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import islice, pairwise
from types import SimpleNamespace

import pytest

from arbsaga.notify import Alert
from arbsaga.saga.messages import Page, Phase
from proof.soak import SEED, SOAKS
from proof.soak.figures import figures, notes
from proof.soak.judging import damaged, silent
from proof.soak.plan import TRADERS, Kill, Pauses, Victim, kills
from proof.soak.recovery import Life, moved_again, never_moved, percentile, recoveries
from proof.soak.run import Outcome, Soak, told
from proof.soak.stage import Heard, Struck

AT = 1_000_000
TRADER, EXCHANGE, TEMPORAL = (Struck(victim, AT) for victim in (Victim.TRADER_A, Victim.EXCHANGE, Victim.TEMPORAL))


def first(number: int, seed: int = SEED, pauses: Pauses | None = None) -> list[Kill]:
    return list(islice(kills(seed, pauses or Pauses()), number))


def test_the_same_seed_kills_the_same_at_the_same_time() -> None:
    assert first(200) == first(200)
    assert first(200) != first(200, seed=SEED + 1)


def test_pauses_are_kept_and_nobody_is_spared() -> None:
    plan = first(400)
    pauses = [later.at_s - earlier.at_s for earlier, later in pairwise(plan)]
    assert min(pauses) + 0.001 >= 2
    assert max(pauses) - 0.001 <= 15
    assert Counter(kill.victim for kill in plan) == dict.fromkeys(Victim, 100)


def test_the_keeper_of_temporal_dies_now_and_then_and_nobody_elses() -> None:
    keepers = [kill.victim for kill in first(400) if kill.keeper]
    assert set(keepers) == {Victim.TEMPORAL}
    assert 10 < len(keepers) < 60


def life(*moves: int, steps: tuple[tuple[int, int], ...] = (), news: tuple[int, ...] = ()) -> Life:
    """In flight at the kill; times are ms after it."""
    return Life(
        "T1",
        AT - 500,
        AT + max(moves, default=9_000),
        tuple(AT + at for at in moves),
        tuple((AT + began, AT + ended) for began, ended in steps),
        tuple(AT + at for at in news),
    )


@pytest.mark.parametrize(
    ("kill", "one", "took"),
    [
        (TRADER, life(-100, 2_100, 2_300), 2_100),
        (EXCHANGE, life(-100, 900), 900),
        (TEMPORAL, life(-100, 900, news=(400,)), 900),
    ],
)
def test_a_trade_that_nobody_works_on_counts_from_the_kill(kill: Struck, one: Life, took: int) -> None:
    assert moved_again(one, kill) == took


@pytest.mark.parametrize(
    ("kill", "took"), [(TRADER, None), (EXCHANGE, 3_000), (TEMPORAL, 500)], ids=["trader", "exchange", "temporal"]
)
def test_a_step_that_outlived_the_kill_counts_by_the_news_it_waited_for(kill: Struck, took: int | None) -> None:
    assert moved_again(life(-100, 3_000, steps=((-50, 3_000),), news=(-20, 1_000, 2_500)), kill) == took


@pytest.mark.parametrize("kill", [TRADER, EXCHANGE, TEMPORAL])
def test_a_trade_that_waited_for_a_time_of_its_own_is_unharmed(kill: Struck) -> None:
    assert moved_again(life(-100, 4_000, steps=((-50, 4_000),)), kill) is None


def test_recoveries_are_told_by_kind_of_process() -> None:
    struck = [TRADER, Struck(Victim.TRADER_B, AT + 100), EXCHANGE]
    lives = [life(-100, 2_000), life(-100, 300, steps=((-50, 300),))]
    entries = [(AT - 10, AT + 50), (AT + 150, AT + 400)]
    found = recoveries(struck, lives, entries)
    assert found["trader"].kills == 2
    assert found["trader"].open_trades == [2_000, 1_900]
    assert found["trader"].unharmed == 2
    assert found["trader"].trading_again == [400, 300], "the trade that was decided before the kill does not count"
    assert found["exchange"].open_trades == [2_000]


def test_a_trade_without_a_sign_of_life_after_the_last_kill_is_found() -> None:
    dead, alive = Life("dead", AT - 500, AT + 9_000, (AT - 100,)), life(-100, 2_000)
    assert never_moved([dead, alive], AT) == ["dead"]


@pytest.mark.parametrize(("rank", "value"), [(50, 50), (99, 99), (100, 100)])
def test_percentiles_are_by_nearest_rank(rank: int, value: int) -> None:
    assert percentile(range(1, 101), rank) == value
    assert percentile([], rank) is None


def test_a_trade_that_has_ended_stays_ended_whatever_a_killed_trader_said_before() -> None:
    heard = Heard()
    for phase in ("PLACING", "COMMITTED", "PLACING"):
        heard("trader-a", {"event": "trade", "trade": {"trade_id": "T1", "phase": phase}})
    heard("trader-b", {"event": "trade", "trade": {"trade_id": "T2", "phase": "VALIDATING"}})
    assert (heard.open, heard.sent) == ({"T2": Phase.VALIDATING}, {"T1"})


def test_what_a_killed_trader_had_answered_counts_no_more() -> None:
    heard = Heard()
    for name in TRADERS:
        heard(name, {"event": "drained"})
    heard(Victim.TRADER_A, {"event": "died", "exit_code": -9})
    assert set(heard.said) == {"trader-b drained"}


def test_a_held_trade_must_have_been_paged() -> None:
    rows = [SimpleNamespace(trade_id=name, phase=Phase.HELD) for name in ("told", "silent")]
    page = Page("told", "told/held", "held", (), "decide")
    assert silent(rows, [Alert(page, AT, (), ())]) == ["trade silent is HELD and nobody was paged"]


def test_a_damaged_database_is_found(tmp_path) -> None:
    for name in ("good.sqlite", "bad.sqlite"):
        with closing(sqlite3.connect(tmp_path / name)) as database:
            database.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(20000));")
    whole = (tmp_path / "bad.sqlite").read_bytes()
    (tmp_path / "bad.sqlite").write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    (line,) = damaged([tmp_path / "good.sqlite", tmp_path / "bad.sqlite"])
    assert line.startswith("the database bad.sqlite is damaged")
    assert damaged([tmp_path / "absent.sqlite"])


def test_a_violation_names_the_command_and_the_records(tmp_path) -> None:
    outcome = Outcome(tmp_path, violations=["order 0x1 was sent twice"], trades=10, seconds=5.0)
    (line,) = told(Soak(10, 3), outcome)
    assert line.startswith("order 0x1 was sent twice (python -m proof.soak --trades 10 --seed 3;")
    assert str(tmp_path) in line


def test_the_figures_are_by_kind(tmp_path) -> None:
    outcome = Outcome(tmp_path, struck=[TRADER], trades=10, seconds=5.0)
    outcome.recovered = dict(recoveries([TRADER], [life(-100, 2_000)], [(AT + 1, AT + 250)]))
    assert figures(outcome) == {
        "trades": 10, "trades_per_s": 2.0, "kills": 1, "orders": 0, "faults": 0,
        "trader_moves_p50_s": 2.0, "trader_moves_p99_s": 2.0, "trader_moves_p100_s": 2.0,
        "trader_trading_p50_s": 0.25, "trader_trading_p99_s": 0.25, "trader_trading_p100_s": 0.25,
    }  # fmt: skip
    assert "p50/p99/max 2.00 / 2.00 / 2.00 s (1 hit, 0 unharmed)" in notes(outcome)[2]


def test_the_sizes_are_those_that_were_promised() -> None:
    assert {str(effort): soak.trades for effort, soak in SOAKS.items()} == {
        "quick": 100,
        "usual": 2_000,
        "full": 10_000,
    }
