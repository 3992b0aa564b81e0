"""The wire layer: what real venues do to a trade, played with the real venue code against the simulated exchange.

Each scenario is one trade of three legs. In calm weather it would commit; the exchange, the network or the machine do
something to it, and the exchange's journal says what came of it.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from arbsaga.domain.books import Book
from arbsaga.domain.orders import OrderTerms, OrderView
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.saga.story import arbitrage
from proof.mutations.cross_scenarios import CROSS_SCENARIOS
from proof.mutations.cross_stage import raised_across
from proof.mutations.effects import WireEffects, WorkerDied
from proof.mutations.scenario import NOT_SENT, REFUSED, UNDONE, Scenario
from proof.mutations.stage import LEGS, PATIENCE, SLOWNESS, UNDO, Stage, now_ms, raised
from proof.mutations.wire_judge import violations

AT_ONCE = 5
LIMIT_S = 30 + 15 * SLOWNESS
"""A trade that has not ended by then does not end."""
SETTLE_S = 10


async def _dear(stage: Stage, _fx: WireEffects) -> None:
    """The asks move away: completing costs more than getting out."""
    stage.withdraw_offers()
    stage.quote(asks=[[("0.70", "200")]] * LEGS)


async def _dear_and_settled(stage: Stage, fx: WireEffects) -> None:
    """As `_dear`, once the shares can be sold."""
    await _dear(stage, fx)
    await _settled(stage)


async def _halt(stage: Stage, fx: WireEffects) -> None:
    """A person halts trading while the trade is open."""
    stage.ledger.halt("a person asked")
    await _dear(stage, fx)


async def _refuse_everything(stage: Stage, fx: WireEffects) -> None:
    """From now on the venue takes no order."""
    await _dear(stage, fx)
    stage.fault("reject,text=the market is not yet ready to process new orders")


async def _phantom(stage: Stage, fx: WireEffects) -> None:
    """A sum of matched orders that only grows locks the balance."""
    await _dear(stage, fx)
    figures = "balance: 45967864, sum of active orders: 0, sum of matched orders: 99000000, order amount: 5000000"
    stage.fault(f"reject,text=not enough balance / allowance: the balance is not enough -> {figures}")


async def _oversleep(stage: Stage, fx: WireEffects) -> None:
    """The machine sleeps past the last moment of the orders, and long after."""
    del stage, fx
    await asyncio.sleep((LATE.send_by + 1_800) / 1000)


async def _frozen(stage: Stage) -> None:
    """The book stream has frozen with PONG alive: the books in this process are an hour old, the real ones are gone."""
    tokens = {leg.token: leg for leg in stage.instruments}
    books = {book.token: book for book in await stage.venue.books(list(tokens))}
    old = now_ms() - 3_600_000

    def live(asked: Sequence[str]) -> Sequence[Book]:
        return [replace(books[token], time_ms=old, read_ms=old) for token in asked]

    stage.live = live
    stage.withdraw_offers()
    stage.quote(asks=[[("0.60", "200")]] * LEGS)


LATE = replace(PATIENCE, send_by=int(1_000 * SLOWNESS), prove=300)
"""Orders that must not be sent any more."""
DENIED = replace(PATIENCE, send_by=1_500, http=int(1_500 * SLOWNESS), prove=2_000)
"""Orders of which it must be proved that they never were."""

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("calm", "nothing happens; a leg fills at three prices"),
    Scenario(
        "lost answer",
        "the entries are accepted, the connection drops, and no user event comes",
        ("drop_response,count=1", "drop_user_events"),
    ),
    Scenario(
        "late post",
        "the answer is lost, the entries reach the engine 2.5 s later",
        ("late_post,seconds=2.5,count=1",),
        ends=NOT_SENT,
        patience=DENIED,
        lingers_s=3,
    ),
    Scenario(
        "never arrived",
        "HTTP 500, nothing was accepted",
        ("status,code=500,count=1",),
        ends=NOT_SENT,
        orders=0,
        patience=DENIED,
    ),
    Scenario("lost leg", "one leg finds no liquidity", ("lose_leg,count=1",), after=_dear, ends=UNDONE),
    Scenario(
        "refused leg, settled",
        "one leg is refused; what filled can be sold again",
        ("reject,count=1,text=not enough balance / allowance",),
        after=_dear_and_settled,
        ends=UNDONE,
    ),
    Scenario(
        "refused leg, unsettled",
        "one leg is refused; what filled cannot be sold yet: it is hedged with its complement",
        ("reject,count=1,text=not enough balance / allowance", "slow_settlement,seconds=2"),
        after=_dear,
        ends=UNDONE,
    ),
    Scenario("partial leg", "half of one leg fills", ("partial,share=0.5,count=1",), after=_dear, ends=UNDONE),
    Scenario(
        "ghost fill",
        "one match of several fails to settle, late",
        ("fail_settlement,count=1", "slow_settlement,seconds=1.5"),
        ends=UNDONE,
    ),
    Scenario("delayed leg", "one leg is held back by the venue", ("delayed,seconds=0.5,count=1",)),
    Scenario(
        "cancel loses",
        "one leg rests, and fills just before its cancel",
        ("lose_leg,count=1", "cancel_loses,count=1"),
        after=_dear,
    ),
    Scenario(
        "unmatched leg",
        "the official client calls it rejected, it rests",
        ("unmatched,count=1", "drop_user_events"),
        after=_dear,
        ends=UNDONE,
    ),
    Scenario(
        "hidden orders",
        "the answer is lost, finished orders are not shown, no user events",
        ("drop_response,count=1", "drop_user_events"),
        wire=WireSettings(hide_finished_orders=True),
    ),
    Scenario(
        "odd batch",
        "the answer of the batch lacks an entry",
        ("partial_batch,count=1,variant=missing", "drop_user_events"),
    ),
    Scenario("sent twice", "something between sends the post again: Duplicated", ("drop_user_events",), twice=True),
    Scenario(
        "overslept",
        "the worker wakes up after the last moment",
        before=_oversleep,
        ends=NOT_SENT,
        orders=0,
        patience=LATE,
    ),
    Scenario("frozen books", "the stream is frozen, the books have moved", setting=_frozen, ends=REFUSED, orders=0),
    Scenario("died after sending", "the worker dies, another runs the same plan", dies=True),
    Scenario("halted", "halted while a leg is missing", ("lose_leg,count=1",), after=_halt, ends=UNDONE),
    Scenario(
        "cancel error",
        "one leg rests, and its cancels fail at first",
        ("lose_leg,count=1", "cancel_error,count=3"),
        after=_dear,
        ends=UNDONE,
    ),
    Scenario(
        "exit refused at first",
        "a leg is missing, and the venue refuses the first two ways out",
        ("reject,count=1,text=not enough balance / allowance", "reject,only=SELL,count=2,text=invalid nonce"),
        after=_dear_and_settled,
        ends=UNDONE,
    ),
    Scenario(
        "phantom lock",
        "matched orders never leave the venue's sum: it refuses every way out",
        ("lose_leg,count=1",),
        after=_phantom,
        ends=frozenset({Phase.HELD}),
        orders=3,
        undo=replace(UNDO, rounds=1),
    ),
    Scenario(
        "version mismatch",
        "the venue has changed the order's format",
        ("reject,text=order_version_mismatch",),
        ends=frozenset({Phase.FLAT}),
        orders=0,
    ),
    Scenario(
        "engine restart",
        "425 while the engine restarts, then only post-only orders",
        ("restart,seconds=0.5,post_only_seconds=60,count=1",),
        ends=NOT_SENT,
        orders=0,
        patience=DENIED,
    ),
    Scenario(
        "stuck",
        "a leg is missing and the venue takes no more orders",
        ("lose_leg,count=1",),
        after=_refuse_everything,
        ends=frozenset({Phase.HELD}),
        undo=replace(UNDO, rounds=1),
    ),
)
EVERY: tuple[Scenario, ...] = (*SCENARIOS, *CROSS_SCENARIOS)
BY_NAME = {scenario.name: scenario for scenario in EVERY}


async def play_all(scenarios: Sequence[Scenario], folder: Path) -> dict[str, list[str]]:
    """The violations of each scenario, a few played at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(scenario: Scenario) -> list[str]:
        async with gate:
            return await play(scenario, folder / scenario.name.replace(" ", "-").replace(",", ""))

    found = await asyncio.gather(*map(one, scenarios))
    return {scenario.name: one for scenario, one in zip(scenarios, found, strict=True)}


