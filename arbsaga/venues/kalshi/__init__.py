"""Kalshi: one account at the live venue, or at the simulated exchange that speaks the same wire."""

from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.venue import KalshiVenue

__all__ = ["KalshiSettings", "KalshiVenue"]
