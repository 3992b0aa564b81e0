"""What the house does when its market changes under it."""

from pathlib import Path

from arbsaga.exchange.kalshi.house import MAKER, HouseBook
from arbsaga.exchange.kalshi.model import Event, Market

from .scene import START, open_scene

CENT = 10_000


def test_a_market_that_closes_while_the_house_moves_its_quotes_is_left_alone(tmp_path: Path) -> None:
    """The close falls due with the first cancel, which finds its order ended: the exchange died of that."""
    scene = open_scene(tmp_path / "truth.jsonl")
    scene.engine.open_event(Event("SOON", "SER"), [Market("SOON-T", "SOON", close_ms=START + 60_000)])
    scene.engine.create_account(MAKER, house=True)
    house = HouseBook(scene.engine, scene.engine.markets["SOON-T"], "1")
    house.quote(50 * CENT)
    assert len(scene.engine.resting(MAKER)) == 6
    scene.clock.ms += 60_000
    assert house.is_open, "nobody has told it yet"
    house.quote(60 * CENT)
    assert scene.engine.markets["SOON-T"].status == "closed"
    assert scene.engine.resting(MAKER) == []
