"""A gate that believes everything: for tests of what becomes of those whom a gate has let in."""

from __future__ import annotations

from dataclasses import dataclass, field

from brandday.domain.campaign import Shopper
from brandday.domain.errors import LimitReached, RateLimited, TicketInvalid
from brandday.domain.protection import Counted, Limit, Protection, TicketTerms, Window
from brandday.domain.signals import SignalKind
from brandday.domain.tally import TallyKey, Wanted
from brandday.domain.visit import Visit
from brandday.usecases.guard_ports import Admitted
from brandday.usecases.live_campaigns import LiveCampaign


@dataclass
class PlainGate:
    """A ticket is the moment at which it was issued, in digits; marks are the token's claims as they are.

    `tired`: nobody is let in any more. `asked` counts who has come to the gate, `limited` are those whom a limit has
    refused, `exempt` those for whom none counts.
    """

    tired: bool = False
    asked: int = 0
    limited: list[str] = field(default_factory=list)
    exempt: frozenset[str] = frozenset()

    def admit(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> Admitted:
        """Let in whoever has a ticket, if one is needed."""
        del shopper
        self.asked += 1
        if self.tired:
            raise RateLimited(reference=None)
        if protection.ticket is not None and not visit.ticket:
            raise TicketInvalid(reason="missing")
        scope = protection.scope(live.campaign.id)
        wanted = tuple(
            Wanted(limit, TallyKey(scope, limit.name, visit.claims[limit.by]))
            for limit in protection.limits_on(Counted.WINS)
            if limit.by in visit.claims
        )
        return Admitted(int(visit.ticket) if visit.ticket else None, wanted)

    def limit_reached(
        self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit, limit: Limit
    ) -> Exception:
        """Return what the limit's owner hears."""
        del live, protection, visit
        self.limited.append(shopper.id)
        return LimitReached(by=str(limit.by), limit=limit.most, reference="0000000000")

    def is_exempt(self, live: LiveCampaign, shopper: Shopper, visit: Visit) -> bool:
        """Whether a limit does not count for the shopper."""
        del live, visit
        return shopper.id in self.exempt


TICKETS = TicketTerms(opens_before_ms=600_000, valid_ms=600_000)


def per_device(
    most: int = 1, *, ticket: TicketTerms | None = None, window: Window | None = None, brand_day: str | None = None
) -> Protection:
    """Return a campaign's protection: so many units per device."""
    limit = Limit("per-device", SignalKind.DEVICE, Counted.WINS, most, window)
    return Protection(brand_day=brand_day, limits=(limit,), ticket=ticket)


def visit_with(device: str = "", *, ticket: int | None = None) -> Visit:
    """Return a visit from a device, with a ticket of that moment."""
    claims = {"device": device} if device else {}
    return Visit(claims=claims, ticket="" if ticket is None else str(ticket))
