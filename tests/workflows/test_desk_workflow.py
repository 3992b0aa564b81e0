"""The desk as a workflow: races, silent processes, continue-as-new, terminate, archives."""

import asyncio
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from memory_venue import Behaviour, now_ms
from temporal_rig import FAST, D, Rig, make_plan, until
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from test_recovery import Silent
from test_trades import phase_is

from arbsaga.domain.money import Usd
from arbsaga.errors import Unavailable
from arbsaga.risk import desk as pure
from arbsaga.risk.desk import Claim, Closed, DeskStatus, Ended, Limits
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase, TradePlan
from workers import desk_client
from workers.desk_client import DeskClient
from workers.start import start_trade
from workflows import messages
from workflows.arbitrage import ArbitrageWorkflow
from workflows.desk import DeskWorkflow
from workflows.messages import desk_id

LIMITS = Limits(Usd(D(100)), Usd(D(25)))


def usd(amount: int) -> Usd:
    return Usd(D(amount))


@pytest.fixture
def account() -> str:
    return f"acc-{secrets.token_hex(4)}"


def desk_of(rig: Rig, account: str):
    return rig.client.get_workflow_handle_for(DeskWorkflow.run, desk_id(account))


async def status_of(rig: Rig, account: str) -> DeskStatus:
    return await desk_of(rig, account).query(DeskWorkflow.status)


async def funded(rig: Rig, desk: DeskClient, account: str, **more: object) -> TradePlan:
    """A plan whose capital was taken from the desk."""
    plan = make_plan(**more)
    rig.quote(plan)
    taken = desk.take(plan.reserved, now_ms())
    assert taken is not None
    return replace(plan, account=account, lease_id=taken.lease_id, lease_expires_ms=taken.expires_ms)


async def test_capital_goes_round(rig: Rig, account: str) -> None:
    """free -> leased -> reserved -> invested -> free, and the trade's history is archived."""
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        assert desk.at_hand == 50
        plan = await funded(rig, desk, account, patience=replace(FAST, entry=20_000))
        rig.venue.next(plan.basket.legs[0].instrument, Behaviour(fills=D("0.5")))
        handle = await rig.start(plan)
        await until(lambda: phase_is(handle, Phase.WATCHING))
        reserved = await until(lambda: claimed(rig, account))  # told once the orders are out, beside the watching
        assert (reserved.reserved, reserved.leased + reserved.free) == (plan.reserved, 100 - plan.reserved)
        await handle.signal(ArbitrageWorkflow.abort, "take what there is")
        record = await handle.result()
        assert record.phase is Phase.COMMITTED
        invested = await status_of(rig, account)
        assert (invested.reserved, invested.invested) == (0, record.spent)
        await desk.paid_out(plan.trade_id)
        await until(lambda: is_free(rig, account))
        await until(lambda: rig.ledger.history(plan.trade_id))
        assert len(json.loads(rig.ledger.history(plan.trade_id))["events"]) > 20
        await desk.close()
        assert (await status_of(rig, account)).leased == 0


async def claimed(rig: Rig, account: str) -> DeskStatus | None:
    status = await status_of(rig, account)
    return status if status.reserved else None


async def is_free(rig: Rig, account: str) -> bool:
    status = await status_of(rig, account)
    return status.reserved == status.invested == 0


async def test_two_traders_never_pass_the_limit(rig: Rig, account: str) -> None:
    """Both take all they can at once: what is taken in all is never over the total, and both renew."""
    other = await rig.another()
    async with rig.worker():
        desks = [DeskClient(each.client, account, rig.task_queue, want=usd(75)) for each in (rig, other)]
        for desk in desks:
            await desk.start(LIMITS)
        taken = [desk.take(usd(25), now_ms()) for desk in desks for _ in range(4)]
        assert sum(one.amount for one in taken if one) <= 100
        assert len([one for one in taken if one]) == 4
        status = await status_of(rig, account)
        assert status.free >= 0
        for desk in desks:
            await desk.close()


async def test_a_burst_of_trades_stays_within_the_limit(rig: Rig, account: str) -> None:
    """Forty opportunities at once: only those with capital start, and the desk counts every one of them."""
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(100))
        await desk.start(LIMITS)
        started = []
        for _ in range(40):
            if desk.at_hand >= D("9.84"):
                plan = await funded(rig, desk, account, patience=replace(FAST, send_by=5_000))
                started.append(await start_trade(rig.client, plan, rig.task_queue))
        assert len(started) == 10
        highest = 0
        while not all([await is_over(handle) for handle in started]):
            status = await status_of(rig, account)
            highest = max(highest, status.reserved + status.invested)
            assert status.free >= 0
        records = [await handle.result() for handle in started]
        assert all(record.phase is Phase.COMMITTED for record in records), [record.reason for record in records]
        assert highest <= 100
        await desk.close()


async def is_over(handle) -> bool:
    return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING


