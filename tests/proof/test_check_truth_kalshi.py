"""The independent judge over two journals: a basket with a leg at Polymarket and one at Kalshi, broken in many ways."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hand_made import RULES, START, Scene, id_of, leg_of, planned

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import TradePlan
from arbsaga.saga.trade import Trade
from tools import check_truth
from tools.check_truth import Findings

MEMBER = "paper"
THERE = Instrument(
    "kalshi", "KXT-1", "kalshi:KXT-1:YES", "kalshi:KXT-1:NO", Outcome.YES, "T", replace(RULES, nets=True)
)


@dataclass
class Both(Scene):
    """The same with Kalshi's lines beside it; our books have every fill as the exchanges told it, or as `ours` says."""

    theirs: list[dict[str, Any]] = field(default_factory=list)
    cash: Decimal = Decimal(100)
    net: Decimal = Decimal(0)
    ours: dict[str, Fill] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for venue in ("polymarket", "kalshi"):
            self.ledger.open_account("ann", venue, Usd(Decimal(100)))
        self.tell("deposit", exchange_index=0, amount="100")
        self.tell("balance", exchange_index=0, balance="100")

    def tell(self, kind: str, **fields: Any) -> None:
        n = len(self.theirs) + 1
        head = {"n": n, "to": n, "ms": self.ms, "ns": 0, "kind": kind, "account_id": MEMBER}
        self.theirs.append(head | fields)

    def ask(self, terms: OrderTerms, **changes: Any) -> None:
        """An order to buy NO: an ask for YES at the rest of the price."""
        self.ms = max(self.ms, terms.created_ms + 5)
        fields = {
            "order_id": f"venue-{id_of(terms)}",
            "client_order_id": id_of(terms),
            "ticker": "KXT-1",
            "side": "ask",
            "price": str(1 - terms.limit),
            "count": str(terms.size),
            "time_in_force": "good_till_canceled",
            "received_ms": self.ms,
            "received_ns": 0,
        }
        self.tell("order", **fields | changes)

    def sell(self, terms: OrderTerms, count: str = "10", revenue: str | None = None, fee: str = "0.01") -> None:
        """It trades at its limit; `revenue` where the exchange paid something else than NO costs."""
        self.net -= Decimal(count)
        paid = Decimal(revenue) if revenue is not None else -Decimal(count) * terms.limit
        self.cash += paid - Decimal(fee)
        self.tell(
            "fill",
            fill_id=f"f{len(self.theirs)}",
            trade_id="t",
            exchange_index=0,
            order_id=f"venue-{id_of(terms)}",
            client_order_id=id_of(terms),
            ticker="KXT-1",
            side="ask",
            price=str(1 - terms.limit),
            count=count,
            revenue=str(paid),
            fee=fee,
            position=str(self.net),
        )
        self.tell("balance", exchange_index=0, balance=str(self.cash))
        size = Size(Decimal(count))
        self.ours[id_of(terms)] = Fill("f", size, terms.limit, Usd(Decimal(fee)), FillStatus.CONFIRMED, self.ms)

    def book(self, plan: TradePlan, orders: tuple[OrderTerms, ...], phase: str = "COMMITTED") -> None:
        """What our ledger has of the trade."""
        views = []
        for terms in orders:
            fills = tuple(self.fills[id_of(terms)]) or tuple(filter(None, [self.ours.get(id_of(terms))]))
            views.append(OrderView(terms, id_of(terms), OrderState.DONE, fills))
        self.ledger.record(Trade(plan, tuple(views)).record(phase, "", self.ms))

    def verdict(self, pairs: Path | None = None) -> Findings:
        path = self.folder / "kalshi.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in self.theirs))
        return self.judge(kalshi_truth=path, pairs=pairs)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def crossed() -> tuple[TradePlan, tuple[OrderTerms, ...]]:
    """Ten of YES at Polymarket and NO at Kalshi, 0.40 each."""
    basket = cross("pair", "one question", BasketKind.IDENTITY, leg_of("a"), THERE.other())
    plan = replace(planned(), basket=basket)
    return plan, tuple(entry_orders(plan))


def done(both: Both, **order: Any) -> tuple[TradePlan, tuple[OrderTerms, ...]]:
    """The trade as it should be; `order` changes what Kalshi accepted."""
    plan, orders = crossed()
    both.intend(*orders)
    both.trade(orders[0])
    both.ask(orders[1], **order)
    both.sell(orders[1])
    both.book(plan, orders)
    return plan, orders


