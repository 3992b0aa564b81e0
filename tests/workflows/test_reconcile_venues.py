"""Reconciliation over two venues: each is looked at by itself, and an order is cancelled where it rests."""

from dataclasses import replace

import pytest
import reconcile_rig
from account_venue import AccountVenue
from reconcile_rig import planned, record_of, run_once, worker
from temporal_rig import D, Rig

from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import NO_USD
from arbsaga.domain.orders import OrderState
from arbsaga.errors import UnknownThing, VenueError
from arbsaga.ledger import Intent
from arbsaga.reconcile import looking
from arbsaga.reconcile.findings import AtVenue, InLedger
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase
from arbsaga.venues.several import Several

rig, account, _hurry = reconcile_rig.rig, reconcile_rig.account, reconcile_rig.hurry


@pytest.fixture
def there(rig: Rig, account: str) -> AccountVenue:
    """Kalshi, beside the rig's own venue."""
    other = AccountVenue()
    other.name, other.cash_left = "kalshi", NO_USD
    rig.here, rig.venue = rig.venue, Several({"polymarket": rig.venue, "kalshi": other})
    return other


def at_kalshi(instrument: Instrument) -> Instrument:
    yes, no = "kalshi:KX-1:YES", "kalshi:KX-1:NO"
    return replace(instrument, venue="kalshi", market="KX-1", token=yes, complement=no)


def stranger(account: str):
    return replace(entry_orders(planned(account))[0], trade_id="nobody's")


async def test_an_orphan_is_cancelled_at_the_venue_it_rests_at(rig: Rig, account: str, there: AccountVenue) -> None:
    """Its terms named no venue: with two of them no orphan was ever cancelled."""
    terms = stranger(account)
    orphan = there.arrive(replace(terms, instrument=at_kalshi(terms.instrument)), "0")
    said = (await run_once(rig, account)).summary
    assert f"order {orphan} that nobody intended was cancelled" in said
    assert (there.cancelled, rig.here.cancelled) == ([orphan], [])


async def test_a_venue_that_is_down_stops_no_reconciliation_of_the_other(
    rig: Rig, account: str, there: AccountVenue
) -> None:
    there.down = "502 bad gateway"
    orphan = rig.here.arrive(stranger(account), "0")
    result = await run_once(rig, account, compared_ms=5)
    assert f"order {orphan} that nobody intended was cancelled" in result.summary
    assert result.summary.count("kalshi is left out (502 bad gateway)") == 1
    assert result.compared_ms == 5, "both were not compared"
    rig.here.down = "503"
    assert "polymarket: 503; kalshi: 502 bad gateway" in (await run_once(rig, account)).summary


@pytest.mark.parametrize("error", [VenueError("504"), UnknownThing("no such market")])
async def test_what_a_venue_cannot_tell_of_a_market_stops_nothing_else(
    rig: Rig, account: str, error: Exception
) -> None:
    """Whether a market is decided is needed for its shares alone; one that is no longer shown is not decided."""
    plan = planned(account)
    rig.quote(plan)
    async with worker(rig):
        assert (await record_of(rig, plan)).phase is Phase.COMMITTED
        rig.venue.orders.popitem()  # its shares are gone, as when they are paid out
        orphan = rig.venue.arrive(stranger(account), "0")

        async def listing(market: str) -> None:
            raise error

        rig.venue.listing = listing
        said = (await run_once(rig, account)).summary
    assert f"order {orphan} that nobody intended was cancelled" in said
    assert ("fewer shares" in said) == isinstance(error, UnknownThing)


def test_the_living_leg_of_a_trade_at_a_dead_venue_is_no_stray_position() -> None:
    """It is booked when the trade ends: left out of the trades in flight, its shares were nobody's."""
    terms = entry_orders(planned("acc"))[0]
    away = replace(terms, leg=1, instrument=at_kalshi(terms.instrument))
    other = replace(terms, trade_id="other", instrument=replace(terms.instrument, token="9", complement="8"))
    intents = [Intent(one, "id", "acc", "w", "l", OrderState.LIVE, None) for one in (terms, away, other)]
    shares = {terms.instrument.token: D(5), "9": D(1), away.instrument.token: D(2)}
    seen, had = looking.without(AtVenue(shares=shares), InLedger(tuple(intents), shares=shares), {"kalshi"})
    assert [one.terms for one in had.in_flight] == [other]
    assert seen.shares == {"9": 1}
    assert had.shares == {"9": 1}
    assert looking.without(AtVenue(), InLedger(), {"kalshi"})[0].shares is None
