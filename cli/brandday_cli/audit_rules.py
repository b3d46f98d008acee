"""What the audit proves: pure checks over decoded items, one function per kind of fact.

Facts inside one shard (units add up, limits of shoppers who never left their home shard) need one
item, and reading one item is atomic. Facts about a shopper with claims in several shards need all
of their items as of one moment; the caller reads them again in one transaction before it believes
a violation (see ``audit``). Whether two claims of a shopper were alive together is judged by the
times in the entries themselves, never by the auditor's clock, which may differ from the servers'.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from brandday_cli.audit_records import POINTER, Entry, Plan, Shard, Violation

RELEASE_GRACE_MS = 15 * 60 * 1000
"""How long a released claim keeps its entry at least, so that its pointer can be followed."""

SETTLED_MS = 5 * 60 * 1000
"""By then the sweeper, which comes every minute, has taken back a pointer that leads nowhere."""

type Records = Mapping[int, tuple[Entry, ...]]
"""One shopper's entries by shard number."""


@dataclass
class Pool:
    """Running totals of one SKU over the shards seen so far, in units."""

    sku: str
    initial: int
    restocked: int = 0
    free: int = 0
    held: int = 0
    sold: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the shape of one element of ``pools`` in ``brandday audit --json``."""
        return {
            "sku": self.sku,
            "initial": self.initial,
            "restocked": self.restocked,
            "free": self.free,
            "held": self.held,
            "sold": self.sold,
        }


@dataclass
class RewardTally:
    """How many confirmed claims were asked for their reward, and how many rewards there are by status."""

    claims: int = 0
    by_status: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """Return the shape of ``rewards`` in ``brandday audit --json``."""
        return {"confirmed_claims": self.claims, "by_status": dict(sorted(self.by_status.items()))}


@dataclass
class EntryTally:
    """How many entrants, entries and wins a lottery's records have, and how many units were claimed for entries.

    ``won`` counts wins by prize, those that were given back among them.
    """

    entrants: int = 0
    entries: int = 0
    pending: int = 0
    returned: int = 0
    units: int = 0
    won: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """Return the shape of ``entries`` in ``brandday audit --json``."""
        return {
            "entrants": self.entrants,
            "entries": self.entries,
            "pending": self.pending,
            "returned": self.returned,
            "units": self.units,
            "won": dict(sorted(self.won.items())),
        }


COUPON_STATUSES = ("usable", "locked", "redeemed", "expired", "disabled")
"""All that a coupon can be at a moment: exactly one of these."""


@dataclass
class CouponTally:
    """How many coupons were issued and what they are now, how many uses orders have by status, and what those that
    were redeemed took off (minor units).
    """

    issued: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    uses: Counter[str] = field(default_factory=Counter)
    discount: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the shape of ``coupons`` in ``brandday audit --json``."""
        return {
            "issued": self.issued,
            "by_status": {status: self.by_status[status] for status in COUPON_STATUSES},
            "uses": dict(sorted(self.uses.items())),
            "discount": self.discount,
        }


@dataclass
class Findings:
    """All that was established: totals, violations, and units out of balance (counted per shard).

    ``rewards`` is ``None`` if there was no table of rewards to read, ``entries`` if it is no lottery, or there was no
    table of entries, ``coupons`` likewise.
    """

    pools: list[Pool]
    violations: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    oversold: int = 0
    lost: int = 0
    rewards: RewardTally | None = None
    entries: EntryTally | None = None
    coupons: CouponTally | None = None

    @property
    def ok(self) -> bool:
        """Whether every promise holds."""
        return not self.violations


def count_units(plan: Plan, shard: Shard) -> dict[str, tuple[int, int, int, int]]:
    """Count one shard: ``{slot: (restocked, free, held, sold)}`` in units."""
    held = dict.fromkeys(plan.sku_of_slot, 0)
    sold = dict.fromkeys(plan.sku_of_slot, 0)
    restocked = dict.fromkeys(plan.sku_of_slot, 0)
    for entries in shard.records.values():
        for entry in entries:
            if entry.is_held:
                held[entry.slot] += entry.quantity
            elif entry.is_confirmed:
                sold[entry.slot] += entry.quantity
    for (slot, _), units in shard.restocked.items():
        if slot in restocked:
            restocked[slot] += units
    return {slot: (restocked[slot], shard.free[slot], held[slot], sold[slot]) for slot in plan.sku_of_slot}


