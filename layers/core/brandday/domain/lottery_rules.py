"""What of a published lottery may still change: the odds within their declared bounds, and what decides about nothing."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from brandday.domain.lottery import Lottery, odds_problems
from brandday.domain.trail import Change

_MAY_CHANGE = frozenset(("title", "channels", "eligibility", "fulfilment"))
_PROMISED = "cannot change once the lottery is published: it is part of what was promised, and hashed"


def frozen_of_lottery(live: Lottery, declared: Lottery, changes: Iterable[Change]) -> Iterator[tuple[str, str]]:
    """The JSON pointer and the reason of each change that comes too late."""
    index = {prize.id: at for at, prize in enumerate(declared.prizes)}
    known = {prize.id for prize in live.prizes}
    for change in changes:
        match change.path:
            case (head, *_) if head in _MAY_CHANGE:
                continue
            case ("prizes", prize, "odds") if prize in index and prize in known:
                continue
            case ("prizes", prize, *_) if prize not in index:
                yield "/prizes", f"cannot lose {prize}: {_PROMISED}"
            case ("prizes", prize, *field):
                yield "/".join(("/prizes", str(index[prize]), *(field if prize in known else ()))), _PROMISED
            case path:
                yield f"/{'/'.join(path)}", _PROMISED
    if known == index.keys():
        # Bounds are those that were published: a declaration that changes them as well is refused above.
        for place, reason in odds_problems(live, declared.odds()):
            yield (f"/prizes/{index[place]}/odds" if place in index else "/prizes"), reason


def changed_odds(live: Lottery, declared: Lottery) -> dict[str, Fraction]:
    """The odds that a declaration changes, by prize."""
    before = live.odds()
    return {prize: odds for prize, odds in declared.odds().items() if before.get(prize) != odds}
