"""What a request brings along besides the shopper: raw, for a campaign's gate to look at, never kept or logged."""

from collections.abc import Mapping
from typing import NamedTuple


class Visit(NamedTuple):  # a tuple, because every request makes one: a quarter of the time
    """Where a request comes from, and what it shows at the gate; an empty text is what it does not have.

    `address` is the caller's IP address, `claims` are those of the shopper's token, `shop_signals` is what the shop's
    backend has signed about this visit (header Shop-Signals), `ticket` and `solution` are an entry ticket (header
    Entry-Ticket) and the solution of a challenge (header Challenge-Solution).
    """

    address: str = ""
    claims: Mapping[str, str] = {}
    shop_signals: str = ""
    ticket: str = ""
    solution: str = ""

    def __repr__(self) -> str:
        """Nothing of what it says: that is nobody's business."""
        return "Visit()"


NO_VISIT = Visit()
"""A request that shows nothing: enough where a campaign has no protection."""
