"""Entries are counted from the stream, once even if a batch is told again; what is counted is for looking at."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import boto3
import pytest
from moto import mock_aws

from brandday.adapters.entry_counts import EntryCountTable
from brandday.domain.entrant import Entrant, Entry
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.lottery import Moments, Rounds
from brandday.usecases.count_entries import CountEntries
from brandday.usecases.inspect_campaign import InspectCampaign
from brandday.usecases.lottery_ports import EntrantChanged, EntryCounts
from tests.fakes.backend import CLOSES, OPENS, SALE
from tests.fakes.clock import SettableClock
from tests.fakes.lottery_backend import draw, lottery, prize
from tests.fakes.memory_campaigns import MemorySummaries
from tests.fakes.memory_entry_counts import MemoryEntryCounts
from tests.fakes.memory_refusals import MemoryRefusals
from tests.fakes.operator_desk import RecordedCampaigns


def record(name: str, *versions: int) -> Entrant:
    entries = tuple(Entry(OPENS + at, "abcdef", version) for at, version in enumerate(versions))
    return Entrant(name * 12, "", "", entries, version=len(versions))


FIRST = EntrantChanged(SALE, None, record("a", 1))
SECOND = EntrantChanged(SALE, record("a", 1), record("a", 1, 2))
SETTLED = EntrantChanged(SALE, record("a", 1, 2), record("a", 1, 2))
OTHER = EntrantChanged("another-one", None, record("b", 1))


@pytest.fixture(params=["memory", "table"])
def counts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EntryCounts]:
    if request.param == "memory":
        yield MemoryEntryCounts()
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="campaigns",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield EntryCountTable(client, "campaigns")


def counting(counts: EntryCounts) -> CountEntries:
    return CountEntries(lambda _: None, counts)


def test_entries_are_counted_by_version_and_campaign(counts: EntryCounts) -> None:
    count = counting(counts)
    count([FIRST, SECOND, OTHER])
    count([EntrantChanged(SALE, None, record("c", 2))])
    assert counts.load(SALE) == {1: 1, 2: 2}
    assert counts.load("another-one") == {1: 1}
    assert counts.load("unheard-of") == {}


def test_a_batch_that_is_told_again_counts_once(counts: EntryCounts) -> None:
    count = counting(counts)
    for _ in range(3):
        count([FIRST, SECOND])
    assert counts.load(SALE) == {1: 1, 2: 1}


def test_what_is_no_new_entry_is_not_counted(counts: EntryCounts) -> None:
    counting(counts)([SETTLED])
    assert counts.load(SALE) == {}


def test_nothing_is_counted_before_the_work_is_done() -> None:
    memory = MemoryEntryCounts()

    def fail(_: object) -> None:
        raise TemporarilyOverloaded

    with pytest.raises(TemporarilyOverloaded):
        CountEntries(fail, memory)([FIRST])
    assert memory.load(SALE) == {}


def test_a_busy_table_does_not_make_the_batch_come_again() -> None:
    memory = MemoryEntryCounts(busy=True)
    counting(memory)([FIRST, OTHER])
    memory.busy = False
    counting(memory)([SECOND])
    assert memory.load(SALE) == {2: 1}


# --- what operators see of it -------------------------------------------------------------------------------------


def inspect(now: int = OPENS) -> InspectCampaign:
    campaigns = RecordedCampaigns(MemorySummaries())
    half = (OPENS + CLOSES) // 2
    campaigns.campaigns[SALE] = lottery(
        prize("car", 2, Fraction(1, 50), odds_between=(Fraction(0), Fraction(1, 20))),
        prize("mug", 5, Fraction(1, 10), release=Rounds((OPENS, half))),
        prize("watch", 3, None, release=Moments()),
    )
    return InspectCampaign(campaigns, MemoryRefusals(), MemoryEntryCounts(), SettableClock(now))


def test_the_plan_is_odds_times_entries_for_each_version_of_the_odds() -> None:
    inspecting = inspect()
    campaigns = inspecting.campaigns
    assert isinstance(campaigns, RecordedCampaigns)
    campaign = campaigns.campaigns[SALE]
    assert campaign.luck is not None
    assert campaign.lottery is not None
    luck = campaign.luck.with_odds({"car": Fraction(1, 25)}, campaign.lottery, OPENS)
    campaigns.campaigns[SALE] = replace(campaign, luck=luck)
    assert isinstance(inspecting.entries, MemoryEntryCounts)
    inspecting.entries.counts[SALE] = Counter({1: 75, 2: 10})
    told = inspecting.statistics(SALE).lottery
    assert told is not None
    assert told.entries == 85
    car, mug, watch = told.prizes
    assert (car.odds, car.expected, car.released) == (Fraction(1, 50), Fraction(75, 50) + Fraction(10, 25), 2)
    assert (mug.odds, mug.expected, mug.released) == (Fraction(1, 10), Fraction(85, 10), 3)
    assert (watch.odds, watch.expected, watch.released) == (None, None, None), "winning moments are nobody's business"


def test_what_is_released_follows_the_rounds() -> None:
    before = inspect(OPENS - 1).statistics(SALE).lottery
    later = inspect((OPENS + CLOSES) // 2).statistics(SALE).lottery
    assert before is not None
    assert later is not None
    assert [each.released for each in before.prizes] == [0, 0, None]
    assert [each.released for each in later.prizes] == [2, 5, None]


def test_a_draw_has_entries_and_no_odds_and_a_sale_has_no_lottery() -> None:
    inspecting = inspect()
    campaigns = inspecting.campaigns
    assert isinstance(campaigns, RecordedCampaigns)
    campaigns.campaigns[SALE] = draw()
    told = inspecting.statistics(SALE).lottery
    assert told is not None
    assert [(each.odds, each.expected) for each in told.prizes] == [(None, None)]
    campaigns.campaigns[SALE] = replace(draw(), lottery=None, luck=None)
    assert inspecting.statistics(SALE).lottery is None
