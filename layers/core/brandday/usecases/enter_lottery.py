"""A shopper enters a lottery: the hot path of a lucky draw, one read and one write unless something is won."""

from typing import TYPE_CHECKING

from brandday.domain.campaign import Campaign, Shopper, State, check_may_buy
from brandday.domain.entrant import AllowanceUsed, Closed, Entrant, Grant, NoRoom, PassUsed, parse_entry_id
from brandday.domain.entrant import KeyReused as GrantReused
from brandday.domain.entrant import Replayed as GrantReplayed
from brandday.domain.entrant import grant as grant_chances
from brandday.domain.entries_left import EntriesLeft, entries_left
from brandday.domain.entry_protocols import MAX_RACES, Ask, EnterOutcome, EntryProtocol, Present, enter, finish
from brandday.domain.entry_protocols import Entered as EnteredRecord
from brandday.domain.entry_view import Entered, EntriesView, EntryOutcome, EntryView, outcome_of
from brandday.domain.errors import (
    AdmissionRefused,
    CampaignClosed,
    CampaignEnded,
    CampaignNotFound,
    ChancesExhausted,
    EntryLimitReached,
    EntryNotFound,
    IdempotencyKeyReused,
    InternalError,
    TemporarilyOverloaded,
    WrongMechanic,
)
from brandday.domain.reward_id import reward_id
from brandday.domain.stock import LostRace
from brandday.domain.times import to_rfc3339
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.claim_units import key_tag
from brandday.usecases.live_campaigns import WRITE_BY_MS
from brandday.usecases.live_lotteries import LiveLotteries, LiveLottery
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import Clock
from brandday.usecases.settle_entries import BUSY_MS, Records, present

if TYPE_CHECKING:
    from brandday.usecases.guard_ports import Gate, Tallies
    from brandday.usecases.guarded_writes import Guard

REPLAY_FOR_MS = 15 * 60 * 1000
"""How long after the end the repetition of a request is looked up; afterwards whoever asks hears that it is over."""


