"""StockTable and CampaignTable in memory, behind the ports that the use cases know, with what each call costs.

A write does what `domain.shard.apply` says, which is the meaning that the real adapter is tested against.
"""

import json
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from brandday.adapters.keys import CAMPAIGN_COPIES, campaign_key, shard_key, summary_group_key, summary_key
from brandday.domain.campaign import Campaign
from brandday.domain.shard import CONFIRMED, Entry, Refused, Shard, ShardWrite, Written, apply, decode_record
from brandday.domain.summary import ShardTally, Subtotal, decode_tally, encode_subtotal, encode_tally
from brandday.usecases.project_stock import ShardChanged
from brandday_cli.simulation.partitions import Partitions, Usage
from brandday_cli.simulation.ticks import Ticks

WRITE_BYTES = 1024
READ_BYTES = 4096


class Latency:
    """How long a call is under way, in whole milliseconds: uniform between `least` and `most` for each half of it."""

    def __init__(self, ticks: Ticks, dice: random.Random, least: int = 1, most: int = 3) -> None:
        self._ticks = ticks
        self._dice = dice.random
        self._least = least
        self._span = most - least + 1

    def pass_half(self) -> None:
        """Let the time pass that a call needs one way."""
        self._ticks.sleep(self._least + int(self._dice() * self._span))


class _Image(Shard):
    """A shard that decodes its records once, however many environments read it: the same entries, sooner."""

    __slots__ = ("_entries",)
    _entries: tuple[tuple[str, Entry], ...]

    def entries(self) -> Iterable[tuple[str, Entry]]:  # type: ignore[override]
        try:
            return self._entries
        except AttributeError:
            object.__setattr__(self, "_entries", tuple(super().entries()))
            return self._entries


class Shards:
    """All shards of one campaign, and what is true of its stock at this moment."""

    def __init__(self, partitions: Partitions, latency: Latency, follow: Callable[[ShardChanged], None]) -> None:
        self.partitions = partitions
        self.latency = latency
        self.free_units = 0
        self.sold_units = 0
        self.sizes: dict[int, int] = {}
        self._follow = follow
        self._images: dict[int, Shard] = {}

    def image(self, number: int) -> Shard:
        """Return a shard as it is; this is no database call."""
        image = self._images.get(number)
        if image is None:
            image = self._images[number] = _Image(number, 0, {}, {})
        return image

    def change(self, campaign_id: str, before: Shard, write: ShardWrite) -> Shard | None:
        """Do a write, or return None where its condition does not hold."""
        after = apply(before, write)
        if after is None:
            return None
        image = _Image(after.number, after.version, after.free, after.records)
        self._images[write.shard] = image
        for change in write.changes:
            self.sold_units += _sold(change.after) - _sold(change.before)
        self.free_units += sum(write.free.values())
        self.sizes[write.shard] = _size(campaign_id, image)
        self._follow(ShardChanged(campaign_id, before if before.version else None, image))
        return image


class SimulatedStock:
    """The port `Stock` for one account of usage."""

    def __init__(self, shards: Shards, usage: Usage) -> None:
        self._shards = shards
        self._usage = usage

    def read(self, campaign_id: str, shards: Sequence[int], *, consistent: bool) -> tuple[Shard, ...]:
        """Return these shards in the order asked for."""
        store = self._shards
        self._usage.calls += 1
        store.latency.pass_half()
        for number in shards:
            blocks = max(1, math.ceil(store.sizes.get(number, 0) / READ_BYTES))
            store.partitions.read(shard_key(campaign_id, number), blocks if consistent else blocks / 2, self._usage)
        images = tuple(map(store.image, shards))
        store.latency.pass_half()
        return images

    def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
        """Do one conditional write; a refused one costs the units of the item that is there."""
        store = self._shards
        self._usage.calls += 1
        store.latency.pass_half()
        size = store.sizes.get(write.shard, 0) + sum(len(change.after or "") + 12 for change in write.changes)
        store.partitions.write(shard_key(campaign_id, write.shard), max(1, math.ceil(size / WRITE_BYTES)), self._usage)
        before = store.image(write.shard)
        after = store.change(campaign_id, before, write)
        self._usage.refused_writes += after is None
        store.latency.pass_half()
        return Refused(before) if after is None else Written({slot: after.free[slot] for slot in write.free})


@dataclass
class _Copy:
    """One copy of the summary: its attributes, and of which version each group's subtotal is."""

    attributes: dict[str, str] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)


