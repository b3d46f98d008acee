"""What a shopper can hold against the published receipt: the facts of their entry and, after the end, its proof."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from brandday.domain.campaign import Shopper
from brandday.domain.campaign_view import DrawView
from brandday.domain.draw import Bucket, Step, Tickets, path_to, root
from brandday.domain.draw_record import as_sealed
from brandday.domain.entry_view import EntryView
from brandday.domain.lottery import LotteryMode
from brandday.domain.luck import SEED_BYTES
from brandday.domain.receipt import entry_facts, entry_proof, record_row, row_leaf, ticket_row
from brandday.usecases.draw_ports import DrawDisagrees, Draws
from brandday.usecases.hold_draw import result_of
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.seal_draw import groups_of, lottery_of, sealed, sealed_from

KEEP_LISTS = 4
"""How many sealed lists an environment remembers: up to 4,096 hashes each, and none of them ever changes."""

type GetEntry = Callable[[Shopper, str], EntryView]
"""Returns the shopper's entry; EntryNotFound if it is not theirs."""

type GetDraw = Callable[[str], DrawView]
"""Returns what is public about a lottery, its seed among it once it is out."""


@dataclass(frozen=True, slots=True)
class EntryProof:
    """The facts of an entry, as they were told when it was taken, and what is known of it by now.

    `row`, `path` and `root` are there from the seal on; `seed` and `luck` once the seed is out as well, and then all
    of it together is what `receipt_check.check_proof` checks. `randomness` is None but for a draw with a beacon.
    """

    facts: Mapping[str, Any]
    row: list[Any] | None = None
    path: list[list[str]] | None = None
    root: str | None = None
    seed: str | None = None
    randomness: str | None = None
    luck: str | None = None


@dataclass
class ProveEntry:
    """Proves entries to those whose they are; reads one bucket of records for it, however many entrants there are."""

    get_entry: GetEntry
    get_draw: GetDraw
    campaigns: LiveCampaigns
    entrants: Entrants
    draws: Draws
    _lists: OrderedDict[str, tuple[str, tuple[Bucket, ...]]] = field(default_factory=OrderedDict)

    def __call__(self, shopper: Shopper, entry_id: str) -> EntryProof:
        """Return what there is to prove about the shopper's entry at this moment; EntryNotFound if it is not theirs.

        DrawDisagrees if the records are not those that were sealed.
        """
        entry = self.get_entry(shopper, entry_id)
        facts = entry_facts(
            entry.campaign_id, entry.entrant, entry.number, entry.entry, entry.table_hash, entry.commitment
        )
        found = self._list(entry.campaign_id)
        if found is None:
            return EntryProof(facts)
        list_root, buckets = found
        row, steps = self._place(self.campaigns.get(entry.campaign_id), entry.entrant, buckets)
        draw = self.get_draw(entry.campaign_id)
        result = result_of(self.draws, entry.campaign_id) if draw.mode is LotteryMode.DRAW else None
        randomness = None if result is None or result.randomness is None else result.randomness.value
        proof = entry_proof(facts, row, draw.seed or bytes(SEED_BYTES), randomness, steps, bytes.fromhex(list_root))
        if draw.seed is None:  # sealed and not drawn yet: there is no luck, but the place in the list is final
            proof |= {"seed": None, "randomness": None, "luck": None}
        return EntryProof(**proof)

    def _list(self, campaign_id: str) -> tuple[str, tuple[Bucket, ...]] | None:
        """Return the root of the sealed list and its buckets, None until it is sealed."""
        if campaign_id not in self._lists:
            seal = sealed(self.draws, campaign_id)
            if seal is None:
                return None
            groups = groups_of(self.draws, campaign_id)
            self._lists[campaign_id] = (seal.root, tuple(bucket for group in groups for bucket in group.buckets))
            if len(self._lists) > KEEP_LISTS:
                self._lists.popitem(last=False)
        return self._lists[campaign_id]

    def _place(
        self, live: LiveCampaign, entrant: str, buckets: tuple[Bucket, ...]
    ) -> tuple[Mapping[str, Any], tuple[Step, ...]]:
        """Return an entrant's row and the steps from it up to the root of the list."""
        _, frozen = lottery_of(live)
        name = entrant[: frozen.bucket_chars]
        mine, at, leaves = None, 0, list[bytes]()
        for row in self._rows(live, name):
            if row["entrant"] == entrant:
                mine, at = row, len(leaves)
            leaves.append(row_leaf(row))
        for number, bucket in enumerate(buckets):
            if mine is not None and bucket == Bucket(name, root(leaves), len(leaves)):
                return mine, path_to(leaves, at, [each.root for each in buckets], number)
        raise DrawDisagrees(f"the records of bucket {name} are not those that were sealed, or {entrant} is not in it")

    def _rows(self, live: LiveCampaign, bucket: str) -> Iterator[Mapping[str, Any]]:
        lottery, frozen = lottery_of(live)
        for record in self.entrants.bucket(frozen, bucket):
            if record.entries:
                if lottery.mode is LotteryMode.DRAW:
                    yield ticket_row(Tickets(record.name, len(record.entries)))
                else:
                    yield record_row(as_sealed(record, sealed_from(live)), live.layout.skus)
