"""Which order of the venue is which of ours.

Our id is the client_order_id, known before the order is sent. The venue's own is learned from the answer to a create,
the user stream or a listing; without it an order can neither be asked for nor cancelled, since there is no lookup by
client_order_id. What is forgotten, by a restart or for want of room, is found again by listing.
"""

from collections import OrderedDict
from typing import Final

MAX_NAMES: Final = 20_000


class Names:
    """The venue's id by ours and back, the newest MAX_NAMES of them."""

    def __init__(self) -> None:
        self._venue_ids: OrderedDict[str, str] = OrderedDict()
        self._order_ids: dict[str, str] = {}

    def learn(self, order_id: str, venue_id: str) -> None:
        """The venue calls our order `order_id` `venue_id`. An order without an id of ours goes by the venue's."""
        ours = order_id or venue_id
        self._venue_ids[ours] = venue_id
        self._venue_ids.move_to_end(ours)
        self._order_ids[venue_id] = ours
        while len(self._venue_ids) > MAX_NAMES:
            _, forgotten = self._venue_ids.popitem(last=False)
            self._order_ids.pop(forgotten, None)

    def venue_id(self, order_id: str) -> str:
        """The venue's id of an order of ours; empty where it was never learned."""
        return self._venue_ids.get(order_id, "")

    def order_id(self, venue_id: str) -> str:
        """Our id of an order of the venue; empty where it was never learned."""
        return self._order_ids.get(venue_id, "")
