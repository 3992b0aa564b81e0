"""The search attributes by which trades are found in the Temporal UI, registered before any worker starts.

An unregistered one leaves a workflow task failing for ever, so `workers/connect.py` refuses to go on
without them. The embedded server allows 10 keywords, 3 doubles and 3 keyword lists per namespace.
"""

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from arbsaga.saga.messages import ENDS, Phase, TradePlan, TradeRecord

KIND = SearchAttributeKey.for_keyword("Kind")
PHASE = SearchAttributeKey.for_keyword("Phase")
RESULT = SearchAttributeKey.for_keyword("Result")
EVENT = SearchAttributeKey.for_keyword("Event")
VENUES = SearchAttributeKey.for_keyword_list("Venues")
EDGE = SearchAttributeKey.for_float("Edge")
PROFIT = SearchAttributeKey.for_float("Profit")

ALL = {
    "Kind": "Keyword",
    "Phase": "Keyword",
    "Result": "Keyword",
    "Event": "Keyword",
    "Venues": "KeywordList",
    "Edge": "Double",
    "Profit": "Double",
}
"""Name and type of each, as the server's command line spells them."""


def at_start(plan: TradePlan) -> TypedSearchAttributes:
    """What is known of a trade before its first step. Money becomes a float only here, to be searched."""
    venues = sorted({leg.instrument.venue for leg in plan.basket.legs})
    return TypedSearchAttributes(
        [
            SearchAttributePair(KIND, plan.basket.kind),
            SearchAttributePair(PHASE, Phase.VALIDATING),
            SearchAttributePair(EVENT, plan.basket.event),
            SearchAttributePair(VENUES, venues),
            SearchAttributePair(EDGE, float(plan.edge)),
        ]
    )


def after(record: TradeRecord) -> list[SearchAttributeUpdate[str] | SearchAttributeUpdate[float]]:
    """What changes when a trade enters a phase: the phase, and at an end its result and profit."""
    updates: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[float]] = [PHASE.value_set(record.phase)]
    if record.phase in ENDS:
        updates += [RESULT.value_set(record.phase), PROFIT.value_set(float(record.profit))]
    return updates
