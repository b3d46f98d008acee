"""Who may buy when: to the millisecond, and with a reason."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from brandday.domain.campaign import Campaign, Restock, Shopper, State, Status, check_may_buy
from brandday.domain.errors import (
    BrandDayError,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotStarted,
    CampaignPaused,
    NotEligible,
)
from brandday.domain.layout import plan_layout
from tests.fakes.declarations import BEFORE, DURING, ENDS_AT, FULFILMENT, STARTS_AT, declared

SHOPPER = Shopper("shopper-1", tier="gold", channel="app", region="CN-SH")


def campaign(status: Status = Status.PUBLISHED, eligibility: dict[str, object] | None = None) -> Campaign:
    made = declared(eligibility=eligibility) if eligibility else declared()
    return replace(made, status=status)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (STARTS_AT - 1, State.SCHEDULED),
        (STARTS_AT, State.RUNNING),
        (ENDS_AT - 1, State.RUNNING),
        (ENDS_AT, State.ENDED),
    ],
    ids=["a millisecond before", "first moment", "last moment", "first moment after"],
)
def test_the_window_is_half_open_to_the_millisecond(now: int, state: State) -> None:
    assert campaign().state_at(now) is state


def test_midnight_in_shanghai_opens_the_sale_not_midnight_in_greenwich() -> None:
    assert campaign().starts_at == STARTS_AT
    assert declared(time_zone="Europe/London").starts_at == STARTS_AT + 8 * 3_600_000


@pytest.mark.parametrize(
    ("status", "now", "state"),
    [
        (Status.DRAFT, DURING, State.DRAFT),
        (Status.DRAFT, ENDS_AT, State.DRAFT),
        (Status.PAUSED, BEFORE, State.PAUSED),
        (Status.PAUSED, DURING, State.PAUSED),
        (Status.PAUSED, ENDS_AT, State.ENDED),
        (Status.ENDED, BEFORE, State.ENDED),
    ],
)
def test_what_operators_did_goes_before_the_clock(status: Status, now: int, state: State) -> None:
    assert campaign(status).state_at(now) is state


@pytest.mark.parametrize(
    ("status", "now", "refusal"),
    [
        (Status.DRAFT, DURING, CampaignNotFound),
        (Status.PUBLISHED, BEFORE, CampaignNotStarted),
        (Status.PAUSED, DURING, CampaignPaused),
        (Status.PUBLISHED, ENDS_AT, CampaignEnded),
        (Status.ENDED, DURING, CampaignEnded),
    ],
)
def test_nobody_buys_outside_the_sale(status: Status, now: int, refusal: type[BrandDayError]) -> None:
    with pytest.raises(refusal):
        check_may_buy(campaign(status), SHOPPER, now)


def test_a_shopper_who_is_early_learns_when_to_come_back() -> None:
    with pytest.raises(CampaignNotStarted) as refused:
        check_may_buy(campaign(), SHOPPER, STARTS_AT - 250)
    assert refused.value.retry_after_ms == 250
    assert refused.value.params == {"starts_at": "2026-11-08T16:00:00.000Z"}


def test_a_sale_that_was_ended_early_says_when() -> None:
    ended = replace(campaign(Status.ENDED), ended_at=DURING)
    with pytest.raises(CampaignEnded) as refused:
        check_may_buy(ended, SHOPPER, DURING + 1)
    assert refused.value.params == {"ended_at": "2026-11-08T17:00:00.000Z"}


@pytest.mark.parametrize(
    ("eligibility", "shopper", "requirement", "accepted"),
    [
        ({}, SHOPPER._replace(channel="store"), "channel", ("app", "web")),
        ({}, SHOPPER._replace(channel=""), "channel", ("app", "web")),
        ({"member_tiers": ["black"]}, SHOPPER, "member_tier", ("black",)),
        ({"regions": ["CN-BJ", "HK"]}, SHOPPER, "region", ("CN-BJ", "HK")),
        ({"new_customers_only": True}, SHOPPER, "new_customer", ("true",)),
    ],
)
def test_who_is_not_eligible_learns_what_would_be_accepted(
    eligibility: dict[str, object], shopper: Shopper, requirement: str, accepted: tuple[str, ...]
) -> None:
    with pytest.raises(NotEligible) as refused:
        check_may_buy(campaign(eligibility=eligibility), shopper, DURING)
    assert refused.value.params == {"requirement": requirement, "accepted": accepted}


def test_who_fits_every_rule_may_buy() -> None:
    rules: dict[str, object] = {"member_tiers": ["gold"], "regions": ["CN-SH"], "new_customers_only": True}
    check_may_buy(campaign(eligibility=rules), SHOPPER._replace(new_customer=True), DURING)


def test_a_campaign_survives_being_stored() -> None:
    draft = campaign()
    layout = plan_layout(draft.skus, bytes(range(16)))
    restocks = (Restock("extra", "HERO-1", 5, DURING, done=True),)
    stored = replace(draft, version=7, layout=layout, restocks=restocks, published_at=BEFORE)
    read = Campaign.from_document(
        stored.to_document(),
        status=Status.PUBLISHED,
        version=7,
        layout=layout.to_document(),
        restocks=[restock.to_document() for restock in restocks],
        published_at=BEFORE,
    )
    assert read == stored


def test_a_restock_that_is_on_its_way_counts_already() -> None:
    restocks = (Restock("a", "HERO-1", 5, DURING, done=True), Restock("b", "HERO-1", 2, DURING))
    assert replace(campaign(), restocks=restocks).restocked("HERO-1") == 7
    assert replace(campaign(), restocks=restocks).restocked("CREAM-2") == 0


def test_holds_last_as_long_as_declared() -> None:
    assert (campaign().hold_ms, campaign().extended_hold_ms) == (600_000, 900_000)


# --- documents ---


def test_a_document_of_before_there_were_rewards_still_loads() -> None:
    stored = declared().to_document()
    del stored["fulfilment"]
    for sku in stored["skus"]:
        del sku["reward"]
    assert Campaign.from_document(stored) == declared()


def test_a_document_in_normal_form_has_every_field() -> None:
    shown = declared().to_document()
    assert shown["fulfilment"] == {"claim_until": None, "approve_over": None, "time_limit_hours": 72, "by_kind": {}}
    assert shown["skus"][0]["reward"] == {"kind": "order", "value": None}


def test_reading_a_campaign_needs_neither_pydantic_nor_the_connectors() -> None:
    """Every environment reads its campaigns again each second; what that takes is paid at each cold start."""
    stored = json.dumps(declared(fulfilment=FULFILMENT).to_document())
    script = (
        "import json, sys\n"
        "from brandday.domain.campaign import Campaign\n"
        "from brandday.usecases.live_campaigns import LiveCampaigns\n"
        "assert Campaign.from_document(json.loads(sys.argv[1])).fulfilment.by_kind\n"
        "print([name for name in sys.modules if name == 'pydantic' or name.startswith('brandday.con')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, stored],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
