"""How a campaign's stock is split over shards, and which shard is a shopper's home.

The split is fixed when the campaign is published: salt, number of shards and each SKU's slot. From then on
every environment computes the same answer from the same few bytes, so no shard has to be created in advance
and none can be created with the wrong stock. The salt is the same in all campaigns of a deployment, made at its first
publication: a shopper's rewards of all campaigns are found under one name.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, Self

UNITS_PER_SHARD = 30
"""Keeps a shard and its claims under 1 KB, hence a write at one unit; 30 beat 12 and 60 in simulation."""

SLOTS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""The names of the slots, one per SKU: a campaign has at most this many SKUs."""

SALT_BYTES = 16
MAX_SHARDS_PER_RESTOCK = 500
"""A restock writes to its shards one after the other within one request; this many take a few seconds."""

_NAME_BYTES = 9
_SLOT_STRIDE = 7


class StockedSku(Protocol):
    """What the layout needs to know of a SKU."""

    @property
    def sku(self) -> str:
        """Its id."""

    @property
    def stock(self) -> int:
        """Its initial units."""


@dataclass(frozen=True)
class Layout:
    """The frozen split of one campaign: `slots` is SKU -> slot, `stock` is slot -> initial units."""

    salt: bytes = field(repr=False)
    shards: int
    slots: Mapping[str, str]
    stock: Mapping[str, int]

    def capacity(self, slot: str, shard: int) -> int:
        """Initial units of `slot` in `shard`; over all shards they add up to the stock, balanced to one unit."""
        share, rest = divmod(self.stock[slot], self.shards)
        # The stride starts each SKU's extra units elsewhere: small pools do not pile up in the first shards.
        return share + ((shard - int(slot, 36) * _SLOT_STRIDE) % self.shards < rest)

    def stocked(self, slot: str) -> tuple[int, int]:
        """Where the initial units of `slot` are: the first shard that has any, and how many do, one after the other."""
        share, rest = divmod(self.stock[slot], self.shards)
        return (0, self.shards) if share else (int(slot, 36) * _SLOT_STRIDE % self.shards, rest)

    def capacities(self, shard: int) -> dict[str, int]:
        """Initial units of every slot in `shard`."""
        return {slot: self.capacity(slot, shard) for slot in self.stock}

    @cached_property
    def skus(self) -> dict[str, str]:
        """Slot -> SKU."""
        return {slot: sku for sku, slot in self.slots.items()}

    def name_of(self, shopper_id: str) -> str:
        """The name `shopper_id` goes by in shards and rewards."""
        return shopper_name(self.salt, shopper_id)

    def home_of(self, shopper_id: str) -> int:
        """The number of the one shard that holds the truth about `shopper_id`."""
        return home_shard(self.name_of(shopper_id), self.shards)

    def to_document(self) -> dict[str, Any]:
        """As kept in the campaign's item; the stock is in the document beside it, just as frozen."""
        return {"salt": to_base64url(self.salt), "shards": self.shards, "slots": dict(self.slots)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], skus: Iterable[StockedSku]) -> Self:
        """The reverse of `to_document`, given the campaign's SKUs."""
        slots: dict[str, str] = document["slots"]
        return cls(
            salt=from_base64url(document["salt"]),
            shards=document["shards"],
            slots=slots,
            stock={slots[sku.sku]: sku.stock for sku in skus},
        )


def plan_layout(skus: Iterable[StockedSku], salt: bytes) -> Layout:
    """The layout for `skus` at publication; `salt` is the deployment's 16 random bytes, so that nobody can
    choose a home shard.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a layout's salt has {SALT_BYTES} bytes, not {len(salt)}")
    chosen = tuple(skus)
    slots = dict(zip((sku.sku for sku in chosen), SLOTS, strict=False))
    if len(slots) != len(chosen):
        raise ValueError(f"a campaign has at most {len(SLOTS)} SKUs, each of them once")
    total = sum(sku.stock for sku in chosen)
    return Layout(
        salt=salt,
        shards=max(1, -(-total // UNITS_PER_SHARD)),
        slots=slots,
        stock={slots[sku.sku]: sku.stock for sku in chosen},
    )


def shopper_name(salt: bytes, shopper_id: str) -> str:
    """A shopper's name in all tables: 12 characters of base64url, 72 bits that tell nothing about who it
    is.
    """
    return to_base64url(hashlib.blake2b(shopper_id.encode(), key=salt, digest_size=_NAME_BYTES).digest())


def home_shard(name: str, shards: int) -> int:
    """The home shard of the shopper called `name`; uniform, as the name is a hash."""
    return int.from_bytes(base64.urlsafe_b64decode(name), "big") % shards


def spread_restock(quantity: int, shards: int, restock_id: str) -> dict[int, int]:
    """Shard -> units to add there; the same split for the same id, however often asked.

    As even as it can be over MAX_SHARDS_PER_RESTOCK shards that follow each other; only those that get any
    are named.
    """
    # Small restocks start at different shards, so that they do not all land in the first few.
    start = int.from_bytes(hashlib.blake2b(restock_id.encode(), digest_size=8).digest(), "big")
    used = min(shards, quantity, MAX_SHARDS_PER_RESTOCK)
    share, rest = divmod(quantity, used)
    return {(start + step) % shards: share + (step < rest) for step in range(used)}


def to_base64url(raw: bytes) -> str:
    """`raw` as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of unpadded base64url `text`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
