"""Seeded random order flow over the whole Kalshi engine."""

import random

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.model import Order
from arbsaga.exchange.units import ONE

from .scene import ANN, BOB, HOUSE, Scene

COUNTS = ("1", "0.01", "2.5", "10", "33.33", "120")


class Flow:
    """Draws and does things: orders mostly; what is refused is part of it."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene, self.rng = scene, random.Random(seed)
        self.sent = 0
        self.group = scene.engine.create_group(ANN, 40 * ONE).group_id
        scene.deposit(ANN, "50", 3)
        scene.engine.set_netting(ANN, True)
        for ticker in "BC":
            scene.submit(HOUSE, "bid", "0.50", "20", ticker=ticker)
            scene.submit(ANN, "ask", "0.50", "20", ticker=ticker)

    def step(self) -> None:
        """One thing."""
        rng = self.rng
        does = rng.choices((self.order, self.cancel, self.change, self.pause, self.money), (72, 8, 8, 4, 8))[0]
        try:
            does()
        except Rejected:
            return

    def order(self) -> None:
        """An order near the middle, so that many cross."""
        rng = self.rng
        self.sent += 1
        who, kind = rng.choice((ANN, BOB, HOUSE)), rng.choice(("gtc", "gtc", "ioc", "fok"))
        more = {
            "ticker": rng.choice("AAAABBCS"),
            "self_trade_prevention": rng.choice(("taker_at_cross", "maker")),
            "client_order_id": f"id {rng.randrange(self.sent) if rng.random() < 0.08 else self.sent}",
            "post_only": kind == "gtc" and rng.random() < 0.2,
            "reduce_only": kind == "ioc" and rng.random() < 0.2,
            "cancel_order_on_pause": rng.random() < 0.2,
        }
        if who == HOUSE:
            more["client_order_id"] = ""
        if who == ANN and more["ticker"] != "S" and rng.random() < 0.2:
            more["order_group_id"] = self.group
        if kind == "gtc" and rng.random() < 0.2:
            more["expiration_time"] = self.scene.clock.ms // 1000 + rng.randrange(1, 60)
        self.scene.submit(who, rng.choice(("bid", "ask")), f"0.{rng.randint(45, 55)}", rng.choice(COUNTS), kind, **more)

    def cancel(self) -> None:
        """One order, or all of an account."""
        order = self._resting()
        if order and self.rng.random() < 0.95:
            self.scene.engine.cancel(order.account_id, order.order_id)
        else:
            self.scene.engine.cancel_all(self.rng.choice((ANN, BOB)))

    def change(self) -> None:
        """An amendment, a decrease, a reset of the group, other fees."""
        rng, engine, order = self.rng, self.scene.engine, self._resting()
        drawn = rng.random()
        if drawn < 0.1:
            engine.reset_group(ANN, self.group)
        elif order and drawn < 0.4:
            engine.decrease(order.account_id, order.order_id, reduce_by=rng.randrange(1, 300) * 10_000)
        elif order:
            price, count = rng.randint(42, 58) * 10_000, order.fill_count + rng.randrange(1, 3_000) * 10_000
            ids = (order.account_id, order.order_id)
            engine.amend(*ids, ticker=order.ticker, side=order.side, price=price, count=count)

    def pause(self) -> None:
        """One market stops, the others go on."""
        paused = self.rng.choice("ABC---")
        for ticker in "ABC":
            self.scene.engine.pause_market(ticker, ticker == paused)

    def money(self) -> None:
        """Cash moves between shards, collateral return is switched, time passes."""
        rng, drawn = self.rng, self.rng.random()
        if drawn < 0.2:
            self.scene.engine.transfer(rng.choice((ANN, BOB)), ANN, rng.randrange(1, 20) * ONE, 0, 3)
        elif drawn < 0.5:
            self.scene.engine.set_netting(rng.choice((ANN, BOB)), rng.random() < 0.7)
        else:
            self.scene.wait(rng.choice((200, 3_000, 20_000)))

    def _resting(self) -> Order | None:
        orders = [order for who in (ANN, BOB, HOUSE) for order in self.scene.engine.resting(who)]
        return self.rng.choice(orders) if orders else None
