"""What the public sees of campaigns: schedule, what is sold, won or given on which terms, and what is left."""

from collections.abc import Callable, Sequence

from brandday.domain import beacon
from brandday.domain.campaign import Campaign
from brandday.domain.campaign_view import (
    Availability,
    BeaconView,
    CampaignView,
    CouponView,
    DrawView,
    LotteryView,
    PrizeView,
    RulesView,
    TableView,
)
from brandday.domain.coupon import POOL, CodeKind, CouponTerms
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.errors import CampaignNotFound, WrongMechanic
from brandday.domain.lottery import ALGORITHM, Lottery, PrizeTable, table_at
from brandday.domain.lottery_state import LotteryState
from brandday.usecases.live_campaigns import REFRESH_MS, LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Campaigns, Clock

SHOWN_AFTER_END_MS = 24 * 60 * 60 * 1000
"""How long a campaign that is over stays on the list; its own page stays."""

type Seeds = Callable[[str], bytes | None]
"""The seed of a published lottery by its campaign's id; None if there is none."""

type DrawHeld = Callable[[str], bool]
"""Whether a scheduled draw was held: its result is stored, and can never be another."""


def _no_seed(_: str) -> bytes | None:
    return None


def _not_held(_: str) -> bool:
    return False


class BrowseCampaigns:
    """Reads campaigns for the public pages; at most a second old.

    Without `seeds` and `draw_held` no seed is ever shown, whatever the time.
    """

    def __init__(
        self,
        campaigns: LiveCampaigns,
        index: Campaigns,
        now: Clock,
        *,
        seeds: Seeds = _no_seed,
        draw_held: DrawHeld = _not_held,
    ) -> None:
        self._campaigns = campaigns
        self._index = index
        self._now = now
        self._seeds = seeds
        self._draw_held = draw_held
        self._ids: tuple[int, Sequence[str]] | None = None

    def list_campaigns(self) -> list[CampaignView]:
        """Return the published campaigns that are not long over, the next to end first."""
        now = self._now()
        if self._ids is None or now - self._ids[0] >= REFRESH_MS:
            self._ids = (now, self._index.list_ids())
        views = []
        for campaign_id in self._ids[1]:
            try:
                views.append(self.get_campaign(campaign_id))
            except CampaignNotFound:
                continue
        shown = [view for view in views if now < view.campaign.over_at() + SHOWN_AFTER_END_MS]
        return sorted(shown, key=lambda view: (view.campaign.ends_at, view.campaign.id))

    def get_campaign(self, campaign_id: str) -> CampaignView:
        """Return one published campaign; CampaignNotFound if there is none."""
        now = self._now()
        live = self._campaigns.get(campaign_id)
        campaign = live.campaign
        availability = {sku.sku: _availability(live, sku.sku) for sku in campaign.skus}
        lottery = None
        if campaign.lottery is not None and campaign.luck is not None:
            lottery = _lottery_view(campaign.lottery, campaign.luck, availability, now)
        coupon = None if campaign.coupon is None else _coupon_view(live, campaign.coupon, availability[POOL])
        return CampaignView(campaign, campaign.state_at(now), availability, lottery, coupon)

    def rules(self, campaign_id: str) -> RulesView:
        """Return what a published lottery has to make public; CampaignNotFound, or WrongMechanic if it is none."""
        view = self.get_campaign(campaign_id)
        campaign, lottery = view.campaign, view.lottery
        if lottery is None or campaign.luck is None:
            raise WrongMechanic(mechanic=campaign.mechanic)
        rules, frozen = lottery.lottery, campaign.luck.frozen
        return RulesView(
            campaign_id=campaign.id,
            title=campaign.title,
            state=view.state,
            time_zone=campaign.time_zone,
            starts_at=frozen.starts_at,
            ends_at=frozen.ends_at,
            over_at=campaign.over_at(),
            draw_at=None if rules.draw is None else rules.draw.at,
            claim_until=campaign.fulfilment.claim_until,
            lottery=lottery,
            compliance=rules.compliance,
            algorithm=ALGORITHM,
        )

    def draw(self, campaign_id: str) -> DrawView:
        """Return what anybody needs to check a published lottery; CampaignNotFound, or WrongMechanic if it is none.

        The seed is shown when nothing can be decided by it any more. For instant wins that is a minute after the end,
        when no entry is on its way. For a draw it is when the draw was held: not before its time, even if it was ended
        early, and however late it takes place.
        """
        campaign, luck, lottery = self._lottery(campaign_id)
        now, rules = self._now(), lottery.draw
        seed_from = campaign.over_at() + SEAL_AFTER_MS if rules is None else rules.at
        is_open = now >= seed_from and (rules is None or self._draw_held(campaign_id))
        beacon_view = None
        if rules is not None and rules.beacon is not None:
            beacon_view = BeaconView.of(rules.beacon, beacon.PUBLIC_KEY, beacon.out_at(rules.beacon))
        return DrawView(
            campaign_id=campaign.id,
            state=campaign.state_at(now),
            mode=lottery.mode,
            algorithm=ALGORITHM,
            commitment=luck.frozen.commitment,
            tables=tuple(_table_view(table, lottery, luck) for table in luck.tables),
            starts_at=luck.frozen.starts_at,
            over_at=campaign.over_at(),
            draw_at=None if rules is None else rules.at,
            beacon=beacon_view,
            seed_from=seed_from,
            seed=self._seeds(campaign_id) if is_open else None,
        )

    def _lottery(self, campaign_id: str) -> tuple[Campaign, LotteryState, Lottery]:
        campaign = self._campaigns.get(campaign_id).campaign
        if campaign.lottery is None or campaign.luck is None:
            raise WrongMechanic(mechanic=campaign.mechanic)
        return campaign, campaign.luck, campaign.lottery


def _lottery_view(lottery: Lottery, luck: LotteryState, availability: dict[str, Availability], now: int) -> LotteryView:
    table = table_at(luck.tables, now)
    newest = luck.tables[-1]
    return LotteryView(
        lottery=lottery,
        prizes=tuple(PrizeView(prize, table.odds.get(prize.id), availability[prize.id]) for prize in lottery.prizes),
        commitment=luck.frozen.commitment,
        table=_table_view(table, lottery, luck),
        next_table=None if newest is table else _table_view(newest, lottery, luck),
    )


def _coupon_view(live: LiveCampaign, terms: CouponTerms, availability: Availability) -> CouponView:
    if terms.code_kind is not CodeKind.SHARED and not terms.is_taken:
        return CouponView(terms, None, None)
    return CouponView(terms, availability, live.summary.free(live.layout.slots[POOL], live.total(POOL)))


def _table_view(table: PrizeTable, lottery: Lottery, luck: LotteryState) -> TableView:
    document = table.document(lottery, luck.frozen)
    return TableView(table.version, table.since, table.hash(lottery, luck.frozen), document)


def _availability(live: LiveCampaign, sku: str) -> Availability:
    if live.is_sold_out(sku):
        return Availability.SOLD_OUT
    if live.summary.free(live.layout.slots[sku], live.total(sku)) > 0:
        return Availability.AVAILABLE
    return Availability.ALL_HELD
