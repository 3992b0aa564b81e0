"""The effects' own promises: what ends a wait, who is awaited, what a slow pager costs."""

import asyncio
import secrets

from effect_stories import STORIES, AllInOrder, FirstOf, Jitters, Paging
from temporal_rig import Rig, make_plan

from arbsaga.saga.messages import Page


async def told(rig: Rig, story, *arguments, wait: bool = True):
    """Run a small story on the rig's queue."""
    handle = await rig.client.start_workflow(
        story.run, args=[make_plan(), *arguments], id=f"story-{secrets.token_hex(6)}", task_queue=rig.task_queue
    )
    return await asyncio.wait_for(handle.result(), 30) if wait else handle


async def test_first_of_answers_with_the_effect(rig: Rig) -> None:
    """The effect was first."""
    async with rig.worker(workflows=STORIES):
        assert await told(rig, FirstOf, 20, 5_000, True) == ["slept", "well"] * 2


async def test_first_of_ends_at_its_deadline(rig: Rig) -> None:
    """A durable timer ends what would go on."""
    async with rig.worker(workflows=STORIES):
        assert await told(rig, FirstOf, 60_000, 30, True) == ["deadline", None] * 2


async def test_first_of_ends_by_an_abort_and_then_starts_nothing(rig: Rig) -> None:
    """The second wait finds the abort there already: its effect is never started."""
    async with rig.worker(workflows=STORIES):
        handle = await told(rig, FirstOf, 60_000, 60_000, True, wait=False)
        await handle.signal(FirstOf.abort, "enough")
        assert await asyncio.wait_for(handle.result(), 10) == ["abort", None] * 2


async def test_first_of_does_not_heed_an_abort_it_was_not_told_to(rig: Rig) -> None:
    """Watching settlement goes on although the trade is to end."""
    async with rig.worker(workflows=STORIES):
        handle = await told(rig, FirstOf, 200, 60_000, False, wait=False)
        await handle.signal(FirstOf.abort, "enough")
        assert await asyncio.wait_for(handle.result(), 10) == ["slept", "well"] * 2


async def test_all_in_order_answers_in_the_order_asked(rig: Rig) -> None:
    """The first asked ends last, and is still answered first."""
    async with rig.worker(workflows=STORIES):
        assert await told(rig, AllInOrder, -1) == [f"answer {number}" for number in range(4)]


async def test_all_in_order_awaits_the_others_before_it_raises(rig: Rig) -> None:
    """A leg that fails cuts no other short: an order on its way must be awaited."""
    async with rig.worker(workflows=STORIES):
        assert await told(rig, AllInOrder, 1) == ["failed 1", "end 3", "end 2", "end 0"]


async def test_a_slow_pager_holds_a_trade_for_a_second_only(rig: Rig) -> None:
    """The page is delivered beside it; who asks at the end learns what is still missing."""
    tries = []

    async def deliver(page: Page) -> bool:
        tries.append(page.key)
        await asyncio.sleep(1.6 if len(tries) == 1 else 0)
        return len(tries) > 1

    rig.pager.deliver = deliver
    page = Page("t", "t/held", "trade held", (), "decide")
    async with rig.worker(workflows=STORIES):
        held_up, left, after = await told(rig, Paging, page)
    assert 900 <= held_up < 2_500
    assert (left, after, len(tries)) == (1, 0, 2)


async def test_a_quick_pager_costs_nothing(rig: Rig) -> None:
    """Delivered at once."""
    async with rig.worker(workflows=STORIES):
        held_up, left, after = await told(rig, Paging, Page("t", "t/one", "one-sided", (), "look"))
    assert held_up < 900
    assert (left, after) == (0, 0)
    assert len(rig.paged) == 1


async def test_chance_and_time_are_the_workflows_own(rig: Rig) -> None:
    """Jitter is in [0, 1), and without any cache (a replay at every task) the answers are still one run's."""
    async with rig.worker(workflows=STORIES, max_cached_workflows=0):
        first, second, now_ms = await told(rig, Jitters)
    assert 0 <= first < 1
    assert 0 <= second < 1
    assert first != second
    assert now_ms > 1_700_000_000_000
