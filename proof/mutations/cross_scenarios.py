"""Trades over two venues on the wire: what Kalshi, the network, or the other venue do to one of two legs.

The leg at Polymarket is the first one, that at Kalshi the second. In calm weather each commits.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from activities.depth import DepthSettings
from arbsaga.domain.books import Book
from arbsaga.pairs.pair import Relation
from arbsaga.saga.messages import Phase
from arbsaga.saga.story import arbitrage
from proof.mutations.cross_stage import Across, CrossStage
from proof.mutations.effects import WireEffects
from proof.mutations.kalshi_side import ASKS, LAG, SHARD, TICKER, KalshiTerms
from proof.mutations.scenario import NOT_SENT, REFUSED, UNDONE, Scenario
from proof.mutations.stage import PATIENCE, SLOWNESS, UNDO, Stage, now_ms

TWO = Across()
GENEROUS = DepthSettings(max_book_age_ms=60_000, max_book_skew_ms=60_000, max_cross_skew_ms=60_000)
"""For books that a scenario makes wrong by other means than age."""
TORN_MS = 20_000
SILENT = ("kalshi:freeze_stream,seconds=3600,channel=fill", "kalshi:freeze_stream,seconds=3600,channel=user_orders")
DENIED = replace(PATIENCE, send_by=1_500, http=int(1_500 * SLOWNESS), prove=2_000, settle=int(12_000 * SLOWNESS))
SOON = replace(PATIENCE, send_by=int(10_000 * SLOWNESS), settle=int(6_000 * SLOWNESS))
"""An order whose fate is not known before `settle` is HELD: silence proves nothing until after `send_by`."""
LEFT_ALONE = replace(PATIENCE, one_sided=1_000, settle=int(8_000 * SLOWNESS))


def two(stage: Stage) -> CrossStage:
    """The stage of these scenarios."""
    assert isinstance(stage, CrossStage)
    return stage


async def _dear(stage: Stage, _fx: WireEffects) -> None:
    """The asks of both legs move away: completing costs more than getting out."""
    two(stage).dear()


async def _halted_and_cheap(stage: Stage, _fx: WireEffects) -> None:
    """Kalshi halts this one market after the last look: its book goes on showing what nobody can buy."""
    two(stage).kalshi.engine.pause_market(TICKER, paused=True)


async def _halted(stage: Stage, _fx: WireEffects) -> None:
    """Kalshi halts this one market after the last look, and what is offered there is dear."""
    two(stage).dear()
    two(stage).kalshi.engine.pause_market(TICKER, paused=True)


async def _paused(stage: Stage) -> None:
    """Trading has paused on every shard of Kalshi."""
    two(stage).kalshi.engine.halt(trading=True)


async def _paused_market(stage: Stage) -> None:
    """Kalshi has deactivated this one market."""
    two(stage).kalshi.engine.activate(TICKER, active=False)


async def _dear_here(stage: Stage, _fx: WireEffects) -> None:
    """The asks at Polymarket move away."""
    two(stage).dear(there=False)


async def _die(stage: Stage, _fx: WireEffects) -> None:
    """Kalshi is gone after the last look, for as long as the trade lasts."""
    await two(stage).kalshi.die()


async def _die_before(stage: Stage) -> None:
    """Kalshi is gone before the trade is decided."""
    await two(stage).kalshi.die()


async def _away(stage: Stage, _fx: WireEffects) -> None:
    """Kalshi's answer was lost, and it is away for a while."""
    await two(stage).kalshi.die()
    await asyncio.sleep(1.5)
    await two(stage).kalshi.serve()


async def _torn(stage: Stage) -> None:
    """The books of the two venues are of different moments: what Kalshi's shows was taken meanwhile."""
    across = two(stage)
    legs = across.basket("a").legs
    here, there = await across.venue.books([leg.instrument.token for leg in legs])
    old = replace(there, time_ms=now_ms() - TORN_MS, read_ms=now_ms() - TORN_MS)

    def live(_asked: Sequence[str]) -> Sequence[Book]:
        return [replace(here, read_ms=now_ms()), old]

    across.live = live
    across.depth = replace(GENEROUS, max_cross_skew_ms=1_500)
    across.kalshi.withdraw_offers()
    across.kalshi.quote([("0.15", "200")])


