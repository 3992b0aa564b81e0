"""A truth journal and a ledger made by hand, line by line, so that each test can break exactly one thing.

The exchange's side is written as JSON, as the format's document says; ours with the real ledger.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.ledger import Ledger
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import PlannedLeg, TradePlan
from arbsaga.saga.trade import Trade
from tools.check_truth import Findings, check

WALLET, ACCOUNT = "0xWallet", "ann"
START = 1_790_000_000_000
DEPOSIT = Decimal(100)
RULES = MarketRules(Decimal("0.01"))


def leg_of(name: str) -> Instrument:
    return Instrument("polymarket", f"c-{name}", f"yes-{name}", f"no-{name}", Outcome.YES, name, RULES)


def planned(
    trade_id: str = "t1", *, decided_ms: int = START + 10_000, reserved: str = "10", names: str = "ab"
) -> TradePlan:
    """Ten shares of each leg, two by default, at 0.40."""
    basket = yes_of_all(trade_id, "one or the other", [leg_of(name) for name in names])
    size = Size(Decimal(10))
    return TradePlan(
        trade_id=trade_id,
        account=ACCOUNT,
        basket=basket,
        units=size,
        legs=(PlannedLeg(size, Price(Decimal("0.4"))),) * len(names),
        cost=Usd(Decimal(8)),
        fees=NO_USD,
        edge=Usd(Decimal(2)),
        reserved=Usd(Decimal(reserved)),
        lease_id="lease",
        lease_expires_ms=decided_ms + 60_000,
        decided_ms=decided_ms,
        decided_ns=0,
        books=(),
    )


def undo(entry: OrderTerms, purpose: Purpose, size: str = "10", attempt: int = 2, after_ms: int = 6_000) -> OrderTerms:
    """A later order of the entry's leg."""
    at = entry.created_ms + after_ms
    what = entry.instrument.other() if purpose is Purpose.HEDGE else entry.instrument
    side = Side.SELL if purpose is Purpose.EXIT else Side.BUY
    return replace(
        entry,
        attempt=attempt,
        purpose=purpose,
        instrument=what,
        side=side,
        size=Size(Decimal(size)),
        created_ms=at,
        send_by_ms=at + 1_000,
        time_in_force=TimeInForce.GTC,
    )


def id_of(terms: OrderTerms) -> str:
    return f"0x{terms.salt:x}"


