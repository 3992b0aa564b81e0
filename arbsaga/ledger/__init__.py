"""The ledger: intents before they are sent, orders, fills and double-entry postings, in one SQLite file.

Several processes write to it at once. `Ledger` is the whole face of the package.
"""

from arbsaga.ledger.ledger import Ledger
from arbsaga.ledger.rows import Intent, Posting, TradeRow, TradeStory

__all__ = ["Intent", "Ledger", "Posting", "TradeRow", "TradeStory"]
