"""What has become of a campaign's coupons: one status each, counted, and what they have cost so far."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brandday.domain.times import from_rfc3339
from brandday_cli.audit_rules import COUPON_STATUSES


def status_at(
    now: int, valid_until: int, use: str | None = None, locked_until: int = 0, *, disabled: bool = False
) -> str:
    """Return what a coupon is at ``now`` (times in epoch ms); what was redeemed stays that, whatever comes after."""
    if use == "redeemed":
        return "redeemed"
    if use == "locked" and now < locked_until:
        return "locked"
    if disabled:
        return "disabled"
    return "expired" if now >= valid_until else "usable"


@dataclass
class Usage:
    """How a campaign's coupons stand at `now` (epoch ms); money in minor units.

    `uses` counts what orders have done with codes, by status; of a shared code there is nothing else to count.
    """

    now: int
    issued: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    uses: Counter[str] = field(default_factory=Counter)
    discount: int = 0

    def add_coupon(self, coupon: Mapping[str, Any], state: Mapping[str, Any] | None) -> str:
        """Count a coupon, as the API tells of it; return what it is."""
        status = coupon_status(self.now, coupon, state)
        self.issued += 1
        self.by_status[status] += 1
        return status

    def add_part(self, part: Mapping[str, Any]) -> None:
        """Count what an order has done with a code."""
        self.uses[part["status"]] += 1
        if part["status"] == "redeemed":
            self.discount += part["discount"]

    def as_json(self) -> dict[str, object]:
        """Return the shape of the counts in ``brandday coupons usage --json``."""
        return {
            "issued": self.issued,
            **{status: self.by_status[status] for status in COUPON_STATUSES},
            "uses": dict(sorted(self.uses.items())),
            "discount": self.discount,
        }


def coupon_status(now: int, coupon: Mapping[str, Any], state: Mapping[str, Any] | None) -> str:
    """Return what a coupon is, as the API tells of it and of what has happened to it."""
    if state is None:
        return status_at(now, from_rfc3339(coupon["valid_until"]))
    return status_at(
        now,
        from_rfc3339(state["valid_until"] or coupon["valid_until"]),
        state["use"],
        from_rfc3339(state["locked_until"]),
        disabled=state["disabled"],
    )
