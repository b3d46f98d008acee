"""The public words by which codes are told apart: which campaign a code belongs to, as far as its text says so.

All published campaigns share one list of them, which environments read at once and remember for a second. So a guess
that is none of these, and has no keyed check characters either, dies without any read of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Self

from brandday.domain.campaign import Campaign
from brandday.domain.coupon import CodeKind, CouponTerms, IssuedBy
from brandday.domain.errors import FieldError, ValidationFailed
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


@dataclass(frozen=True)
class CodeWords:
    """All words of published campaigns: folded shared code -> campaign id, folded prefix -> campaign id, and the
    campaigns in which shoppers take coupons -> until when a coupon of theirs can be used (epoch ms).
    """

    shared: Mapping[str, str] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Iterable[CodeWord]) -> Self:
        """The words, by kind."""
        known = list(words)
        return cls(
            {word.text: word.campaign_id for word in known if word.kind is WordKind.SHARED},
            {word.text: word.campaign_id for word in known if word.kind is WordKind.PREFIX},
            {word.text: word.until for word in known if word.kind is WordKind.TAKEN},
        )

    def imported(self, folded: str) -> str | None:
        """The campaign whose prefix a code begins with, the longest one counting; None if there is none."""
        return next((of for at in self._lengths if (of := self.prefixes.get(folded[:at])) is not None), None)

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(prefix) for prefix in self.prefixes}, reverse=True)


def words_of(campaign: Campaign) -> tuple[CodeWord, ...]:
    """The words that a campaign needs once it is published."""
    return tuple(_words(campaign, campaign.coupon)) if campaign.coupon is not None else ()


def check_words(campaign: Campaign, known: Iterable[CodeWord], now: int) -> None:
    """Raise ValidationFailed if a code cannot be told from those of another campaign that is not over at `now`."""
    others = [word for word in known if word.campaign_id != campaign.id and word.until > now]
    needed = [word for word in words_of(campaign) if word.until > now]
    clashes = ((mine, other) for mine in needed for other in others if _clash(mine, other))
    for mine, other in clashes:
        raise word_taken(mine, other.campaign_id)


def word_taken(word: CodeWord, by: str) -> ValidationFailed:
    """What to raise when a word cannot be told from one of the campaign `by`."""
    pointer = "/code" if word.kind is WordKind.SHARED else "/prefix"
    reason = f"cannot be told from codes of the campaign {by}, as people read and type them; choose another one"
    return ValidationFailed(errors=[FieldError(pointer, "refused", {"reason": reason})])


def _clash(mine: CodeWord, other: CodeWord) -> bool:
    match mine.kind, other.kind:
        case WordKind.SHARED, WordKind.SHARED:
            return mine.text == other.text
        case WordKind.SHARED, WordKind.PREFIX:
            return mine.text.startswith(other.text)
        case WordKind.PREFIX, WordKind.SHARED:
            return other.text.startswith(mine.text)
        case WordKind.PREFIX, WordKind.PREFIX:
            return mine.text.startswith(other.text) or other.text.startswith(mine.text)
        case _:
            return False


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
