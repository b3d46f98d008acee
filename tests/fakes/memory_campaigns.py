"""Campaigns and their summaries in memory: the ports `Campaigns`, `CampaignStore` and `Summaries`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from brandday.domain.campaign import Campaign, Status
from brandday.domain.code_words import CodeWord, WordKind, word_taken, words_of
from brandday.domain.errors import CampaignConflict, CampaignNotFound
from brandday.domain.summary import ShardTally, Subtotal, decode_tally, encode_subtotal, encode_tally
from brandday.domain.trail import TrailEntry


@dataclass
class MemorySummaries:
    """Tallies as stored texts by (campaign, group), with the item's version; subtotals by campaign."""

    groups: dict[tuple[str, int], tuple[int, dict[int, str]]] = field(default_factory=dict)
    subtotals: dict[str, dict[int, Subtotal]] = field(default_factory=dict)
    as_of: dict[str, int] = field(default_factory=dict)

    def load_group(self, campaign_id: str, group: int) -> tuple[int, dict[int, ShardTally]]:
        """Return a group's version and tallies."""
        version, texts = self.groups.get((campaign_id, group), (0, {}))
        return version, {number: decode_tally(text) for number, text in texts.items()}

    def save_group(self, campaign_id: str, group: int, version: int, changed: Mapping[int, ShardTally]) -> bool:
        """Save tallies on condition of the version."""
        known, texts = self.groups.get((campaign_id, group), (0, {}))
        if known != version:
            return False
        merged = texts | {number: encode_tally(tally) for number, tally in changed.items()}
        self.groups[campaign_id, group] = (version + 1, merged)
        return True

    def save_subtotal(self, campaign_id: str, group: int, total: Subtotal, as_of: int) -> None:
        """Save a subtotal unless one as new is there."""
        known = self.subtotals.setdefault(campaign_id, {}).get(group)
        if known is None or known.version < total.version:
            self.subtotals[campaign_id][group] = total
            self.as_of[campaign_id] = as_of

    def attributes(self, campaign_id: str) -> dict[str, str]:
        """Return the attributes of a campaign's summary item, as `Campaigns.load` gives them."""
        found = {f"c{group}": encode_subtotal(total) for group, total in self.subtotals.get(campaign_id, {}).items()}
        return found | ({"as_of": str(self.as_of[campaign_id])} if campaign_id in self.as_of else {})


@dataclass
class MemoryCampaigns:
    """Campaigns by id, and their trails."""

    summaries: MemorySummaries
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    trails: dict[str, list[TrailEntry]] = field(default_factory=dict)
    salt: bytes | None = None
    seeds: dict[str, bytes] = field(default_factory=dict)
    secret: bytes | None = None
    known_words: dict[tuple[WordKind, str], CodeWord] = field(default_factory=dict)

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """Return a campaign and its summary's attributes; there is no replica that could lag."""
        del consistent
        if campaign_id not in self.campaigns:
            raise CampaignNotFound
        return self.campaigns[campaign_id], self.summaries.attributes(campaign_id)

    def list_ids(self) -> list[str]:
        """Return the ids of all campaigns."""
        return sorted(self.campaigns)

    def known_salt(self) -> bytes | None:
        """Return the salt of all shoppers' names, if there is one yet."""
        return self.salt

    def deployment_salt(self, fresh: bytes) -> bytes:
        """Return the salt of all shoppers' names; it is `fresh` if there is none yet."""
        if self.salt is None:
            self.salt = fresh
        return self.salt

    def words(self) -> list[CodeWord]:
        """Return the words of all published campaigns' codes."""
        return list(self.known_words.values())

    def code_secret(self) -> bytes | None:
        """Return the secret of all codes, if there is one yet."""
        return self.secret

    def deployment_code_secret(self, fresh: bytes) -> bytes:
        """Return the secret of all codes; it is `fresh` if there is none yet."""
        if self.secret is None:
            self.secret = fresh
        return self.secret

    def seed(self, campaign_id: str) -> bytes | None:
        """Return the seed of a published lottery."""
        return self.seeds.get(campaign_id)

    def save(self, campaign: Campaign, expected_version: int, entry: TrailEntry, *, seed: bytes | None = None) -> None:
        """Write campaign and entry if the version is the expected one."""
        known = self.campaigns.get(campaign.id)
        version = known.version if known else 0
        if version != expected_version:
            raise CampaignConflict(version=version)
        if seed is not None:
            if campaign.id in self.seeds:
                raise CampaignConflict(version=version)
            self.seeds[campaign.id] = seed
        words = () if campaign.status is Status.DRAFT else words_of(campaign)
        wanted = {(word.kind, word.text): word for word in words if word.until > entry.at}
        for place, word in wanted.items():
            there = self.known_words.get(place, word)
            if there.campaign_id != campaign.id and there.until > entry.at:
                raise word_taken(word, there.campaign_id)
        self.known_words |= wanted
        self.campaigns[campaign.id] = campaign
        self.trails.setdefault(campaign.id, []).append(entry)
