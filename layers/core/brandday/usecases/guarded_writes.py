"""The gate and the limits of protected campaigns, as the use cases of taking need them: one `Guard` per environment.

Loaded only where a protected campaign is met. The limits are kept by the protocols of `domain/tally_protocols.py`; here
is what those ask for, done against the tables, and what an environment remembers: which passes are used, and which
tallies were full a moment ago. Both only save calls; what decides is in the tables.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from brandday.domain.campaign import Shopper
from brandday.domain.effects import run_within
from brandday.domain.entrant import PassUsed as EntryPassUsed
from brandday.domain.entry_protocols import EntryProtocol
from brandday.domain.errors import (
    BrandDayError,
    CampaignNotFound,
    ChallengeRequired,
    InternalError,
    TicketInvalid,
)
from brandday.domain.lottery import Frozen
from brandday.domain.protection import Protection
from brandday.domain.protocols import Protocol, Read, Write
from brandday.domain.shard import Refused, Written
from brandday.domain.stock import LostRace, PassUsed, Terms
from brandday.domain.tally import TallyKey
from brandday.domain.tally_protocols import (
    AskTerms,
    In,
    Keeping,
    LimitStands,
    ReadTallies,
    SaveTallied,
    TalliedProtocol,
    WriteTallied,
    claim_within_limits,
    enter_within_limits,
)
from brandday.domain.visit import Visit
from brandday.usecases.drive import Watcher
from brandday.usecases.guard_ports import Admitted, Gate, Tallies
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Clock, Stock
from brandday.usecases.recent import Recent

KEEP = 1024
"""How many shoppers with used passes, and how many full tallies, an environment remembers."""

FULL_MS = 1000
"""How long a tally that was found full is not looked at again."""

FORGET_AFTER_SECONDS = 30 * 24 * 60 * 60
"""How long a tally stays after the end of the last campaign that has written it. The campaigns of a brand day that are
further apart do not know of each other any more."""


class Guard:
    """Lets shoppers in, refuses passes that are used, and has wins keep their limits.

    A protected campaign without a gate, or with limits and without tallies, refuses everybody (InternalError): what was
    not set up must not look like what was not asked for.
    """

    def __init__(
        self, campaigns: LiveCampaigns, stock: Stock, now: Clock, gate: Gate | None, tallies: Tallies | None
    ) -> None:
        self._campaigns = campaigns
        self._stock = stock
        self._now = now
        self._gate = gate
        self._tallies = tallies
        self._used = Recent[tuple[str, str], PassUsed | EntryPassUsed](KEEP)
        self._full = Recent[TallyKey, int](KEEP)

    def let_in(self, live: LiveCampaign, shopper: Shopper, visit: Visit) -> "Visitor":
        """Return who may take something, or raise what the gate has against it."""
        protection = live.campaign.protection
        if self._gate is None or protection is None:
            raise InternalError
        admitted = self._gate.admit(live, protection, shopper, visit)
        if admitted.wanted and self._tallies is None:
            raise InternalError
        return Visitor(self, live, protection, shopper, visit, admitted)

    def limit_reached(self, visitor: "Visitor", stands: LimitStands) -> Exception:
        """Return the gate's refusal of a win that a limit stands against."""
        if self._gate is None:
            raise InternalError
        live, protection = visitor.live, visitor.protection
        return self._gate.limit_reached(live, protection, visitor.shopper, visitor.visit, stands.wanted.limit)

    def is_exempt(self, visitor: "Visitor") -> bool:
        """Whether an operator has exempted a visitor from limits; asked only where one stands in the way."""
        return self._gate is not None and self._gate.is_exempt(visitor.live, visitor.shopper, visitor.visit)

    def is_used(self, campaign_id: str, name: str, tag: str, passed_at: int | None) -> bool:
        """Whether this environment knows of a claim of another request that the pass was used for."""
        met = self._used.get((campaign_id, name))
        return passed_at is not None and met is not None and passed_at <= met.latest and tag not in met.tags

    def saw_used(self, campaign_id: str, name: str, met: PassUsed | EntryPassUsed) -> None:
        """Remember up to when the passes of a shopper are used."""
        self._used[(campaign_id, name)] = met

    def is_full(self, key: TallyKey) -> bool:
        """Whether a tally was found full a moment ago."""
        return self._full.get(key, 0) > self._now()

    def saw_full(self, key: TallyKey) -> None:
        """Remember that a tally has no room for anything, and nothing that could be dropped."""
        self._full[key] = self._now() + FULL_MS

    def keeping(self, visitor: "Visitor", name: str, now: int) -> Keeping:
        """Return what the win of a visitor has to keep."""
        wanted = visitor.admitted.wanted
        return Keeping(
            visitor.live.campaign.id,
            name,
            wanted,
            now,
            forget_at=visitor.live.campaign.over_at() // 1000 + FORGET_AFTER_SECONDS,
            full=frozenset(one.key for one in wanted if self.is_full(one.key)),
        )

    def perform[Outcome](
        self, protocol: TalliedProtocol[Outcome], live: LiveCampaign, watcher: Watcher, frozen: Frozen | None = None
    ) -> Generator[Any, Any, Outcome]:
        """Do what a protocol asks for about tallies and other campaigns, and pass on everything else it asks for."""
        tallies = self._tallies
        if tallies is None:
            raise InternalError

        def do(effect: object) -> Generator[object, object, object]:
            match effect:
                case ReadTallies(keys):
                    return tallies.tallies(keys, consistent=False)
                case WriteTallied(write, writes):
                    watcher.before_write()
                    result = tallies.write_shard(live.campaign.id, write, writes)
                    if isinstance(result, Written):
                        watcher.wrote(write.shard, result)
                    elif isinstance(result, Refused):
                        watcher.saw(result.image)
                    return result
                case SaveTallied(before, after, writes):
                    if frozen is None:
                        raise AssertionError("an entry outside of a lottery")
                    watcher.before_write()
                    return tallies.save_entrant(frozen, before, after, writes)
                case AskTerms(campaign_id):
                    return self._terms(campaign_id)
                case In(campaign_id, Read(shards, consistent)):
                    return self._stock.read(campaign_id, shards, consistent=consistent)
                case In(campaign_id, Write(write)):
                    return self._stock.write(campaign_id, write)
                case _:
                    return (yield effect)

        return run_within(protocol, do)

    def _terms(self, campaign_id: str) -> Terms | None:
        try:
            return self._campaigns.get(campaign_id).terms
        except CampaignNotFound:
            return None


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody whom the gate has let in."""

    guard: Guard
    live: LiveCampaign
    protection: Protection
    shopper: Shopper
    visit: Visit
    admitted: Admitted

    def check_pass(self, name: str, tag: str) -> None:
        """Raise TicketInvalid or ChallengeRequired for a pass that another request is remembered to have used."""
        if self.guard.is_used(self.live.campaign.id, name, tag, self.admitted.passed_at):
            raise self._used()

    def need_not_look_first(self) -> bool:
        """Whether a claim may begin with its write, unseen: with limits that is a transaction, and one that fails costs
        forty times a look at the shard. What is known to be full is not written at all.
        """
        wanted = self.admitted.wanted
        return not wanted or any(self.guard.is_full(one.key) for one in wanted)

    def claim[Outcome](
        self, protocol: Protocol[Outcome], name: str, home: int, now: int, watcher: Watcher
    ) -> Protocol[Outcome | LimitStands | LostRace]:
        """Return the protocol of a claim that keeps the limits; the same one where there are none."""
        if not self.admitted.wanted:
            return protocol
        keeping = self.guard.keeping(self, name, now)
        return self.guard.perform(claim_within_limits(protocol, home, keeping), self.live, watcher)

    def enter[Outcome](
        self, protocol: EntryProtocol[Outcome], name: str, frozen: Frozen, now: int, before_write: Callable[[], None]
    ) -> EntryProtocol[Outcome | LimitStands | LostRace]:
        """Return the protocol of an entry that keeps the limits; the same one where there are none."""
        if not self.admitted.wanted:
            return protocol
        keeping = self.guard.keeping(self, name, now)
        return self.guard.perform(enter_within_limits(protocol, keeping), self.live, _Before(before_write), frozen)

    def is_exempt_from(self, outcome: object) -> bool:
        """Whether what a protocol came to is a limit that does not count for this visitor."""
        return isinstance(outcome, LimitStands) and self.guard.is_exempt(self)

    def judged[Outcome](self, outcome: Outcome | LimitStands, name: str, quantity: int = 1) -> Outcome | Exception:
        """Return what a protocol came to, or the refusal of a win that a limit stands against: it is for the caller to
        see whether this very request was granted before. Raises the refusal of a pass that is used.
        """
        if isinstance(outcome, LimitStands):
            if quantity == 1:
                self.guard.saw_full(outcome.wanted.key)
            return self.guard.limit_reached(self, outcome)
        if isinstance(outcome, PassUsed | EntryPassUsed):
            self.guard.saw_used(self.live.campaign.id, name, outcome)
            raise self._used()
        return outcome

    def _used(self) -> BrandDayError:
        error = ChallengeRequired if self.protection.ticket is None else TicketInvalid
        return error(reason="used")


class _Before(Watcher):
    """Has something done before each write."""

    def __init__(self, before_write: Callable[[], None]) -> None:
        self._before_write = before_write

    def before_write(self) -> None:
        """Do it."""
        self._before_write()
