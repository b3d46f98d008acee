"""The public words by which codes are told apart: which campaign a code belongs to, as far as its text says so.

All published campaigns share one list of them, which environments read at once and remember for a second. So a guess
that is none of these, and has no keyed check characters either, dies without any read of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from brandday.domain.campaign import Campaign
from brandday.domain.coupon import CodeKind, CouponTerms, IssuedBy
from brandday.domain.fulfilment import HOUR_MS

DAY_MS = 24 * HOUR_MS


class WordKind(StrEnum):
    """What a word says: this is the code (`shared`), codes begin like this (`prefix`), or, the word being the
    campaign's id, that its shoppers take coupons by themselves (`taken`).
    """

    SHARED = "S"
    PREFIX = "P"
    TAKEN = "T"


@dataclass(frozen=True, slots=True)
class CodeWord:
    """A word of one campaign, folded; it may go to another campaign from `until` (epoch ms) on."""

    kind: WordKind
    text: str
    campaign_id: str
    until: int


@dataclass(frozen=True, slots=True)
class CodeWords:
    """All words of published campaigns: folded shared code -> campaign id, folded prefix -> campaign id, and the
    campaigns in which shoppers take coupons -> until when a coupon of theirs can be used (epoch ms).
    """

    shared: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)

    def imported(self, folded: str) -> str | None:
        """The campaign whose prefix a code begins with, the longest one counting; None if there is none."""
        lengths = sorted({len(prefix) for prefix in self.prefixes}, reverse=True)
        return next((of for at in lengths if (of := self.prefixes.get(folded[:at])) is not None), None)


def words_of(campaign: Campaign) -> tuple[CodeWord, ...]:
    """The words that a published campaign needs."""
    return tuple(_words(campaign, campaign.coupon)) if campaign.coupon is not None else ()


def _words(campaign: Campaign, terms: CouponTerms) -> Iterator[CodeWord]:
    until = used_until(campaign, terms)
    if terms.code is not None:
        yield CodeWord(WordKind.SHARED, terms.code, campaign.id, until)
    if terms.prefix is not None:
        yield CodeWord(WordKind.PREFIX, terms.prefix, campaign.id, until)
    if terms.code_kind is CodeKind.UNIQUE and terms.issued_by is IssuedBy.SHOPPERS:
        yield CodeWord(WordKind.TAKEN, campaign.id, campaign.id, until)


def used_until(campaign: Campaign, terms: CouponTerms) -> int:
    """When no coupon of a campaign can be used any more (epoch ms), but for those that a rollback prolongs."""
    ends = [campaign.ends_at]
    if terms.validity.ends_at is not None:
        ends.append(terms.validity.ends_at)
    elif terms.validity.days is not None:
        # A day more for those that last until midnight, and two hours for a day on which clocks are put back.
        ends.append(campaign.ends_at + (terms.validity.days + 1) * DAY_MS + 2 * HOUR_MS)
    return max(ends)
