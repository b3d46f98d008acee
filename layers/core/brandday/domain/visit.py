"""What a request brings along besides the shopper: raw, for a campaign's gate to look at, never kept or logged."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request comes from, and what it shows at the gate; an empty text is what it does not have.

    `address` is the caller's IP address, `claims` are those of the shopper's token, `shop_signals` is what the shop's
    backend has signed about this visit (header Shop-Signals), `ticket` and `solution` are an entry ticket (header
    Entry-Ticket) and the solution of a challenge (header Challenge-Solution).
    """

    address: str = field(default="", repr=False)
    claims: Mapping[str, str] = field(default_factory=dict, repr=False)
    shop_signals: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    solution: str = field(default="", repr=False)


NO_VISIT = Visit()
"""A request that shows nothing: enough where a campaign has no protection."""
