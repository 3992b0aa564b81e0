"""Finding the trade that a person means."""

from arbsaga.errors import UnknownThing
from arbsaga.ledger import Ledger, TradeStory


def find(ledger: Ledger, name: str) -> TradeStory:
    """The trade with this id, or the only one whose id ends so. Raises UnknownThing."""
    story = ledger.trade(name)
    if story is not None:
        return story
    ids = {row.trade_id for row in ledger.trades()} | {intent.terms.trade_id for intent in ledger.open_intents()}
    endings = sorted(trade_id for trade_id in ids if name and trade_id.endswith(name))
    if len(endings) > 1:
        raise UnknownThing(f"{len(endings)} trades end in {name!r}: give more of the id, e.g. {endings[0]}")
    story = ledger.trade(endings[0]) if endings else None
    if story is None:
        raise UnknownThing(f"no trade {name!r} in the ledger: `arbsaga trades` lists them")
    return story