async def _deepens(stage: Stage) -> None:
    """Kalshi's level grows by an increment that is smaller than what the trade needs."""
    across = two(stage)
    across.depth = GENEROUS
    across.kalshi.withdraw_offers()
    across.kalshi.quote([("0.40", "10.00"), ("0.15", "200")])
    await across.stream()
    before = across.frames
    across.kalshi.offer("bid", "0.40", "5.00")
    await across.framed(before)


async def _gap(stage: Stage) -> None:
    """The message which says that Kalshi's depth is gone is lost; the next one has another number than expected."""
    across = two(stage)
    across.depth = GENEROUS
    await across.stream()
    before = across.frames
    across.fault("kalshi:gap,count=4,channel=orderbook_delta")
    across.kalshi.withdraw_offers()
    await asyncio.sleep(0.1)
    across.calm()
    across.kalshi.quote([("0.15", "200")], ASKS)
    await across.framed(before)


async def _hold_the_other_side(stage: Stage) -> None:
    """A trade in the other direction has committed: Kalshi's YES is held."""
    across = two(stage)
    plan = across.planned("b", PATIENCE, UNDO, name="earlier")
    record = await arbitrage(WireEffects(plan, across.hands()), plan)
    assert record.phase is Phase.COMMITTED, record.reason


def _lagging(ms: int) -> Across:
    return Across(KalshiTerms(replace(LAG, read_lag_ms=ms)))


