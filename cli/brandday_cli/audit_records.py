"""How the audit reads the stock items: a decoder of its own, which shares no code with what writes them.

A judge who used the seller's own arithmetic would repeat the seller's mistakes, so nothing of
``brandday.domain`` is imported here. Input is what DynamoDB's low-level client returns
(``{"S": "..."}``, ``{"N": "1"}``); whatever does not fit the format is named, never skipped.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

type RawItem = Mapping[str, Mapping[str, Any]]

HELD_STATES = frozenset("hx")
CONFIRMED = "c"
POINTER = ">"

_SHOPPER_NAME = re.compile(r"[A-Za-z0-9_-]{12}")
_FREE = re.compile(r"f([0-9a-z])")
_RESTOCK = re.compile(r"r([0-9a-z])\.(.+)")
_ENTRY = re.compile(r"([hxcedv>])([0-9a-z])([0-9a-z])([0-9a-z]{8})([A-Za-z0-9_-]{6})(.*)")
_SLOT = re.compile(r"[0-9a-z]")


@dataclass(frozen=True)
class Violation:
    """One broken promise: a stable ``code``, where it was found, and what is wrong in words."""

    code: str
    detail: str
    shard: int | None = None
    sku: str | None = None
    shopper: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the shape of one element of ``violations`` in ``brandday audit --json``."""
        return {
            "code": self.code,
            "shard": self.shard,
            "sku": self.sku,
            "shopper": self.shopper,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Entry:
    """One claim, or one pointer to a claim, in a shopper's record; ``attempt`` is in epoch milliseconds.

    ``state`` is h (held), x (held, extended), c (confirmed), e (expired), d (cancelled), v (announced, and made
    void before it was made) or > (pointer to the claim with the same attempt in shard ``target``). ``order`` is what
    a confirmed one was paid with; in a lottery it names the entry.
    """

    state: str
    slot: str
    quantity: int
    attempt: int
    target: int | None = None
    order: str | None = None

    @property
    def is_held(self) -> bool:
        """Whether its units are in a cart, marked expired or not."""
        return self.state in HELD_STATES

    @property
    def is_confirmed(self) -> bool:
        """Whether its units are sold."""
        return self.state == CONFIRMED

    @property
    def owns_units(self) -> bool:
        """Whether its units are taken out of the free stock of its shard."""
        return self.is_held or self.is_confirmed


@dataclass(frozen=True)
class Shard:
    """One stock item, decoded: what is free, what was restocked, and each shopper's entries."""

    number: int
    version: int
    free: Mapping[str, int]
    restocked: Mapping[tuple[str, str], int]
    records: Mapping[str, tuple[Entry, ...]]
    faults: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Restock:
    """A restock as the campaign record promises it."""

    restock_id: str
    sku: str
    quantity: int
    done: bool


@dataclass(frozen=True)
class Plan:
    """What the campaign record says must hold: layout, stock, limits, restocks, and the claim deadline (epoch ms, 0 if
    there is none).
    """

    campaign_id: str
    shards: int
    slots: Mapping[str, str]
    stock: Mapping[str, int]
    units_per_shopper: Mapping[str, int]
    limit_per_shopper: int
    hold_ms: int
    extend_ms: int
    restocks: tuple[Restock, ...] = ()
    claim_until: int = 0
    sku_of_slot: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sku_of_slot", {slot: sku for sku, slot in self.slots.items()})

    def capacity(self, slot: str, shard: int) -> int:
        """Return how many units of the slot this shard was given when the campaign was published."""
        stock = self.stock[self.sku_of_slot[slot]]
        offset = int(slot, 36) * 7
        extra = 1 if (shard - offset) % self.shards < stock % self.shards else 0
        return stock // self.shards + extra

    def home_of(self, shopper: str) -> int:
        """Return the home shard of a shopper name (12 characters of base64url)."""
        return int.from_bytes(base64.urlsafe_b64decode(shopper), "big") % self.shards

    def expires_at(self, entry: Entry) -> int:
        """Return when a held entry lapses, in epoch milliseconds."""
        return entry.attempt + self.hold_ms + (self.extend_ms if entry.state == "x" else 0)


class UnreadableCampaign(Exception):
    """The campaign record cannot be judged: missing, never published, or malformed."""


def decode_plan(campaign_id: str, config: RawItem | None) -> tuple[Plan, list[Violation]]:
    """Read the campaign's CONFIG item; return the plan and what is wrong with its layout.

    Raises ``UnreadableCampaign`` when there is no published campaign to judge.
    """
    if config is None:
        raise UnreadableCampaign(f"there is no campaign {campaign_id!r} in the campaign table")
    if "layout" not in config:
        raise UnreadableCampaign(f"campaign {campaign_id!r} was never published, so it has no stock to audit")
    try:
        document = json.loads(config["document"]["S"])
        layout = json.loads(config["layout"]["S"])
        restocks = json.loads(config["restocks"]["S"]) if "restocks" in config else []
        plan = Plan(
            campaign_id=campaign_id,
            shards=int(layout["shards"]),
            slots={str(sku): str(slot) for sku, slot in layout["slots"].items()},
            **_terms(document),
            restocks=tuple(
                Restock(str(one["id"]), str(one["sku"]), int(one["quantity"]), bool(one["done"])) for one in restocks
            ),
            claim_until=_moment((document.get("fulfilment") or {}).get("claim_until")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableCampaign(f"the record of campaign {campaign_id!r} is malformed: {error!r}") from error
    return plan, _check_layout(plan)


def _terms(document: Mapping[str, Any]) -> dict[str, Any]:
    if "lottery" in document:  # its prizes are pools; a unit goes to one entry, for good, in the entry's own name
        prizes = document["lottery"]["prizes"]
        return {
            "stock": {prize["id"]: int(prize["stock"]) for prize in prizes},
            "units_per_shopper": {prize["id"]: 1 for prize in prizes},
            "limit_per_shopper": 1,
            "hold_ms": 0,
            "extend_ms": 0,
        }
    if "coupon" in document:
        return _terms_of_coupons(document["coupon"])
    return {
        "stock": {item["sku"]: int(item["stock"]) for item in document["skus"]},
        "units_per_shopper": {item["sku"]: int(item["units_per_shopper"]) for item in document["skus"]},
        "limit_per_shopper": int(document["limit_per_shopper"]),
        "hold_ms": int(document["hold_seconds"]) * 1000,
        "extend_ms": int(document["extend_seconds"]) * 1000,
    }


def _terms_of_coupons(coupon: Mapping[str, Any]) -> dict[str, Any]:
    """The uses of a shared code, or the coupons that there may be: the stock of a coupon campaign."""
    return {
        "stock": {"coupon": _coupons(coupon)},
        "units_per_shopper": {"coupon": int(coupon["per_shopper"])},
        "limit_per_shopper": int(coupon["per_shopper"]),
        "hold_ms": int(coupon["lock_seconds"]) * 1000,
        "extend_ms": 0,
    }


def _coupons(coupon: Mapping[str, Any]) -> int:
    """How many the budget is sure to pay for, each at the most that it can cost."""
    benefit = coupon["benefit"]
    bounds = [] if benefit["max_discount"] is None else [int(benefit["max_discount"])]
    match benefit["kind"]:
        case "amount_off":
            bounds.append(max(int(tier["amount"]) for tier in benefit["tiers"]))
        case "gift":
            bounds = [int(benefit["worth"])]
    if coupon["budget"] is None or not bounds or not min(bounds):
        return int(coupon["quantity"])
    return min(int(coupon["quantity"]), int(coupon["budget"]) // min(bounds))


def _moment(text: str | None) -> int:
    return 0 if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


def _check_layout(plan: Plan) -> list[Violation]:
    """Check that the layout covers every SKU once; what cannot be computed with at all is raised."""
    if plan.shards < 1 or any(not _SLOT.fullmatch(slot) for slot in plan.slots.values()):
        raise UnreadableCampaign(f"the layout of campaign {plan.campaign_id!r} has no usable shards or slots")
    faults = [
        Violation("layout_mismatch", "the SKU is for sale but has no slot in the layout", sku=sku)
        for sku in sorted(plan.stock.keys() - plan.slots.keys())
    ]
    unknown = plan.slots.keys() - plan.stock.keys()
    if unknown or len(plan.sku_of_slot) != len(plan.slots):
        raise UnreadableCampaign(
            f"the layout of campaign {plan.campaign_id!r} has slots that belong to no SKU or to two: "
            f"{sorted(unknown) or sorted(plan.slots.values())}"
        )
    for sku, slot in plan.slots.items():
        total = sum(plan.capacity(slot, shard) for shard in range(plan.shards))
        if total != plan.stock[sku]:
            detail = f"the shards' capacities add up to {total}, the stock is {plan.stock[sku]}"
            faults.append(Violation("layout_mismatch", detail, sku=sku))
    return faults


def decode_shard(plan: Plan, number: int, item: RawItem | None) -> Shard:
    """Decode one stock item; ``None`` is a shard nobody has touched yet, full to its capacity."""
    free = {slot: plan.capacity(slot, number) for slot in plan.sku_of_slot}
    if item is None:
        return Shard(number, 0, free, {}, {})
    restocked: dict[tuple[str, str], int] = {}
    records: dict[str, tuple[Entry, ...]] = {}
    faults: list[Violation] = []
    version = 0

    def fault(detail: str) -> None:
        faults.append(Violation("item_malformed", detail, shard=number))

    for attribute, value in item.items():
        if attribute == "pk":
            continue
        try:
            if attribute == "v":
                version = int(value["N"])
            elif match := _FREE.fullmatch(attribute):
                if match[1] not in free:
                    fault(f"attribute {attribute!r} counts a slot the layout does not have")
                free[match[1]] = int(value["N"])
            elif match := _RESTOCK.fullmatch(attribute):
                if match[1] not in free:
                    fault(f"attribute {attribute!r} restocks a slot the layout does not have")
                restocked[match[1], match[2]] = int(value["S"])
            elif _SHOPPER_NAME.fullmatch(attribute):
                entries, entry_faults = _decode_record(plan, number, attribute, value["S"])
                records[attribute] = entries
                faults += entry_faults
            else:
                fault(f"attribute {attribute!r} is none of the format's")
        except (KeyError, TypeError, ValueError):
            fault(f"attribute {attribute!r} holds {dict(value)!r}, which does not fit the format")
    if "v" not in item:
        fault("the item has no version")
    return Shard(number, version, free, restocked, records, tuple(faults))


def decode_claim(plan: Plan, number: int, item: RawItem | None, shopper: str, attempt: int) -> Entry | None:
    """Return what one stock item says of one claim; ``None`` if it knows nothing of it (any more)."""
    found = [entry for entry in decode_claims(plan, number, item, shopper) if entry.attempt == attempt]
    return found[0] if found else None


def decode_claims(plan: Plan, number: int, item: RawItem | None, shopper: str) -> list[Entry]:
    """Return all claims of one shopper, of whatever state, that one stock item knows of."""
    record = (item or {}).get(shopper)
    if record is None:
        return []
    entries, _ = _decode_record(plan, number, shopper, str(record.get("S", "")))
    return [entry for entry in entries if entry.state != POINTER]


def _decode_record(plan: Plan, shard: int, shopper: str, text: str) -> tuple[tuple[Entry, ...], list[Violation]]:
    entries: list[Entry] = []
    faults: list[Violation] = []
    for word in text.split(" "):
        entry = _decode_entry(word)
        if entry is None or entry.slot not in plan.sku_of_slot:
            detail = f"the entry {word!r} cannot be read" if entry is None else f"{word!r}: no such slot"
            faults.append(Violation("entry_malformed", detail, shard=shard, shopper=shopper))
        else:
            entries.append(entry)
    return tuple(entries), faults


def _decode_entry(word: str) -> Entry | None:
    match = _ENTRY.fullmatch(word)
    if match is None:
        return None
    state, slot, quantity, attempt, _tag, suffix = match.groups()
    units = int(quantity, 36)
    target: int | None = None
    order: str | None = None
    if state == POINTER:
        if not re.fullmatch(r"@(0|[1-9][0-9]*)", suffix):
            return None
        target = int(suffix[1:])
    elif state == CONFIRMED:
        if len(suffix) < 2 or suffix[0] != ".":
            return None
        order = suffix[1:]
    elif suffix:
        return None
    return Entry(state, slot, units, int(attempt, 36), target, order) if units > 0 else None


def decode_summary(chunks: Iterable[RawItem]) -> dict[int, tuple[int, dict[str, tuple[int, int, int]]]]:
    """Decode summary chunk items into ``{shard: (version, {slot: (free, held, sold)})}``."""
    summary: dict[int, tuple[int, dict[str, tuple[int, int, int]]]] = {}
    for chunk in chunks:
        for attribute, value in chunk.items():
            if match := re.fullmatch(r"s([0-9]+)", attribute):
                version, slots, _due = json.loads(value["S"])
                counts = {slot: (int(free), int(held), int(sold)) for slot, (free, held, sold) in slots.items()}
                summary[int(match[1])] = (int(version), counts)
    return summary
