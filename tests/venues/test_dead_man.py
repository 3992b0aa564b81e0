"""The dead-man heartbeat against the real exchange: who beats, what stays, and what a dead machine leaves."""

import asyncio
import subprocess
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from arbsaga.domain.orders import Purpose
from arbsaga.errors import Unavailable, VenueError
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager, read_alerts
from arbsaga.saga.story import arbitrage
from arbsaga.venues.polymarket import PolymarketDeadMan
from proof.mutations.effects import WireEffects
from proof.mutations.scenarios import UNDONE
from proof.mutations.stage import PATIENCE, raised
from proof.mutations.wire_judge import violations
from workers import heartbeat
from workers.heartbeat import Heart, Rhythm

from .rig import KEY, terms, until
from .rig import QUICK as QUICK_ENGINE

ACCOUNT = "main"
WATCHFUL = WireSettings(heartbeat_check_s=0.02)
QUICK = Rhythm(beat_s=0.1, retry_s=0.05, look_s=0.02)


class Machine:
    """One data folder with its ledger and pager, on the exchange of the rig, whose clock it can put forward."""

    def __init__(self, rig, folder: Path):
        self.rig, self.folder = rig, folder
        self.ledger = Ledger.open(f"sqlite:///{folder / 'ledger.sqlite'}")
        self.pager = Pager([], folder / "alerts.jsonl", lambda text: None)
        clock = rig.wire.clock
        self.ahead_ms = 0
        rig.wire.clock = lambda: clock() + self.ahead_ms

    def switch(self):
        return PolymarketDeadMan(self.rig.settings())

    def heart(self, open_switch=None):
        return Heart(
            open_switch or self.switch,
            self.ledger,
            self.pager,
            account=ACCOUNT,
            lock_file=self.folder / "heartbeat.lock",
            rhythm=QUICK,
        )

    @asynccontextmanager
    async def beating(self, heart=None):
        stop = asyncio.Event()
        task = asyncio.create_task((heart or self.heart()).run(stop))
        yield
        stop.set()
        await task

    async def rest(self, venue):
        """An order of ours that rests, written down first as the trader does."""
        (yes, _), *_ = await self.rig.instruments(venue, "3")
        order = terms(yes, price="0.10")
        self.ledger.intend([(order, venue.order_id(order))], account=ACCOUNT, workflow_id="w", lease_id="l")
        (view,) = await venue.post([order])
        assert self.status(view.order_id) == "LIVE"
        return view.order_id

    def status(self, order_id):
        return self.rig.engine.order(order_id).status

    @property
    def armed(self):
        """The beats of the account, as the exchange has them."""
        return list(self.rig.wire.dead_man._beats.values())

    def silent_for(self, seconds):
        """Let so much of the exchange's time pass at once, in which nobody beats."""
        self.ahead_ms += round(seconds * 1000)

    def pages(self):
        return [alert.page.key.split("/") for alert in read_alerts(self.folder / "alerts.jsonl")]


@pytest.fixture
async def machine(start, tmp_path):
    made = Machine(await start(QUICK_ENGINE, WATCHFUL), tmp_path)
    yield made
    made.ledger.close()


async def test_a_switch_gives_the_id_for_the_next_beat_and_mends_a_stale_one(machine):
    """Beats are a chain; an id that is stale (its answer was lost) is replaced by the one the venue expects."""
    switch = machine.switch()
    first = await switch.beat("")
    second = await switch.beat(first)
    assert first != second
    third = await switch.beat(first)
    assert third not in (first, second)
    assert machine.armed[0].heartbeat_id == third
    await switch.close()


async def test_a_beat_that_cannot_be_sent_says_so(machine):
    """No venue: Unavailable or VenueError, one line, and never the key."""
    switch = PolymarketDeadMan(machine.rig.settings(clob_url="http://127.0.0.1:1"))
    with pytest.raises(Unavailable) as failed:
        await switch.beat("")
    assert KEY[2:] not in str(failed.value)


async def test_a_beat_without_an_answer_is_given_up(machine, monkeypatch):
    """A venue that accepts and never answers: two beats must fit into its 10 s."""
    switch = machine.switch()
    last = await switch.beat("")
    monkeypatch.setattr("arbsaga.venues.polymarket.dead_man.BEAT_LIMIT_S", 0.1)
    machine.rig.fault("latency,ms=2000")
    with pytest.raises(VenueError, match="no answer"):
        await switch.beat(last)
    machine.rig.calm()
    await switch.close()


async def test_nothing_is_armed_while_nothing_was_ever_sent(machine):
    """A watchdog that only looks on does not put an account's orders at stake."""
    async with machine.beating():
        await asyncio.sleep(0.2)
        assert machine.armed == []


async def test_orders_stay_while_somebody_beats_and_go_when_nobody_does(machine):
    """The first order arms the switch; it rests through any time; 10 s of silence cancel it."""
    venue = await machine.rig.started()
    async with machine.beating():
        order_id = await machine.rest(venue)
        await until(lambda: machine.armed)
        for _ in range(4):
            at = machine.armed[0].at
            machine.silent_for(4)
            await until(lambda at=at: machine.armed[0].at > at)
        assert machine.status(order_id) == "LIVE"
    machine.silent_for(9)
    await asyncio.sleep(0.1)
    assert machine.status(order_id) == "LIVE"
    machine.silent_for(1.5)
    await until(lambda: machine.status(order_id) == "CANCELED")


async def test_once_armed_it_beats_though_nothing_rests(machine):
    """There is no disarming: an order placed under a key that fell silent would be cancelled at once."""
    venue = await machine.rig.started()
    async with machine.beating():
        order_id = await machine.rest(venue)
        await until(lambda: machine.armed)
        machine.rig.engine.cancel(venue.wallet, order_id)
        at = machine.armed[0].at
        await until(lambda: machine.armed[0].at > at + 0.3)