CROSS_SCENARIOS: tuple[Scenario, ...] = (
    Scenario("pair, calm", "nothing happens; both legs fill at three prices, Kalshi's in fractions", across=TWO),
    Scenario("pair, other way", "NO at Polymarket, YES at Kalshi", across=Across(direction="b")),
    Scenario(
        "pair, opposite questions",
        "the two markets ask the opposite: YES of both is bought",
        across=Across(relation=Relation.COMPLEMENT),
    ),
    Scenario("pair, died after sending", "the worker dies, another runs the same plan", dies=True, across=TWO),
    Scenario(
        "pair, lost answer",
        "Kalshi takes the order, the connection drops, and its user stream is silent",
        ("kalshi:drop_response,count=1", *SILENT),
        orders=2,
        across=TWO,
    ),
    Scenario(
        "pair, never arrived",
        "Kalshi's leg is lost on its way, and nobody says so",
        ("kalshi:lost,count=1",),
        after=_dear,
        ends=NOT_SENT,
        patience=DENIED,
        across=TWO,
    ),
    Scenario(
        "pair, late post",
        "Kalshi's leg arrives 2.5 s later, nobody hears of it",
        ("kalshi:late_post,seconds=2.5,count=1",),
        ends=NOT_SENT,
        patience=DENIED,
        lingers_s=3,
        across=TWO,
    ),
    Scenario(
        "pair, sent twice",
        "something between sends the post again: 409 order_already_exists",
        SILENT,
        twice=True,
        orders=2,
        across=TWO,
    ),
    Scenario(
        "pair, answered 200",
        "creates are answered with 200 instead of 201, and the user stream is silent",
        SILENT,
        orders=2,
        across=Across(KalshiTerms(replace(LAG, created_status=200))),
    ),
    Scenario(
        "pair, empty success",
        "Kalshi answers 200 without an order_id, and has taken nothing",
        ("kalshi:status,code=200,count=1",),
        after=_dear,
        ends=NOT_SENT,
        patience=DENIED,
        across=TWO,
    ),
    Scenario(
        "pair, server error",
        "Kalshi takes the order and answers 500",
        ("kalshi:status,code=500,after=1,count=1", *SILENT),
        orders=2,
        across=TWO,
    ),
    Scenario(
        "pair, rate limited",
        "429 with a bare text: whether the engine saw the order is not known",
        ("kalshi:status,code=429,count=1",),
        after=_dear,
        ends=NOT_SENT,
        patience=DENIED,
        across=TWO,
    ),
    Scenario(
        "pair, refused there",
        "Kalshi refuses its leg",
        ("kalshi:reject,count=1,text=no",),
        after=_dear,
        ends=UNDONE,
        across=TWO,
    ),
    Scenario(
        "pair, refused here",
        "Polymarket refuses its leg",
        ("reject,count=1,text=not enough balance / allowance",),
        after=_dear,
        ends=UNDONE,
        across=TWO,
    ),
    Scenario(
        "pair, halted market",
        "Kalshi halts the market after the last look: 409 trading_is_paused",
        before=_halted,
        ends=UNDONE,
        patience=SOON,
        across=TWO,
    ),
    Scenario(
        "pair, halted market and cheap",
        "as above, but the halted market's book still shows the cheapest way out: the next best is taken",
        before=_halted_and_cheap,
        ends=UNDONE,
        orders=2,
        across=TWO,
    ),
    Scenario(
        "pair, paused",
        "trading at Kalshi is paused before the last look",
        setting=_paused,
        ends=REFUSED,
        orders=0,
        across=TWO,
    ),
    Scenario(
        "pair, paused market",
        "Kalshi has halted the market before the last look",
        setting=_paused_market,
        ends=REFUSED,
        orders=0,
        across=TWO,
    ),
    Scenario(
        "pair, partial leg",
        "a part of Kalshi's leg fills, the rest is cancelled",
        ("kalshi:partial,share=0.5,count=1",),
        after=_dear,
        ends=UNDONE,
        across=TWO,
    ),
    Scenario(
        "pair, cancel loses",
        "Kalshi's leg rests, fills just before its cancel (404), and reads are behind",
        ("kalshi:lose_leg,count=1", "kalshi:cancel_loses,count=1", *SILENT),
        after=_dear,
        across=_lagging(1_500),
    ),
    Scenario(
        "pair, reads behind",
        "Kalshi's leg rests; reads do not show it yet",
        ("kalshi:lose_leg,count=1", *SILENT),
        after=_dear,
        ends=UNDONE,
        across=_lagging(1_500),
    ),
    Scenario(
        "pair, wrong shard",
        "the collateral is on another shard than the market",
        ends=REFUSED,
        orders=0,
        across=Across(KalshiTerms(cash={0: "1000", SHARD: "3"})),
    ),
    Scenario(
        "pair, torn read",
        "the two venues' books are of different moments",
        setting=_torn,
        ends=REFUSED,
        orders=0,
        across=TWO,
    ),
    Scenario(
        "pair, level deepens", "the stream tells of 5 contracts more at a level of 10", setting=_deepens, across=TWO
    ),
    Scenario(
        "pair, gap in the stream",
        "the message that took the depth away was lost",
        setting=_gap,
        ends=REFUSED,
        orders=0,
        across=TWO,
    ),
    Scenario(
        "pair, other side held",
        "the trade would close what an earlier one counts on",
        setting=_hold_the_other_side,
        ends=frozenset({Phase.COMMITTED, Phase.REFUSED}),
        orders=2,
        across=TWO,
    ),
    Scenario(
        "pair, first leg partial",
        "Kalshi goes first and fills in part: Polymarket's leg is sized to that",
        ("kalshi:partial,share=0.5,count=1",),
        ends=UNDONE,
        orders=2,
        across=Across(first=(1,)),
    ),
    Scenario(
        "pair, first leg finds nothing",
        "Kalshi goes first and fills nothing: nothing else is sent",
        ("kalshi:lose_leg,count=1",),
        ends=UNDONE,
        orders=1,
        across=Across(first=(1,)),
    ),
    Scenario(
        "pair, dead before",
        "Kalshi is gone before the last look",
        setting=_die_before,
        ends=REFUSED,
        orders=0,
        across=TWO,
    ),
    Scenario(
        "pair, dead meanwhile",
        "Kalshi is gone as the legs are sent, and stays away",
        before=_die,
        after=_dear_here,
        ends=UNDONE,
        patience=LEFT_ALONE,
        across=TWO,
    ),
    Scenario(
        "pair, away for a while",
        "Kalshi takes its leg, loses the answer, and is away for 1.5 s",
        ("kalshi:drop_response,count=1",),
        after=_away,
        orders=2,
        across=TWO,
    ),
)
"""By name; each begins with `pair,`."""
