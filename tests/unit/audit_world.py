"""Hand-made tables for the audit's tests: written by hand, not by the code under audit."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from brandday_cli.audit_records import RawItem
from brandday_cli.audit_reward_records import RewardKey

NOW_MS = 1_790_000_000_000
HOLD_MS = 600_000
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text


def name_at_home(shard: int, shards: int, serial: int = 0) -> str:
    """A shopper name whose home is the given shard."""
    return base64.urlsafe_b64encode((shard + shards * (serial + 7)).to_bytes(9, "big")).decode()


def entry(state: str, attempt: int = NOW_MS, *, slot: str = "0", quantity: int = 1, suffix: str = "") -> str:
    return f"{state}{slot}{base36(quantity, 1)}{base36(attempt, 8)}abcDEF{suffix}"


class World:
    """A campaign of 4 shards with 10 HERO units (3, 3, 2, 2) and 4 SIDE units (1 each), all read by the audit."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            "id": "sale",
            "limit_per_shopper": 3,
            "hold_seconds": HOLD_MS // 1000,
            "extend_seconds": 300,
            "skus": [
                {"sku": "HERO", "stock": 10, "units_per_shopper": 2},
                {"sku": "SIDE", "stock": 4, "units_per_shopper": 3},
            ],
        }
        self.layout: dict[str, Any] = {
            "salt": "c2FsdHNhbHRzYWx0c2FsdA",
            "shards": 4,
            "slots": {"HERO": "0", "SIDE": "1"},
        }
        self.restocks: list[dict[str, Any]] = []
        self.items: dict[str, dict[str, Any]] = {}
        self.summary: list[dict[str, Any]] = []
        self.before_read: list[Callable[[], None]] = []
        self.reads_together = 0
        self.rewards: dict[tuple[str, str], dict[str, Any]] = {}
        self.index_behind: dict[tuple[str, str], dict[str, Any]] = {}
        self.naps: list[float] = []
        self.on_nap: Callable[[], None] = lambda: None

    def put(self, shard: int, free: int, records: Mapping[str, str] | None = None, *, side: int | None = None) -> None:
        """Write one item; `records` are its string attributes."""
        item: dict[str, Any] = {"pk": {"S": f"sale#{shard}"}, "v": {"N": "5"}, "f0": {"N": str(free)}}
        if side is not None:
            item["f1"] = {"N": str(side)}
        item.update({name: {"S": text} for name, text in (records or {}).items()})
        self.items[f"sale#{shard}"] = item

    def read_config(self, _: str, /) -> RawItem | None:
        return {
            "document": {"S": json.dumps(self.document)},
            "layout": {"S": json.dumps(self.layout)},
            "restocks": {"S": json.dumps(self.restocks)},
        }

    def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        for shard in shards:
            yield shard, self.items.get(f"{campaign_id}#{shard}")
            if self.before_read:
                self.before_read.pop(0)()

    def read_together(self, campaign_id: str, shards: Sequence[int]) -> dict[int, RawItem | None]:
        self.reads_together += 1
        return {shard: self.items.get(f"{campaign_id}#{shard}") for shard in shards}

    def read_summary_chunks(self, *_: object) -> Iterator[RawItem]:
        yield from self.summary

    def scan_keys(self, campaign_id: str) -> Iterator[str]:
        yield from (key for key in list(self.items) if key.startswith(f"{campaign_id}#"))

    # --- rewards ---

    def put_reward(self, owner: str, shard: int, attempt: int = NOW_MS, **changes: Any) -> None:
        """Write the reward of a claim: an order on its way; `changes` replace attributes, None takes one out."""
        item = reward(owner, shard, attempt, **changes)
        self.rewards[item["pk"]["S"], item["sk"]["S"]] = item

    def read_rewards(self, keys: Sequence[RewardKey]) -> Iterator[RawItem]:
        assert len(keys) <= 100
        yield from [self.rewards[key] for key in reversed(keys) if key in self.rewards]

    def read_pair(self, campaign_id: str, shard: int, key: RewardKey) -> tuple[RawItem | None, RawItem | None]:
        self.reads_together += 1
        return self.items.get(f"{campaign_id}#{shard}"), self.rewards.get(key)

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        for shard in shards:
            yield shard, self.items.get(f"{campaign_id}#{shard}")

    def read_index(self, campaign_id: str, bucket: int) -> Iterator[Sequence[RawItem]]:
        seen = self.rewards | self.index_behind
        yield [item for item in seen.values() if item.get("gpk", {}).get("S") == f"{campaign_id}#{bucket}"]
        yield []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.on_nap()


def reward(owner: str, shard: int, attempt: int = NOW_MS, **changes: Any) -> dict[str, Any]:
    """A stored reward; `changes` replace attributes by name, None takes one out."""
    sort_key = f"{base36(attempt, 8)}.sale"
    values: dict[str, object] = {
        "pk": owner,
        "sk": sort_key,
        "kind": "order",
        "sku": "HERO",
        "quantity": 1,
        "source": f"rsv_sale.{shard}.{owner}.{base36(attempt, 8)}",
        "created_at": attempt,
        "status": "pending",
        "status_at": attempt,
        "time_limit_ms": 3_600_000,
        "pending_since": attempt,
        "cycle": 1,
        "sent": 1,
        "accepted": 0,
        "version": 1,
    } | changes
    owes = "!" if values["status"] == "forfeited" and not values.get("units_returned") else ""
    index = {
        "gpk": f"sale#{sum(map(ord, owner)) % 16}",
        "gsk": f"{values['status']}{owes}#{values['status_at']:013d}#{sort_key}",
    }
    return {name: _stored(value) for name, value in (index | values).items() if value is not None}


def _stored(value: object) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case _:
            return {"S": value}
