"""check_truth on a split decision: the books that follow it pass, those that book a winner do not."""

from decimal import Decimal

import pytest
from hand_made import ACCOUNT, WALLET, Scene, broken

from arbsaga.domain.money import Size, Usd


def split(scene: Scene, *booked: str) -> None:
    """Market a is decided for neither, market b for NO; the ledger books these USD for the two YES of the trade."""
    plan, _ = scene.good_trade()
    legs = [leg.instrument for leg in plan.basket.legs]
    for at, (leg, paid, winner) in enumerate(zip(legs, ("5", "0"), (None, 1), strict=True)):
        scene.line("market", condition_id=f"c{at}", token_ids=[leg.token, leg.complement])
        scene.line("resolved", condition_id=f"c{at}", winner=winner)
        scene.line("payout", address=WALLET, token_id=leg.token, shares="10", usd=paid, condition_id=f"c{at}")
        scene.move(leg.token, Decimal(-10))
        scene.move("", Decimal(paid))
    for leg, usd in zip(legs, booked, strict=True):
        scene.ledger.book_payout(ACCOUNT, "polymarket", leg.token, Size(Decimal(10)), Usd(Decimal(usd)), leg.token)


def test_half_a_dollar_for_each_share_is_right(scene: Scene) -> None:
    split(scene, "5", "0")
    assert not scene.judge().violations


@pytest.mark.parametrize("booked", [("10", "0"), ("0", "0")])
def test_a_split_decision_that_was_booked_as_won_or_lost_is_found(scene: Scene, booked: tuple[str, str]) -> None:
    split(scene, *booked)
    broken(scene, "I4")
