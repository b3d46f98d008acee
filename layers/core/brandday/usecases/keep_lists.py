"""The allow list and the block list, as operators keep them: one by one, or a file's rows, and who did what when.

Values are normalised and hashed as the gate does it, and are gone with the request: the lists know marks. What is asked
for twice changes nothing the second time, and every change is in the lists' audit trail, in the same transaction.
"""

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from brandday.domain.errors import FieldError, ListingNotFound, TemporarilyOverloaded, ValidationFailed
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.risk import Listed
from brandday.domain.signals import MARK_LENGTH, SignalKind
from brandday.domain.times import from_rfc3339, to_rfc3339
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.guard_desk_ports import MOST_LISTED, ListingPage, Lists, MarkMaker, TrailPage
from brandday.usecases.ports import Clock

MOST_ROWS: Final = 100
"""Rows of one request."""

DAY_MS: Final = 24 * 60 * 60 * 1000
DEFAULT_DAYS: Final = 90
"""How long something is listed if nobody says it: a number or a network has somebody else by then."""

MOST_DAYS: Final = 731
REASON_LENGTH: Final = 200
VALUE_LENGTH: Final = 500

_TRIES: Final = 5
_MARK: Final = re.compile(rf"[A-Za-z0-9_-]{{{MARK_LENGTH}}}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class ListingProblem(StrEnum):
    """What is wrong with a row; the others of its file are kept."""

    UNKNOWN_LIST = "unknown_list"
    UNKNOWN_KIND = "unknown_kind"
    VALUE_MISSING = "value_missing"
    """There is neither a value nor a mark, or there are both."""
    BAD_VALUE = "bad_value"
    """It can be no value, or no mark, of its kind."""
    BAD_UNTIL = "bad_until"
    """It is neither a date nor an RFC 3339 time."""
    UNTIL_PAST = "until_past"
    UNTIL_TOO_FAR = "until_too_far"
    BAD_REASON = "bad_reason"
    """It is too long, or is not of one line."""
    REPEATED = "repeated"
    """An earlier row of the same request is about the same."""


class Row(NamedTuple):
    """A line of a list, as it was typed: all texts, "" for what was left out."""

    list: str
    kind: str
    value: str = ""
    mark: str = ""
    until: str = ""
    reason: str = ""


class Outcome(NamedTuple):
    """What became of a row: what is listed now, and whether that is new; or its problem."""

    listing: Listing | None
    changed: bool
    problem: ListingProblem | None = None


class Removed(NamedTuple):
    """What was taken off a list; `changed` is False if this very request had done it before."""

    listing: Listing
    changed: bool


class RowRefused(ValueError):
    """A row cannot be listed."""

    def __init__(self, problem: ListingProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class KeepLists:
    """What operators do with the lists. `who` is the token's subject, `key` the request's Idempotency-Key."""

    lists: Lists
    mark_of: MarkMaker
    now: Clock

    def put(self, rows: Sequence[Row], who: str, key: str) -> list[Outcome]:
        """List what the rows say (MOST_ROWS at most), and return what became of each, in their order.

        Rows that are wrong do not hold up the others. Done in transactions of MOST_LISTED; a request that was cut off
        in between can be repeated.
        """
        now, act = self.now(), act_id(who, key)
        outcomes: list[Outcome | None] = []
        wanted: dict[ListingKey, Listing] = {}
        for row in rows:
            try:
                listing = read_row(row, self.mark_of, who, now, act)
                if listing.key in wanted:
                    raise RowRefused(ListingProblem.REPEATED)
            except RowRefused as refused:
                outcomes.append(Outcome(None, changed=False, problem=refused.problem))
            else:
                wanted[listing.key] = listing
                outcomes.append(None)
        kept: dict[ListingKey, Outcome] = {}
        for some in itertools.batched(wanted.values(), MOST_LISTED, strict=False):
            kept |= self._put(some, who, now, act)
        good = iter(wanted)
        return [kept[next(good)] if outcome is None else outcome for outcome in outcomes]

    def remove(self, kind: SignalKind, value: str, mark: str, who: str, key: str) -> Removed:
        """Take a value, or a mark, off the list it is on. Raises ListingNotFound, ValidationFailed."""
        try:
            wanted = ListingKey(kind, _read_mark(kind, value, mark, self.mark_of))
        except RowRefused as refused:
            rule = "required" if refused.problem is ListingProblem.VALUE_MISSING else "bad_format"
            raise ValidationFailed(errors=[FieldError("/mark" if mark and not value else "/value", rule)]) from None
        act = act_id(who, key)
        for _ in range(_TRIES):
            now = self.now()
            before = self.lists.listed([wanted]).get(wanted)
            if before is None or not before.is_live(now):
                if before is not None and before.act == act:
                    return Removed(before, changed=False)
                raise ListingNotFound
            after = Listing(before.listed, wanted, now, before.reason, who, now, act)
            entry = TrailEntry(act, now, who, "unlist", 0, (change_of(wanted, before, None),))
            if self.lists.put({wanted: (before, after)}, entry):
                return Removed(after, changed=True)
        raise TemporarilyOverloaded

    def page(self, kind: SignalKind | None, listed: Listed | None, limit: int, after: str | None) -> ListingPage:
        """Return a page of what is listed now; it may have fewer than `limit`. ValidationFailed if `after` is no place.

        Go on with `next` until it is None.
        """
        now = self.now()
        try:
            page = self.lists.page(kind, limit, after)
        except ValueError:
            raise _no_cursor() from None
        live = (one for one in page.listings if one.is_live(now) and listed in (None, one.listed))
        return ListingPage(tuple(live), page.next)

    def history(self, limit: int, after: str | None) -> TrailPage:
        """Return a page of what was done to the lists, the latest first. ValidationFailed if `after` is no place."""
        try:
            return self.lists.history(limit, after)
        except ValueError:
            raise _no_cursor() from None

    def _put(self, listings: Sequence[Listing], who: str, now: int, act: str) -> dict[ListingKey, Outcome]:
        for _ in range(_TRIES):
            there = self.lists.listed([listing.key for listing in listings])
            changes: dict[ListingKey, tuple[Listing | None, Listing]] = {}
            kept: dict[ListingKey, Outcome] = {}
            for listing in listings:
                before = there.get(listing.key)
                if before is not None and before.says(listing):
                    kept[listing.key] = Outcome(before, changed=False)
                else:
                    changes[listing.key] = (before, listing)
                    kept[listing.key] = Outcome(listing, changed=True)
            if not changes:
                return kept
            said = tuple(change_of(key, live_one(before, now), after) for key, (before, after) in changes.items())
            # The mark tells apart the entries of one request, which have its id and its time in common.
            number = next(iter(changes)).mark
            if self.lists.put(changes, TrailEntry(f"{act}.{number}", now, who, "list", 0, said)):
                return kept
        raise TemporarilyOverloaded


def read_row(row: Row, mark_of: MarkMaker, who: str, now: int, act: str) -> Listing:
    """Return what a row wants to be listed; raises RowRefused."""
    try:
        listed = Listed(row.list.strip().lower())
    except ValueError:
        raise RowRefused(ListingProblem.UNKNOWN_LIST) from None
    try:
        kind = SignalKind(row.kind.strip().lower())
    except ValueError:
        raise RowRefused(ListingProblem.UNKNOWN_KIND) from None
    mark = _read_mark(kind, row.value.strip(), row.mark.strip(), mark_of)
    reason = row.reason.strip()
    if len(reason) > REASON_LENGTH or not reason.isprintable():
        raise RowRefused(ListingProblem.BAD_REASON)
    return Listing(listed, ListingKey(kind, mark), read_until(row.until.strip(), now), reason, who, now, act)


def read_until(text: str, now: int) -> int:
    """Return until when something is listed (epoch ms): a time, the end of a day (UTC), or DEFAULT_DAYS if it is "".

    Raises RowRefused.
    """
    if not text:
        return end_of_day(now, DEFAULT_DAYS)
    try:
        # a date is meant with all of its day
        until = from_rfc3339(f"{text}T00:00:00Z") + DAY_MS if _DATE.fullmatch(text) else from_rfc3339(text)
    except (ValueError, OverflowError):
        raise RowRefused(ListingProblem.BAD_UNTIL) from None
    if until <= now:
        raise RowRefused(ListingProblem.UNTIL_PAST)
    if until > end_of_day(now, MOST_DAYS):
        raise RowRefused(ListingProblem.UNTIL_TOO_FAR)
    return until


def end_of_day(now: int, days: int) -> int:
    """Return the end of the day (UTC, epoch ms) that is so many days after today: the same all day long, so that who
    asks twice asks for the same.
    """
    return (now // DAY_MS + days + 1) * DAY_MS


def act_id(who: str, key: str) -> str:
    """Return the id of the act that a request stands for, however often it is sent."""
    return hashlib.sha256(f"{who}\0{key}".encode()).hexdigest()[:16]


def live_one(listing: Listing | None, now: int) -> Listing | None:
    """Return a listing that counts at `now`; what is over is as if it were not there."""
    return listing if listing is not None and listing.is_live(now) else None


def change_of(key: ListingKey, before: Listing | None, after: Listing | None) -> Change:
    """Return what the trail says of a listing that was put, replaced or taken off."""
    return Change(("lists", str(key.kind), key.mark), _said(before), _said(after))


def _said(listing: Listing | None) -> dict[str, Any] | None:
    if listing is None:
        return None
    return {"list": str(listing.listed), "until": to_rfc3339(listing.until), "reason": listing.reason}


def _read_mark(kind: SignalKind, value: str, mark: str, mark_of: MarkMaker) -> str:
    if bool(value) == bool(mark):
        raise RowRefused(ListingProblem.VALUE_MISSING)
    if mark:
        if not _MARK.fullmatch(mark):
            raise RowRefused(ListingProblem.BAD_VALUE)
        return mark
    if len(value) > VALUE_LENGTH:
        raise RowRefused(ListingProblem.BAD_VALUE)
    made = mark_of(kind, value)
    if made is None:
        raise RowRefused(ListingProblem.BAD_VALUE)
    return made


def _no_cursor() -> ValidationFailed:
    return ValidationFailed(errors=[FieldError("query:after", "not_a_cursor")])
