"""One page for each incident and one for its end, also when the watchdog is restarted in between."""

from dataclasses import replace

from arbsaga.notify import Alert
from arbsaga.reconcile.findings import Finding, Kind
from arbsaga.reconcile.incidents import Incidents
from arbsaga.saga.messages import Page

ORPHAN = Finding(Kind.ORPHAN_ORDER, "0x1/with/slashes", "an orphan", "cancel it", grace_ms=5_000)
DOWN = Finding(Kind.TEMPORAL, "down", "temporal: refused", "start it", grace_ms=10_000)
ALL = frozenset(Kind)


def logged(*pages: Page) -> list[Alert]:
    return [Alert(page, 1, (), ()) for page in pages]


def keys(pages: list[Page]) -> list[str]:
    return [page.key for page in pages]


def test_a_finding_is_paged_once_after_its_grace():
    """A glance at two records that moved in between pages nobody."""
    incidents = Incidents([], 0)
    assert incidents.update([ORPHAN], ALL, 0) == []
    assert incidents.update([ORPHAN], ALL, 4_999) == []
    (page,) = incidents.update([ORPHAN], ALL, 5_000)
    assert page == Page("", "watchdog/orphan-order/0x1/with/slashes/1", "an orphan", (), "cancel it")
    assert incidents.update([ORPHAN], ALL, 60_000) == []
    assert incidents.open == (page,)


def test_a_finding_that_went_away_in_its_grace_starts_anew():
    """And nobody hears of it."""
    incidents = Incidents([], 0)
    incidents.update([ORPHAN], ALL, 0)
    assert incidents.update([], ALL, 3_000) == []
    assert incidents.update([ORPHAN], ALL, 6_000) == []
    assert len(incidents.update([ORPHAN], ALL, 11_000)) == 1


def test_a_finding_without_grace_is_paged_at_once():
    """A stalled trade has been waiting long enough."""
    assert len(Incidents([], 0).update([replace(ORPHAN, grace_ms=0)], ALL, 0)) == 1


def test_the_end_of_an_incident_is_told_once():
    """So that a person knows that nothing is left to do."""
    incidents = Incidents([], 0)
    incidents.update([ORPHAN], ALL, 0)
    incidents.update([ORPHAN], ALL, 5_000)
    (over,) = incidents.update([], ALL, 8_000)
    assert over.key == "watchdog/orphan-order/0x1/with/slashes/1/over"
    assert over.headline == "over: an orphan"
    assert incidents.update([], ALL, 9_000) == []
    assert incidents.open == ()


def test_the_same_trouble_again_is_a_new_incident():
    """Otherwise its key would be taken for delivered."""
    incidents = Incidents([], 0)
    for now in (0, 20_000):
        incidents.update([ORPHAN], ALL, now)
        pages = incidents.update([ORPHAN], ALL, now + 5_000)
        incidents.update([], ALL, now + 6_000)
    assert keys(pages) == ["watchdog/orphan-order/0x1/with/slashes/2"]


def test_a_look_that_could_not_judge_ends_nothing():
    """The venue is down: that its orders are not seen does not mean that they are gone."""
    incidents = Incidents([], 0)
    incidents.update([ORPHAN], ALL, 0)
    incidents.update([ORPHAN], ALL, 5_000)
    assert incidents.update([], {Kind.VENUE, Kind.TEMPORAL, Kind.LEDGER}, 8_000) == []
    assert keys(incidents.update([], ALL, 9_000)) == ["watchdog/orphan-order/0x1/with/slashes/1/over"]


def test_a_restart_pages_nothing_again():
    """What is open is read back from the alert log; other pages there are none of ours."""
    first = Incidents([], 0)
    first.update([ORPHAN, DOWN], ALL, 0)
    pages = first.update([ORPHAN, DOWN], ALL, 10_000)
    saga = Page("t1", "t1/held", "trade held", (), "decide")
    second = Incidents(logged(saga, *pages), 20_000)
    assert list(second.open) == pages
    assert second.update([ORPHAN, DOWN], ALL, 40_000) == []
    assert keys(second.update([ORPHAN], ALL, 41_000)) == ["watchdog/temporal/down/1/over"]


def test_a_restart_knows_what_is_over_and_counts_on():
    """The next incident of the same name has the next number."""
    first = Incidents([], 0)
    first.update([DOWN], ALL, 0)
    pages = first.update([DOWN], ALL, 10_000) + first.update([], ALL, 11_000)
    second = Incidents(logged(*pages), 20_000)
    assert second.open == ()
    second.update([DOWN], ALL, 20_000)
    assert keys(second.update([DOWN], ALL, 30_000)) == ["watchdog/temporal/down/2"]
