"""Kalshi: one account at the live venue, or at the simulated exchange that speaks the same wire."""