class EnterLottery:
    """Takes entries and shows them; one instance serves an execution environment, one request at a time."""

    def __init__(
        self,
        lotteries: LiveLotteries,
        entrants: Entrants,
        records: Records,
        now: Clock,
        gate: "Gate | None" = None,
        tallies: "Tallies | None" = None,
    ) -> None:
        self._lotteries = lotteries
        self._entrants = entrants
        self._records = records
        self._now = now
        self._gate = gate
        self._tallies = tallies
        self._made_guard: Guard | None = None

    def enter(self, shopper: Shopper, campaign_id: str, idempotency_key: str, visit: Visit = NO_VISIT) -> Entered:
        """Take an entry and tell what it has won, or say what this very request came to before.

        ``visit`` is what the gate of a protected campaign looks at.

        Raises what keeps the shopper from it: see the errors of ``POST /v1/campaigns/{id}/entries``.
        """
        lottery = self._lotteries.get(campaign_id)
        name, tag = lottery.state.entrant(shopper.id), key_tag(idempotency_key)
        try:
            check_may_buy(lottery.campaign, shopper, self._now())
            if lottery.campaign.protection is not None:
                return self._enter_guarded(lottery, name, tag, shopper, visit)
            outcome = self._drive(lottery, enter(_newcomer(lottery, shopper), tag), name, shopper)
        except CampaignClosed:
            replay = self._replay_when_closed(lottery, name, tag, shopper)
            if replay is None:
                raise
            return replay
        return self._answer(lottery, outcome)

    def _enter_guarded(self, lottery: LiveLottery, name: str, tag: str, shopper: Shopper, visit: Visit) -> Entered:
        try:
            visitor = self._guard().let_in(lottery.live, shopper, visit)
        except AdmissionRefused as refusal:
            return self._replay_or_raise(lottery, name, tag, shopper, refusal)
        visitor.check_pass(name, tag)

        def before_write() -> None:
            self._present(lottery.campaign.id, Ask(entering=True), shopper)

        def unlimited() -> EntryProtocol[EnterOutcome]:
            return enter(_newcomer(lottery, shopper), tag, visitor.admitted.passed_at)

        protocol = visitor.enter(unlimited(), name, lottery.state.frozen, self._now(), before_write)
        limited = self._drive(lottery, protocol, name, shopper)
        if visitor.is_exempt_from(limited):
            limited = self._drive(lottery, unlimited(), name, shopper)
        outcome: EnterOutcome | Exception = visitor.judged(limited, name)
        if isinstance(outcome, Exception):
            return self._replay_or_raise(lottery, name, tag, shopper, outcome)
        return self._answer(lottery, outcome)

    def _replay_or_raise(
        self, lottery: LiveLottery, name: str, tag: str, shopper: Shopper, refusal: Exception
    ) -> Entered:
        replay = self._replay(lottery, name, tag, shopper)
        if replay is None:
            raise refusal
        return replay

    def _guard(self) -> "Guard":
        if self._made_guard is None:
            from brandday.usecases.guarded_writes import Guard  # only protected campaigns need it

            stock = self._records.stock
            self._made_guard = Guard(self._lotteries.campaigns, stock, self._now, self._gate, self._tallies)
        return self._made_guard

    def _answer(self, lottery: LiveLottery, outcome: EnterOutcome) -> Entered:
        match outcome:
            case EnteredRecord(entrant, number, replayed):
                return self._entered(self._lotteries.get(lottery.campaign.id), entrant, number, replayed=replayed)
            case AllowanceUsed(until):
                wait = None if until is None else max(1, until - self._now())
                when = None if until is None else to_rfc3339(until)
                allowance = "campaign" if until is None else "day"
                raise EntryLimitReached(allowance=allowance, until=when, retry_after_ms=wait)
            case Closed():
                raise CampaignEnded(ended_at=to_rfc3339(lottery.campaign.over_at()))
            case LostRace():
                raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
            case PassUsed():  # protected campaigns answer it before it gets here
                raise InternalError

    def get(self, shopper: Shopper, entry_id: str) -> EntryView:
        """Return an entry of the shopper as it is now; EntryNotFound also for somebody else's."""
        parsed = parse_entry_id(entry_id)
        if parsed is None:
            raise EntryNotFound
        campaign_id, name, number = parsed
        try:
            lottery = self._lotteries.get(campaign_id)
        except (CampaignNotFound, WrongMechanic):
            raise EntryNotFound from None
        if lottery.state.entrant(shopper.id) != name:
            raise EntryNotFound
        entrant = self._entrants.load(lottery.state.frozen, name, consistent=True)
        if entrant is None or number > len(entrant.entries):
            raise EntryNotFound
        return self._view(lottery, entrant, number)

    def list_entries(self, shopper: Shopper, campaign_id: str) -> EntriesView:
        """Return all entries of the shopper in a campaign, the first one first, and how many are left."""
        lottery = self._lotteries.get(campaign_id)
        newcomer = _newcomer(lottery, shopper)
        entrant = self._entrants.load(lottery.state.frozen, newcomer.name, consistent=True) or newcomer
        views = tuple(self._view(lottery, entrant, number) for number in range(1, len(entrant.entries) + 1))
        return EntriesView(entrant.name, views, self._left(lottery, entrant), entrant.chances)

    def _drive[Outcome](
        self, lottery: LiveLottery, protocol: EntryProtocol[Outcome], name: str, shopper: Shopper
    ) -> Outcome:
        def asked(ask: Ask) -> Present:
            return self._present(lottery.campaign.id, ask, shopper)

        return self._records.drive(protocol, lottery.state.frozen, name, asked)

    def _present(self, campaign_id: str, ask: Ask, shopper: Shopper) -> Present:
        """Look at the campaign again if what is known of it is out of date, as the next step may be a write.

        What is pending is settled whatever has become of the campaign: it was taken while that was open.
        """
        lottery = self._lotteries.get(campaign_id)
        now = self._now()
        if now - lottery.live.loaded_at > WRITE_BY_MS:  # looking again has taken that long
            raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
        if ask.entering:
            check_may_buy(lottery.campaign, shopper, now)
        return present(lottery, now)

    def _replay_when_closed(self, lottery: LiveLottery, name: str, tag: str, shopper: Shopper) -> Entered | None:
        """Return what this very request came to before the campaign was paused or ended, if it was taken."""
        campaign, now = self._lotteries.get(lottery.campaign.id).campaign, self._now()
        if not _may_have_been_open(campaign, now):
            return None
        return self._replay(lottery, name, tag, shopper)

    def _replay(self, lottery: LiveLottery, name: str, tag: str, shopper: Shopper) -> Entered | None:
        """Return what this very request came to, if it was taken."""
        entrant = self._entrants.load(lottery.state.frozen, name, consistent=True)
        number = next((n for n, e in enumerate(entrant.entries, 1) if e.tag == tag), None) if entrant else None
        if entrant is None or number is None:
            return None
        settled = self._drive(lottery, finish(entrant, number), name, shopper)
        if isinstance(settled, LostRace):
            raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
        return self._entered(lottery, settled, number, replayed=True)

    def _entered(self, lottery: LiveLottery, entrant: Entrant, number: int, *, replayed: bool) -> Entered:
        return Entered(self._view(lottery, entrant, number), self._left(lottery, entrant), replayed)

    def _left(self, lottery: LiveLottery, entrant: Entrant) -> EntriesLeft:
        return entries_left(entrant, self._now(), lottery.rules, lottery.campaign.over_at())

    def _view(self, lottery: LiveLottery, entrant: Entrant, number: int) -> EntryView:
        entry, rules = entrant.entries[number - 1], lottery.rules
        outcome = outcome_of(entry, is_draw=lottery.is_draw)
        won = None if entry.won is None else lottery.live.layout.skus[entry.won.slot]
        prize = None if won is None else lottery.campaign.sku(won)
        return EntryView(
            campaign_id=lottery.campaign.id,
            entrant=entrant.name,
            number=number,
            entry=entry,
            outcome=outcome,
            table_hash=lottery.table_hash(entry.version),
            commitment=rules.frozen.commitment,
            slots=lottery.live.layout.skus,
            prize=won,
            title=None if prize is None else prize.title,
            is_consolation=entry.won is not None and entry.won.slot == rules.consolation,
            reward_id=(
                reward_id(entrant.owner, entry.at, lottery.campaign.id)
                if outcome in (EntryOutcome.WON, EntryOutcome.RETURNED)
                else None
            ),
        )


