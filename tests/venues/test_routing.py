"""What tells a token's venue, and that nothing of the port is left out where it is told."""

from arbsaga.venues.polymarket.settings import PolymarketSettings
from arbsaga.venues.polymarket.venue import PolymarketVenue
from arbsaga.venues.port import Venue
from arbsaga.venues.several import Several, market_of, venue_of

from .make import KEY
from .make import terms as signed_terms


def test_a_token_says_its_venue() -> None:
    assert venue_of("1234567890") == "polymarket"
    assert venue_of("kalshi:KXFED-26DEC:NO") == "kalshi"
    assert (market_of("kalshi:KXFED-26DEC:NO"), market_of("1234567890")) == ("KXFED-26DEC", "")


def test_every_method_of_the_port_is_its_own() -> None:
    """What it would inherit from the protocol answers None and asks nobody."""
    wanted = {name for name, thing in vars(Venue).items() if callable(thing) and not name.startswith("_")}
    assert wanted <= set(vars(Several))


async def test_a_real_venue_is_a_part() -> None:
    """The order id of the official signer, through the port of several."""
    poly = PolymarketVenue(PolymarketSettings(private_key=KEY))
    order = signed_terms()
    assert Several({"polymarket": poly}).order_id(order) == poly.order_id(order)
    assert poly.order_id(order).startswith("0x")
    await poly.close()
