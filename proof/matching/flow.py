"""Seeded random order flow over both tokens of a market: every kind of order, good ones and deliberately bad ones."""

import random
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from arbsaga.exchange.model import NewOrder, OrderType, Side
from arbsaga.exchange.units import ONE, TICKS
from proof.matching.scene import HOUSE, USERS, Scene

KINDS: tuple[OrderType, ...] = ("GTC", "GTC", "GTC", "FAK", "FOK", "GTD")
SIZES = (500, 700, 1_000, 1_234, 2_500, 5_001, 9_000)
"""Hundredths of a share."""
CENT = 10_000


@dataclass(frozen=True)
class Drawn:
    """An order, its limit price in USD a share, and the texts of which one must refuse it (none: it is well-formed)."""

    order: NewOrder
    price: Fraction
    bad: tuple[str, ...] = ()

    @property
    def house(self) -> bool:
        """Whether it is the house's, which has unlimited funds."""
        return self.order.maker == HOUSE


class Flow:
    """Draws orders near the middle, so that many cross."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self.scene, self.rng, self.drawn = scene, rng, 0
        self._dues: set[int] = set()
        self.used: list[str] = []
        """Ids of users' orders that reached the book or were killed: none may come a second time."""

    def draw(self) -> Drawn:
        """The next order."""
        rng, tick = self.rng, self.scene.market.tick
        near = max(1, min(10, ONE // tick // 5))
        middle = rng.choices((5, 1, 9), (92, 5, 3))[0] * ONE // 10
        ticks = min(max(middle // tick + rng.randint(-near, near), 1), ONE // tick - 1)
        side: Side = rng.choice(("BUY", "SELL"))
        kind = rng.choice(KINDS)
        good = self._order(side, kind, Fraction(ticks * tick, ONE), rng.choice(SIZES))
        return self._spoilt(good) if rng.random() < 0.08 else good

    def _order(self, side: Side, kind: OrderType, price: Fraction, size: int) -> Drawn:
        immediate = kind in ("FOK", "FAK")
        shares = (max(size, 600) if immediate else size) * CENT
        usd = floor(shares * price)
        if immediate and side == "BUY":
            usd = usd // CENT * CENT
            shares = floor(usd / price) // 100 * 100
        elif immediate:
            usd = usd // 100 * 100
        given, taken = (usd, shares) if side == "BUY" else (shares, usd)
        return Drawn(self._new(side, kind, given, taken), price)

    def _new(self, side: Side, kind: OrderType, given: int, taken: int) -> NewOrder:
        rng, now_s = self.rng, self.scene.clock.ms // 1000
        self.drawn += 1
        maker = rng.choice((*USERS, *USERS, HOUSE))
        immediate = kind in ("FOK", "FAK")
        return NewOrder(
            order_id=f"0x{self.drawn:x}",
            maker=maker,
            owner=f"key {maker}",
            token_id=rng.choice(self.scene.market.token_ids),
            side=side,
            maker_amount=given,
            taker_amount=taken,
            order_type=kind,
            expiration=now_s + rng.randint(180, 200) if kind == "GTD" else 0,
            post_only=not immediate and rng.random() < 0.15,
            delay_ms=self._delay() if maker != HOUSE and rng.random() < 0.1 else 0,
        )

    def _delay(self) -> int:
        """Ends at a moment of its own, and not with a second, as GTD orders do: the order of ties is no rule."""
        due = self.scene.clock.ms + self.rng.randint(300, 2_000)
        while due in self._dues or due % 1000 == 0:
            due += 1
        self._dues.add(due)
        return due - self.scene.clock.ms

    def _spoilt(self, drawn: Drawn) -> Drawn:
        """The same order with one thing wrong, and the venue's words for it."""
        order = drawn.order
        changes: list[tuple[tuple[str, ...], dict[str, object]]] = [
            (("Invalid token id",), {"token_id": "999"}),
            (("invalid expiration",), {"order_type": "GTC", "expiration": 1, "post_only": False}),
            (("Invalid order payload",), {"order_type": "FOK", "expiration": 0, "post_only": True}),
            (("Invalid order payload",), {"maker_amount": 0}),
            (("invalid amounts", "minimum tick size"), {"maker_amount": order.maker_amount + 1}),
        ]
        if self.used:
            changes.append((("Duplicated",), {"order_id": self.rng.choice(self.used)}))
        if self.rng.random() < 0.2:
            return self._tiny(drawn)
        bad, fields = self.rng.choice(changes)
        return self._change(drawn, bad, **fields)

    def _tiny(self, drawn: Drawn) -> Drawn:
        """Four shares where five are the least."""
        order = drawn.order
        tiny = self._order(order.side, "GTC", drawn.price, 400)
        return Drawn(tiny.order, tiny.price, ("lower than the minimum",))

    @staticmethod
    def _change(drawn: Drawn, bad: tuple[str, ...], **fields: object) -> Drawn:
        values = {name: getattr(drawn.order, name) for name in NewOrder.__slots__} | fields
        return Drawn(NewOrder(**values), drawn.price, bad)

    def tick(self) -> int:
        """Another tick for the market, in base units."""
        return self.rng.choice([tick for tick in TICKS if tick != self.scene.market.tick])
