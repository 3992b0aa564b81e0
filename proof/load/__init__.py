"""Load: many trades at once, several workers on one queue, and a burst far beyond the budget. See `prove`."""

from proof.load.prove import prove

__all__ = ["prove"]