async def test_the_next_watchdog_beats_before_anything_rests(machine):
    """That the key is armed outlives the process: the next one goes on with the chain, from its start."""
    venue = await machine.rig.started()
    async with machine.beating():
        order_id = await machine.rest(venue)
        await until(lambda: machine.armed)
    machine.rig.engine.cancel(venue.wallet, order_id)
    machine.ledger.open_intents = list  # and by the ledger nothing rests any more
    before = machine.armed[0].heartbeat_id
    async with machine.beating():
        await until(lambda: machine.armed[0].heartbeat_id != before)


async def test_another_key_in_the_same_folder_is_not_armed(machine):
    """The folder remembers whose switch it was: another account's is left alone until an order of it may rest."""
    (machine.folder / "heartbeat.armed").write_text("0xsomeone 123")
    async with machine.beating():
        await asyncio.sleep(0.2)
        assert machine.armed == []


async def test_a_second_owner_does_not_beat_until_the_first_is_gone(machine):
    """The lock in the data folder: two watchdogs never break each other's chain; the second takes over."""
    venue = await machine.rig.started()
    beats: dict[str, int] = {"first": 0, "second": 0}

    def counted(name):
        switch = machine.switch()
        beat = switch.beat

        async def counting(last):
            beats[name] += 1
            return await beat(last)

        switch.beat = counting
        return switch

    async with AsyncExitStack() as later:
        async with machine.beating(machine.heart(lambda: counted("first"))):
            order_id = await machine.rest(venue)
            await until(lambda: beats["first"])
            await later.enter_async_context(machine.beating(machine.heart(lambda: counted("second"))))
            await until(lambda: beats["first"] > 4)
            assert beats["second"] == 0
        await until(lambda: beats["second"] > 1)
        assert machine.status(order_id) == "LIVE"


async def test_a_venue_that_refuses_beats_is_paged_once_and_once_when_it_is_over(machine, monkeypatch):
    """Ten seconds without an accepted beat: the venue is cancelling. One page, and one when it beats again."""
    monkeypatch.setattr(heartbeat, "LIMIT_S", 0.3)
    venue = await machine.rig.started()
    async with machine.beating():
        await machine.rest(venue)
        await until(lambda: machine.armed)
        real, machine.rig.wire.keys._keys = machine.rig.wire.keys._keys, {}
        await until(lambda: len(machine.pages()) == 1)
        await asyncio.sleep(0.3)
        assert len(machine.pages()) == 1
        machine.rig.wire.keys._keys = real
        await until(lambda: len(machine.pages()) == 2)
    (first, second) = machine.pages()
    assert second == [*first, "over"]


async def test_a_failing_ledger_arms_nothing_and_ends_nothing(machine):
    """Whether an order may rest is not known: it is asked again, and found when the ledger answers."""
    venue = await machine.rig.started()
    await machine.rest(venue)
    real = machine.ledger.open_intents

    def broken():
        raise Unavailable("the ledger cannot be used")

    machine.ledger.open_intents = broken
    async with machine.beating():
        await asyncio.sleep(0.2)
        assert machine.armed == []
        machine.ledger.open_intents = real
        await until(lambda: machine.armed)


async def test_a_machine_that_dies_leaves_nothing_resting(machine):
    """kill -9 of the process that beats: after 10 s of the exchange's time its orders are gone."""
    venue = await machine.rig.started()
    command = [sys.executable, str(Path(__file__).with_name("heartbeat_process.py")), machine.rig.url]
    with (machine.folder / "heart.log").open("w") as log:
        heart = subprocess.Popen(
            [*command, str(machine.folder), KEY, ACCOUNT], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert (await asyncio.to_thread(heart.stdout.readline)).strip() == "ready"
        order_id = await machine.rest(venue)
        await until(lambda: machine.armed, 20)
        machine.silent_for(8)
        at = machine.armed[0].at
        await until(lambda: machine.armed[0].at > at)
        assert machine.status(order_id) == "LIVE"
    finally:
        heart.kill()
        heart.wait()
        heart.stdout.close()
    machine.silent_for(10)
    began = time.monotonic()
    await until(lambda: machine.status(order_id) == "CANCELED")
    assert time.monotonic() - began < 2


async def test_a_trade_that_loses_its_orders_to_the_dead_man_ends_properly(tmp_path):
    """Nobody beats any more while a leg rests: the venue cancels it, long before the trade would have. To the trade
    it is a shortfall: it is undone, nothing is sent twice, nothing rests, the books are equal."""
    async with raised(tmp_path / "stage", WireSettings(heartbeat_s=0.3, heartbeat_check_s=0.02)) as stage:
        plan = stage.plan(replace(PATIENCE, entry=60_000))
        fx = WireEffects(plan, stage.hands())
        switch = PolymarketDeadMan(stage.venue.settings)

        async def last_beat():
            stage.withdraw_offers()
            stage.quote([[("0.30", "5"), ("0.55", "200")], *[[("0.30", "40"), ("0.55", "200")]] * 2])
            await switch.beat("")

        fx.before_entry = last_beat
        record = await asyncio.wait_for(arbitrage(fx, plan), 30)
        await switch.close()
        first = stage.engine.order(next(view.order_id for view in record.orders if view.terms.leg == 0))
        assert first.status == "CANCELED"
        assert record.orders[-1].terms.purpose is not Purpose.ENTER
        await until(lambda: violations(stage, UNDONE, None, 0) == [], 10)
