"""Durable arbitrage for prediction markets."""

__version__ = "0.1.0"
