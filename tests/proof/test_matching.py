"""The comparison of the matching engine with a brute force: it sees everything, and catches an engine that is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arbsaga.exchange import accounts, book, desk, fees, matching, settlement
from arbsaga.exchange.clearing import Clearing
from arbsaga.exchange.model import NewOrder
from proof.matching.compare import compare
from proof.matching.prove import compare_all

SEEDS = range(10)


def test_nothing_differs_and_every_kind_of_thing_happens(tmp_path: Path) -> None:
    """Otherwise the comparison would be of little: every order type, match, settlement, refusal and end occurs."""
    done = [compare(seed, tmp_path) for seed in SEEDS]
    assert [one.wrong for one in done if one.wrong] == []
    lines = [json.loads(line) for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert {line["type"] for line in lines if line["kind"] == "order"} == {"GTC", "GTD", "FAK", "FOK"}
    assert {line["match"] for line in lines if line["kind"] == "trade"} == {"complementary", "mint", "merge"}
    statuses = {line["status"] for line in lines if line["kind"] == "settlement"}
    assert statuses == {"MINED", "CONFIRMED", "RETRYING", "FAILED"}
    assert {"user", "expired", "market resolved"} <= {line["why"] for line in lines if line["kind"] == "canceled"}
    kinds = {line["kind"] for line in lines}
    assert {"tick", "duplicate", "released", "payout", "resolved"} <= kinds
    refusals = " ".join(line["text"] for line in lines if line["kind"] == "refused")
    words = ("not enough balance", "post-only", "min size: $1", "FOK orders", "FAK orders", "lower than the minimum")
    assert [word for word in (*words, "invalid expiration", "invalid amounts") if word not in refusals] == []


def test_the_same_seed_is_the_same_flow(tmp_path: Path) -> None:
    first = compare(3, tmp_path)
    (tmp_path / "truth-3.jsonl").rename(tmp_path / "first")
    assert compare(3, tmp_path) == first
    texts = [path.read_text().splitlines() for path in (tmp_path / "first", tmp_path / "truth-3.jsonl")]
    told = [[{**json.loads(line), "ns": 0} for line in lines] for lines in texts]
    assert told[0] == told[1]


def newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Price-time priority broken: of one price the youngest order trades first."""

    def crossing(self: book.Book, token_id: str, side: Any, limit: int) -> Any:
        orders = list(ORIGINAL_CROSSING(self, token_id, side, limit))
        prices = {id(one): self.yes_terms(one.token_id, one.side, one.price)[1] for one in orders}
        seen = list(dict.fromkeys(prices.values()))
        return iter([one for at in seen for one in reversed(orders) if prices[id(one)] == at])

    monkeypatch.setattr(book.Book, "crossing", crossing)


def takers_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """No price improvement: the taker pays its own limit."""
    original = matching._terms
    monkeypatch.setattr(matching, "_terms", lambda taker, maker: (original(taker, maker)[0], taker.price))


def minted_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mint in which the maker's rounding is given to the taker too: money is lost."""
    original = desk.match

    def match(at: book.Book, taker: Any) -> list[matching.Match]:
        found = original(at, taker)
        return [replace(one, taker_usd=one.taker_usd - 1) if one.kind == "mint" else one for one in found]

    monkeypatch.setattr(desk, "match", match)


def failed_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A FAILED trade moves its money all the same."""
    original = Clearing._draft

    def draft(self: Clearing, trade: Any, status: Any) -> Any:
        return self.state.settlement(trade) if status == "FAILED" else original(self, trade, status)

    monkeypatch.setattr(Clearing, "_draft", draft)


def fee_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fee is rounded to a whole cent."""
    monkeypatch.setattr(fees, "_STEP", 10_000)


def overdraft(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open orders are not counted off what may be spent."""
    original = desk.check_funds

    def check(account: accounts.Account, order: Any, amount: int, market: Any) -> None:
        original(replace(account, open={}), order, amount, market)

    monkeypatch.setattr(desk, "check_funds", check)


def fok_filled_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A FOK that finds too little trades what there is."""
    monkeypatch.setattr(desk, "filled", lambda order, matches: bool(matches))


def post_only_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    """A post-only order takes liquidity."""
    original = desk.OrderDesk._submit

    def submit(self: desk.OrderDesk, new: NewOrder) -> Any:
        return original(self, replace(new, post_only=False))

    monkeypatch.setattr(desk.OrderDesk, "_submit", submit)


def losers_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """The losing shares are paid out."""
    original = settlement.redeem

    def redeem(draft: Any, addresses: Any, winner: int, settling: Any = None) -> None:
        original(draft, addresses, 1 - winner, settling)

    monkeypatch.setattr("arbsaga.exchange.state.redeem", redeem)


def same_id_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that was used before is taken again."""
    monkeypatch.setattr(desk.OrderDesk, "_refuse_duplicate", lambda self, new: None)


ORIGINAL_CROSSING = book.Book.crossing
BREAKS = [
    newest_first,
    takers_price,
    minted_for_less,
    failed_moves,
    fee_forgotten,
    overdraft,
    fok_filled_in_part,
    post_only_trades,
    losers_win,
    same_id_twice,
]


@pytest.mark.parametrize("break_it", BREAKS)
def test_an_engine_that_is_wrong_is_caught(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Each of these was made wrong on purpose; a flow of a few hundred orders shows it."""
    break_it(monkeypatch)
    assert any(one.wrong for one in compare_all(SEEDS))


def test_a_failing_seed_can_be_run_again_alone() -> None:
    """As its sentence says."""
    command = [sys.executable, "-m", "proof.matching", "--seed", "5", "--steps", "40"]
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "nothing differs" in again.stdout
