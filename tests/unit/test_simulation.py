"""The simulated day: what it must keep, whatever the crowd, and that its own parts do what they say."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from brandday.domain.errors import TemporarilyOverloaded
from brandday_cli.simulation.arrivals import draw_arrivals, parse_curve
from brandday_cli.simulation.day import START_MS, Crowd, Day, Warmth, plain_campaign
from brandday_cli.simulation.fleet import Bucket, Capacity
from brandday_cli.simulation.ours import Ours
from brandday_cli.simulation.partitions import Partitions, Usage
from brandday_cli.simulation.rival import Rival
from brandday_cli.simulation.run import WrongRefusal, play
from brandday_cli.simulation.tables import Shards
from brandday_cli.simulation.ticks import Ticks

PLENTY = Capacity(1e9, 1e9, provisioned=50, concurrency=1000)


def day(shoppers: int, stock: int, arrivals: str = "2s=100%", capacity: Capacity = PLENTY, **crowd: float) -> Day:
    return Day(plain_campaign(stock), Crowd(shoppers, parse_curve(arrivals), **crowd), capacity, stream_lanes=1)  # type: ignore[arg-type]


def test_every_unit_is_taken_once_and_everybody_has_an_answer() -> None:
    outcome = play(day(1500, 300, patience=0))
    assert outcome.taken == 300
    assert outcome.left == 0
    answers = Counter(outcome.answers)
    assert answers["granted"] + answers["all_held"] + answers["sold_out"] == 1500
    assert answers["paid"] == outcome.sold <= 300


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    small = day(300, 100)
    played = play(small, seed=3)
    assert play(small, seed=3) == played
    assert play(small, seed=4) != played


def test_refusing_at_once_changes_nothing_but_the_time_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    late = day(3000, 60, "1s=5%,40s=95%", replace(PLENTY, provisioned=2), pays=1.0, pays_after_s=6.0)
    with_shortcuts = play(late)
    assert with_shortcuts.answers["sold_out"] > 1500
    monkeypatch.setattr(Ours, "takes_shortcuts", False)
    assert play(late) == with_shortcuts


def test_a_wrong_refusal_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if a unit that is paid were on sale again: "sold out" is wrong then.
    change = Shards.change

    def forget(self: Shards, *arguments: object) -> object:
        result = change(self, *arguments)  # type: ignore[arg-type]
        self.sold_units = min(self.sold_units, 59)
        return result

    monkeypatch.setattr(Shards, "change", forget)
    with pytest.raises(WrongRefusal):
        play(day(3000, 60, "1s=5%,40s=95%", pays=1.0, pays_after_s=4.0))


def test_carts_that_nobody_pays_for_are_sold_to_those_who_come_back() -> None:
    outcome = play(
        Day(plain_campaign(60, hold_seconds=10), Crowd(400, parse_curve("1s=50%,40s=50%"), pays=0.5), PLENTY)
    )
    assert outcome.taken > 60


def test_a_cold_table_throttles_and_a_warm_one_does_not() -> None:
    crowd = day(1800, 1500, "0.2s=100%", pays=0.0, patience=4)
    cold = play(replace(crowd, warmth=Warmth(stock_writes=1000, stock_reads=3000)))
    warm = play(replace(crowd, warmth=Warmth(stock_writes=8000, stock_reads=24_000)))
    assert cold.use["claims"].throttled > 200
    assert warm.use["claims"].throttled == 0
    assert (warm.all_taken_at or 99) < (cold.all_taken_at or 0)


def test_the_transaction_pattern_sells_no_more_than_its_counter_item_can() -> None:
    crowd = day(1500, 1200, "0.2s=100%", replace(PLENTY, provisioned=200), patience=3)
    ours, rival = play(crowd), play(crowd, Rival)
    assert ours.all_taken_at is not None
    assert ours.all_taken_at < 1.5
    # each sale takes two of its item's 1,000 units a second; another 1,000 are saved up at the start
    assert rival.all_taken_at is None or rival.all_taken_at > 1.4
    assert rival.taken <= 1200
    assert rival.write_units_per_sale > 2 * ours.write_units_per_sale


def test_an_api_that_lets_few_through_says_so() -> None:
    outcome = play(day(2000, 100, "1s=100%", Capacity(100, 100, provisioned=10, concurrency=100), stubbornness=1))
    assert outcome.api_throttles > 1000
    assert outcome.answers["gave_up"] > 500


def test_lambda_starts_no_more_environments_than_it_may() -> None:
    outcome = play(day(800, 800, "0.1s=100%", Capacity(1e9, 1e9, provisioned=0, concurrency=40)))
    assert outcome.environments == 40
    assert outcome.lambda_throttles > 0
    assert outcome.peak_concurrency == 40


def test_a_partition_gives_a_thousand_write_units_a_second() -> None:
    ticks, usage = Ticks(START_MS), Usage()
    one = Partitions(ticks, 1000, 3000)
    assert one.count == 1
    for _ in range(1000):
        one.write("key", 1, usage)
    with pytest.raises(TemporarilyOverloaded):
        one.write("key", 1, usage)
    ticks.now_ms += 500
    for _ in range(500):
        one.write("key", 1, usage)
    with pytest.raises(TemporarilyOverloaded):
        one.write("key", 1, usage)
    assert (usage.write_units, usage.throttled) == (1500, 2)


def test_partitions_are_as_many_as_the_warmth_needs() -> None:
    assert Partitions(Ticks(START_MS), 4000, 12_000).count == 4
    assert Partitions(Ticks(START_MS), 4000, 30_000).count == 10


def test_a_bucket_is_refilled_to_its_brim_and_no_further() -> None:
    ticks = Ticks(START_MS)
    bucket = Bucket(ticks, 10, 100)
    assert sum(bucket.take() for _ in range(20)) == 10
    ticks.now_ms += 50
    assert sum(bucket.take() for _ in range(20)) == 5
    ticks.now_ms += 10_000
    assert sum(bucket.take() for _ in range(20)) == 10


def test_everybody_arrives_within_their_stretch() -> None:
    come = list(draw_arrivals(parse_curve("1s=20%,3s=80%"), 10_000, random.Random(1)))
    assert len(come) == 4000
    assert sum(come) == 10_000
    assert sum(come[:1000]) == pytest.approx(2000, abs=200)


def test_who_sleeps_lets_others_go_on() -> None:
    ticks, heard = Ticks(0), []

    def nap(name: str, milliseconds: int) -> None:
        ticks.sleep(milliseconds)
        heard.append((name, ticks.now_ms))

    ticks.begin(lambda: nap("long", 5))
    ticks.begin(lambda: nap("short", 2))
    for _ in ticks.run(10):
        pass
    assert heard == [("short", 2), ("long", 5)]
