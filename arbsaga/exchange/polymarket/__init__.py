"""The wire of the simulated Polymarket: the venue's REST services and WebSocket channels over the engine."""