@dataclass
class Scene:
    """The exchange's lines as they come, and what our ledger is to say of them."""

    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    fills: defaultdict[str, list[Fill]] = field(default_factory=lambda: defaultdict(list))
    over: set[str] = field(default_factory=set)
    balances: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    moves: defaultdict[str, list[tuple[str, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    ms: int = START

    def __post_init__(self) -> None:
        self.ledger = Ledger.open(f"sqlite:///{self.folder / 'ledger.sqlite'}")
        self.line("deposit", address=WALLET, amount=str(DEPOSIT))
        self.move("", DEPOSIT)

    # -- the exchange
    def line(self, kind: str, **fields: Any) -> dict[str, Any]:
        n = len(self.lines) + 1
        self.lines.append({"n": n, "to": n, "ms": self.ms, "ns": 0, "kind": kind, **fields})
        return self.lines[-1]

    def move(self, asset: str, delta: Decimal) -> None:
        self.balances[asset] += delta
        self.line("balance", address=WALLET, token_id=asset or None, delta="", balance=str(self.balances[asset]))

    def accept(self, terms: OrderTerms, **other: Any) -> str:
        """The order is accepted, as soon as it was made."""
        self.ms = max(self.ms, terms.created_ms + 5)
        order_id = other.pop("order_id", id_of(terms))
        fields = {
            "order_id": order_id,
            "address": WALLET,
            "token_id": terms.instrument.token,
            "side": terms.side,
            "price": str(terms.limit),
            "size": str(terms.size),
            "type": "GTC",
            "status": "LIVE",
            "received_ms": self.ms,
            "salt": terms.salt,
            "timestamp": terms.created_ms,
        }
        self.line("order", **fields | other)
        return order_id

    def fill(self, terms: OrderTerms, size: str = "10", match: str = "m", fee: str = "0.01") -> str:
        """Some of it is matched, at its limit."""
        match = f"{match}-{len(self.lines)}"
        usd = Decimal(size) * terms.limit
        fields = {"side": terms.side, "size": size, "price": str(terms.limit), "usd": str(usd), "fee": fee}
        self.line("fill", trade_id=match, order_id=id_of(terms), address=WALLET, **fields)
        way = 1 if terms.side is Side.BUY else -1
        self.moves[match] = [("", -way * usd - Decimal(fee)), (terms.instrument.token, way * Decimal(size))]
        one = Fill(match, Size(Decimal(size)), terms.limit, Usd(Decimal(fee)), FillStatus.MATCHED, self.ms)
        self.fills[id_of(terms)].append(one)
        return match

    def settle(self, match: str, status: str = "CONFIRMED") -> None:
        """What was matched becomes final; only then do shares and money move."""
        self.ms += 1_000
        self.line("settlement", trade_id=match, status=status, over=True)
        for asset, delta in self.moves[match] if status == "CONFIRMED" else ():
            self.move(asset, delta)
        for fills in self.fills.values():
            fills[:] = [replace(one, status=FillStatus(status)) if one.fill_id == match else one for one in fills]

    def trade(self, terms: OrderTerms, status: str = "CONFIRMED", **fill: Any) -> None:
        """Accepted, matched whole, settled."""
        self.accept(terms)
        self.settle(self.fill(terms, size=str(terms.size), **fill), status)

    def cancel(self, terms: OrderTerms) -> None:
        self.ms += 1
        self.over.add(id_of(terms))
        self.line("canceled", order_id=id_of(terms), address=WALLET, why="user", status="CANCELED")

    # -- we
    def intend(self, *orders: OrderTerms) -> None:
        for terms in orders:
            self.ledger.intend([(terms, id_of(terms))], account=ACCOUNT, workflow_id="w", lease_id="lease")

    def record(self, plan: TradePlan, orders: Sequence[OrderTerms], phase: str, reason: str = "") -> None:
        """Our books, faithful to what happened so far."""
        views = [OrderView(terms, id_of(terms), OrderState.DONE, tuple(self.fills[id_of(terms)])) for terms in orders]
        self.ledger.record(Trade(plan, tuple(views)).record(phase, reason, self.ms))

    def page(self, trade_id: str, *, failed: bool = False) -> None:
        page = {"trade_id": trade_id, "key": f"{trade_id}/held", "headline": "", "facts": [], "to_do": ""}
        lines: list[dict[str, Any]] = [{"kind": "page", "page": page}]
        if failed:
            lines.append({"kind": "failed", "key": page["key"], "service": "sms", "text": "no answer"})
        (self.folder / "alerts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def good_trade(self, plan: TradePlan | None = None) -> tuple[TradePlan, tuple[OrderTerms, ...]]:
        """A trade as it should be: two legs, equal, settled, recorded."""
        plan = plan or planned()
        entries = entry_orders(plan)
        self.intend(*entries)
        for terms in entries:
            self.trade(terms)
        self.record(plan, entries, "COMMITTED")
        return plan, entries

    # -- the judge
    def judge(self, torn: str = "", **options: Any) -> Findings:
        truth = self.folder / "truth.jsonl"
        truth.write_text("".join(json.dumps(line) + "\n" for line in self.lines) + torn)
        self.ledger.close()
        return check(
            truth, self.folder / "ledger.sqlite", self.folder / "alerts.jsonl", ACCOUNT, WALLET.upper(), **options
        )


def broken(scene: Scene, *words: str, **options: object) -> tuple[str, ...]:
    """The judge finds something, and each thing it finds has one of these words in it."""
    found = scene.judge(**options).violations
    assert found
    assert [one for one in found if not any(word in one for word in words)] == []
    return found
