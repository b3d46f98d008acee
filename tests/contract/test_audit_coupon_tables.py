"""The audit's own reads of coupons, against what the product's adapters write."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from moto import mock_aws

from brandday.adapters.coupon_job_table import CouponJobTable
from brandday.adapters.coupon_table import CouponTable
from brandday.domain.coupon_change import CouponChange, PartChange, StateChange
from brandday.domain.coupon_job import CouponJob, Issued, JobKind
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.trail import TrailEntry
from brandday_cli.audit_coupon_records import (
    PARTS,
    ClaimPlace,
    JobPlace,
    Jobs,
    StoredFacts,
    StoredJob,
    StoredPart,
    StoredState,
    decode_jobs,
    decode_record,
)
from brandday_cli.audit_coupon_tables import CouponTableNames, DynamoCouponTables
from brandday_cli.audit_coupons import MOST_REDEMPTIONS
from tests.engines import Engine, table_in

AT = 1_783_526_400_000
FACTS = [
    CouponFacts(f"cpn_{number:020}", f"CODE{number}", "tea", None, f"job:spring.{number}", AT, AT + 9)
    for number in range(130)
]
STATE = CouponState(UseState.REDEEMED, "rdm_1", AT + 1, store="s1", version=1)
CLAIM = "3.AAAAAAAAAAAA.mrcq71c0"


def part(number: int, coupon: str | None, claim: str | None) -> Part:
    """Return a part of the one redemption."""
    return Part(
        redemption="rdm_1",
        number=number,
        of=2,
        campaign_id="tea",
        code="X",
        coupon_id=coupon,
        claim=claim,
        shopper="",
        order_id="o",
        status=PartStatus.REDEEMED,
        at=AT,
        expires_at=AT + 5,
        discount=7,
        currency="CNY",
        tag="tagtag",
    )


@pytest.fixture(scope="module", params=["moto", "ministack_dynamodb"])
def tables(request: pytest.FixtureRequest) -> Iterator[DynamoCouponTables]:
    """130 coupons of a job, one of them redeemed, with a use of a shared code in the same order."""
    with ExitStack() as stack:
        if request.param == "moto":
            stack.enter_context(mock_aws())
            engine = Engine("moto", None)
        else:
            engine = request.getfixturevalue(request.param)
        kept, campaigns, stock = (
            stack.enter_context(table_in(engine, name)) for name in ("CouponTable", "CampaignTable", "StockTable")
        )
        coupons = CouponTable(kept.client, kept.name, stock.name)
        coupons.put_facts(FACTS)
        parts = [part(0, FACTS[0].id, None), part(1, None, CLAIM)]
        changes: list[CouponChange] = [
            StateChange(FACTS[0], UNTOUCHED, STATE),
            *(PartChange(None, each) for each in parts),
        ]
        assert coupons.transact(changes)
        job = CouponJob("tea", "spring", JobKind.GENERATE, 130, "", AT, 130)
        jobs = CouponJobTable(campaigns.client, campaigns.name, kept.name)
        assert jobs.create(job, Issued(), TrailEntry("1", AT, "operator-1", "coupons_generate", 1, ()))
        jobs.mark(job, 130)
        stock.client.put_item(TableName=stock.name, Item={"pk": {"S": "tea#3"}, "v": {"N": "1"}})
        yield DynamoCouponTables(kept.client, CouponTableNames(kept.name, stock.name, campaigns.name), lambda _: None)


def test_every_item_is_read_once_and_understood(tables: DynamoCouponTables) -> None:
    found = [decode_record(item) for number in range(PARTS) for item in tables.read_part("tea", number)]

    facts = sorted((each for each in found if isinstance(each, StoredFacts)), key=lambda each: each.id)
    assert [each.id for each in facts] == [each.id for each in FACTS]
    assert facts[5] == StoredFacts(FACTS[5].id, "CODE5", None, JobPlace("spring", 5), AT, AT + 9)
    assert [each for each in found if isinstance(each, StoredState)] == [
        StoredState(FACTS[0].id, "redeemed", "rdm_1", 0, None, disabled=False)
    ]
    place = ClaimPlace(3, "A" * 12, int("mrcq71c0", 36))
    assert sorted((each for each in found if isinstance(each, StoredPart)), key=lambda each: each.number) == [
        StoredPart("rdm_1", 0, FACTS[0].id, None, "redeemed", AT + 5, 7, "CNY", returned=False),
        StoredPart("rdm_1", 1, None, place, "redeemed", AT + 5, 7, "CNY", returned=False),
    ]
    assert len(found) == 133
    assert list(tables.read_part("other", 0)) == []


def test_jobs_are_read_with_what_they_are_counted_with(tables: DynamoCouponTables) -> None:
    assert decode_jobs(tables.read_jobs("tea")) == Jobs(
        {"spring": StoredJob("spring", "generate", 130, AT, 130, 130)}, 130
    )
    assert decode_jobs(tables.read_jobs("other")) == Jobs({}, 0)


def test_a_moment_has_all_that_belongs_together(tables: DynamoCouponTables, request: pytest.FixtureRequest) -> None:
    items, stock = tables.read_moment("tea", FACTS[0].id, ["rdm_1", "rdm_2"], 3)

    assert [item["sk"]["S"] for item in items] == ["FACTS", "STATE", "PART#00", "PART#01"]
    assert stock is not None
    assert tables.read_moment("tea", None, ["rdm_2"], None) == ([], None)
    if request.node.callspec.params["tables"] != "moto":  # which knows DynamoDB's limit of before 2022 only
        most = [f"rdm_{number}" for number in range(MOST_REDEMPTIONS)]
        assert len(tables.read_moment("tea", FACTS[0].id, most, 3)[0]) == 4


def test_facts_and_claims_are_read_by_their_keys(tables: DynamoCouponTables) -> None:
    ids = [facts.id for facts in FACTS[:99]]
    assert {item["pk"]["S"] for item in tables.read_facts([*ids, "cpn_none"])} == set(ids)
    assert [number for number, item in tables.read_claims("tea", [2, 3]) if item] == [3]
