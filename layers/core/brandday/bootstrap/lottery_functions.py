"""The functions of lotteries and lucky draws."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from brandday.adapters.clock import now_ms
from brandday.bootstrap.environment import Tables, TablesWithRewards, each_at_once, start

if TYPE_CHECKING:
    from brandday.adapters.campaign_table import CampaignTable
    from brandday.adapters.draw_table import DrawTable
    from brandday.bootstrap.environment import Handler
    from brandday.usecases.browse_campaigns import BrowseCampaigns
    from brandday.usecases.issue_wins import IssueWins
    from brandday.usecases.live_campaigns import LiveCampaigns


def _browse_lotteries(live: LiveCampaigns, stored: CampaignTable, kept: DrawTable) -> BrowseCampaigns:
    """Return what shows lotteries, with their seeds once they are no secret any more."""
    from brandday.usecases.browse_campaigns import BrowseCampaigns
    from brandday.usecases.hold_draw import result_of

    return BrowseCampaigns(
        live, stored, now_ms, seeds=stored.seed, draw_held=lambda campaign_id: result_of(kept, campaign_id) is not None
    )


@start
def entries() -> Handler:
    """Return the handler of entries in lotteries."""
    from brandday.bootstrap.guards import Guards, guarded_app
    from brandday.entrypoints.entries import ROUTES, EntryUseCases
    from brandday.usecases.enter_lottery import EnterLottery, GrantChances
    from brandday.usecases.live_lotteries import LiveLotteries
    from brandday.usecases.prove_entry import ProveEntry
    from brandday.usecases.settle_entries import Records

    tables = Tables()
    entrants, draws, stored = tables.entries, tables.draws, tables.campaigns
    live = tables.live()
    lotteries = LiveLotteries(live, stored)
    guards = Guards(tables)
    enter = EnterLottery(lotteries, entrants, Records(entrants, tables.stock), now_ms, guards.gate, guards.tallies)
    browse = _browse_lotteries(live, stored, draws)
    use_cases = EntryUseCases(
        enter_lottery=enter.enter,
        get_entry=enter.get,
        list_entries=enter.list_entries,
        prove_entry=ProveEntry(enter.get, browse.draw, live, entrants, draws),
        grant_chances=GrantChances(lotteries, entrants, now_ms),
    )
    return guarded_app(ROUTES, use_cases, tables, live, guards)


@start
def draws() -> Handler:
    """Return the handler of what lotteries publish."""
    from brandday.entrypoints.draws import ROUTES, DrawUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.hold_draw import result_of
    from brandday.usecases.publish_receipt import PublishReceipt
    from brandday.usecases.seal_draw import sealed

    tables = Tables()
    stored, kept = tables.campaigns, tables.draws
    live = tables.live()
    browse = _browse_lotteries(live, stored, kept)
    use_cases = DrawUseCases(
        get_draw=browse.draw,
        get_seal=lambda campaign_id: sealed(kept, campaign_id),
        get_result=lambda campaign_id: result_of(kept, campaign_id),
        get_receipt=PublishReceipt(live, tables.entries, kept, stored),
        get_rules=browse.rules,
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@start
def entry_projector() -> Handler:
    """Return the handler of EntryTable's stream."""
    from brandday.adapters.entry_stream import read_entrant_change
    from brandday.entrypoints.on_entry_changed import build_handler
    from brandday.usecases.count_entries import CountEntries

    tables = TablesWithRewards()
    issue = issue_wins(tables, tables.live())
    return build_handler(CountEntries(issue, tables.entry_counts), read_entrant_change)


def issue_wins(tables: TablesWithRewards, live: LiveCampaigns) -> IssueWins:
    """Return what makes rewards of wins."""
    from brandday.usecases.issue_wins import IssueWins
    from brandday.usecases.live_lotteries import LiveLotteries
    from brandday.usecases.settle_entries import Records, SettleEntries

    lotteries = LiveLotteries(live, tables.campaigns)
    settle = SettleEntries(lotteries, Records(tables.entries, tables.stock), now_ms)
    return IssueWins(live, settle, tables.rewards, now_ms, each=each_at_once())


@start
def draw_holder() -> Handler:
    """Return the handler of the schedule that seals, draws and hands out prizes."""
    from brandday.adapters.drand_beacon import DrandBeacon
    from brandday.adapters.http_post import HttpPost
    from brandday.entrypoints.access_log import write_line
    from brandday.entrypoints.on_draw_due import build_handler
    from brandday.usecases.award_prizes import AwardPrizes
    from brandday.usecases.hold_draw import HoldDraw
    from brandday.usecases.live_lotteries import LiveLotteries
    from brandday.usecases.run_draws import RunDraws
    from brandday.usecases.seal_draw import SealDraw
    from brandday.usecases.settle_entries import Records, SettleEntries

    tables = TablesWithRewards()
    entrants, draws, stored = tables.entries, tables.draws, tables.campaigns
    live = tables.live()
    lotteries, records = LiveLotteries(live, stored), Records(entrants, tables.stock)
    settle = SettleEntries(lotteries, records, now_ms)
    return build_handler(
        RunDraws(
            live,
            stored,
            SealDraw(entrants, draws, settle, now_ms),
            HoldDraw(draws, stored, DrandBeacon(HttpPost().get), now_ms),
            AwardPrizes(lotteries, entrants, records, draws, tables.rewards, now_ms, each=each_at_once()),
            now_ms,
            write_line,
        )
    )
