"""The pure parts of the soak: what is killed when, and how recovery is measured."""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from arbsaga.domain.orders import Purpose
from arbsaga.exchange.paired import current
from arbsaga.notify import Alert
from arbsaga.saga.messages import Page, Phase
from proof.soak import BOTH, SEED, SOAKS, outage, pairs
from proof.soak.exchange_process import Seat
from proof.soak.figures import figures, notes
from proof.soak.judging import damaged, silent
from proof.soak.lives import read_record
from proof.soak.outage import Away, Outage
from proof.soak.plan import TRADERS, Kill, Pauses, Victim, kills, victims
from proof.soak.recovery import Entry, Life, moved_again, never_moved, percentile, recoveries
from proof.soak.run import Outcome, Soak, told
from proof.soak.stage import Heard, Struck
from proof.soak.weathering import Weathered, weathered

AT = 1_000_000
TRADER, EXCHANGE, TEMPORAL, KALSHI = (
    Struck(victim, AT) for victim in (Victim.TRADER_A, Victim.EXCHANGE, Victim.TEMPORAL, Victim.KALSHI)
)


def first(number: int, seed: int = SEED, venues: tuple[str, ...] = ("polymarket",)) -> list[Kill]:
    return list(islice(kills(seed, Pauses(), venues), number))


def test_the_same_seed_kills_the_same_at_the_same_time() -> None:
    assert first(200) == first(200)
    assert first(200) != first(200, seed=SEED + 1)


def test_pauses_are_kept_and_nobody_is_spared() -> None:
    plan = first(400)
    pauses = [later.at_s - earlier.at_s for earlier, later in pairwise(plan)]
    assert min(pauses) + 0.001 >= 2
    assert max(pauses) - 0.001 <= 15
    assert Counter(kill.victim for kill in plan) == dict.fromkeys(victims(("polymarket",)), 100)
    assert Victim.KALSHI not in victims(("polymarket",))


def test_at_two_venues_both_exchanges_die() -> None:
    assert Counter(kill.victim for kill in first(500, venues=BOTH)) == dict.fromkeys(Victim, 100)


def test_the_keeper_of_temporal_dies_now_and_then_and_nobody_elses() -> None:
    keepers = [kill.victim for kill in first(400) if kill.keeper]
    assert set(keepers) == {Victim.TEMPORAL}
    assert 10 < len(keepers) < 60


