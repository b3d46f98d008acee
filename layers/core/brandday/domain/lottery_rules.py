"""What may become of a lottery: when it can be published, and what of it may change afterwards.

Published is promised. The odds move within their declared bounds, and what decides about nothing may be put right:
titles, the contact, who may enter, what keeps bots away, and how prizes are handed over. All else is part of the hash
that everybody has.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from brandday.domain.campaign import Campaign
from brandday.domain.errors import FieldError, ValidationFailed
from brandday.domain.lottery import CHANGE_LEAD_MS, MAX_VERSIONS, Frozen, Lottery, Moments, Prize, odds_problems
from brandday.domain.pacing import release_steps
from brandday.domain.trail import Change

CONTACT = ("compliance", "contact")

_MAY_CHANGE = frozenset(("title", "channels", "eligibility", "fulfilment", "protection"))
_PROMISED = "cannot change once the lottery is published: it is part of what was promised"


def has_a_weighted_hour(weights: Sequence[int], window: tuple[int, int], days: Sequence[int]) -> bool:
    """Whether winning moments with these weights have a place in a window (epoch ms), given its local midnights."""
    one = Prize("", {}, 1, release=Moments(tuple(weights)))
    try:
        release_steps(one, Frozen("", *window, tuple(days), 1, 1, ""), b"")
    except ValueError:
        return False
    return True


def check_can_start(lottery: Lottery, window: tuple[int, int], days: Sequence[int]) -> None:
    """Raise ValidationFailed unless all can be won in what is left of the schedule when the lottery is published."""
    late = [
        FieldError(
            f"/prizes/{index}/release/hour_weights",
            "refused",
            {"reason": "has no hour above 0 in what is left of the schedule; declare the lottery with another one"},
        )
        for index, prize in enumerate(lottery.prizes)
        if isinstance(prize.release, Moments) and not has_a_weighted_hour(prize.release.weights, window, days)
    ]
    if late:
        raise ValidationFailed(errors=late)


def frozen_of_lottery(
    live: Campaign, declared: Campaign, changes: Iterable[Change], now_ms: int
) -> Iterator[tuple[str, str]]:
    """The JSON pointer and the reason of each change of a published lottery that comes too late, each once."""
    before, after = live.lottery, declared.lottery
    if before is None or after is None:
        yield "/mechanic", _PROMISED
        return
    yield from dict.fromkeys(_frozen_fields(before, after, changes))
    if {prize.id for prize in before.prizes} == {prize.id for prize in after.prizes}:
        yield from _refused_odds(live, before, after, now_ms)


def brought_forward(live: Campaign, declared: Campaign) -> Iterator[tuple[str, str]]:
    """The claim deadline of a published lottery, if it is to end earlier: winners count on it."""
    was, shall_be = live.fulfilment.claim_until, declared.fulfilment.claim_until
    if live.lottery is not None and was is not None and (shall_be is None or shall_be < was):
        yield (
            "/fulfilment/claim_until",
            "cannot be brought forward: winners were promised to be able to claim until then",
        )


def changed_odds(live: Lottery, declared: Lottery) -> dict[str, Fraction]:
    """The odds that a declaration changes, by prize."""
    before = live.odds()
    return {prize: odds for prize, odds in declared.odds().items() if before.get(prize) != odds}


def _frozen_fields(before: Lottery, after: Lottery, changes: Iterable[Change]) -> Iterator[tuple[str, str]]:
    index = {prize.id: at for at, prize in enumerate(after.prizes)}
    known = {prize.id for prize in before.prizes}
    for change in changes:
        match change.path:
            case (head, *_) if head in _MAY_CHANGE or change.path == CONTACT:
                continue
            case ("prizes", prize, "odds") if prize in index and prize in known:
                if change.after is None:
                    yield f"/prizes/{index[prize]}/odds", "cannot be taken away once the lottery is published"
            case ("prizes", prize, *_) if prize not in index:
                yield "/prizes", f"cannot lose {prize}: {_PROMISED}"
            case ("prizes", prize, *_) if prize not in known:
                yield f"/prizes/{index[prize]}", "cannot be added once the lottery is published; declare another one"
            case ("prizes", prize, *field):
                yield "/".join((f"/prizes/{index[prize]}", *field)), _PROMISED
            case path:
                yield f"/{'/'.join(path)}", _PROMISED


def _refused_odds(live: Campaign, before: Lottery, after: Lottery, now_ms: int) -> Iterator[tuple[str, str]]:
    index = {prize.id: at for at, prize in enumerate(after.prizes)}
    changed = changed_odds(before, after)
    # The bounds are those that were published; a declaration that changes them as well is refused for that.
    for place, reason in odds_problems(before, {**before.odds(), **changed}):
        yield (f"/prizes/{index[place]}/odds" if place in index else "/prizes"), reason
    if not changed:
        return
    first = f"/prizes/{index[next(iter(changed))]}/odds"
    if live.luck is not None and len(live.luck.tables) >= MAX_VERSIONS:
        yield first, f"cannot change any more: a lottery has at most {MAX_VERSIONS} versions of its odds"
    if now_ms + CHANGE_LEAD_MS >= live.ends_at:
        yield first, "cannot change any more: the lottery is over before that could come into force"
