"""Units that exist and may not be taken yet, and days with a cap: what the stock rules make of a pace."""

from dataclasses import dataclass

import pytest

from brandday.domain.protocols import Protocol, Read, Write, claim
from brandday.domain.shard import CONFIRMED, Refused, Shard, Written, apply
from brandday.domain.stock import ClaimOutcome, ClaimRequest, Granted, NothingFree, Terms, first_take, take

DAY = 86_400_000


@dataclass(frozen=True)
class ByTheHour:
    """One unit of each shard opens every hour; ``cap`` of them may leave per day."""

    units: int
    cap: int | None = None

    def reserved(self, slot: str, shard: int, now: int) -> int:  # noqa: ARG002 - a Pace
        return max(0, self.units - now // 3_600_000)

    def left_today(self, slot: str, shard: Shard, now: int) -> int | None:  # noqa: ARG002 - a Pace
        if self.cap is None:
            return None
        return self.cap - sum(entry.units for _, entry in shard.entries() if entry.attempt // DAY == now // DAY)


def terms(units: int, cap: int | None = None) -> Terms:
    return Terms(0, 0, lambda _slot, _shard: units, ByTheHour(units, cap))


def request(number: int, now: int) -> ClaimRequest:
    return ClaimRequest(f"{number:012d}", 0, "0", 1, f"{number:06d}", now, 1, 1, order_id=f"ent.{number}")


def play(shard: Shard, protocol: Protocol[ClaimOutcome]) -> tuple[Shard, ClaimOutcome]:
    answer: object = None
    while True:
        try:
            effect = protocol.send(answer)
        except StopIteration as end:
            return shard, end.value
        if isinstance(effect, Read):
            answer = (shard,)
            continue
        assert isinstance(effect, Write)
        after = apply(shard, effect.write)
        answer = Refused(shard) if after is None else Written(after.free)
        shard = shard if after is None else after


@pytest.mark.parametrize("write_first", [True, False])
def test_a_unit_is_to_be_had_from_its_time_on(write_first: bool) -> None:
    shard = Shard(0, 0, {}, {})
    hour = 3_600_000
    for number, (now, wins) in enumerate([(hour - 1, False), (hour, True), (hour, False), (2 * hour, True)]):
        asked = request(number, now)
        protocol = claim(asked, terms(3), write_first=write_first, elsewhere=lambda: ())
        shard, outcome = play(shard, protocol)
        assert isinstance(outcome, Granted if wins else NothingFree), now
    assert [entry.state for _, entry in shard.entries()] == [CONFIRMED, CONFIRMED]
    assert shard.free == {"0": 1}


def test_a_blind_write_is_refused_by_the_floor_even_if_units_are_free() -> None:
    shard = Shard(0, 5, {"0": 2}, {})
    assert apply(shard, first_take(request(1, 3_600_000), terms(3))) is None
    assert apply(shard, first_take(request(1, 7_200_000), terms(3))) is not None


@pytest.mark.parametrize("write_first", [True, False])
def test_a_cap_holds_for_the_day_and_no_longer(write_first: bool) -> None:
    shard = Shard(0, 0, {}, {})
    start = 100 * 3_600_000
    results = []
    for number, now in enumerate([start, start + 1, start + 2, start + DAY, start + DAY + 1]):
        protocol = claim(request(number, now), terms(30, cap=1), write_first=write_first, elsewhere=lambda: ())
        shard, outcome = play(shard, protocol)
        results.append(isinstance(outcome, Granted))
    assert results == [True, False, False, True, False]


def test_two_that_saw_the_same_day_cannot_both_take_its_last() -> None:
    shard = Shard(0, 3, {"0": 30}, {})
    now = 100 * 3_600_000
    rules = terms(30, cap=1)
    writes = [take(shard, asked, asked.entry(), frozenset(), rules) for asked in (request(1, now), request(2, now + 1))]
    first, second = writes
    assert first is not None
    assert second is not None
    after = apply(shard, first)
    assert after is not None
    assert apply(after, second) is None
    assert after.version == shard.version + 1
