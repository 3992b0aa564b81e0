"""Plays the scenarios that the collected tests ask for, a few at a time, once for each module."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from bug_stage import wanted_by

from proof.mutations.scenarios import AT_ONCE, BY_NAME, play


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Callable[[str], "asyncio.Task[list[str]]"]]:
    """The violations of a scenario by its name, once it was played."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> list[str]:
        async with gate:
            return await play(BY_NAME[name], tmp_path_factory.mktemp("stage"))

    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # connections that are dropped on purpose
    own = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    names = dict.fromkeys(name for item in own for name in wanted_by(item))
    tasks = {name: asyncio.create_task(one(name)) for name in names}
    yield tasks.__getitem__
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
