"""One contract for everything that keeps jobs of coupons: the fake and the tables, on each engine we have."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
from moto import mock_aws

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.coupon_job_table import CouponJobTable
from brandday.adapters.coupon_table import CouponTable
from brandday.domain.coupon_job import CouponJob, Issued, JobKind
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.trail import TrailEntry
from brandday.usecases.coupon_jobs import ADD_AT_ONCE, LOAD_AT_ONCE, CouponJobs
from brandday.usecases.coupon_ports import Coupons
from tests.engines import Engine, table_in
from tests.fakes.memory_coupon_jobs import MemoryCouponJobs
from tests.fakes.memory_coupons import MemoryCoupons

AT = 1_783_526_400_000


@dataclass(frozen=True)
class Keeper:
    """What keeps jobs, and the coupons beside it."""

    jobs: CouponJobs
    coupons: Coupons
    campaigns: CampaignTable | None = None


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def keeper(request: pytest.FixtureRequest) -> Iterator[Keeper]:
    """Each of the ways there are to keep jobs; tests tell themselves apart by campaign."""
    with ExitStack() as stack:
        match request.param:
            case "memory":
                coupons = MemoryCoupons()
                yield Keeper(MemoryCouponJobs(coupons), coupons)
                return
            case "moto":
                stack.enter_context(mock_aws())
                engine = Engine("moto", None)
            case name:
                engine = request.getfixturevalue(name)
        campaigns = stack.enter_context(table_in(engine, "CampaignTable"))
        kept = stack.enter_context(table_in(engine, "CouponTable"))
        yield Keeper(
            CouponJobTable(campaigns.client, campaigns.name, kept.name),
            CouponTable(kept.client, kept.name, "none"),
            CampaignTable(campaigns.client, campaigns.name),
        )


@pytest.fixture
def campaign() -> str:
    """A campaign of the test's own."""
    return f"tea-{uuid.uuid4().hex[:8]}"


def job(campaign: str, name: str = "spring", **changes: object) -> CouponJob:
    """Return a job of a hundred coupons."""
    made = CouponJob(campaign, name, JobKind.GENERATE, 100, "", AT, 100)
    return replace(made, **changes)  # type: ignore[arg-type]


def entry(number: int = 0) -> TrailEntry:
    """Return an act."""
    return TrailEntry(f"{number:04}", AT + number, "operator-1", "coupons_generate", 1, ())


def facts(campaign: str, number: int, of: str = "file") -> CouponFacts:
    """Return an imported coupon."""
    return CouponFacts(f"cpn_{campaign}-{number}", f"TEA{number}", campaign, None, f"job:{of}.{number}", AT, AT + 1)


def test_a_job_is_kept_and_counted_and_its_act_is_noted(keeper: Keeper, campaign: str) -> None:
    assert keeper.jobs.get(campaign, "spring") is None
    assert keeper.jobs.issued(campaign) == Issued()
    assert keeper.jobs.of_campaign(campaign) == []

    assert keeper.jobs.create(job(campaign), Issued(), entry())

    assert keeper.jobs.get(campaign, "spring") == job(campaign)
    assert keeper.jobs.issued(campaign) == Issued(100, AT + 100)
    assert keeper.jobs.of_campaign(campaign) == [job(campaign)]
    assert keeper.jobs.of_campaign(campaign + "-2") == []
    if keeper.campaigns:
        assert keeper.campaigns.history(campaign) == [entry()]


def test_of_two_who_counted_from_the_same_number_one_is_refused(keeper: Keeper, campaign: str) -> None:
    assert keeper.jobs.create(job(campaign), Issued(), entry())

    assert not keeper.jobs.create(job(campaign, "autumn"), Issued(), entry(1))
    assert not keeper.jobs.create(job(campaign, "autumn"), Issued(100, AT), entry(1))
    assert keeper.jobs.get(campaign, "autumn") is None
    assert keeper.jobs.create(job(campaign, "autumn", at=AT + 100), Issued(100, AT + 100), entry(1))
    assert keeper.jobs.issued(campaign) == Issued(200, AT + 200)
    assert [each.name for each in keeper.jobs.of_campaign(campaign)] == ["autumn", "spring"]


def test_a_job_is_created_once(keeper: Keeper, campaign: str) -> None:
    assert keeper.jobs.create(job(campaign), Issued(), entry())

    assert not keeper.jobs.create(job(campaign, size=7), Issued(100, AT + 100), entry(1))
    assert keeper.jobs.get(campaign, "spring") == job(campaign)


def test_imported_coupons_are_written_and_counted_together_or_not_at_all(keeper: Keeper, campaign: str) -> None:
    file = job(campaign, "file", kind=JobKind.IMPORT, size=1000, count=0, digest="a" * 64)
    assert keeper.jobs.create(file, Issued(), entry())
    none = Issued(0, AT + 1000)
    first = [facts(campaign, number) for number in range(ADD_AT_ONCE)]

    assert keeper.jobs.add(file, first, none)
    assert not keeper.jobs.add(file, [facts(campaign, 500)], none), "the count has moved"
    counted = replace(none, count=ADD_AT_ONCE)
    assert not keeper.jobs.add(file, [facts(campaign, 500), facts(campaign, 3, "other")], counted), "one is there"

    assert keeper.jobs.issued(campaign) == counted
    assert keeper.jobs.get(campaign, "file") == replace(file, count=ADD_AT_ONCE)
    ids = [one.id for one in first][:LOAD_AT_ONCE]
    assert [one.facts for one in keeper.coupons.load(ids, consistent=True).values()] == first[:LOAD_AT_ONCE]
    assert not keeper.coupons.load([facts(campaign, 500).id], consistent=True)


def test_how_far_a_job_is_never_goes_back(keeper: Keeper, campaign: str) -> None:
    keeper.jobs.create(job(campaign), Issued(), entry())

    keeper.jobs.mark(job(campaign), 50)
    keeper.jobs.mark(job(campaign), 20)

    assert keeper.jobs.get(campaign, "spring") == job(campaign, done=50)


def test_an_act_is_noted(keeper: Keeper, campaign: str) -> None:
    keeper.jobs.record(campaign, entry(5))

    if keeper.campaigns:
        assert keeper.campaigns.history(campaign) == [entry(5)]
