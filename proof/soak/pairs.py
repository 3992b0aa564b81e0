"""Many questions that both exchanges of the soak list, and their approval: more than `arbsaga up` has on paper.

The traders read them from `pairs.toml`, as they would read what a person has approved.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import structlog

from arbsaga.config import Config
from arbsaga.domain.money import Usd
from arbsaga.errors import UserError
from arbsaga.exchange.paired import SUBJECTS, PairedSettings, Subject
from workers.folder import DataFolder
from workers.paper_pairs import PaperPairs
from workers.site import open_venues, pairs_file

log = structlog.get_logger(__name__)

COPIES = ("", "b", "c", "d")
"""So often each of the usual questions is asked at the same time, each with prices of its own."""
CAP = Usd(Decimal(150))
"""USD that the trades of one pair may have out: soon used up, so that it is seen to hold."""
LIFE_MS = 240_000
"""A trade that is still undoing one leg when its question resolves can only be HELD."""
APPROVE_EVERY_S = 1.0


def begin(folder: Path, seed: int) -> None:
    """From now on there are paired questions, drawn by this seed. The exchanges must agree on it over restarts."""
    _file(folder).write_text(json.dumps({"since_ms": time.time_ns() // 1_000_000, "seed": seed}))


def settings(folder: Path) -> PairedSettings | None:
    """The questions; None where the soak is at one venue."""
    file = _file(folder)
    if not file.exists():
        return None
    subjects = tuple(_copy(subject, letter) for letter in COPIES for subject in SUBJECTS)
    return PairedSettings(**json.loads(file.read_text()), life_ms=LIFE_MS, subjects=subjects)


@asynccontextmanager
async def approving(config: Config, folder: DataFolder) -> AsyncIterator[None]:
    """Have the file hold the pairs that are open, while the block runs; nothing where there are none."""
    paired = settings(folder.path)
    if paired is None:
        yield
        return
    keeping = asyncio.create_task(_keep_approving(config, folder, paired))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep_approving(config: Config, folder: DataFolder, paired: PairedSettings) -> None:
    venues, paper = open_venues(config, folder), PaperPairs(paired, CAP)
    try:
        while True:
            try:
                await paper.approve(venues, pairs_file(config, folder))
            except UserError as error:  # an exchange is away: its new pairs come later
                log.info("pairs not approved", error=str(error))
            await asyncio.sleep(APPROVE_EVERY_S)
    finally:
        await asyncio.gather(*(venue.close() for venue in venues.values()))


def _copy(subject: Subject, letter: str) -> Subject:
    return replace(subject, name=subject.name + letter, series=subject.series + letter.upper())


def _file(folder: Path) -> Path:
    return folder / "soak-pairs.json"