def test_a_trade_over_both_venues_as_it_should_be(both: Both) -> None:
    done(both)
    found = both.verdict()
    assert found.violations == ()
    assert (found.trades["COMMITTED"], found.counts["orders"], found.counts["fills"]) == (1, 2, 2)
    assert found.most_out_usd == Decimal("8.02")


def test_another_members_lines_are_not_ours(both: Both) -> None:
    done(both)
    both.tell("duplicate", client_order_id="x", side="bid", account_id="bob")
    assert both.verdict().violations == ()


def late(both: Both) -> None:
    done(both, received_ms=START + 60_000)


def otherwise(both: Both) -> None:
    done(both, price="0.70")


def unplanned(both: Both) -> None:
    done(both)
    both.tell("order", order_id="v", client_order_id="stray", ticker="KXT-1", side="bid", price="0.1", count="1",
              time_in_force="good_till_canceled", received_ms=both.ms, received_ns=0)  # fmt: skip
    both.tell("ended", order_id="v", filled="0", why="UserCancel")


def again(both: Both) -> None:
    _, orders = done(both)
    both.tell("duplicate", client_order_id=id_of(orders[1]), side="ask")


def one_sided(both: Both) -> None:
    plan, orders = crossed()
    both.intend(*orders)
    both.trade(orders[0])
    both.ask(orders[1])
    both.sell(orders[1], count="4")
    both.tell("ended", order_id=f"venue-{id_of(orders[1])}", filled="4", why="UserCancel")
    both.book(plan, orders)


def resting(both: Both) -> None:
    plan, orders = crossed()
    both.intend(*orders)
    both.trade(orders[0])
    both.ask(orders[1])
    both.sell(orders[1], count="4")
    both.book(plan, orders)


def netted(both: Both) -> None:
    """It closed YES that somebody else held: we booked NO that we do not have."""
    plan, orders = crossed()
    both.net = Decimal(10)
    both.intend(*orders)
    both.trade(orders[0])
    both.ask(orders[1])
    both.sell(orders[1], revenue="6")
    both.book(plan, orders)


def moved_apart(both: Both) -> None:
    """A dollar more here and a dollar less there: the sum is right."""
    done(both)
    both.move("", Decimal(1))
    both.tell("balance", exchange_index=0, balance=str(both.cash - 1))


def overcharged(both: Both) -> None:
    _, orders = done(both)
    both.tell("payout", exchange_index=0, ticker="KXT-9", position="-1", value="0", revenue="1", fee="0")
    next(line for line in both.theirs if line["kind"] == "fill")["fee"] = "0.05"
    assert orders


def paid(both: Both, **changes: Any) -> None:
    """KXT-1 is decided as NO, and ten of it are paid out."""
    done(both)
    both.tell("lifecycle", ticker="KXT-1", status="determined", change="determined", result="no", value="0")
    told = {"ticker": "KXT-1", "exchange_index": 0, "position": "-10", "value": "0", "revenue": "10", "fee": "0"}
    both.tell("payout", **told | changes)
    both.tell("balance", exchange_index=0, balance=str(both.cash + 10), why="payout")


def paid_for_another_position(both: Both) -> None:
    paid(both, position="-7")


def paid_by_another_value(both: Both) -> None:
    paid(both, value="0.3")


def paid_too_much(both: Both) -> None:
    paid(both, revenue="11")


def fill_line(both: Both) -> dict[str, Any]:
    return next(line for line in both.theirs if line["kind"] == "fill")


def billed_otherwise(both: Both) -> None:
    done(both)
    fill_line(both)["revenue"] = "-3"


def held_otherwise(both: Both) -> None:
    done(both)
    fill_line(both)["position"] = "-9"


def money_from_nowhere(both: Both) -> None:
    """The last word on cash is right; what was said before it is not."""
    done(both)
    both.tell("balance", exchange_index=0, balance=str(both.cash + 5))
    both.tell("balance", exchange_index=0, balance=str(both.cash))


def money_never_told(both: Both) -> None:
    done(both)
    both.tell("deposit", exchange_index=2, amount="9")


def named_otherwise(both: Both) -> None:
    done(both)
    next(line for line in both.theirs if line["kind"] == "order")["client_order_id"] = "0xother"


def filled_for_another(both: Both) -> None:
    done(both)
    fill_line(both)["client_order_id"] = "0xother"


def filled_of_nothing(both: Both) -> None:
    done(both)
    fill_line(both)["order_id"] = "nobody's"


