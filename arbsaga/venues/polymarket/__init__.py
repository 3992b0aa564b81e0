"""Polymarket: one account at the live venue, or at the simulated exchange that speaks the same wire."""

from arbsaga.venues.polymarket.dead_man import PolymarketDeadMan
from arbsaga.venues.polymarket.settings import DEPOSIT_WALLET, EOA, PolymarketSettings, generate_key
from arbsaga.venues.polymarket.venue import PolymarketVenue

__all__ = ["DEPOSIT_WALLET", "EOA", "PolymarketDeadMan", "PolymarketSettings", "PolymarketVenue", "generate_key"]
