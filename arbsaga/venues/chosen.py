"""Some of several venues: where new trades may go, while all of them are looked after."""

from collections.abc import Iterator, Mapping, Sequence

from arbsaga.venues.port import Venue
from arbsaga.venues.several import Several, parts_of


class Chosen(Several):
    """The venues of `whole` with these names. Starting and closing them is left to `whole`."""

    def __init__(self, whole: Venue, names: Sequence[str]) -> None:
        """`names` are of venues that `whole` has."""
        parts = parts_of(whole)
        super().__init__({name: parts[name] for name in names})
        self.parts = _Some(parts, tuple(names))


class _Some(Mapping[str, Venue]):
    """A part of a mapping as it is now: a venue that was away and is started anew is the new one here too."""

    def __init__(self, whole: Mapping[str, Venue], names: tuple[str, ...]) -> None:
        self._whole, self._names = whole, names

    def __getitem__(self, name: str) -> Venue:
        if name not in self._names:
            raise KeyError(name)
        return self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
