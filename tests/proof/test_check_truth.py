"""The independent judge: for each thing that can be wrong, one small record in which exactly that is wrong."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hand_made import START, Scene, broken, id_of, planned, undo

from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import Purpose
from arbsaga.saga.judge import entry_orders
from tools.check_truth import check
from tools.truth_files import read_journal
from tools.truth_record import salt_of

TOOLS = Path(__file__).parents[2] / "tools"


def test_nothing_is_found_where_nothing_is_wrong(scene: Scene) -> None:
    scene.good_trade()
    findings = scene.judge(limit=Decimal(10))
    assert findings.violations == ()
    assert findings.trades == {"COMMITTED": 1}
    assert findings.counts == {"orders": 2, "fills": 2}
    assert findings.most_out_usd == Decimal("8.02")


def test_a_trade_that_was_undone_is_in_order(scene: Scene) -> None:
    """One leg filled, the other was cancelled, the first is sold again: FLAT, and nothing is out any more."""
    plan = planned()
    a, b = entry_orders(plan)
    leave = undo(a, Purpose.EXIT)
    scene.intend(a, b, leave)
    scene.trade(a)
    scene.accept(b)
    scene.cancel(b)
    scene.trade(leave)
    scene.record(plan, (a, b, leave), "FLAT")
    scene.good_trade(planned("t2", decided_ms=START + 60_000))
    findings = scene.judge(limit=Decimal("8.1"))
    assert findings.violations == ()
    assert findings.counts["cancels"] == 1


def test_it_imports_nothing_of_ours() -> None:
    """The judge stands alone: standard library and itself."""
    for path in TOOLS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names or (top == "tools" and path.name != "truth_files.py"), name


def test_the_salt_is_the_one_that_orders_are_signed_with() -> None:
    terms = entry_orders(planned())[1]
    assert salt_of(("t1", 1, 1)) == terms.salt


def test_the_command_line_says_the_same(scene: Scene) -> None:
    """0 and the counts where all is well; 1 and a sentence where it is not. Run as a file, from anywhere."""
    scene.good_trade()
    scene.judge()
    folder = scene.folder
    command = [sys.executable, "-I", str(TOOLS / "check_truth.py"), "--account", "ann", "--wallet", "0xWallet"]
    for name, file in (("truth", "truth.jsonl"), ("ledger", "ledger.sqlite"), ("alerts", "alerts.jsonl")):
        command += [f"--{name}", str(folder / file)]
    good = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    bad = subprocess.run([*command, "--limit", "1"], check=False, cwd=folder, capture_output=True, text=True)
    assert (good.returncode, bad.returncode) == (0, 1), good.stderr + bad.stderr
    assert "'COMMITTED': 1" in good.stdout
    assert "VIOLATION I5" in bad.stdout


# -- the files


def test_a_batch_that_a_crash_cut_short_does_not_count(scene: Scene) -> None:
    """It was never answered: neither a torn line nor the whole lines of a batch without its end."""
    scene.good_trade()
    late = scene.line("duplicate", order_id="0x1", address="0xWallet")
    late["to"] += 1
    findings = scene.judge(torn='{"n": 99, "to"')
    assert findings.violations == ()


def test_damage_in_the_middle_is_not_read_over(scene: Scene) -> None:
    scene.good_trade()
    scene.lines[3]["n"] = 77
    with pytest.raises(ValueError, match="line 4"):
        scene.judge()


def test_a_missing_journal_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        read_journal(tmp_path / "nowhere")


# -- I1: once, as intended, within the plan, at every moment


def test_a_second_order_for_one_attempt(scene: Scene) -> None:
    _, (a, _) = scene.good_trade()
    scene.accept(a, order_id="0xother")
    scene.line("canceled", order_id="0xother", address="0xWallet", why="user")
    found = broken(scene, "I1 order t1/0/1 (0xother", "I5 trade t1", "I10")
    assert any("second one for its attempt" in one for one in found)


def test_a_killed_order_uses_its_attempt_up(scene: Scene) -> None:
    """A FOK that found too little was refused, but it reached the engine: another one is the second."""
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.line("refused", order_id="0xkilled", address="0xWallet", text="killed", used=True, salt=a.salt)
    scene.trade(a)
    scene.trade(b)
    scene.record(plan, (a, b), "COMMITTED")
    broken(scene, "I1 order t1/0/1")


def test_an_order_sent_again(scene: Scene) -> None:
    _, (a, _) = scene.good_trade()
    scene.line("duplicate", order_id=id_of(a), address="0xWallet")
    broken(scene, "I1 order")


def test_an_order_that_was_never_planned(scene: Scene) -> None:
    """Its salt is that of no trade, leg and attempt."""
    _, (a, _) = scene.good_trade()
    scene.accept(a, order_id="0xorphan", salt=123)
    scene.line("canceled", order_id="0xorphan", address="0xWallet", why="user")
    broken(scene, "I1 order of no trade")


def test_an_attempt_that_was_never_written_down(scene: Scene) -> None:
    """The fence: the salt is that of a third attempt, which the ledger does not have."""
    _, (a, _) = scene.good_trade()
    stray = undo(a, Purpose.EXIT, attempt=3)
    scene.accept(stray)
    scene.cancel(stray)
    broken(scene, "I1 order t1/0/3")


@pytest.mark.parametrize("change", [{"price": "0.5"}, {"size": "11"}, {"side": "SELL"}, {"timestamp": START}])
def test_an_order_that_is_not_what_was_written_down(scene: Scene, change: dict[str, object]) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a, **change)
    scene.cancel(a)
    scene.record(plan, (a, b), "FLAT")
    assert any("is not what was written down" in one for one in broken(scene, "I1 order t1/0/1"))


def test_an_order_id_that_is_another_one_in_the_ledger(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a, order_id="0xelse")
    scene.line("canceled", order_id="0xelse", address="0xWallet", why="user")
    scene.record(plan, (a, b), "FLAT")
    broken(scene, "I1 order t1/0/1 (0xelse")


def test_a_leg_that_could_be_filled_beyond_its_plan(scene: Scene) -> None:
    """At one moment both orders rested. That only one of them filled afterwards does not mend it."""
    plan = planned()
    a, b = entry_orders(plan)
    again = undo(a, Purpose.COMPLETE)
    scene.intend(a, b, again)
    scene.trade(b)
    scene.accept(a)
    scene.accept(again)
    scene.cancel(a)
    scene.settle(scene.fill(again))
    scene.record(plan, (a, b, again), "COMMITTED")
    (found,) = broken(scene, "I1 order t1/0/2")
    assert "takes its leg to 20 shares, 10 were planned" in found


def test_a_fill_beyond_the_plan(scene: Scene) -> None:
    """A FOK buy fixes dollars, and can get more shares than it asked for."""
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a, type="FOK")
    scene.settle(scene.fill(a, size="12"))
    scene.trade(b)
    scene.record(plan, (a, b), "COMMITTED")
    assert any("takes its leg to 12" in one for one in broken(scene, "I1 order t1/0/1", "I2 trade t1"))


def test_an_exit_larger_than_the_fill(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    leave = undo(a, Purpose.EXIT, size="9")
    scene.intend(a, b, leave)
    scene.accept(a)
    scene.settle(scene.fill(a, size="4"))
    scene.cancel(a)
    scene.accept(leave)
    scene.settle(scene.fill(leave, size="4"))
    scene.cancel(leave)
    scene.record(plan, (a, b, leave), "FLAT")
    (found,) = broken(scene, "I1 order t1/0/2")
    assert "takes 9 shares off a leg that has 4" in found


def test_an_exit_is_judged_by_what_was_known_when_it_was_made(scene: Scene) -> None:
    """The fill it sells failed after the exit was decided, and before it arrived: nobody could know."""
    plan = planned()
    a, b = entry_orders(plan)
    leave = undo(a, Purpose.EXIT, after_ms=1_000)
    scene.intend(a, b, leave)
    scene.accept(a)
    match = scene.fill(a)
    scene.ms = leave.created_ms
    scene.settle(match, "FAILED")
    scene.accept(leave)
    scene.cancel(leave)
    scene.record(plan, (a, b, leave), "FLAT")
    assert scene.judge().violations == ()


# -- I2, I8: equal at the end, or HELD and paged


def one_legged(scene: Scene, phase: str, status: str = "CONFIRMED", size: str = "10") -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a)
    scene.settle(scene.fill(a, size=size))
    scene.cancel(a)
    scene.accept(b)
    if status == "FAILED":
        scene.settle(scene.fill(b, size=size), status)
    scene.cancel(b)
    scene.record(plan, (a, b), phase)


def test_a_naked_leg(scene: Scene) -> None:
    one_legged(scene, "FLAT")
    (found,) = broken(scene, "I2 trade t1")
    assert "10 shares of yes-a" in found


def test_a_naked_leg_after_a_failed_fill(scene: Scene) -> None:
    """Counted as filled it would look equal."""
    one_legged(scene, "FLAT", "FAILED")
    broken(scene, "I2 I8, after a fill that FAILED: trade t1")


def test_a_few_shares_are_residue(scene: Scene) -> None:
    """Less than the venue takes as an order, and cheap: reported apart, no exposure."""
    one_legged(scene, "FLAT", size="3")
    assert scene.judge().violations == ()


@pytest.mark.parametrize(("names", "kept"), [("ab", True), ("abcd", False)])
def test_a_few_shares_of_every_leg_add_up(scene: Scene, names: str, kept: bool) -> None:
    """What is left over may cost $2 in all: 4 shares of one leg at 0.40 do not, 4 of each of three legs do."""
    plan = planned(names=names)
    plan = replace(plan, undo=replace(plan.undo, residue_usd=Usd(Decimal(2))))
    entries = entry_orders(plan)
    scene.intend(*entries)
    for terms in entries[1:]:
        scene.accept(terms)
        scene.settle(scene.fill(terms, "4", match=f"m{terms.leg}"))
        scene.cancel(terms)
    scene.record(plan, entries, "FLAT")
    assert (scene.judge().violations == ()) is kept


def test_a_held_trade_may_be_naked_where_a_person_was_told(scene: Scene) -> None:
    one_legged(scene, "HELD")
    scene.page("t1")
    assert scene.judge().violations == ()


@pytest.mark.parametrize("failed", [True, False])
def test_a_held_trade_without_a_delivered_page(scene: Scene, failed: bool) -> None:
    """Never written, or not taken by a service."""
    one_legged(scene, "HELD")
    if failed:
        scene.page("t1", failed=True)
    assert any("no page" in one for one in broken(scene, "I2 trade t1"))


def test_a_committed_trade_without_anything(scene: Scene) -> None:
    scene.record(planned(), (), "COMMITTED")
    broken(scene, "I2 trade t1 is COMMITTED with 0 units")


def test_a_flat_trade_that_holds_units(scene: Scene) -> None:
    plan, entries = scene.good_trade()
    scene.record(plan, entries, "FLAT")
    broken(scene, "I2 trade t1 is FLAT with 10 units")


def test_a_failed_fill_that_our_books_count(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a)
    match = scene.fill(a)
    scene.cancel(a)
    scene.record(plan, (a, b), "FLAT")
    scene.settle(match, "FAILED")
    assert any(one.startswith("I8 order t1/0/1") for one in broken(scene, "I8 order", "I4"))


# -- I6, I7, I10: halts, ends, time


def test_an_entry_decided_in_a_halt(scene: Scene) -> None:
    plan, _ = scene.good_trade()
    broken(scene, "I6 order t1/0/1", "I6 order t1/1/1", halts=[(plan.decided_ms - 1, plan.decided_ms + 1)])


def test_undoing_is_never_blocked_by_a_halt(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    leave = undo(a, Purpose.EXIT)
    scene.intend(a, b, leave)
    scene.trade(a)
    scene.trade(leave)
    scene.record(plan, (a, b, leave), "FLAT")
    assert scene.judge(halts=[(leave.created_ms - 1, leave.created_ms + 1)]).violations == ()


def test_an_entry_of_a_trade_that_is_being_undone(scene: Scene) -> None:
    """An abort, or a sibling that was refused: nothing new is entered from then on."""
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a)
    scene.cancel(a)
    scene.ms += 800
    scene.accept(b)
    scene.cancel(b)
    scene.record(plan, (a, b), "FLAT")
    broken(scene, "I6 order t1/1/1")


def test_a_leg_that_follows_may_come_after_the_first_ones_rest_was_canceled(scene: Scene) -> None:
    """Whoever took over from a dead worker sends it seconds later; that is no undoing."""
    plan = replace(planned(), first=(0,))
    a, b = entry_orders(planned())
    b = replace(b, size=Size(Decimal(6)), created_ms=b.created_ms + 3_000, send_by_ms=b.send_by_ms + 3_000)
    scene.intend(a, b)
    scene.accept(a)
    scene.settle(scene.fill(a, size="6"))
    scene.cancel(a)
    scene.trade(b)
    scene.record(plan, (a, b), "COMMITTED")
    assert scene.judge().violations == ()


def test_a_leg_that_follows_comes_too_late_once_the_first_is_being_undone(scene: Scene) -> None:
    plan = replace(planned(), first=(0,))
    a, b = entry_orders(planned())
    leave = undo(a, Purpose.EXIT, after_ms=1_000)
    b = replace(b, created_ms=b.created_ms + 3_000, send_by_ms=b.send_by_ms + 3_000)
    scene.intend(a, b, leave)
    scene.trade(a)
    scene.trade(leave)
    scene.accept(b)
    scene.cancel(b)
    scene.record(plan, (a, b, leave), "FLAT")
    broken(scene, "I6 order t1/1/1")


def test_a_refused_trade_with_an_order(scene: Scene) -> None:
    plan = planned()
    a, _ = entry_orders(plan)
    scene.intend(a)
    scene.accept(a)
    scene.cancel(a)
    scene.record(plan, (), "REFUSED", "aborted before any order")
    broken(scene, "I6 trade t1 was refused")


def test_a_trade_that_has_not_ended(scene: Scene) -> None:
    plan, entries = scene.good_trade()
    scene.record(plan, entries, "SETTLING")
    broken(scene, "I7 trade t1 has not ended: it is SETTLING")


def test_an_intent_of_a_trade_that_recorded_nothing(scene: Scene) -> None:
    scene.intend(entry_orders(planned())[0])
    broken(scene, "I7 trade t1 has not ended: it is not recorded")


def test_a_fill_of_a_trade_that_recorded_nothing(scene: Scene) -> None:
    """Naked: nobody knows of it."""
    a, _ = entry_orders(planned())
    scene.intend(a)
    scene.trade(a)
    found = broken(scene, "I7 trade t1", "I2 trade t1", "I4", "I1 order t1/0/1")
    assert "I2 trade t1 filled and has recorded nothing" in found


def test_an_order_that_still_rests(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a)
    scene.record(plan, (a, b), "FLAT")
    broken(scene, "I7 order t1/0/1", "still rests")


def test_a_fill_that_has_not_settled(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.trade(a)
    scene.accept(b)
    scene.fill(b)
    scene.record(plan, (a, b), "COMMITTED")
    broken(scene, "I7 order t1/1/1", "has a fill that is only MATCHED")


def test_an_order_received_after_its_send_by(scene: Scene) -> None:
    """A worker that was stopped and woke up late."""
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a)
    scene.accept(b, received_ms=b.send_by_ms + 501)
    for terms in (a, b):
        scene.cancel(terms)
    scene.record(plan, (a, b), "FLAT")
    broken(scene, "I10 order t1/1/1")


def test_of_another_wallet_nothing_is_said(scene: Scene) -> None:
    scene.good_trade()
    scene.line("duplicate", order_id="0x1", address="0xSomebody")
    scene.lines.append(json.loads(json.dumps(scene.lines[2])) | {"n": 0})
    other = scene.lines[-1]
    other |= {"n": len(scene.lines), "to": len(scene.lines), "address": "0xSomebody"}
    assert scene.judge().violations == ()
    assert check(*(scene.folder / name for name in ("truth.jsonl", "ledger.sqlite", "a")), "ann", "0xNo").violations
