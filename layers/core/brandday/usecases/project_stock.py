"""Everything that follows from a change of stock: a reminder for each new hold, and the summary.

The stream of shard images is the only source, so nothing follows from a write that did not happen, and everything
from one that did. Both effects may be repeated: a reminder makes somebody look, a tally has its shard's version.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from brandday.domain.errors import CampaignNotFound
from brandday.domain.shard import Shard, decode_record, is_restock_mark
from brandday.domain.stock import Terms
from brandday.domain.summary import ShardTally, tally_shard
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock, HoldQueue


@dataclass(frozen=True, slots=True)
class ShardChanged:
    """One record of the stream: a shard before (None if it is new) and after a write."""

    campaign_id: str
    before: Shard | None
    after: Shard


class ProjectStock:
    """Turns changed shards into reminders and tallies."""

    def __init__(self, campaigns: LiveCampaigns, keep_summary: KeepSummary, queue: HoldQueue, now: Clock) -> None:
        self._campaigns = campaigns
        self._keep_summary = keep_summary
        self._queue = queue
        self._now = now

    def __call__(self, changes: Sequence[ShardChanged]) -> None:
        """Send the reminders first, then bring the summary up to date; repeat the whole if either fails."""
        reminders: dict[tuple[str, int, int], None] = {}
        tallies: dict[str, dict[int, ShardTally]] = {}
        for change in changes:
            try:
                terms = self._campaigns.get(change.campaign_id).terms
            except CampaignNotFound:
                continue  # a shard without a campaign has no terms to expire by; the audit would name it
            for due in new_holds_due(change, terms):
                reminders[change.campaign_id, change.after.number, due] = None
            of_campaign = tallies.setdefault(change.campaign_id, {})
            known = of_campaign.get(change.after.number)
            if known is None or known.version < change.after.version:
                of_campaign[change.after.number] = tally_shard(change.after, terms)
        if reminders:
            self._queue.send(list(reminders), self._now())
        for campaign_id, seen in tallies.items():
            self._keep_summary(campaign_id, seen)


def new_holds_due(change: ShardChanged, terms: Terms) -> set[int]:
    """Return when the holds lapse that this change has made or extended, in epoch ms rounded up to the second."""
    before = change.before.records if change.before else {}
    due: set[int] = set()
    for name, text in change.after.records.items():
        if text != before.get(name) and not is_restock_mark(name):
            known = decode_record(before.get(name))
            for entry in decode_record(text):
                if entry.is_held and entry not in known:
                    due.add(-(-terms.expires_at(entry) // 1000) * 1000)
    return due
