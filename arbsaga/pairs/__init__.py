"""The pairs registry: markets of two venues whose questions a person has compared and approved.

The pure parts, for whoever trades pairs. `registry` reads the file, `writing` writes it, `suggest` finds candidates.
"""

from arbsaga.pairs.checking import Disabled, Live, State, guaranteed, state
from arbsaga.pairs.exposure import left, used
from arbsaga.pairs.pair import MarketRef, Orientation, Pair, Relation, text_hash

__all__ = [
    "Disabled",
    "Live",
    "MarketRef",
    "Orientation",
    "Pair",
    "Relation",
    "State",
    "guaranteed",
    "left",
    "state",
    "text_hash",
    "used",
]
