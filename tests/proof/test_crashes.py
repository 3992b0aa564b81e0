"""The crash layer: its judge can say no, its cut points come from a trace, and a worker is really killed."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from arbsaga.domain.money import Usd
from arbsaga.errors import UnknownThing, UserError
from arbsaga.saga.messages import Phase
from proof.crashes import run_cases, sample
from proof.crashes.across import ACROSS
from proof.crashes.acts import Truth
from proof.crashes.cuts import Counter, Cut, How, Moment, Point, cuts_of
from proof.crashes.judge import ended, judge
from proof.crashes.scenario import Do
from proof.crashes.scenarios import BY_NAME
from proof.crashes.setting import Case, CaseResult, Setting

WALLET = "0xA"
ORDER = {
    "kind": "order",
    "order_id": "0x1",
    "address": WALLET,
    "condition_id": "m",
    "token_id": "y",
    "side": "BUY",
    "price": "0.5",
    "size": "10",
    "salt": 7,
    "received_ms": 9_000,
    "received_ns": 1,
    "type": "GTC",
}


def test_a_trade_that_has_not_ended_is_a_breach() -> None:
    """Every trade ends; HELD is an end."""
    assert list(ended(None, None)) == ["the trade did not end: it is nowhere"]
    assert list(ended(Phase.SETTLING, Phase.SETTLING)) == ["the trade did not end: it is SETTLING"]
    assert not list(ended(Phase.HELD, Phase.HELD))


def test_a_trade_that_the_ledger_has_otherwise_is_a_breach() -> None:
    """What the workflow ended with is what was recorded."""
    assert list(ended(Phase.FLAT, None)) == ["the trade ended FLAT, the ledger has it not at all"]
    assert list(ended(Phase.FLAT, Phase.HELD)) == ["the trade ended FLAT, the ledger has it HELD"]


def test_what_the_exchange_says_is_judged(tmp_path: Path) -> None:
    """An order in the exchange's record that nobody intended is a breach, whatever our own books say."""
    setting = Setting(tmp_path, "", "", "0x1", WALLET, "a")
    ledger = setting.ledger()
    ledger.open_account("a", "polymarket", Usd(Decimal(5)))
    setting.truth.write_text("")
    before = judge(setting, "t", Phase.FLAT, ledger, delivered_late=False)
    setting.truth.write_text(json.dumps({"n": 1, "to": 1, "ms": 9_000, "ns": 1, **ORDER}) + "\n")
    after = judge(setting, "t", Phase.FLAT, ledger, delivered_late=False)
    ledger.close()
    assert len(after) > len(before), after


def test_cut_points_come_from_a_trace() -> None:
    """Each moment once, in its order, under a name that finds it again."""
    counter = Counter(None)
    for moment, what in ((Moment.BEGUN, "task"), (Moment.BEFORE, "place_legs"), (Moment.BEGUN, "task")):
        assert not counter.is_here(moment, what)
    assert [str(cut) for cut in cuts_of(counter.trace)] == [
        "kill:begun:task#1",
        "kill:before:place_legs#1",
        "kill:begun:task#2",
    ]
    assert Cut.read("late:sent:any#3") == Cut(Point(Moment.SENT, "any", 3), How.LATE)


@pytest.mark.parametrize(("wanted", "at"), [("sent:record#1", 2), ("sent:any#2", 1), ("sent:any#4", None)])
def test_the_knife_knows_its_moment(wanted: str, at: int | None) -> None:
    """By the effect's own count, or by that of all effects."""
    counter = Counter(Point.read(wanted))
    here = [counter.is_here(Moment.SENT, what) for what in ("place_legs", "poll_fills", "record")]
    assert here == [index == at for index in range(3)]


@pytest.mark.parametrize("name", ["clean-2/kill:sometime:task#1", "clean-2/maim:begun:task#1", "clean-2/kill:begun"])
def test_a_cut_that_is_none_is_one_line(name: str) -> None:
    """Said with what would do."""
    with pytest.raises(UserError, match=r"is no (cut|point)"):
        Case.read(name)


def test_a_scenario_that_is_none_is_one_line() -> None:
    """Said with those that there are."""
    with pytest.raises(UnknownThing, match="clean-2"):
        Case.read("unclean/uncut")
    assert str(Case.read("exit")) == "exit/uncut"
    assert str(Case.read("exit/forgetful")) == "exit/forgetful"