def ended_of_nothing(both: Both) -> None:
    done(both)
    both.tell("ended", order_id="nobody's", filled="0", why="UserCancel")


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (paid_for_another_position, "I4 -7 of KXT-1 are held by line 7, its fills come to -10"),
        (paid_by_another_value, "I4 KXT-1 paid 0.3 USD for a YES at line 7, it was decided as 0"),
        (paid_too_much, "I4 the payout of KXT-1 at line 7 moved 11 USD, due 10"),
        (billed_otherwise, "I4 the fill of KXT-1 at line 4 moved -3 USD, due -4"),
        (billed_otherwise, "I4 shard 0 has 95.99 USD at line 5, what moved comes to 96.99"),
        (held_otherwise, "I4 -9 of KXT-1 are held by line 4, its fills come to -10"),
        (money_from_nowhere, "I4 shard 0 has 100.99 USD at line 6, what moved comes to 95.99"),
        (money_never_told, "I4 shard 2 has 0 USD at the end, its fills come to 9"),
        (named_otherwise, "I1 order of no trade (0xother: SELL 10) was accepted and nothing like it was ever planned"),
        (named_otherwise, "is of order 0xother, and says 0x"),
        (filled_for_another, "and says 0xother"),
        (filled_of_nothing, "I1 order nobody's has a fill line and was never accepted"),
        (ended_of_nothing, "I1 order nobody's has a canceled line and was never accepted"),
    ],
)
def test_what_the_record_itself_contradicts_is_found(both: Both, breaks: Callable[[Both], None], words: str) -> None:
    """A payout of another position, or a fill that paid something else, once passed; another id was a KeyError."""
    breaks(both)
    found = both.verdict().violations
    assert any(words in one for one in found), found


def test_a_payout_as_it_should_be(both: Both) -> None:
    """Only our books have not heard of it yet."""
    paid(both)
    found = both.verdict().violations
    assert [one for one in found if "line" in one or "shard" in one] == []


def test_collateral_that_an_event_gives_back_is_in_the_cash(both: Both) -> None:
    done(both)
    both.tell("advance", event_ticker="KXT", amount="3")
    both.tell("balance", exchange_index=0, balance=str(both.cash + 3), why="netting")
    both.tell("advance", event_ticker="KXT", amount="0")
    both.tell("balance", exchange_index=0, balance=str(both.cash), why="netting")
    both.tell("transfer", to_account_id=MEMBER, amount="5", source="0", destination="2")
    both.tell("balance", exchange_index=0, balance=str(both.cash - 5), why="transfer")
    both.tell("balance", exchange_index=2, balance="5", why="transfer")
    assert both.verdict().violations == ()


@pytest.mark.parametrize(("cap", "found"), [("8.02", ()), ("8.01", ("I5 pairs/pair has 8.02 USD out as t1 moves",))])
def test_no_pair_has_more_out_than_its_cap(both: Both, cap: str, found: tuple[str, ...]) -> None:
    done(both)
    pairs = both.folder / "pairs.toml"
    pairs.write_text(f'[[pair]]\nname = "pair"\ncap_usd = {cap}\n[[pair]]\nname = "other"\ncap_usd = 0\n')
    violations = both.verdict(pairs=pairs).violations
    assert [one for one in violations if not one.startswith(found)] == []
    assert len(violations) == len(found)


def test_an_account_that_the_ledger_does_not_know_is_one_line(both: Both) -> None:
    """It passed with 0 trades."""
    done(both)
    both.verdict()
    files = {"truth": "truth.jsonl", "ledger": "ledger.sqlite", "alerts": "alerts.jsonl"}
    argv = [part for name, file in files.items() for part in (f"--{name}", str(both.folder / file))]
    judge = [sys.executable, str(Path(check_truth.__file__)), *argv, "--wallet", "0xWallet", "--account"]
    ran = subprocess.run([*judge, "bob"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [f"cannot judge: {both.folder}/ledger.sqlite knows no account 'bob', only ann"]


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (late, "I10 order t1/1/1"),
        (otherwise, "I1 order t1/1/1 (0x"),
        (unplanned, "was accepted and nothing like it was ever planned"),
        (again, "was sent again: the exchange refused a duplicate"),
        (one_sided, "with 6 shares of"),
        (resting, "still rests at the exchange"),
        (netted, "I4 cash of kalshi moved by 5.99 USD at the exchange, by -4.010000 in our books"),
        (moved_apart, "I4 cash of polymarket moved by"),
        (moved_apart, "I4 cash of kalshi moved by"),
        (overcharged, "I4 order t1/1/1: 0.05 USD of fees billed, 0.01 booked"),
    ],
)
def test_what_is_wrong_at_kalshi_is_found(both: Both, breaks: Callable[[Both], None], words: str) -> None:
    breaks(both)
    found = both.verdict().violations
    assert any(words in one for one in found), found