async def play(scenario: Scenario, folder: Path) -> list[str]:
    """One scenario from its beginning to what the journal says of it. What breaks is a violation too."""
    try:
        async with _stage(scenario, folder) as stage:
            await scenario.setting(stage)
            await asyncio.wait_for(_live(scenario, stage), LIMIT_S)
            await asyncio.sleep(scenario.lingers_s)
            stage.calm()
            await _settled(stage)
            worlds = scenario.across.worlds if scenario.across else ()
            return violations(stage, scenario.ends, scenario.orders, 3 if scenario.twice else 0, worlds=worlds)
    except (TypeError, AttributeError, NameError):
        raise  # a mutation that does not fit the code any more has shown nothing
    except Exception as error:  # noqa: BLE001 - a trade that breaks off is what a mutation may do
        return [f"the trade broke off: {type(error).__name__}: {error}"]


def _stage(scenario: Scenario, folder: Path) -> AbstractAsyncContextManager[Stage]:
    if scenario.across is not None:
        return raised_across(folder, scenario.across)
    return raised(folder, scenario.wire)


async def _live(scenario: Scenario, stage: Stage) -> None:
    plan = stage.plan(scenario.patience, scenario.undo)
    if scenario.dies:
        await _die(stage, plan)
    fx = WireEffects(plan, stage.hands())

    async def before() -> None:
        if scenario.twice:
            stage.send_twice()
        for fault in scenario.faults:
            stage.fault(fault)
        await scenario.before(stage, fx)

    async def after() -> None:
        await scenario.after(stage, fx)

    fx.before_entry, fx.after_entry = before, after
    await arbitrage(fx, plan)


async def _die(stage: Stage, plan: TradePlan) -> None:
    """One life of the trade that ends when the exchange has answered its first post."""
    real = stage.venue.post

    async def post_and_die(orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        await real(orders)
        raise WorkerDied

    stage.venue.post = post_and_die  # type: ignore[method-assign]  # the process ends inside of this call
    try:
        await arbitrage(WireEffects(plan, stage.hands()), plan)
    except WorkerDied:
        return
    finally:
        stage.venue.post = real  # type: ignore[method-assign]  # another process's venue


async def _settled(stage: Stage) -> None:
    """Until the chain has the last word on every match."""
    deadline = time.monotonic() + SETTLE_S
    while stage.engine.pending_trades() and time.monotonic() < deadline:  # noqa: ASYNC110 - the exchange tells nobody
        await asyncio.sleep(0.02)
