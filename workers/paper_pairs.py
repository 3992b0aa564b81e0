"""The pairs of the simulated exchanges: in paper mode, and only there, "paper" approves them and not a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from arbsaga.domain.money import Usd
from arbsaga.errors import ArbsagaError
from arbsaga.exchange.paired import Paired, PairedSettings, current
from arbsaga.exchange.server import wall_ms
from arbsaga.pairs import MarketRef, Orientation, Pair, Relation
from arbsaga.pairs.approving import Approval, approve
from arbsaga.pairs.asking import ask
from arbsaga.pairs.pair import PAPER
from arbsaga.pairs.registry import Registry, load
from arbsaga.pairs.writing import change
from arbsaga.venues.port import Venue

log = structlog.get_logger(__name__)

_NOTE = "a simulated question of paper trading: no person has compared the texts"
_RULE = "none"
"""Simulated events are never cancelled, and nothing is drawn."""
_RELATIONS = {"identity": Relation.IDENTITY, "complement": Relation.COMPLEMENT, "wider": Relation.SUPERSET}


@dataclass(frozen=True, slots=True)
class PaperPairs:
    """Writes the pairs that both simulated exchanges list now into the registry, and takes out those that ended."""

    settings: PairedSettings
    cap: Usd

    async def approve(self, venues: Mapping[str, Venue], file: Path) -> None:
        """Make the file hold them. One that a venue does not list yet comes with the next call. Raises UserError."""
        wanted = {paired.name: paired for paired in current(self.settings, wall_ms())}
        known = {pair.name for pair in load(file).pairs}
        asked = [await self._pair(paired, venues) for name, paired in wanted.items() if name not in known]
        found = [pair for pair in asked if pair is not None]

        def merged(registry: Registry) -> Registry:
            kept = [pair for pair in registry.pairs if pair.approved_by != PAPER or pair.name in wanted]
            taken = {pair.markets for pair in kept}
            return Registry((*kept, *(pair for pair in found if pair.markets not in taken)))

        change(file, merged)

    async def _pair(self, paired: Paired, venues: Mapping[str, Venue]) -> Pair | None:
        refs = MarketRef("polymarket", paired.ids[0]), MarketRef("kalshi", paired.ticker)
        relation = _RELATIONS[paired.subject.relation]
        approval = Approval(paired.name, relation, PAPER, self.cap, Orientation.of(relation), _RULE, _RULE, _NOTE)
        try:
            a, b = [await ask(ref, venues) for ref in refs]
            return approve(approval, a, b, wall_ms(), simulated=True)
        except ArbsagaError as error:
            log.info("simulated pair not approved yet", pair=paired.name, why=str(error))
            return None