async def test_a_dead_process_loses_only_what_no_trade_has(
    rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After expiry and grace the rest of its lease is free; a trade that sent orders keeps its capital."""
    monkeypatch.setattr(pure, "LEASE_MS", 1_500)
    monkeypatch.setattr(pure, "GRACE_MS", 300)
    async with rig.worker():
        dead = DeskClient(rig.client, account, rig.task_queue, want=usd(60))
        await dead.start(LIMITS)
        dead._closing = True  # killed: it renews no more
        plan = await funded(rig, dead, account)
        for term in entry_orders(plan):
            rig.ledger.intend(
                [(term, f"0x{term.leg}")], account=account, workflow_id="basket/x", lease_id=plan.lease_id
            )
        await until(lambda: leased_is(rig, account, 0))
        claims = await desk_of(rig, account).query(DeskWorkflow.claims)
        assert [(claim.trade_id, claim.amount) for claim in claims] == [(plan.trade_id, plan.reserved)]
        late = Claim("late", "basket/y", "y", plan.lease_id, usd(10))
        await desk_of(rig, account).signal(DeskWorkflow.claim, late)
        assert (await status_of(rig, account)).free == 100 - plan.reserved


async def test_a_worker_that_dies_while_it_archives_holds_up_no_lease(
    rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its step is another worker's after two seconds of silence, not after the thirty that a step may take."""
    monkeypatch.setattr(pure, "GRACE_MS", 300)
    release, steps = asyncio.Event(), Steps(rig)
    with monkeypatch.context() as patch:
        patch.setattr("workers.worker.Heartbeats", Silent)
        dying = rig.worker(steps.hanging(release))
    async with dying:
        await archiving(rig, account, steps, histories=1)
        await silent_lease(rig, account, monkeypatch)
        async with (await rig.another()).worker():
            began = asyncio.get_running_loop().time()
            await until(lambda: leased_is(rig, account, 0))
            took = asyncio.get_running_loop().time() - began
            release.set()
    assert took < 8, "two seconds of silence, a retry, the take-back"


async def test_many_histories_hold_up_no_lease(rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred ended trades are archived in batches; a lease that is due does not wait for the last of them."""
    monkeypatch.setattr(pure, "GRACE_MS", 100)
    steps = Steps(rig)
    async with rig.worker(steps.slow(0.04)):
        await archiving(rig, account, steps, histories=100)
        lease_id = await silent_lease(rig, account, monkeypatch)
        await until(lambda: lease_id in steps.seen)
        before = steps.archived
        await until(lambda: steps.archived == 100)
        await until(lambda: leased_is(rig, account, 0))
    assert 0 < before < 100
    assert max(one for one in steps.seen if isinstance(one, int)) <= 20


async def archiving(rig: Rig, account: str, steps: "Steps", *, histories: int) -> None:
    """The account's desk, in the middle of archiving."""
    desk = DeskClient(rig.client, account, rig.task_queue, want=usd(10))
    await desk.start(LIMITS)
    await desk.close()
    for number in range(histories):
        run = str(uuid.uuid4())  # one that the server has lost: whichever worker is asked, it is done with
        await desk_of(rig, account).signal(DeskWorkflow.closed, Closed(f"t/{number}", f"basket/{number}", run))
    await until(lambda: steps.archived)


async def silent_lease(rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lease that is due in half a second, of a process that was killed just after it was granted."""
    monkeypatch.setattr(pure, "LEASE_MS", 500)
    killed = DeskClient(rig.client, account, rig.task_queue, want=usd(60))
    await killed.start(LIMITS)
    killed._closing = True
    assert await leased_is(rig, account, 60)
    return killed._lease.lease_id


@dataclass
class Steps:
    """A desk's activities, watched: `seen` has how many histories each step archived, and the leases taken back."""

    rig: Rig
    seen: list[int | str] = field(default_factory=list)

    @property
    def archived(self) -> int:
        return sum(one for one in self.seen if isinstance(one, int))

    def hanging(self, release: asyncio.Event) -> list[Callable[..., object]]:
        """The first archiving does not end until `release` is set."""

        @activity.defn(name="archive")
        async def archive(runs: list[Closed]) -> list[str]:
            self.seen.append(len(runs))
            if len(self.seen) == 1:
                await release.wait()
            return [run.name for run in runs]

        return self._with(archive)

    def slow(self, each_s: float) -> list[Callable[..., object]]:
        """Archiving takes its time for each history."""

        @activity.defn(name="archive")
        async def archive(runs: list[Closed]) -> list[str]:
            self.seen.append(len(runs))
            await asyncio.sleep(each_s * len(runs))
            return [run.name for run in runs]

        @activity.defn(name="claims_of_lease")
        async def claims_of_lease(lease_id: str) -> list[Claim]:
            self.seen.append(lease_id)
            return []

        return self._with(archive, claims_of_lease)

    def _with(self, *own: Callable[..., object]) -> list[Callable[..., object]]:
        names = {one.__name__ for one in own}
        return [*(one for one in self.rig.activities() if one.__name__ not in names), *own]


async def leased_is(rig: Rig, account: str, amount: int) -> bool:
    return (await status_of(rig, account)).leased == amount


async def test_a_desk_continues_as_new_with_its_state(rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims and leases live in the state, so a message that comes twice, before and after, counts once."""
    monkeypatch.setattr(messages, "MAX_EVENTS", 60)
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        first = (await desk_of(rig, account).describe()).run_id
        claim = Claim("t1", "basket/x", "x", desk._lease.lease_id, usd(20))
        await desk_of(rig, account).signal(DeskWorkflow.claim, claim)
        for _ in range(20):
            await renewed(desk)
        await until(lambda: run_changed(rig, account, first))
        await desk_of(rig, account).signal(DeskWorkflow.claim, claim)
        status = await status_of(rig, account)
        assert (status.reserved, status.total) == (20, 100)
        await renewed(desk)
        await desk.close()


async def renewed(desk: DeskClient) -> None:
    """As the client does it in the background: an answer lost to continue-as-new is asked for again."""
    for _ in range(20):
        try:
            await desk._renew()
        except desk_client.NO_ANSWER:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("no renewal in 20 tries")


async def run_changed(rig: Rig, account: str, first: str) -> bool:
    return (await desk_of(rig, account).describe()).run_id != first


async def test_a_terminated_desk_is_made_again_from_the_ledger(rig: Rig, account: str) -> None:
    """Invested capital is still counted, the old lease is worth nothing, and trading goes on."""
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        plan = await funded(rig, desk, account)
        record = await (await rig.start(plan)).result()
        assert record.phase is Phase.COMMITTED
        await desk_of(rig, account).terminate("by hand")
        desk.status = None
        await until(lambda: desk.status and desk.status.total == 100)  # the background renewal revived it
        assert desk.status.invested == record.spent
        await until(lambda: desk.at_hand == 50)
        again = await funded(rig, desk, account)
        assert (await (await rig.start(again)).result()).phase is Phase.COMMITTED
        await desk.close()


async def test_a_trade_without_a_running_desk_starts_it(rig: Rig, account: str) -> None:
    """The claim and the end are delivered all the same, so that nothing in use goes uncounted."""
    plan = replace(make_plan(), account=account)
    async with rig.worker():
        record = await rig.trade(plan)
        await until(lambda: invested_is(rig, account, record.spent))
    assert rig.paged == []  # it was not told its limits yet: that is no overrun


async def test_a_limit_that_undoing_overran_is_paged_once(rig: Rig, account: str) -> None:
    """Completing a leg is never refused, so it can cost more than was reserved: that is booked, and a person told."""
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        claim = Claim(f"t-{account}", "basket/x", "x", desk._lease.lease_id, usd(20))
        for _ in range(2):
            await desk_of(rig, account).signal(DeskWorkflow.ended, Ended(claim, "run", Phase.COMMITTED, usd(110)))
        await until(lambda: rig.paged)
        assert "over its limit" in rig.paged[0]
        assert (await status_of(rig, account)).invested == 110
        await desk.close()
    assert len(rig.paged) == 1


async def invested_is(rig: Rig, account: str, amount: Usd) -> bool:
    return (await status_of(rig, account)).invested == amount


async def test_a_halt_refuses_entries_in_every_process(rig: Rig, account: str) -> None:
    """No capital is handed out, and a trade that has some is refused by the ledger's flag."""
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        plan = await funded(rig, desk, account)
        await desk.halt("drill")
        assert rig.ledger.halted() == "drill"
        record = await (await rig.start(plan)).result()
        assert (record.phase, record.reason) == (Phase.REFUSED, "trading is halted: drill")
        await renewed(desk)
        assert desk.take(usd(5), now_ms()) is None
        await desk.halt("")
        assert rig.ledger.halted() == ""
        await desk.close()


async def test_no_worker_is_one_clear_line(rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that nobody runs is unavailable, not a hang."""
    monkeypatch.setattr(desk_client, "START_TRIES", 1)
    monkeypatch.setattr(desk_client, "ANSWER_LIMIT", timedelta(milliseconds=300))
    desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
    with pytest.raises(Unavailable, match="is a trading worker running"):
        await desk.start(LIMITS)


async def test_take_gives_only_what_is_at_hand(rig: Rig, account: str) -> None:
    """Not over the trade's limit, not from a lease that expires too soon; what is given back can be taken."""
    async with rig.worker():
        desk = DeskClient(rig.client, account, rig.task_queue, want=usd(50))
        assert desk.take(usd(1), now_ms()) is None
        await desk.start(LIMITS)
        assert desk.take(usd(26), now_ms()) is None
        assert desk.take(usd(25), now_ms() + 20_000) is None
        taken = desk.take(usd(25), now_ms())
        assert taken.lease_id
        assert desk.at_hand == 25
        desk.give_back(taken)
        assert desk.at_hand == 50
        assert not desk.blocked("yes:nothing")
        desk.take(usd(25), now_ms())
        desk.lost()
        assert desk.take(usd(1), now_ms()) is None  # the new lease is on its way
        await until(lambda: desk.at_hand == 50)
        assert (await status_of(rig, account)).leased == 75  # 25 may be in a trade's hands
        await desk.close()
