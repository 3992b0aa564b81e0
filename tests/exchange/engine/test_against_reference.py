"""The matching engine against a brute-force one (proof/matching), on a few of its seeded flows, and a house alone."""

from pathlib import Path

import pytest

from arbsaga.exchange.model import NewOrder
from arbsaga.exchange.units import ONE
from proof.matching.compare import compare

from .flow import Flow
from .place import HOUSE, Place, check_conservation

DEPOSITS = 2 * 1_000 * ONE


@pytest.mark.parametrize("seed", range(1_000_000, 1_000_012))
def test_fills_books_and_money_are_those_of_the_brute_force_matcher(tmp_path: Path, seed: int) -> None:
    """After every step: the same makers, prices, shares, USD, fees and books of both tokens; nothing is lost."""
    done = compare(seed, tmp_path)
    assert done.wrong == ""
    assert done.trades > 30


def test_a_house_only_flow_conserves_shares_and_money(place: Place) -> None:
    """The house splits USD into pairs for what it sells, so that even its own trades lose nothing."""
    flow = Flow(place, 99)
    for _ in range(100):
        new = flow.order()
        flow.submit(NewOrder(**{name: getattr(new, name) for name in NewOrder.__slots__} | {"maker": HOUSE}))
        check_conservation(place.engine, DEPOSITS)