def test_the_quick_sample_has_every_scenario_and_every_kind_of_cut() -> None:
    """And it is the same sample every time."""
    cases = sample.quick()
    assert cases == sample.quick()
    assert {case.scenario for case in cases} == set(BY_NAME)
    cuts = [case.cut for case in cases if case.cut]
    assert {cut.point.moment for cut in cuts} == set(Moment)
    assert {cut.how for cut in cuts} == set(How)
    assert any(case.forgetful for case in cases)
    assert any(case.story.across and case.cut and case.cut.how is How.LATE for case in cases)
    assert sum(cut.how is How.KILL for cut in cuts) >= 50
    done = {act.do for case in cases for act in case.story.acts}
    assert done == set(Do)


def test_the_matrix_is_every_moment_of_every_uncut_run() -> None:
    """All kinds of death where everything is asked for."""
    uncut = [CaseResult(Case("exit"), (), reached=True, trace=("begun:task#1", "sent:exit_leg#1"))]
    assert {str(case) for case in sample.matrix(uncut, full=False)} == {
        "exit/kill:begun:task#1",
        "exit/kill:sent:exit_leg#1",
    }
    assert len(sample.matrix(uncut, full=True)) == 6


def test_only_new_and_whole_lines_of_the_record_count(tmp_path: Path) -> None:
    """What an earlier trade left is not this one's moment, nor is a line that is being written."""
    path = tmp_path / "truth.jsonl"
    path.write_text('{"kind": "order"}\n')
    lines = Truth(path)
    with path.open("a") as file:
        file.write('{"kind": "order"}\n{"kind": "fill"}\n{"kind": "or')
    assert (lines.count("order"), lines.count("fill"), lines.count("canceled")) == (1, 1, 0)


def test_a_fault_that_never_struck_is_named(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text('{"kind": "fault", "name": "lost"}\n')
    lines = Truth(path)
    with path.open("a") as file:
        file.write('{"kind": "fault", "name": "partial"}\n')
    assert lines.unstruck(["partial:0.5,share=0.3", "lost,count=1"]) == ["lost"]


def test_a_worker_killed_with_its_bytes_on_the_way_is_replaced() -> None:
    """The real thing: SIGKILL after the orders have left, before their answer is read; another worker goes on."""
    (result,) = run_cases([Case.read("clean-2/kill:flying:post#1")])
    assert result.reached
    assert result.violations == ()
    assert result.phase in {Phase.COMMITTED, Phase.FLAT}
    assert result.replays == 1


def test_every_cross_venue_scenario_is_of_two_legs_and_named_once() -> None:
    """And the single ones have no fault at Kalshi."""
    assert len({scenario.name for scenario in ACROSS}) == len(ACROSS) >= 12
    assert all(scenario.across and scenario.legs == 2 for scenario in ACROSS)
    assert not [name for name, scenario in BY_NAME.items() if scenario.kalshi and not scenario.across]


def test_a_worker_killed_between_the_waves_is_replaced() -> None:
    """The leg that goes first is filled at Kalshi, the other was not sent; both journals are judged."""
    results = run_cases([Case.read("first/kill:before:place_legs#2"), Case.read("kalshi-dies/uncut")])
    assert all(result.reached for result in results)
    assert [result.violations for result in results] == [(), ()]
    assert {result.phase for result in results} <= {Phase.COMMITTED, Phase.FLAT}


def test_what_kalshis_journal_says_is_judged(tmp_path: Path) -> None:
    """An order there that nobody intended is a breach."""
    setting = Setting(tmp_path, "", "", "0x1", WALLET, "a", kalshi="http://127.0.0.1:1")
    ledger = setting.ledger()
    ledger.open_account("a", "polymarket", Usd(Decimal(5)))
    for path in setting.truths.values():
        path.write_text("")
    before = judge(setting, "t", Phase.FLAT, ledger, delivered_late=False)
    line = {
        "n": 1,
        "to": 1,
        "ms": 9_000,
        "ns": 1,
        "kind": "order",
        "account_id": "paper",
        "ticker": "KX",
        "side": "bid",
    }
    line |= {"order_id": "k", "client_order_id": "c", "price": "0.5", "count": "10", "received_ms": 9_000}
    setting.truths["kalshi"].write_text(json.dumps(line | {"time_in_force": "good_till_canceled"}) + "\n")
    after = judge(setting, "t", Phase.FLAT, ledger, delivered_late=False)
    ledger.close()
    assert len(after) > len(before), after


def test_an_order_that_is_sent_again_after_a_reset_is_found() -> None:
    """The layer can fail: without the ledger's fence, a reset sends the orders a second time."""
    (result,) = run_cases([Case.read("reset-placed/uncut")], mutation="every attempt is fresh")
    assert any("sent again" in text for text in result.violations), result
