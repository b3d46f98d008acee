"""Races for coupons between processes, on every engine that can be trusted with them: answers are counted, and rows.

The negative control comes first: the naive way has to give out too much in this very harness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from benchmarks.ours import publish, shards
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.coupon_table import decode_part
from brandday.domain.campaign import Campaign, Status
from brandday.domain.coupon import CodeKind, IssuedBy, Validity
from brandday.domain.coupon_code import CodeKeys, fold
from brandday.domain.coupon_record import CouponFacts, PartStatus, UseState
from brandday.domain.redemption_id import ORDERS, claim_text, redemption_id
from brandday.domain.shard import CONFIRMED
from brandday.domain.stock import ClaimRef
from brandday.usecases.coupon_facts import facts_of, job_source
from tests.concurrency.coupon_processes import CouponProcesses, CouponTables, coupon_tables, now
from tests.engines import Engine
from tests.fakes.backend import SALE
from tests.fakes.coupon_backend import coupon_terms, coupons

HOUR_MS = 60 * 60 * 1000
WORD = fold("DOUBLE11")

sizes = pytest.mark.parametrize(
    ("uses", "requests", "cancelled"), [(40, 100, 12), pytest.param(100, 2000, 30, marks=pytest.mark.soak)]
)


@pytest.fixture(scope="module")
def processes() -> Iterator[CouponProcesses]:
    """Four processes, started once for these races."""
    with closing(CouponProcesses()) as four:
        yield four


@pytest.fixture
def tables(engine: Engine) -> Iterator[CouponTables]:
    with coupon_tables(engine) as fresh:
        yield fresh


def open_campaign(tables: CouponTables, kind: CodeKind, quantity: int) -> CodeKeys:
    """Publish a campaign of coupons that has just started; return the deployment's keys."""
    at = now()
    terms = coupon_terms(
        code_kind=kind,
        issued_by=IssuedBy.SHOPPERS if kind is CodeKind.SHARED else IssuedBy.OPERATORS,
        quantity=quantity,
        code=WORD if kind is CodeKind.SHARED else None,
        validity=Validity(at - 1000, at + HOUR_MS),
    )
    campaign = coupons(
        terms, status=Status.DRAFT, layout=None, starts_at=at - 1000, ends_at=at + HOUR_MS, version=0, published_at=None
    )
    with closing(tables.engine.client()) as client:
        publish(client, tables.stock, tables.campaign, campaign, at)
        secret = CampaignTable(client, tables.campaign).code_secret()
    assert secret is not None
    return CodeKeys.from_secret(secret)


def issue(tables: CouponTables, keys: CodeKeys) -> CouponFacts:
    """Make one bearer coupon."""
    with closing(tables.engine.client()) as client:
        campaign: Campaign = CampaignTable(client, tables.campaign).load(SALE, consistent=True)[0]
        coupon = facts_of(keys, campaign, job_source("races", 1), now())
        tables.coupons(client).put_facts([coupon])
    return coupon


TRIES = 5
"""How often the control may be lucky: four processes that are dealt one core each come one after the other."""


def order_ids(count: int, name: str = "o") -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


def test_control_read_check_write_gives_one_use_to_several_orders(
    tables: CouponTables, processes: CouponProcesses
) -> None:
    rushes = (processes.redeem_naively(tables, 1, order_ids(32, f"rush-{number}")) for number in range(TRIES))
    assert any(Counter(answers)["redeemed"] > 1 for answers in rushes), "no harm without the conditions?"


def test_one_coupon_is_redeemed_by_one_of_32_requests_at_once(tables: CouponTables, processes: CouponProcesses) -> None:
    keys = open_campaign(tables, CodeKind.UNIQUE, 10)
    coupon = issue(tables, keys)

    answers = Counter(processes.redeem(tables, coupon.code, order_ids(32)))

    assert answers == {"redeemed": 1, "coupon_redeemed": 31}
    with closing(tables.engine.client()) as client:
        stored = tables.coupons(client)
        state = stored.load([coupon.id], consistent=True)[coupon.id].state
        parts = [stored.parts(redemption_id(keys, ORDERS, each)) for each in order_ids(32)]
    (winner,) = [of[0] for of in parts if of]
    assert (state.use, state.redemption, state.version) == (UseState.REDEEMED, winner.redemption, 1)


def test_one_order_sent_32_times_at_once_redeems_its_coupon_once(
    tables: CouponTables, processes: CouponProcesses
) -> None:
    coupon = issue(tables, open_campaign(tables, CodeKind.UNIQUE, 10))
    answers = Counter(processes.redeem(tables, coupon.code, ["the-order"] * 32))
    assert answers == {"redeemed": 1, "replayed": 31}


@sizes
def test_a_shared_code_is_used_as_often_as_it_may_be_and_once_more_for_each_that_comes_back(
    tables: CouponTables, processes: CouponProcesses, uses: int, requests: int, cancelled: int
) -> None:
    keys = open_campaign(tables, CodeKind.SHARED, uses)
    first = order_ids(requests)

    answers = processes.redeem(tables, WORD, first)

    assert Counter(answers)["redeemed"] == uses
    assert set(answers) == {"redeemed", "coupon_locked"}
    winners = used(tables)
    assert len(winners) == uses
    with closing(tables.engine.client()) as client:
        redeem = tables.redeem(client)
        for winner in winners[:cancelled]:
            redeem.roll_back(winner)
    more = Counter(processes.redeem(tables, WORD, order_ids(requests, "again")))

    assert more["redeemed"] == cancelled
    assert len(used(tables)) == uses
    assert {redemption_id(keys, ORDERS, order) for order in first} >= set(winners)


def used(tables: CouponTables) -> list[str]:
    """The redemptions that have a use in the shards; fails if one of them is not that of exactly one redeemed part."""
    with closing(tables.engine.client()) as client:
        pages = client.get_paginator("scan").paginate(TableName=tables.coupon, ConsistentRead=True)
        parts = [decode_part(item) for page in pages for item in page["Items"]]
        images = list(shards(client, tables.stock, SALE))
    claims = [
        claim_text(ClaimRef(shard.number, name, entry.attempt))
        for shard in images
        for name, entry in shard.entries()
        if entry.state == CONFIRMED
    ]
    redeemed = [part for part in parts if part.status is PartStatus.REDEEMED]
    assert all(units >= 0 for shard in images for units in shard.free.values())
    assert sorted(claims) == sorted(part.claim or "" for part in redeemed)
    return [part.redemption for part in redeemed]