class GrantChances:
    """Gives shoppers earned chances, on behalf of the shop or a partner."""

    def __init__(self, lotteries: LiveLotteries, entrants: Entrants, now: Clock) -> None:
        self._lotteries = lotteries
        self._entrants = entrants
        self._now = now

    def __call__(self, campaign_id: str, shopper_id: str, grant_id: str, chances: int) -> bool:
        """Add chances to what a shopper may enter; whether this very grant was there before.

        Before the start and in a pause, too: what was earned is earned. CampaignEnded after the end,
        IdempotencyKeyReused if the id was granted with another number, ChancesExhausted if the lottery does not allow a
        shopper so many.
        """
        lottery = self._lotteries.get(campaign_id)
        name = lottery.state.entrant(shopper_id)
        given = Grant(key_tag(grant_id), chances)
        frozen, seen = lottery.state.frozen, None
        for attempt in range(MAX_RACES):
            seen = self._entrants.load(frozen, name, consistent=bool(attempt))
            lottery = self._lotteries.get(campaign_id)
            entrant = seen or _newcomer(lottery, Shopper(shopper_id))
            outcome = grant_chances(entrant, given, lottery.rules)
            match outcome:
                case GrantReplayed():
                    return True
                case GrantReused():
                    raise IdempotencyKeyReused
                case NoRoom(left):
                    raise ChancesExhausted(left=left)
            if lottery.campaign.state_at(self._now()) is State.ENDED:
                raise CampaignEnded(ended_at=to_rfc3339(lottery.campaign.over_at()))
            if self._entrants.save(frozen, seen, outcome):
                return False
        raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)


def _newcomer(lottery: LiveLottery, shopper: Shopper) -> Entrant:
    return Entrant(lottery.state.entrant(shopper.id), lottery.live.layout.name_of(shopper.id), shopper.id)


def _may_have_been_open(campaign: Campaign, now: int) -> bool:
    match campaign.state_at(now):
        case State.PAUSED:
            return True
        case State.ENDED:
            return now <= campaign.over_at() + REPLAY_FOR_MS
    return False
