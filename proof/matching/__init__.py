"""The exchange's matching engine against a brute force, over random order flows: `python -m proof.matching --seed N`.

The exchange is the judge of everything else, so it is judged first: the same makers, prices, shares, USD, fees, books,
refusals and balances as code that shares nothing with it, and no share or cent lost after any step.
"""

from proof.matching.prove import prove

__all__ = ["prove"]
