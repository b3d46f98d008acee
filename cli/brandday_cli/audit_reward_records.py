"""How the audit reads rewards: a decoder of its own, which shares no code with what writes them.

A reward's key is computed from the claim that it comes from, so that the audit asks for the one reward a claim must
have, and finds the one claim that a reward must have.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from brandday_cli.audit_lottery_records import EntryKey, parse_entry_id
from brandday_cli.audit_records import RawItem

STATUSES = (
    "awaiting_approval",
    "awaiting_address",
    "pending",
    "dispatched",
    "delivered",
    "returned",
    "failed",
    "forfeited",
)
"""All that a reward can be, in the order of its life."""

INDEX_BUCKETS = 16
"""Over how many keys of the index by status a campaign's rewards are spread."""

_SORT_KEY = re.compile(r"([0-9a-z]{8})\.(.+)")
_SOURCE = re.compile(r"rsv_(.+)\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{12})\.([0-9a-z]{8})")
_COUPON = re.compile(r"cpn_[A-Za-z0-9_-]{20}")
_INDEX_SORT_KEY = re.compile(r"([a-z_]+)(!?)#([0-9]{13})#(.+)")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ATTEMPT_LENGTH = 8


class ClaimKey(NamedTuple):
    """Which claim of a campaign: the shard it lies in, whose it is, and its attempt (epoch ms)."""

    shard: int
    shopper: str
    attempt: int


class RewardKey(NamedTuple):
    """Where a reward is stored."""

    pk: str
    sk: str

    @property
    def attempt(self) -> int:
        """The attempt of the claim that it comes from; -1 if the key is none of a reward's."""
        match = _SORT_KEY.fullmatch(self.sk)
        return -1 if match is None else int(match[1], 36)

    def as_item(self) -> RawItem:
        """Return it as DynamoDB's low-level client takes it."""
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


@dataclass(frozen=True)
class StoredReward:
    """One reward as it is stored; times in epoch milliseconds, ``faults`` are what does not fit the format.

    It comes from a claim (``source``), from an entry of a lottery (``entry``), or is a coupon (``coupon``, its id).
    """

    key: RewardKey
    id: str
    source: ClaimKey | None
    entry: EntryKey | None
    coupon: str | None
    kind: str
    sku: str
    quantity: int
    status: str
    status_at: int
    time_limit_ms: int
    claim_until: int | None
    pending_since: int | None
    lease_until: int | None
    cycle: int
    accepted: int
    reported_at: int | None
    units_returned: bool
    faults: tuple[str, ...] = ()

    @property
    def was_given_up(self) -> bool:
        """Whether it is nobody's any more, so that its units belong back on sale."""
        return self.status == "forfeited"


def reward_key(campaign_id: str, claim: ClaimKey) -> RewardKey:
    """Return where the reward of a claim has to be."""
    return reward_key_at(campaign_id, claim.shopper, claim.attempt)


def reward_key_at(campaign_id: str, owner: str, at: int) -> RewardKey:
    """Return where the reward of an owner's claim, or entry, of a moment (epoch ms) has to be."""
    return RewardKey(owner, f"{_base36(at)}.{campaign_id}")


def reward_id(key: RewardKey) -> str:
    """Return the id that the reward at this key has to have."""
    return f"rwd_{key.pk}.{key.sk}"


def key_of(item: RawItem) -> RewardKey:
    """Return where an item is stored."""
    return RewardKey(item["pk"]["S"], item["sk"]["S"])


def decode_reward(campaign_id: str, item: RawItem) -> StoredReward | str:
    """Decode one reward; a string says why that cannot be done."""
    key = key_of(item)
    try:
        reward = StoredReward(
            key=key,
            id=reward_id(key),
            source=_source(campaign_id, _text(item, "source")),
            entry=parse_entry_id(campaign_id, _text(item, "source")),
            coupon=_coupon(_text(item, "source")),
            kind=_text(item, "kind"),
            sku=_text(item, "sku"),
            quantity=_number(item, "quantity"),
            status=_text(item, "status"),
            status_at=_number(item, "status_at"),
            time_limit_ms=_number(item, "time_limit_ms"),
            claim_until=_optional(item, "claim_until"),
            pending_since=_optional(item, "pending_since"),
            lease_until=_optional(item, "lease_until"),
            cycle=_optional(item, "cycle") or 0,
            accepted=_optional(item, "accepted") or 0,
            reported_at=_optional(item, "reported_at"),
            units_returned=bool(item.get("units_returned", {}).get("BOOL", False)),
            faults=tuple(_misfiled(campaign_id, item)),
        )
    except (KeyError, TypeError, ValueError) as error:
        return f"reward {reward_id(key)} cannot be read: {error!r}"
    return reward if reward.status in STATUSES else f"reward {reward.id} has the unknown status {reward.status!r}"


def _misfiled(campaign_id: str, item: RawItem) -> list[str]:
    """Name what would hide a reward from whoever looks for it by status."""
    faults: list[str] = []
    campaign, _, bucket = _text(item, "gpk").rpartition("#")
    if campaign != campaign_id or not bucket.isdecimal() or int(bucket) >= INDEX_BUCKETS:
        faults.append(f"its index key {_text(item, 'gpk')!r} is none of the campaign's")
    match = _INDEX_SORT_KEY.fullmatch(_text(item, "gsk"))
    owes = _text(item, "status") == "forfeited" and not item.get("units_returned", {}).get("BOOL", False)
    expected = (_text(item, "status"), "!" if owes else "", f"{_number(item, 'status_at'):013d}", item["sk"]["S"])
    if match is None or match.groups() != expected:
        faults.append(f"the index has it as {_text(item, 'gsk')!r}, but it is {'#'.join(expected[2:])} {expected[0]}")
    if not _SORT_KEY.fullmatch(item["sk"]["S"]) or not item["sk"]["S"].endswith(f".{campaign_id}"):
        faults.append(f"its key {item['sk']['S']!r} is none of the campaign's")
    return faults


def _source(campaign_id: str, text: str) -> ClaimKey | None:
    match = _SOURCE.fullmatch(text)
    if match is None or match[1] != campaign_id:
        return None
    return ClaimKey(int(match[2]), match[3], int(match[4], 36))


def _coupon(text: str) -> str | None:
    return text if _COUPON.fullmatch(text) else None


def _text(item: RawItem, name: str) -> str:
    return str(item[name]["S"])


def _number(item: RawItem, name: str) -> int:
    return int(item[name]["N"])


def _optional(item: Mapping[str, Mapping[str, Any]], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def _base36(number: int) -> str:
    text = ""
    for _ in range(_ATTEMPT_LENGTH):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
