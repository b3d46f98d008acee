"""The audit of coupons: issued = usable + locked + redeemed + expired + disabled, and each of them for a reason.

- Each claim of a campaign whose coupons shoppers take has exactly one coupon, and each coupon its claim; each number
  that an operators' job has made has exactly one, and nobody made more than there may be.
- Each coupon that is redeemed or locked is so by exactly one order, whose redemption says the same, and back. Each use
  of a shared code that is taken from the stock has exactly one redemption, and back.
- Each coupon of a shopper has exactly one reward, and back.
- Each code is what its source makes. The secret that this needs never leaves the service, so that is asked of the API.

The shards stream by first, then everything of CouponTable, by the index: a moment behind. What looks wrong is judged
again over all items it rests on, as they were at one moment. Coupons are written a moment after their claims, by the
stream; what is missing is looked for as long as some of it comes. Memory grows with the claims of the campaign and the
coupons that orders use (some 200 bytes each), not with what operators have issued.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from brandday_cli.audit_coupon_records import (
    PARTS,
    TAKEN,
    USED,
    ClaimPlace,
    CouponPlan,
    JobPlace,
    Jobs,
    StoredFacts,
    StoredPart,
    StoredState,
    decode_jobs,
    decode_record,
)
from brandday_cli.audit_coupon_rewards import CouponRewards
from brandday_cli.audit_coupon_rules import (
    check_balance,
    check_claim,
    check_facts,
    check_jobs,
    check_marks,
    check_part,
    check_use,
    live_claims,
    status_of,
    wants_claim,
)
from brandday_cli.audit_records import Entry, Plan, RawItem, Shard, Violation, decode_claim
from brandday_cli.audit_reward_records import INDEX_BUCKETS
from brandday_cli.audit_rewards import LOOK_EVERY_SECONDS, LOOKS, RewardTables
from brandday_cli.audit_rules import CouponTally, Findings

MOST_REDEMPTIONS = 9
"""How many redemptions of one coupon are read at one moment: 10 parts each, of the 100 items that a call takes."""

type Forged = Callable[[str], Iterable[str]]
"""Yields the ids of a campaign's coupons whose codes are not what their sources make."""


class CouponTables(Protocol):
    """What the audit needs to read of coupons besides stock and rewards; tests hand in a fake."""

    def read_part(self, campaign_id: str, part: int) -> Iterator[RawItem]:
        """Yield everything of one part of a campaign's coupons, a moment behind."""

    def read_jobs(self, campaign_id: str) -> Iterator[RawItem]:
        """Yield what is kept of a campaign's jobs."""

    def read_facts(self, ids: Sequence[str]) -> Iterator[RawItem]:
        """Yield the facts that are there, of up to 100 coupons, as they are now."""

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock items."""

    def read_moment(
        self, campaign_id: str, coupon: str | None, redemptions: Sequence[str], shard: int | None
    ) -> tuple[list[RawItem], RawItem | None]:
        """Return a coupon's items, all parts of redemptions, and a stock item, as they were at one moment."""


