"""`arbsaga up` end to end, as a user runs it: real servers, real processes, judged by the truth journal."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from arbsaga_command import Run, in_folder
from running import RUN_S, Running, fetched, key_is_nowhere, promise_held

from arbsaga.exchange import recordings

RECORDING = Path(recordings.__file__).with_name("synthetic.parquet")


def test_on_a_recording_nothing_is_found_but_what_was_planted_and_what_a_person_trades(
    up: Callable[..., Running],
) -> None:
    running = up("--recording", str(RECORDING), "--for", "40", "--json")
    arbsaga = in_folder(running.folder)
    running.until(running.saw("trader is ready"))
    events = fetched(f"{running.exchange}/events/keyset?limit=100")["events"]
    fair = next(one for one in events if one["negRisk"] and len(one["markets"]) > 2)

    tokens = [
        one["positionIds"] if one["version"] == "v2" else json.loads(one["clobTokenIds"]) for one in fair["markets"]
    ]
    legs = [part for _, no in tokens[:2] for part in ("--leg", no)]
    done = arbsaga("trade", *legs, "--size", "6", "--min-edge", "-0.9", "--data-dir", "data", "--json")
    assert done.code == 0, done
    by_hand = json.loads(done.out)
    assert by_hand["phase"] == "COMMITTED"
    told = arbsaga("show", by_hand["plan"]["trade_id"][-6:], "--data-dir", "data").out
    assert all(word in told for word in ("COMMITTED", "evidence", "fill", "leg 0", "pays"))
    assert " VALIDATING " not in "".join(
        line for line in running.err.splitlines() if by_hand["plan"]["trade_id"] not in line
    )

    planted_ms = time.time_ns() // 1_000_000
    fetched(f"{running.exchange}/admin/plant", {"event_id": fair["id"], "edge": "0.06"})
    promise_held(running.result())
    rows = json.loads(arbsaga("trades", "--data-dir", "data", "--json").out)["trades"]
    found = [row for row in rows if row["trade_id"] != by_hand["plan"]["trade_id"]]
    assert min(row["decided_ms"] for row in found) - planted_ms < 1_000
    assert {row["basket"].partition(":")[2] for row in found} == {fair["id"]}


def test_at_a_loss_it_trades_on_a_recording_and_keeps_the_promise(up: Callable[..., Running]) -> None:
    answer = up("--recording", str(RECORDING), "--trades", "2", "--min-edge", "-0.05", "--json").result()
    promise_held(answer)
    assert answer["trades"] >= 2
    assert answer["profit_usd"] < 0


def test_the_promise_holds_although_legs_are_lost_and_the_trader_is_killed(up: Callable[..., Running]) -> None:
    running = up("--trades", "4", "--seed", "7", "--fault", "lose_leg:0.2,only=entry", "--json")
    running.until(running.saw(" PLACING "), RUN_S)
    os.kill(running.child("trader"), signal.SIGKILL)
    answer = running.result()
    promise_held(answer)
    assert answer["trades"] >= 4
    assert answer["restarts"] >= 1
    assert answer["truth_journal"] == str(running.data / "truth.jsonl")
    assert answer["decision_to_wire_ms"]["p50"] > 0
    assert answer["messages"] > 0
    key_is_nowhere(running.data)


def test_a_stopped_run_goes_on_with_its_open_trades(up: Callable[..., Running], tmp_path: Path) -> None:
    running = up("--fault", "slow_settlement,seconds=20")
    arbsaga = in_folder(tmp_path)

    def ask(*args: str) -> Run:
        return arbsaga(*args, "--data-dir", "data")

    running.until(running.saw(" SETTLING "), RUN_S)
    ask("up").is_one_clear_line("another `arbsaga up`")
    assert json.loads(ask("doctor", "--json").out)["checks"]
    ask("trade", "--leg", "1", "--leg", "2", "--size", "10").is_one_clear_line("no open market has the token '1'")
    assert "pause for lunch" in ask("halt", "pause for lunch").out
    assert json.loads(ask("resume", "--json").out) == {"halted": "", "before": "pause for lunch"}

    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert "go on with the next" in running.out
    lines = [line.split() for line in running.out.splitlines()]
    ended = {line[0] for line in lines if line[1:2] in (["COMMITTED"], ["FLAT"])}
    open_before = {line[0] for line in lines if line[1:2] == ["SETTLING"]} - ended

    again = up("--trades", "1", "--json")
    answer = again.result()
    promise_held(answer)
    rows = {row["trade_id"]: row for row in json.loads(ask("trades", "--json").out)["trades"]}
    assert open_before <= rows.keys()
    assert all(rows[trade_id]["phase"] in ("COMMITTED", "FLAT") for trade_id in open_before)
    ask("abort", min(open_before)).is_one_clear_line("has ended COMMITTED", "nothing to abort")
    ask("resolve", min(open_before), "done").is_one_clear_line("only a HELD trade can be resolved")
