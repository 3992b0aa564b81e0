"""Seeded random order flow: two users and the house on both tokens of one market."""

import random
from fractions import Fraction

from arbsaga.errors import NotCanceled, Rejected
from arbsaga.exchange.model import Ack, NewOrder

from .place import ANN, BOB, HOUSE, Place

KINDS = ("GTC", "GTC", "GTC", "FAK", "FOK", "GTD")


class Flow:
    """Draws and sends orders, cancels and pauses."""

    def __init__(self, place: Place, seed: int, market: int = 0) -> None:
        self.place, self.rng, self.market = place, random.Random(seed), market
        self.ids: list[tuple[str, str]] = []

    def order(self) -> NewOrder:
        """An order whose amounts are on the venue's grid; prices near the middle, so that many cross."""
        rng = self.rng
        side, kind = rng.choice(("BUY", "SELL")), rng.choice(KINDS)
        cents = rng.randint(40, 60)
        size = rng.choice((500, 700, 1_000, 1_234, 2_500, 5_001))
        more = {"expiration": self.place.clock.ms // 1000 + 300} if kind == "GTD" else {}
        usd = None
        if kind in ("FOK", "FAK") and side == "BUY":
            dollars = Fraction(size * cents // 100, 100)
            usd, shares = f"{float(dollars):.2f}", int(dollars / Fraction(cents, 100) * 10_000)
            text = f"{shares // 10_000}.{shares % 10_000:04d}"
        else:
            text = f"{size // 100}.{size % 100:02d}"
        maker = rng.choice((ANN, BOB, HOUSE))
        more |= {"token": rng.randrange(2), "usd": usd, "market": self.market}
        new = self.place.new(maker, side, f"0.{cents}", text, kind, **more)
        self.ids.append((maker, new.order_id))
        return new

    def submit(self, new: NewOrder) -> Ack | str:
        """The answer, or the text of the refusal."""
        try:
            return self.place.engine.submit(new)
        except Rejected as refusal:
            return refusal.text

    def cancel(self) -> str | None:
        """Cancel one of the latest orders, if it is still there; its id if it was."""
        maker, order_id = self.rng.choice(self.ids[-12:])
        try:
            self.place.engine.cancel(maker, order_id)
        except NotCanceled:
            return None
        return order_id

    def step(self) -> None:
        """Something: mostly an order."""
        drawn = self.rng.random()
        if drawn < 0.7 or not self.ids:
            self.submit(self.order())
        elif drawn < 0.85:
            self.cancel()
        else:
            self.place.wait(self.rng.choice((200, 1_500, 5_000)))
