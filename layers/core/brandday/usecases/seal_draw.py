"""Seals the list of all entrants once nobody can enter any more.

Group by group (64 of them, by the first character of the names), each with its pages before its head; what is there
already was computed by somebody before and is not computed again. A draw is held from these pages, and they are
published: what happens to entrants' records afterwards does not touch them.

The entries of an instant win are many times larger than tickets, so of those only the roots are kept; the receipt reads
the records once more, as they were when they were sealed (`as_sealed`), and the roots tell whether they are the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from brandday.domain.draw import SEAL_AFTER_MS, Bucket, Tickets, root, ticket_leaf
from brandday.domain.draw_record import (
    ALPHABET,
    GROUPS,
    PAGE_ROWS,
    SEAL,
    Group,
    Seal,
    as_sealed,
    bucket_names,
    group_part,
    is_same_seal,
    list_part,
    read_group,
    read_seal,
    seal_of,
    write_group,
    write_seal,
    write_tickets,
)
from brandday.domain.entrant import Entrant
from brandday.domain.lottery import Frozen, Lottery, LotteryMode
from brandday.domain.receipt import record_row, row_leaf
from brandday.usecases.draw_ports import DrawDisagrees, Draws
from brandday.usecases.live_campaigns import LiveCampaign
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import Clock

type Settle = Callable[[str, Entrant], Entrant]
"""Finishes the entry of a campaign's record that waits for its prize, and returns the record as it is then."""


class SealDraw:
    """Makes the seal of a lottery."""

    def __init__(self, entrants: Entrants, draws: Draws, settle: Settle, now: Clock) -> None:
        self._entrants = entrants
        self._draws = draws
        self._settle = settle
        self._now = now

    def __call__(self, live: LiveCampaign, stop_at: int) -> Seal | None:
        """Return the seal; None if it is not time yet, or if the time was up (epoch ms) before all was read.

        DrawDisagrees if the list is not what somebody has sealed before.
        """
        campaign_id = live.campaign.id
        there = sealed(self._draws, campaign_id)
        if there is not None or self._now() < sealed_from(live):
            return there
        known = {group.name: group for group in groups_of(self._draws, campaign_id)}
        for name in ALPHABET:
            if name not in known:
                if self._now() >= stop_at:
                    return None
                known[name] = self._group(live, name)
        computed = seal_of([known[name] for name in ALPHABET], self._now())
        kept = read_seal(self._draws.keep(campaign_id, SEAL, write_seal(computed)))
        if not is_same_seal(computed, kept):
            raise DrawDisagrees(f"the list has the root {computed.root}, but {kept.root} was sealed")
        return kept

    def _group(self, live: LiveCampaign, name: str) -> Group:
        lottery, frozen = lottery_of(live)
        pages = _Pages(self._draws, frozen.campaign_id, name)
        buckets, entries = [], 0
        for bucket in bucket_names(name, frozen.bucket_chars):
            count = _Count()
            found = root(
                count.each(
                    self._ticket_leaves(frozen, bucket, pages, count)
                    if lottery.mode is LotteryMode.DRAW
                    else self._record_leaves(live, bucket, count)
                )
            )
            entries += count.entries
            if count.entrants:
                buckets.append(Bucket(bucket, found, count.entrants))
        group = Group(name, tuple(buckets), entries, pages.close())
        _keep(self._draws, frozen.campaign_id, group_part(name), write_group(group))
        return group

    def _ticket_leaves(self, frozen: Frozen, bucket: str, pages: "_Pages", count: "_Count") -> Iterator[bytes]:
        for record in self._entrants.bucket(frozen, bucket):
            if record.entries:
                tickets = Tickets(record.name, len(record.entries))
                count.entries += tickets.number
                pages.add(tickets)
                yield ticket_leaf(tickets)

    def _record_leaves(self, live: LiveCampaign, bucket: str, count: "_Count") -> Iterator[bytes]:
        _, frozen = lottery_of(live)
        slots = live.layout.skus
        for record in self._entrants.bucket(frozen, bucket):
            if record.entries:
                done = self._settle(frozen.campaign_id, record) if record.entries[-1].pending else record
                if done.entries[-1].pending:
                    raise DrawDisagrees(f"{record.name} still waits for a prize, so the list cannot be sealed")
                count.entries += len(done.entries)
                yield row_leaf(record_row(as_sealed(done, sealed_from(live)), slots))


@dataclass
class _Count:
    """How many went by while a root was computed."""

    entrants: int = 0
    entries: int = 0

    def each(self, leaves: Iterator[bytes]) -> Iterator[bytes]:
        for leaf in leaves:
            self.entrants += 1
            yield leaf


@dataclass
class _Pages:
    """Keeps the tickets of a group, one page in memory at a time."""

    draws: Draws
    campaign_id: str
    group: str
    written: int = 0
    rows: list[Tickets] = field(default_factory=list)

    def add(self, tickets: Tickets) -> None:
        self.rows.append(tickets)
        if len(self.rows) == PAGE_ROWS:
            self._write()

    def close(self) -> int:
        if self.rows:
            self._write()
        return self.written

    def _write(self) -> None:
        _keep(self.draws, self.campaign_id, list_part(self.group, self.written), write_tickets(self.rows))
        self.written, self.rows = self.written + 1, []


def _keep(draws: Draws, campaign_id: str, part: str, text: str) -> None:
    if draws.keep(campaign_id, part, text) != text:
        raise DrawDisagrees(f"{part} of the list is not what was sealed before")


def sealed_from(live: LiveCampaign) -> int:
    """Return when the list can be sealed, in epoch ms: no entry that was taken in time is on its way any more."""
    return live.campaign.over_at() + SEAL_AFTER_MS


def sealed(draws: Draws, campaign_id: str) -> Seal | None:
    """Return the seal of a lottery, if there is one."""
    text = draws.read(campaign_id, SEAL)
    return None if text is None else read_seal(text)


def groups_of(draws: Draws, campaign_id: str) -> list[Group]:
    """Return the groups that were sealed so far, in order."""
    return [read_group(text) for _, text in draws.list(campaign_id, GROUPS)]


def lottery_of(live: LiveCampaign) -> tuple[Lottery, Frozen]:
    """Return a published lottery and what publication froze of it; ValueError if the campaign is none."""
    if live.campaign.lottery is None or live.campaign.luck is None:
        raise ValueError(f"{live.campaign.id} is no published lottery")
    return live.campaign.lottery, live.campaign.luck.frozen
