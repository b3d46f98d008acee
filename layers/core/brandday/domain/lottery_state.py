"""What publication makes of a lottery: the seed and its commitment, the days, the versions of its odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Self

from brandday.domain.layout import SALT_BYTES, from_base64url, shopper_name, to_base64url
from brandday.domain.lottery import Frozen, Lottery, PrizeTable, first_table, next_table
from brandday.domain.luck import commitment, read_odds, write_odds

MANY_ENTRANTS = 200_000
"""From here on their records are spread over 4,096 partition keys instead of 64."""


@dataclass(frozen=True, slots=True)
class LotteryState:
    """The frozen part of a published lottery and its odds so far; it never changes but by a new version of the odds.

    The seed is kept apart, for those who decide by it. `entry_salt` makes shoppers nameless: what is published about
    them leads back to nobody, and not to what they did in other campaigns.
    """

    frozen: Frozen
    tables: tuple[PrizeTable, ...]
    entry_salt: bytes = field(repr=False)

    def entrant(self, shopper_id: str) -> str:
        """The name a shopper goes by in this lottery, and nowhere else."""
        return shopper_name(self.entry_salt, shopper_id)

    def with_odds(self, odds: Mapping[str, Fraction], lottery: Lottery, now: int) -> LotteryState:
        """The state with a new version of the odds; ValueError says why there cannot be one."""
        return replace(self, tables=(*self.tables, next_table(self.tables, odds, lottery, self.frozen, now)))

    def to_document(self) -> dict[str, Any]:
        """As kept beside the campaign's document."""
        frozen = self.frozen
        return {
            "campaign_id": frozen.campaign_id,
            "starts_at": frozen.starts_at,
            "ends_at": frozen.ends_at,
            "days": list(frozen.days),
            "shards": frozen.shards,
            "bucket_chars": frozen.bucket_chars,
            "commitment": frozen.commitment,
            "entry_salt": to_base64url(self.entry_salt),
            "tables": [_write_table(table) for table in self.tables],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        kept = dict(document)
        tables = tuple(map(_read_table, kept.pop("tables")))
        salt = from_base64url(kept.pop("entry_salt"))
        return cls(Frozen(**kept | {"days": tuple(kept["days"])}), tables, salt)


def freeze(
    lottery: Lottery,
    campaign_id: str,
    window: tuple[int, int],
    days: Sequence[int],
    shards: int,
    *,
    seed: bytes,
    entry_salt: bytes,
) -> LotteryState:
    """The state of a lottery at publication, from 32 random bytes of seed and 16 of salt."""
    if len(entry_salt) != SALT_BYTES:
        raise ValueError(f"a lottery's salt has {SALT_BYTES} bytes, not {len(entry_salt)}")
    frozen = Frozen(
        campaign_id=campaign_id,
        starts_at=window[0],
        ends_at=window[1],
        days=tuple(days),
        shards=shards,
        bucket_chars=2 if lottery.expected_entrants > MANY_ENTRANTS else 1,
        commitment=commitment(seed),
    )
    return LotteryState(frozen, (first_table(lottery, frozen),), entry_salt)


def _write_table(table: PrizeTable) -> dict[str, Any]:
    return {
        "version": table.version,
        "since": table.since,
        "odds": {prize: write_odds(odds) for prize, odds in table.odds.items()},
        "previous": table.previous,
    }


def _read_table(document: Mapping[str, Any]) -> PrizeTable:
    odds = {prize: read_odds(text) for prize, text in document["odds"].items()}
    return PrizeTable(document["version"], document["since"], odds, document["previous"])
