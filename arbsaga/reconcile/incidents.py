"""Incidents: a finding that stays is paged once, and its end is told once, across restarts of the watchdog.

What is open is read back from the alert log, so that nothing else has to be kept.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from arbsaga.notify import Alert
from arbsaga.reconcile.findings import Finding, Kind
from arbsaga.saga.messages import Page

_PREFIX, _OVER = "watchdog/", "/over"


@dataclass(slots=True)
class _Seen:
    """A finding that is being seen. `page` is set once it was paged."""

    kind: Kind
    since_ms: int
    page: Page | None = None


class Incidents:
    """What was found and not yet over."""

    def __init__(self, alerts: Iterable[Alert], now_ms: int) -> None:
        self._seen: dict[str, _Seen] = {}
        self._count: dict[str, int] = {}
        for alert in alerts:
            self._recall(alert.page, now_ms)

    def _recall(self, page: Page, now_ms: int) -> None:
        if not page.key.startswith(_PREFIX):
            return
        name, _, count = page.key.removeprefix(_PREFIX).removesuffix(_OVER).rpartition("/")
        if page.key.endswith(_OVER):
            self._seen.pop(name, None)
        else:
            self._seen[name] = _Seen(Kind(name.partition("/")[0]), now_ms, page)
            self._count[name] = int(count)

    @property
    def open(self) -> tuple[Page, ...]:
        """The pages of incidents that are not over."""
        return tuple(seen.page for seen in self._seen.values() if seen.page)

    def told(self, name: str) -> bool:
        """Whether this finding was paged and is not over."""
        seen = self._seen.get(name)
        return seen is not None and seen.page is not None

    def update(
        self, findings: Iterable[Finding], judged: Collection[Kind], now_ms: int, over: Collection[str] = ()
    ) -> list[Page]:
        """The pages due after a look: new incidents, and the ends of those that it no longer found.

        `judged` are the kinds the look could decide; a finding of another kind stays as it was, unless it is named
        in `over`.
        """
        found = {finding.name: finding for finding in findings}
        pages = [page for finding in found.values() if (page := self._page(finding, now_ms))]
        left = [(name, seen) for name, seen in self._seen.items() if name not in found]
        gone = [name for name, seen in left if seen.kind in judged or name in over]
        return pages + [end for name in gone if (end := self._end(name))]

    def _page(self, finding: Finding, now_ms: int) -> Page | None:
        seen = self._seen.setdefault(finding.name, _Seen(finding.kind, now_ms))
        if seen.page or now_ms - seen.since_ms < finding.grace_ms:
            return None
        count = self._count[finding.name] = self._count.get(finding.name, 0) + 1
        key = f"{_PREFIX}{finding.name}/{count}"
        seen.page = Page(finding.trade_id, key, finding.headline, finding.facts, finding.to_do)
        return seen.page

    def _end(self, name: str) -> Page | None:
        page = self._seen.pop(name).page
        if page is None:
            return None
        return Page(page.trade_id, page.key + _OVER, f"over: {page.headline}", (), "Nothing: it is no longer so.")