class Documents:
    """CampaignTable: one published campaign and its summary, in as many copies as there are."""

    def __init__(self, partitions: Partitions, latency: Latency, campaign: Campaign) -> None:
        if campaign.layout is None:
            raise ValueError("a simulated campaign is published")
        self.partitions = partitions
        self.latency = latency
        self.campaign = campaign
        self.bytes = len(json.dumps(campaign.to_document())) + len(json.dumps(campaign.layout.to_document()))
        self.copies: list[_Copy] = [_Copy() for _ in range(CAMPAIGN_COPIES)]
        self.groups: dict[int, tuple[int, dict[int, str]]] = {}


class SimulatedCampaigns:
    """The port `Campaigns` for one account of usage: config and summary in one query, always of the same copy."""

    def __init__(self, documents: Documents, usage: Usage, copy: int) -> None:
        self._documents = documents
        self._usage = usage
        self._copy = copy % CAMPAIGN_COPIES

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """Return the campaign and the attributes of its summary."""
        known = self._documents
        self._usage.calls += 1
        known.latency.pass_half()
        kept = known.copies[self._copy]
        size = known.bytes + sum(map(len, kept.attributes.values()))
        blocks = math.ceil(size / READ_BYTES)
        key = campaign_key(campaign_id, self._copy)
        known.partitions.read(key, blocks if consistent else blocks / 2, self._usage)
        attributes = dict(kept.attributes)
        known.latency.pass_half()
        return known.campaign, attributes

    def list_ids(self) -> Sequence[str]:
        """Return the one campaign's id."""
        return (self._documents.campaign.id,)


class SimulatedSummaries:
    """The port `Summaries` for one account of usage."""

    def __init__(self, documents: Documents, usage: Usage) -> None:
        self._documents = documents
        self._usage = usage

    def load_group(self, campaign_id: str, group: int) -> tuple[int, dict[int, ShardTally]]:
        """Return a group's item version and the tallies of its shards."""
        known = self._documents
        self._usage.calls += 1
        known.latency.pass_half()
        version, texts = known.groups.get(group, (0, {}))
        blocks = max(1, math.ceil(_texts(texts) / READ_BYTES))
        known.partitions.read(_group_key(campaign_id, group), blocks, self._usage)
        tallies = {number: decode_tally(text) for number, text in texts.items()}
        known.latency.pass_half()
        return version, tallies

    def save_group(self, campaign_id: str, group: int, version: int, changed: Mapping[int, ShardTally]) -> bool:
        """Save changed tallies if the item still has this version."""
        known = self._documents
        self._usage.calls += 1
        known.latency.pass_half()
        there, texts = known.groups.get(group, (0, {}))
        after = texts if there != version else {**texts, **{at: encode_tally(tally) for at, tally in changed.items()}}
        known.partitions.write(
            _group_key(campaign_id, group), max(1, math.ceil(_texts(after) / WRITE_BYTES)), self._usage
        )
        if there == version:
            known.groups[group] = (version + 1, after)
        self._usage.refused_writes += there != version
        known.latency.pass_half()
        return there == version

    def save_subtotal(self, campaign_id: str, group: int, total: Subtotal, as_of: int) -> None:
        """Save a group's subtotal in one copy after the other, unless one as new is there."""
        known = self._documents
        for number, kept in enumerate(known.copies):
            self._usage.calls += 1
            known.latency.pass_half()
            size = sum(map(len, kept.attributes.values()))
            key = campaign_key(campaign_id, number)
            known.partitions.write(key, max(1, math.ceil(size / WRITE_BYTES)), self._usage)
            if kept.versions.get(group, -1) < total.version:
                kept.versions[group] = total.version
                kept.attributes |= {f"c{group}": encode_subtotal(total), "as_of": str(as_of)}
            known.latency.pass_half()


def _sold(record: str | None) -> int:
    return sum(entry.quantity for entry in decode_record(record) if entry.state == CONFIRMED)


def _size(campaign_id: str, shard: Shard) -> int:
    """Return the item's size in bytes as AWS counts it: names and values; a number takes about three."""
    counters = len("v") + 3 + sum(len(slot) + 1 + 3 for slot in shard.free)
    records = sum(len(name) + len(text) for name, text in shard.records.items())
    return len("pk") + len(shard_key(campaign_id, shard.number)) + counters + records


def _texts(texts: Mapping[int, str]) -> int:
    return sum(len(text) + 4 for text in texts.values())


def _group_key(campaign_id: str, group: int) -> str:
    # Items of one partition key are kept together, in the order of their sort keys; a hot one is split off.
    return f"{summary_key(campaign_id)} {summary_group_key(group)}"
