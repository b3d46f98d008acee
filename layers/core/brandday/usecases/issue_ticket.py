"""A shopper asks for an entry ticket: the desk of a campaign, open from shortly before its start."""

from collections.abc import Callable
from dataclasses import dataclass

from brandday.domain.campaign import Shopper, check_eligible, check_open
from brandday.domain.entry_ticket import make_ticket
from brandday.domain.errors import NoTicketNeeded, SoldOut
from brandday.domain.visit import Visit
from brandday.usecases.guard_ports import Desk, PassKeys
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Clock


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket and until when (epoch ms) it is good."""

    text: str
    expires_at: int


class IssueTicket:
    """Gives out tickets; `nonce` returns a few URL-safe characters that are new each time."""

    def __init__(
        self, campaigns: LiveCampaigns, desk: Desk, keys: PassKeys, nonce: Callable[[], str], now: Clock
    ) -> None:
        self._campaigns = campaigns
        self._desk = desk
        self._keys = keys
        self._nonce = nonce
        self._now = now

    def __call__(self, shopper: Shopper, campaign_id: str, visit: Visit) -> Ticket:
        """Return a ticket for one claim; raises what keeps the shopper from it: see the errors of
        ``POST /v1/campaigns/{id}/tickets``.
        """
        live = self._campaigns.get(campaign_id)
        campaign, protection = live.campaign, live.campaign.protection
        if protection is None or protection.ticket is None:
            raise NoTicketNeeded
        check_open(campaign, protection.opens_at(campaign.starts_at), self._now())
        check_eligible(campaign, shopper)
        check_left(live)
        solved_at = self._desk.enter(live, protection, shopper, visit)
        now = self._now()  # the desk may have taken a while
        # With a challenge the pass is as old as that: one that was solved brings one claim, however many tickets.
        passed_at = now if solved_at is None else solved_at
        expires_at = min(now + protection.ticket.valid_ms, campaign.ends_at)
        key_id, key = self._keys.current()
        text = make_ticket(key_id, key, campaign.id, shopper.id, passed_at, expires_at, self._nonce())
        return Ticket(text, expires_at)


def check_left(live: LiveCampaign) -> None:
    """Raise SoldOut if all units there are have been sold: nobody needs to be looked at any more, let alone counted.

    A lottery is never over like this; who has got something already repeats that request without a new ticket.
    """
    skus = live.campaign.skus
    if live.campaign.lottery is None and all(live.is_sold_out(sku.sku) for sku in skus):
        raise SoldOut(sku=skus[0].sku)