def check_shard(plan: Plan, shard: Shard) -> tuple[list[Violation], int, int]:
    """Check what one item can prove alone; return violations, units too many and units missing."""
    violations = list(shard.faults)
    oversold = lost = 0
    for slot, (restocked, free, held, sold) in count_units(plan, shard).items():
        sku, capacity = plan.sku_of_slot[slot], plan.capacity(slot, shard.number)
        surplus = free + held + sold - capacity - restocked
        if surplus:
            detail = (
                f"free {free} + held {held} + sold {sold} = {free + held + sold}, "
                f"but initial {capacity} + restocked {restocked} = {capacity + restocked}: "
                f"{abs(surplus)} {'too many' if surplus > 0 else 'lost'}"
            )
            violations.append(Violation("stock_not_conserved", detail, shard.number, sku))
            oversold += max(0, surplus)
            lost += max(0, -surplus)
        if free < 0:
            violations.append(Violation("free_negative", f"{free} units are free", shard.number, sku))
    for shopper, entries in shard.records.items():
        home = plan.home_of(shopper)
        violations += [
            Violation(
                "pointer_misplaced",
                f"a pointer to shard {entry.target} lies outside the shopper's home shard {home}",
                shard.number,
                plan.sku_of_slot[entry.slot],
                shopper,
            )
            for entry in entries
            if entry.state == POINTER and home != shard.number
        ]
    return violations, oversold, lost


def crosses_shards(plan: Plan, shard: Shard, shopper: str) -> bool:
    """Say whether this record cannot be judged from this shard alone."""
    if plan.home_of(shopper) != shard.number:
        return any(entry.state != POINTER for entry in shard.records[shopper])
    return any(entry.state == POINTER for entry in shard.records[shopper])


def check_shopper(plan: Plan, shopper: str, records: Records, now_ms: int, *, strict: bool = False) -> list[Violation]:
    """Check one shopper over all shards: limits, one hold at a time, and every claim reachable.

    ``records`` must hold the home shard's record, if there is one, and those of all shards that it
    points to or that are known to hold entries of this shopper.

    A pointer is written before the claim that it announces and owns nothing. One without a claim is therefore what a
    request leaves behind that is still going on, or was cut off between its two writes, until the sweeper has taken it
    back; only ``strict`` calls a young one a violation. A claim that was made and has vanished shows in the stock of
    its shard all the same.
    """
    home = plan.home_of(shopper)
    pointers = [entry for entry in records.get(home, ()) if entry.state == POINTER]
    entries = [(shard, entry) for shard, found in records.items() for entry in found if entry.state != POINTER]
    claims = sorted(
        ((shard, entry) for shard, entry in entries if entry.owns_units), key=lambda claim: claim[1].attempt
    )
    return [
        *_check_reachable(plan, shopper, home, pointers, claims),
        *_check_pointers(plan, shopper, home, pointers, entries, now_ms, strict),
        *_check_limits(plan, shopper, claims),
    ]


def _check_reachable(
    plan: Plan, shopper: str, home: int, pointers: list[Entry], claims: list[tuple[int, Entry]]
) -> Iterable[Violation]:
    for shard, claim in claims:
        if shard == home:
            continue
        sku = plan.sku_of_slot[claim.slot]
        leading = [p for p in pointers if p.target == shard and p.attempt == claim.attempt]
        if not leading:
            detail = f"a claim on {claim.quantity} units has no pointer in the shopper's home shard {home}"
            yield Violation("claim_unreachable", detail, shard, sku, shopper)
        elif (leading[0].slot, leading[0].quantity) != (claim.slot, claim.quantity):
            pointed = f"{leading[0].quantity} of {plan.sku_of_slot[leading[0].slot]}"
            detail = f"the pointer in home shard {home} says {pointed}, the claim {claim.quantity} of {sku}"
            yield Violation("pointer_mismatch", detail, shard, sku, shopper)


def _check_pointers(
    plan: Plan,
    shopper: str,
    home: int,
    pointers: list[Entry],
    entries: list[tuple[int, Entry]],
    now_ms: int,
    strict: bool,
) -> Iterable[Violation]:
    targets = {(shard, entry.attempt) for shard, entry in entries}
    for pointer in pointers:
        if (pointer.target, pointer.attempt) in targets:
            continue
        age_ms = now_ms - pointer.attempt
        if pointer.target is not None and pointer.target < plan.shards:
            if not strict and age_ms < SETTLED_MS:
                continue  # announced and not made yet; had it been made and gone since, units would be missing
            if age_ms > plan.hold_ms + plan.extend_ms + RELEASE_GRACE_MS:
                continue  # the claim was released long ago, and its entry has been cleared away since
        yield Violation(
            "pointer_dangling",
            f"it points to shard {pointer.target}, which has no such claim ({age_ms // 1000} s old)",
            home,
            plan.sku_of_slot[pointer.slot],
            shopper,
        )


