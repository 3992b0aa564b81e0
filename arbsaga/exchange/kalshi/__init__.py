"""The simulated Kalshi exchange: trade API v2 and its WebSocket, in front of an engine of its own."""
