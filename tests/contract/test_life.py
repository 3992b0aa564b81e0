"""Cases of a venue object's life: its ids are pure, its start tells what is wrong, its end leaves nothing."""

import asyncio
import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from arbsaga.errors import UserError

from .desk import until

ELSEWHERE = """
import pickle, sys
(make, settings), orders = pickle.load(sys.stdin.buffer)
venue = make(*settings)
print("\\n".join(venue.order_id(terms) for terms in orders))
"""


async def test_c86_order_id_is_pure(desk):
    """C86 An order's id is known without a network, different for each attempt, the same in every process."""
    orders = [desk.terms(one, price=price) for one in (desk.yes, desk.no) for price in ("0.40", "0.41")]
    ids = [desk.venue.order_id(terms) for terms in orders]
    assert len(set(ids)) == len(ids)
    make, settings = desk.bench.recipe()
    fresh = make(*settings)
    assert [fresh.order_id(terms) for terms in orders] == ids
    await fresh.close()
    given = pickle.dumps((desk.bench.recipe(), orders))
    tests = Path(__file__).parents[1]
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", ELSEWHERE],
        input=given,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"},
        check=True,
    )
    assert told.stdout.decode().split() == ids


async def test_c87_start_of_a_key_that_cannot_trade(bench):
    """C87 A key or wallet that the exchange does not let trade: one line for a person at the start."""
    with pytest.raises(UserError) as raised:
        await bench.stranger().start()
    assert "\n" not in str(raised.value)


async def test_c88_start_while_the_exchange_is_down(bench):
    """C88 Nobody listens: one line for a person, and nothing is left open."""
    venue = bench.venue()
    await bench.stop()
    with pytest.raises(UserError) as raised:
        await venue.start()
    assert "\n" not in str(raised.value)
    await bench.start()


async def test_c89_close_releases(bench, desk):
    """C89 After close no task runs and no stream is open; a second close does nothing."""
    await desk.rest(desk.yes)
    before, open_before = asyncio.all_tasks(), await bench.sockets()
    other = await desk.again()
    assert await bench.sockets() > open_before
    await other.venue.close()
    await other.venue.close()

    async def gone():
        return await bench.sockets() == open_before

    await until(gone)
    await until(lambda: not _ours(before))
    gc.collect()


def _ours(before):
    """Tasks of the venue that began since; those of the exchange are not ours to end."""
    return [
        task
        for task in asyncio.all_tasks() - before
        if task is not asyncio.current_task() and "aiohttp" not in repr(task) and "/exchange/" not in repr(task)
    ]


async def test_c90_secrets_are_not_shown(desk):
    """C90 Neither the venue nor its settings show a key."""
    _, settings = desk.bench.recipe()
    secret = max(settings, key=len).strip().splitlines()[-2 if "\n" in settings[-1].strip() else -1]
    shown = f"{desk.venue!r} {vars(desk.venue)!r}"
    assert secret.removeprefix("0x") not in shown