def _check_limits(plan: Plan, shopper: str, claims: list[tuple[int, Entry]]) -> Iterable[Violation]:
    """Check the shopper's units as of each claim's own moment; ``claims`` are in order of attempt."""
    reported: set[str] = set()
    attempts: set[int] = set()
    for position, (shard, claim) in enumerate(claims):
        sku = plan.sku_of_slot[claim.slot]
        if claim.attempt in attempts:
            detail = f"two claims have the attempt number {claim.attempt}"
            yield Violation("attempt_repeated", detail, shard, sku, shopper)
        attempts.add(claim.attempt)
        alive = [
            entry for _, entry in claims[: position + 1] if entry.is_confirmed or plan.expires_at(entry) > claim.attempt
        ]
        of_sku = [entry for entry in alive if entry.slot == claim.slot]
        carts = [entry for entry in of_sku if entry.is_held]
        if len(carts) > 1 and f"hold {sku}" not in reported:
            reported.add(f"hold {sku}")
            detail = f"{len(carts)} holds of one SKU are alive together"
            yield Violation("second_hold", detail, shard, sku, shopper)
        units, allowed = sum(entry.quantity for entry in of_sku), plan.units_per_shopper[sku]
        if units > allowed and f"sku {sku}" not in reported:
            reported.add(f"sku {sku}")
            detail = f"the shopper has {units} units, the SKU's limit is {allowed}"
            yield Violation("shopper_over_sku_limit", detail, shard, sku, shopper)
        units = sum(entry.quantity for entry in alive)
        if units > plan.limit_per_shopper and "campaign" not in reported:
            reported.add("campaign")
            detail = f"the shopper has {units} units, the campaign's limit is {plan.limit_per_shopper}"
            yield Violation("shopper_over_campaign_limit", detail, shard, sku, shopper)


def check_restocks(plan: Plan, recorded: Mapping[tuple[str, str], int]) -> list[Violation]:
    """Compare the restocks in the campaign record with ``recorded``: ``{(slot, id): units in shards}``."""
    violations = []
    promised: set[tuple[str, str]] = set()
    for restock in plan.restocks:
        slot = plan.slots.get(restock.sku, "")
        promised.add((slot, restock.restock_id))
        units = recorded.get((slot, restock.restock_id), 0)
        if restock.done and units != restock.quantity:
            detail = f"restock {restock.restock_id!r} of {restock.quantity} units put {units} into the shards"
            violations.append(Violation("restock_mismatch", detail, sku=restock.sku))
        elif not restock.done:
            detail = (
                f"restock {restock.restock_id!r} is unfinished: {units} of {restock.quantity} units are in "
                "the shards; repeat it with the same id"
            )
            violations.append(Violation("restock_unfinished", detail, sku=restock.sku))
    for slot, restock_id in sorted(recorded.keys() - promised):
        units = recorded[slot, restock_id]
        detail = f"the shards hold {units} units of restock {restock_id!r}, unknown to the campaign record"
        violations.append(Violation("restock_unknown", detail, sku=plan.sku_of_slot.get(slot)))
    return violations


def check_pools(pools: Iterable[Pool]) -> list[Violation]:
    """Check the totals of each SKU over all shards."""
    violations = []
    for pool in pools:
        have, owed = pool.free + pool.held + pool.sold, pool.initial + pool.restocked
        if have != owed:
            detail = (
                f"free {pool.free} + held {pool.held} + sold {pool.sold} = {have}, "
                f"but initial {pool.initial} + restocked {pool.restocked} = {owed}"
            )
            violations.append(Violation("total_not_conserved", detail, sku=pool.sku))
    return violations


def check_summary(
    plan: Plan, shard: Shard, summarised: tuple[int, dict[str, tuple[int, int, int]]] | None
) -> list[Violation]:
    """Compare one shard with its entry in the summary (which may lag behind a live sale)."""
    if shard.version == 0 and summarised is None:
        return []
    if summarised is None:
        return [Violation("summary_stale", "the summary does not know this shard yet", shard.number)]
    version, counts = summarised
    if version != shard.version:
        detail = f"the summary has version {version}, the shard {shard.version}"
        return [Violation("summary_stale", detail, shard.number)]
    violations = []
    for slot, (_, free, held, sold) in count_units(plan, shard).items():
        if counts.get(slot, (free, held, sold)) != (free, held, sold):
            detail = f"the summary says {counts[slot]}, the shard has {(free, held, sold)} (free, held, sold)"
            violations.append(Violation("summary_stale", detail, shard.number, plan.sku_of_slot[slot]))
    return violations
