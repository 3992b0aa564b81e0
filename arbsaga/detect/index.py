"""Which baskets there are, built from the venues' events and from pairs, and which of them a token touches."""

from collections.abc import Mapping, Sequence

from arbsaga.detect.pairs import WatchedPair, pair_watches
from arbsaga.detect.settings import BasketSettings
from arbsaga.detect.watches import FixedWatch, PoolWatch, Watch
from arbsaga.domain.baskets import complement, yes_of_all
from arbsaga.domain.pricing import Gates
from arbsaga.venues.port import EventListing, MarketListing

Touched = tuple[tuple[Watch, int], ...]
"""The watches that have this token, and at which leg."""
Groups = Mapping[str, Sequence[Mapping[str, str]]]
"""By venue, groups of tokens (each with its market) whose books should be proved together."""


def watches_of(listing: EventListing, gates: Gates, settings: BasketSettings) -> list[Watch]:
    """The baskets of one event that can be traded now.

    YES of all only where exactly one market must resolve YES and all of them are open: a closed or
    missing sibling makes it a bet. NOs wherever at most one can resolve YES (neg-risk), of the open
    markets; any subset pays. (docs.polymarket.com, negative risk)
    """
    is_open = [market for market in listing.markets if market.open]
    watches: list[Watch] = []
    several = listing.neg_risk and len(is_open) >= 2
    if several and listing.exhaustive and len(is_open) == len(listing.markets) <= settings.max_legs:
        basket = yes_of_all(listing.event, listing.title, [market.yes for market in is_open])
        watches.append(FixedWatch(basket, gates))
    if several:
        no = [market.no for market in is_open]
        watches.append(PoolWatch(listing.event, listing.title, no, gates, settings.max_legs))
    if settings.complement:
        watches += [
            FixedWatch(complement(listing.event, _title(listing, market), market.yes), gates)
            for market in is_open
            if not market.yes.rules.nets  # both outcomes cannot be held: the second order sells the first
        ]
    return watches


def _title(listing: EventListing, market: MarketListing) -> str:
    return listing.title if len(listing.markets) == 1 else f"{listing.title}: {market.yes.title}"


class BasketIndex:
    """The watched baskets of all events and pairs, by event and by token."""

    def __init__(self, gates: Gates, settings: BasketSettings) -> None:
        self._gates, self._settings = gates, settings
        self._listings: dict[str, EventListing] = {}
        self._pairs: dict[str, WatchedPair] = {}
        self._watches: dict[str, list[Watch]] = {}
        self._by_token: dict[str, Touched] = {}

    def refresh(self, listings: Sequence[EventListing]) -> list[Watch]:
        """Take the venue's events as they are now. Returns the watches that are new, without prices yet.

        An event can be listed twice: once more with those of its markets that have resolved since.
        """
        listed = {listing.event: listing for listing in listings if any(market.open for market in listing.markets)}
        for event in [event for event in self._listings if event not in listed]:
            self._drop(event)
        new: list[Watch] = []
        for event, listing in listed.items():
            if self._listings.get(event) == listing:
                continue
            self._drop(event)
            self._listings[event] = listing
            new += self._add(event, watches_of(listing, self._gates, self._settings))
        return new

    def refresh_pairs(self, pairs: Sequence[WatchedPair]) -> list[Watch]:
        """Take the pairs as they are now, and no others. Returns the watches that are new, without prices yet."""
        given = {pair.event: pair for pair in pairs}
        assert len(given) == len(pairs), "a pair has a name of its own"
        for event in [event for event, pair in self._pairs.items() if given.get(event) != pair]:
            self._drop(event)
        new: list[Watch] = []
        for event, pair in given.items():
            if event not in self._pairs:
                self._pairs[event] = pair
                new += self._add(event, pair_watches(pair, self._gates))
        return new

    def retire(self, market: str) -> None:
        """A market has closed or changed: its baskets are void until its event is listed, or its pair given, again."""
        for event, listing in list(self._listings.items()):
            if any(one.yes.market == market for one in listing.markets):
                self._drop(event)
        for event, pair in list(self._pairs.items()):
            if market in (pair.a.yes.market, pair.b.yes.market):
                self._drop(event)

    def touched(self, token: str) -> Touched:
        """The watches with this token."""
        return self._by_token.get(token, ())

    def holds(self, watch: Watch) -> bool:
        """Whether this very watch is still one of them."""
        return any(one is watch for one, _ in self.touched(watch.tokens[0]))

    def tokens(self) -> Groups:
        """By venue, the tokens that belong together, each with its market: an event's, then what only pairs need."""
        groups: dict[str, list[dict[str, str]]] = {}
        seen: set[str] = set()
        for event in sorted(self._watches, key=self._pairs.__contains__):
            parts: dict[str, dict[str, str]] = {}
            for one in (one for watch in self._watches[event] for one in watch.instruments):
                if one.token not in seen:
                    seen.add(one.token)
                    parts.setdefault(one.venue, {})[one.token] = one.market
            for venue, part in parts.items():
                groups.setdefault(venue, []).append(part)
        return groups

    def pair_tokens(self) -> set[str]:
        """The tokens that pairs need, whether or not an event needs them too."""
        return {token for event in self._pairs for watch in self._watches.get(event, ()) for token in watch.tokens}

    @property
    def watches(self) -> list[Watch]:
        """Every watched basket."""
        return [watch for watches in self._watches.values() for watch in watches]

    def _add(self, event: str, watches: Sequence[Watch]) -> Sequence[Watch]:
        if watches:
            self._watches[event] = list(watches)
        for watch in watches:
            for at, token in enumerate(watch.tokens):
                self._by_token[token] = (*self.touched(token), (watch, at))
        return watches

    def _drop(self, event: str) -> None:
        self._listings.pop(event, None)
        self._pairs.pop(event, None)
        for watch in self._watches.pop(event, ()):
            for token in watch.tokens:
                left = tuple(pair for pair in self.touched(token) if pair[0] is not watch)
                if left:
                    self._by_token[token] = left
                else:
                    self._by_token.pop(token, None)