class CouponAudit:
    """Audits the coupons of one campaign: give it each shard, then let it finish. Without ``rewards`` these are left
    out, without ``forged`` the codes.
    """

    def __init__(
        self,
        tables: CouponTables,
        rewards: RewardTables | None,
        plan: Plan,
        coupons: CouponPlan,
        now_ms: Callable[[], int],
        *,
        strict: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        forged: Forged | None = None,
    ) -> None:
        self._tables, self._plan, self._coupons = tables, plan, coupons
        self._now_ms, self._strict, self._sleep, self._forged = now_ms, strict, sleep, forged
        self._tally = CouponTally()
        self._violations: list[Violation] = []
        # From the moment it is read on, a claim waits for what stands for it: True once that was met.
        self._claims: dict[ClaimPlace, bool] = {}
        self._strange: list[StoredFacts] = []
        self._states: dict[str, StoredState] = {}
        self._parts: dict[str, list[StoredPart]] = defaultdict(list)
        self._uses: dict[ClaimPlace, str] = {}
        self._numbers: dict[str, set[int]] = defaultdict(set)
        self._jobs = Jobs({}, 0)
        self._rewards = None if rewards is None else CouponRewards(rewards, tables, plan, now_ms)

    def parts(self) -> int:
        """Return how many parts there are to be read after the shards."""
        return PARTS + (0 if self._rewards is None else INDEX_BUCKETS)

    def take_shard(self, shard: Shard) -> None:
        """Take note of the claims of a shard."""
        claims = list(live_claims(shard.number, shard.records))
        self._violations += check_marks(self._coupons, claims)
        for place, entry in claims:
            if self._binds(entry):
                self._claims[place] = False

    def finish(self, findings: Findings, on_part: Callable[[int], None] = lambda _: None) -> None:
        """Judge all coupons, their redemptions and their rewards; ``on_part`` gets how many parts are read."""
        self._jobs = self._read_jobs()
        for part in range(PARTS):
            self._take_part_of_index(part)
            on_part(part + 1)
        after = self._read_jobs()
        self._judge_strange()
        for coupon in sorted(self._states.keys() | self._parts.keys()):
            self._judge_use(coupon)
        self._look_again()
        self._violations += self._judge_jobs(after)
        self._violations += check_balance(self._coupons, self._tally)
        if self._rewards is not None:
            looks = 0 if self._strict else LOOKS
            nap = lambda: self._sleep(LOOK_EVERY_SECONDS)  # noqa: E731 - a name for what is handed on
            self._rewards.finish(findings, after, looks, nap, lambda done: on_part(PARTS + done))
        if self._forged is None:
            findings.notes.append("Codes were not held against their sources: that is asked of the API.")
        else:
            self._violations += [
                Violation("code_forged", f"coupon {coupon}: its code is not what its source makes")
                for coupon in self._forged(self._plan.campaign_id)
            ]
        findings.coupons = self._tally
        findings.violations += self._violations

    def _read_jobs(self) -> Jobs:
        return decode_jobs(self._tables.read_jobs(self._plan.campaign_id))

    def _judge_jobs(self, after: Jobs) -> list[Violation]:
        """Judge jobs by the coupons that were found; what is missing is looked for again: the index may be behind."""
        for _ in range(0 if self._strict else LOOKS):
            faults = check_jobs(self._coupons, self._jobs, after, self._numbers)
            if not any(fault.code == "coupon_missing" for fault in faults):
                return faults
            self._sleep(LOOK_EVERY_SECONDS)
            for facts in self._all_facts():
                if isinstance(facts.source, JobPlace):
                    self._numbers[facts.source.job].add(facts.source.number)
            after = self._read_jobs()
        return check_jobs(self._coupons, self._jobs, after, self._numbers)

    def _all_facts(self) -> Iterator[StoredFacts]:
        for part in range(PARTS):
            for item in self._tables.read_part(self._plan.campaign_id, part):
                facts = decode_record(item)
                if isinstance(facts, StoredFacts):
                    yield facts

    def _binds(self, entry: Entry) -> bool:
        """Whether something has to stand for a claim: not for a lock that has run out."""
        return entry.is_confirmed or (entry.is_held and self._now_ms() < self._plan.expires_at(entry))

    # --- all that is stored ---

    def _take_part_of_index(self, part: int) -> None:
        """Take in one part; a coupon's facts and state are in the same, its redemptions may be elsewhere."""
        facts: dict[str, StoredFacts] = {}
        states: dict[str, StoredState] = {}
        for item in self._tables.read_part(self._plan.campaign_id, part):
            match decode_record(item):
                case StoredFacts() as one:
                    facts[one.id] = one
                case StoredState() as state:
                    states[state.id] = state
                case StoredPart() as used:
                    self._take_used(used)
                case str(fault):
                    self._violations.append(Violation("coupon_malformed", fault))
        for one in facts.values():
            self._take_facts(one)
            self._tally.issued += 1
            self._tally.by_status[status_of(one, states.get(one.id), self._now_ms())] += 1
        for state in states.values():
            if state.id not in facts and not list(self._tables.read_facts([state.id])):
                self._violations.append(Violation("state_without_coupon", f"there is a state of {state.id}, no coupon"))
            if state.use in ("redeemed", "locked"):
                self._states[state.id] = state

    def _take_facts(self, facts: StoredFacts) -> None:
        match facts.source:
            case ClaimPlace() as place if self._claims.get(place) is False:
                self._claims[place] = True
            case ClaimPlace():
                self._strange.append(facts)
            case JobPlace(name, number):
                if number in self._numbers[name]:
                    self._violations.append(_doubled(facts, f"number {number} of the job {name}"))
                self._numbers[name].add(number)
                if name not in self._jobs.by_name:  # created after the jobs were read
                    self._jobs.by_name.update(self._read_jobs().by_name)
        self._violations += check_facts(self._coupons, facts, self._jobs)
        if self._rewards is not None:
            self._rewards.take(facts, self._jobs)

    def _take_used(self, part: StoredPart) -> None:
        self._violations += check_part(self._coupons, part)
        self._tally.uses[part.status] += 1
        if part.status == "redeemed":
            self._tally.discount += part.discount
        now = self._now_ms()
        if part.coupon is not None and (part.is_spent or part.is_locked(now)):
            self._parts[part.coupon].append(part)
        if part.claim is None:
            return
        wanted, is_there = wants_claim(part, now), part.claim in self._claims
        if wanted in ("sold", "held"):
            other = self._uses.setdefault(part.claim, f"{part.redemption} part {part.number}")
            if other != f"{part.redemption} part {part.number}":
                detail = f"{part.redemption} and {other} have the same use of the code"
                self._violations.append(Violation("used_twice", detail, part.claim.shard, None, part.claim.shopper))
        if is_there:
            self._claims[part.claim] = True
        if is_there != (wanted in ("sold", "held")):
            self._judge_claim(part)

    # --- judged again, over what was at one moment ---

    def _judge_claim(self, part: StoredPart) -> None:
        """Judge a part of a shared code and its claim."""
        if part.claim is None:
            return
        items, stock = self._tables.read_moment(
            self._plan.campaign_id, None, [part.redemption], part.claim.shard % self._plan.shards
        )
        place = part.claim
        claim = decode_claim(self._plan, place.shard, stock, place.shopper, place.attempt)
        for fresh in _parts_among(items):
            if fresh.number == part.number:
                self._violations += check_claim(fresh, claim, self._now_ms())

    def _judge_use(self, coupon: str) -> None:
        """Judge a coupon's state and the redemptions that name it."""
        state, parts = self._states.get(coupon), self._parts.get(coupon, [])
        if not check_use(coupon, state, parts, self._now_ms()):
            return
        known = {part.redemption for part in parts} | ({state.redemption} if state else set())
        redemptions = sorted(each for each in known if each)[:MOST_REDEMPTIONS]
        while True:
            items, _ = self._tables.read_moment(self._plan.campaign_id, coupon, redemptions, None)
            found = [decode_record(item) for item in items]
            state = next((one for one in found if isinstance(one, StoredState)), None)
            newer = None if state is None else state.redemption
            if newer is None or newer in redemptions:
                break
            redemptions = [newer, *redemptions][:MOST_REDEMPTIONS]  # another order has taken it since
        mine = [part for part in _parts_among(items) if part.coupon == coupon]
        self._violations += check_use(coupon, state, mine, self._now_ms())
        if not any(isinstance(one, StoredFacts) for one in found):
            self._violations.append(Violation("redemption_without_use", f"an order uses {coupon}, which is not there"))

    def _judge_strange(self) -> None:
        """Judge coupons whose claims were not met: they may be newer than the shards that were read."""
        for facts in self._strange:
            place = facts.source
            if not isinstance(place, ClaimPlace):
                continue
            if place in self._claims:
                self._violations.append(_doubled(facts, f"the claim of {place.shopper} in shard {place.shard}"))
            elif not self._is_live(place):
                detail = f"coupon {facts.id}: no claim stands behind it"
                self._violations.append(Violation("coupon_without_claim", detail, place.shard, "coupon", place.shopper))
            else:
                self._claims[place] = True

    def _is_live(self, place: ClaimPlace) -> bool:
        if not place.shard < self._plan.shards:
            return False
        ((_, stock),) = self._tables.read_claims(self._plan.campaign_id, [place.shard])
        entry = decode_claim(self._plan, place.shard, stock, place.shopper, place.attempt)
        wanted = TAKEN if self._coupons.is_taken else USED
        return entry is not None and self._binds(entry) and (entry.is_held or entry.order == wanted)

    def _look_again(self) -> None:
        """Look for what has to stand for claims until it is there, or believed not to be."""
        missing = {place for place, is_met in self._claims.items() if not is_met}
        looks_left = 0 if self._strict else LOOKS
        while missing and looks_left > 0:
            self._sleep(LOOK_EVERY_SECONDS)
            left = missing - set(self._places())
            looks_left = LOOKS if len(left) < len(missing) else looks_left - 1
            missing = left
        for place in sorted(missing):
            if self._is_live(place):
                code, what = ("coupon_missing", "coupon") if self._coupons.is_taken else _NO_USE
                detail = f"a claim has no {what}"
                self._violations.append(Violation(code, detail, place.shard, "coupon", place.shopper))

    def _places(self) -> Iterator[ClaimPlace]:
        """The claims that something stands for, as the index has it now."""
        for part in range(PARTS):
            for item in self._tables.read_part(self._plan.campaign_id, part):
                match decode_record(item):
                    case StoredFacts(source=ClaimPlace() as place):
                        yield place
                    case StoredPart(claim=ClaimPlace() as place) as used if wants_claim(used, self._now_ms()) != "free":
                        yield place


_NO_USE = ("use_without_redemption", "redemption")


def _parts_among(items: Iterable[RawItem]) -> list[StoredPart]:
    return [one for one in map(decode_record, items) if isinstance(one, StoredPart)]


def _doubled(facts: StoredFacts, what: str) -> Violation:
    return Violation("coupon_doubled", f"coupon {facts.id}: {what} has another one", shopper=facts.owner)