def life(
    *moves: int,
    steps: tuple[tuple[int, int], ...] = (),
    news: tuple[int, ...] = (),
    venues: tuple[str, ...] = ("polymarket",),
) -> Life:
    """In flight at the kill; times are ms after it."""
    return Life(
        "T1",
        AT - 500,
        AT + max(moves, default=9_000),
        tuple(AT + at for at in moves),
        tuple((AT + began, AT + ended) for began, ended in steps),
        tuple(AT + at for at in news),
        frozenset(venues),
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


def test_a_kill_of_an_exchange_does_not_touch_a_trade_without_a_leg_there() -> None:
    assert moved_again(life(-100, 900), KALSHI) is None
    assert moved_again(life(-100, 900, venues=BOTH), KALSHI) == 900


def test_an_exchange_is_traded_on_again_when_it_takes_an_order_itself() -> None:
    entries = [Entry(AT + 10, AT + 50), Entry(AT + 600, AT + 700, "kalshi")]
    assert recoveries([KALSHI], [], entries)["exchange-kalshi"].trading_again == [700]
    assert recoveries([TRADER], [], entries)["trader"].trading_again == [50]


def test_recoveries_are_told_by_kind_of_process() -> None:
    struck = [TRADER, Struck(Victim.TRADER_B, AT + 100), EXCHANGE]
    lives = [life(-100, 2_000), life(-100, 300, steps=((-50, 300),))]
    entries = [Entry(AT - 10, AT + 50), Entry(AT + 150, AT + 400)]
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


def test_a_trade_with_a_leg_filled_at_one_venue_only_is_noticed() -> None:
    def told(phase: str, *legs: str) -> dict[str, object]:
        both = [{"venue": venue, "phase": leg} for venue, leg in zip(BOTH, legs, strict=True)]
        return {"event": "trade", "trade": {"trade_id": "T1", "phase": phase, "legs": both}}

    heard = Heard()
    heard("trader-a", told("WATCHING", "resting", "resting"))
    assert not heard.one_sided
    heard("trader-a", told("WATCHING", "filled", "resting"))
    assert heard.one_sided == {"T1"}
    heard("trader-a", told("UNWINDING", "filled", "missed"))
    assert not heard.one_sided


def test_an_exchange_that_is_away_does_not_serve_before_its_time(tmp_path: Path) -> None:
    outage.stay_away(tmp_path, "kalshi")
    began = time.monotonic()
    outage.begin(tmp_path, Outage("kalshi", 0, 0.3))
    outage.stay_away(tmp_path, "polymarket")
    assert time.monotonic() - began < 0.25
    outage.stay_away(tmp_path, "kalshi")
    assert time.monotonic() - began >= 0.29


def test_what_became_of_trades_through_an_outage() -> None:
    away = Away("kalshi", AT, AT + 60_000)
    lives = [
        life(-100, 100, 61_000, 62_000, venues=BOTH),
        life(-100, 3_000, venues=BOTH),
        life(-100, 61_000),
    ]
    entries = [
        Entry(AT + 5_000, AT + 5_100),
        Entry(AT + 59_000, AT + 60_500),
        Entry(AT + 59_900, AT + 60_100, "kalshi"),
        Entry(AT + 62_000, AT + 62_200, "kalshi"),
    ]
    assert weathered(away, lives, entries) == Weathered(
        away, moved=[1_000], ended=[2_000], over_before=1, elsewhere=1, again=2_200
    )
    assert weathered(away, [], []).again is None


def test_both_exchanges_list_the_same_questions_over_restarts(tmp_path: Path) -> None:
    assert pairs.settings(tmp_path) is None
    pairs.begin(tmp_path, 5)
    settings = pairs.settings(tmp_path)
    assert settings == pairs.settings(tmp_path)
    assert settings is not None
    names = {paired.name for paired in current(settings, settings.since_ms + 1_000)}
    tickers = {paired.ticker for paired in current(settings, settings.since_ms + 1_000)}
    assert len(names) == len(tickers) == len(settings.subjects) == 12
    seat = Seat(tmp_path, 0, 5, "paper", ())
    assert seat.kalshi().world.paired == seat.polymarket().world.paired == settings


def test_nothing_is_approved_where_one_venue_is_traded_on(tmp_path: Path) -> None:
    async def enter() -> None:
        async with pairs.approving(SimpleNamespace(), SimpleNamespace(path=tmp_path)):
            pass

    asyncio.run(enter())
    assert list(tmp_path.iterdir()) == []


def test_the_journals_of_both_exchanges_tell_of_our_orders(tmp_path: Path) -> None:
    """Kalshi's by the id that we gave the order, of which only its first line and its fills know."""

    def journal(name: str, *lines: dict[str, object]) -> Path:
        path = tmp_path / name
        told = [{"n": n, "to": n, "ms": AT + n, "ns": n, **line} for n, line in enumerate(lines, 1)]
        path.write_text("".join(json.dumps(line) + "\n" for line in told))
        return path

    def intent(trade: str, order_id: str, venue: str) -> SimpleNamespace:
        terms = SimpleNamespace(
            trade_id=trade, purpose=Purpose.ENTER, created_ms=AT, instrument=SimpleNamespace(venue=venue)
        )
        return SimpleNamespace(order_id=order_id, terms=terms)

    here = journal(
        "a",
        {"kind": "order", "order_id": "0x1", "received_ms": AT + 1},
        {"kind": "fill", "order_id": "0x1", "trade_id": "m"},
    )
    there = journal(
        "b",
        {"kind": "order", "order_id": "k1", "client_order_id": "ours", "received_ms": AT + 5},
        {"kind": "fill", "order_id": "k1", "client_order_id": "ours", "trade_id": "m2"},
        {"kind": "ended", "order_id": "k1"},
        {"kind": "fault", "name": "lose_leg"},
    )
    intents = [intent("T", "0x1", "polymarket"), intent("T", "ours", "kalshi")]
    record = read_record({"polymarket": here, "kalshi": there}, intents, {"T": AT - 5})
    assert record.orders == {"T": [AT + 1, AT + 5]}
    assert record.news == {"T": [AT + 2, AT + 2, AT + 3]}
    assert record.entries == [Entry(AT - 5, AT + 1), Entry(AT - 5, AT + 5, "kalshi")]
    assert record.faults == {"lose_leg": 1}


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
    assert line.startswith("order 0x1 was sent twice (python -m proof.soak --trades 10 --seed 3 --venues polymarket;")
    assert str(tmp_path) in line


def test_the_figures_are_by_kind(tmp_path) -> None:
    outcome = Outcome(tmp_path, struck=[TRADER], trades=10, seconds=5.0)
    outcome.recovered = dict(recoveries([TRADER], [life(-100, 2_000)], [Entry(AT + 1, AT + 250)]))
    assert figures(outcome) == {
        "trades": 10, "trades_per_s": 2.0, "kills": 1, "orders": 0, "faults": 0,
        "trader_moves_p50_s": 2.0, "trader_moves_p99_s": 2.0, "trader_moves_p100_s": 2.0,
        "trader_trading_p50_s": 0.25, "trader_trading_p99_s": 0.25, "trader_trading_p100_s": 0.25,
    }  # fmt: skip
    assert "p50/p99/max 2.00 / 2.00 / 2.00 s (1 hit, 0 unharmed)" in notes(outcome)[2]


def test_the_sizes_are_those_that_were_promised() -> None:
    sizes = {str(effort): sum(soak.trades for soak in soaks) for effort, soaks in SOAKS.items()}
    assert sizes == {"quick": 100, "usual": 2_000, "full": 10_000}
    for alone, both in SOAKS.values():
        assert (alone.venues, both.venues) == (("polymarket",), BOTH)
        assert both.outage is not None
    assert [both.outage.lasts_s >= 60 for _, both in SOAKS.values() if both.outage] == [False, True, True]


def test_the_figures_of_an_outage_are_told(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path, trades=10, across=4, seconds=5.0)
    away = Away("kalshi", AT, AT + 60_000)
    outcome.weathered = Weathered(away, moved=[500], ended=[2_000], over_before=1, elsewhere=7, again=3_000)
    assert figures(outcome) | {"outage_s": 60.0, "outage_open": 2, "outage_elsewhere": 7} == figures(outcome)
    assert figures(outcome)["across"] == 4
    assert "kalshi dead for 60 s: 2 trades over both venues were open, 1 ended meanwhile" in notes(outcome)[-1]
    outcome.weathered = Weathered(away)
    assert "traded across again in never" in notes(outcome)[-1]
