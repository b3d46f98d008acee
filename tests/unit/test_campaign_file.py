"""A document that cannot work is refused, and its author learns where, why, and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from brandday.config.mechanics import json_schema, parse_campaign, to_declaration
from brandday.config.problems import DocumentRefused
from brandday.connectors import CONNECTORS
from brandday.domain.campaign import Campaign
from brandday.domain.fulfilment import HOUR_MS, ConnectorChoice, Fulfilment, RewardKind, RewardTerms
from brandday.domain.money import Money
from brandday_cli.campaign_yaml import read_campaign_file
from tests.fakes.declarations import CLAIM_UNTIL, FULFILMENT, WEBHOOK, declared, document, without

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "campaigns").glob("*.yaml"))


def problems(wrong: object) -> list[str]:
    with pytest.raises(DocumentRefused) as refused:
        parse_campaign(wrong)
    return [str(problem) for problem in refused.value.problems]


YEN = {"amount": 9, "currency": "JPY"}
IN_YEN = document()["skus"][1] | {"list_price": YEN, "sale_price": YEN}


def by_kind(kind: str, choice: object) -> dict[str, Any]:
    return document(fulfilment={"by_kind": {kind: choice}})


def rewarding(reward: object, **fulfilment: object) -> dict[str, Any]:
    return document("skus.0.reward", reward, fulfilment=fulfilment)


PRIZE = {"kind": "physical"}
RED_ENVELOPE = {"kind": "cash", "value": {"amount": 8800, "currency": "CNY"}}

WRONG: list[tuple[dict[str, Any], str]] = [
    (document(titel="x"), "titel: is not a field that exists here; did you mean 'title'?"),
    (document("skus.0.prise", 1), "skus[0].prise: is not a field that exists here; there are: list_price, "),
    (document("skus.0.list_price.curency", "CNY"), "skus[0].list_price.curency: is not a field that exists here; "),
    (without("hold_seconds"), "hold_seconds: is missing; add it"),
    (without("skus.1.sale_price.currency"), "skus[1].sale_price.currency: is missing; add it"),
    (document(id="No Spaces"), "id: must be 3 to 40 small letters, digits and hyphens"),
    (document(id="x" * 41), "id: must be 3 to 40 small letters"),
    (document("skus.0.sku", "A" * 41), "skus[0].sku: must be 1 to 40 letters"),
    (document(mechanic="flash_sail"), "mechanic: is not one that exists; did you mean 'flash_sale'?"),
    (
        document(time_zone="Asia/Shangai"),
        "time_zone: is not a time zone of the IANA database; did you mean 'Asia/Shanghai'?",
    ),
    (
        document(time_zone="Shanghai"),
        "time_zone: is not a time zone of the IANA database; did you mean 'Asia/Shanghai'?",
    ),
    (document(time_zone="../etc/passwd"), "time_zone: is not a time zone"),
    (document(time_zone="localtime"), "time_zone: is not a time zone"),
    (document(starts_at="2026-11-09"), "starts_at: must be a date and time like 2026-11-09T00:00:00"),
    (document(starts_at="2026-11-09T00:00:00.0001"), "starts_at: must be a date and time like"),
    (document(starts_at="0001-01-01T00:00:00"), "starts_at: must be a date and time like"),
    (document(starts_at="2026-02-30T00:00:00"), "starts_at: is not a date and time that exists"),
    (document(starts_at="2026-11-09T24:00:01"), "starts_at: is not a date and time that exists"),
    (
        document(starts_at="2026-11-09T00:00:00Z"),
        "starts_at: has an offset that Asia/Shanghai does not have then; write 2026-11-09T00:00:00+08:00",
    ),
    (document(ends_at="2026-11-12T00:00:00+09:00"), "ends_at: has an offset that Asia/Shanghai does not have then"),
    (document(ends_at="2026-11-09T00:00:00"), "ends_at: must be later than starts_at"),
    (document(ends_at="2026-11-08T00:00:00"), "ends_at: must be later than starts_at"),
    (document(channels=[]), "channels: must have at least 1"),
    (document(channels=["app", "tv"]), "channels[1]: must be 'web', 'app', 'mini_program' or 'store'"),
    (document(channels=["app", "web", "app"]), "channels[2]: repeats 'app'"),
    (document(skus=[]), "skus: must have at least 1"),
    (document(skus=document()["skus"] * 19), "skus: must have at most 36"),
    (document("skus.1.sku", "HERO-1"), "skus[1].sku: repeats the SKU 'HERO-1'"),
    (document("skus.0.stock", 0), "skus[0].stock: must be 1 or more"),
    (document("skus.0.stock", -5), "skus[0].stock: must be 1 or more"),
    (document("skus.0.stock", 1_000_001), "skus[0].stock: must be 1000000 or less"),
    (document("skus.0.stock", 999_990), "skus: have 1000040 units together"),
    (document("skus.0.stock", "100"), "skus[0].stock: must be a whole number, not text"),
    (document("skus.0.stock", True), "skus[0].stock: must be a whole number, not true or false"),
    (document("skus.0.stock", 1e400), "skus[0].stock: must be a whole number, not a number with decimals"),
    (
        document("skus.0.sale_price.amount", 99.5),
        "skus[0].sale_price.amount: must be a whole number, not a number with decimals; write money in minor ",
    ),
    (document("skus.0.sale_price.amount", -1), "skus[0].sale_price.amount: must be 0 or more"),
    (
        document("skus.0.sale_price.amount", 59801),
        "skus[0].sale_price.amount: is 59801, more than the list price of 59800",
    ),
    (document("skus.0.sale_price", 29900), "skus[0].sale_price: must be a mapping of fields, not a number"),
    (document("skus.0.sale_price.currency", "cny"), "skus[0].sale_price.currency: must be three capital letters"),
    (document("skus.0.sale_price.currency", "CNX"), "skus[0].sale_price.currency: is not a currency of ISO 4217"),
    (document("skus.0.sale_price.currency", "USD"), "skus[0].sale_price.currency: is USD, but the list price is CNY"),
    (document("skus.1", IN_YEN), "skus[1].sale_price.currency: is JPY, but 'HERO-1' is sold in CNY"),
    (document("skus.0.units_per_shopper", 36), "skus[0].units_per_shopper: must be 35 or less"),
    (document(limit_per_shopper=1), "limit_per_shopper: is 1, but the SKU 'CREAM-2' allows 2 units per shopper"),
    (document(limit_per_shopper=36), "limit_per_shopper: must be 35 or less"),
    (document(hold_seconds=29), "hold_seconds: must be 30 or more"),
    (document(extend_seconds=3601), "extend_seconds: must be 3600 or less"),
    (document(late_payment="maybe"), "late_payment: must be 'reclaim' or 'reject'"),
    (document(eligibility={"member_tiers": ["gold", "gold"]}), "eligibility.member_tiers[1]: repeats 'gold'"),
    (
        document(eligibility={"new_customers_only": "no"}),
        "eligibility.new_customers_only: must be true or false, not text",
    ),
    (document(status="live"), "status: must be 'draft' or 'published'"),
    (document(title=""), "title.en: must have at least 1 characters"),
    (document(title={}), "title: must have at least 1"),
    (document(title={"english": "x"}), "title.english: must be a language tag like en or zh-CN"),
    (document(title={"en": "two\nlines"}), "title.en: must be one line of text"),
    (document(title=None), "title: must be a mapping of fields, not nothing"),
    (document("skus.0", 3), "skus[0]: must be a mapping of fields, not a number"),
    # what a unit is
    (rewarding({"kind": "prize"}), "skus[0].reward.kind: must be 'order', 'physical', 'digital' or 'cash'"),
    (rewarding({"kid": "order"}), "skus[0].reward.kid: is not a field that exists here; did you mean 'kind'?"),
    (rewarding("cash"), "skus[0].reward: must be a mapping of fields, not text"),
    (rewarding({"kind": "cash"}), "skus[0].reward.value: is missing; say what one of this cash is worth"),
    (
        rewarding({"kind": "cash", "value": {"amount": 0, "currency": "CNY"}}),
        "skus[0].reward.value.amount: must be 1 or more",
    ),
    (rewarding({"kind": "cash", "value": {"amount": 1}}), "skus[0].reward.value.currency: is missing"),
    (rewarding({"value": {"amount": 1, "currency": "CNY"}}), "skus[0].reward.value: has no place on an order"),
    (
        rewarding({"kind": "cash", "value": {"amount": 1, "currency": "USD"}}),
        "skus[0].reward.value.currency: is USD, but the sale price is CNY; use one currency in a campaign",
    ),
    # who hands it over
    (rewarding(PRIZE), "fulfilment.by_kind.physical: is missing, but the SKU 'HERO-1' is physical; choose its conn"),
    (rewarding({"kind": "digital"}), "fulfilment.by_kind.digital: is missing, but the SKU 'HERO-1' is digital"),
    (rewarding(RED_ENVELOPE), "fulfilment.by_kind.cash: is missing"),
    (rewarding(PRIZE, by_kind={"cash": WEBHOOK}), "fulfilment.by_kind.physical: is missing"),
    (by_kind("parcel", WEBHOOK), "fulfilment.by_kind.parcel: is not a name that exists here; there are: 'order', "),
    (by_kind("order", {}), "fulfilment.by_kind.order.connector: is missing; add it, there are: webhook, sqs, email"),
    (
        by_kind("order", {"connector": "webhok"}),
        "fulfilment.by_kind.order.connector: is not one that exists; did you mean 'webhook'?",
    ),
    (
        by_kind("order", {"connector": "fax"}),
        "fulfilment.by_kind.order.connector: is not one that exists; there are: webhook, sqs, email",
    ),
    (by_kind("order", {"connector": ["sqs"]}), "fulfilment.by_kind.order.connector: is not one that exists"),
    (by_kind("order", None), "fulfilment.by_kind.order: must be a mapping of fields, not nothing"),
    (by_kind("order", "webhook"), "fulfilment.by_kind.order: must be a mapping of fields, not text"),
    (
        by_kind("order", WEBHOOK | {"secrets": "x"}),
        "fulfilment.by_kind.order.secrets: is not a field that exists here; did you mean 'secret'?",
    ),
    (
        by_kind("order", WEBHOOK | {"queue_url": "x"}),
        "fulfilment.by_kind.order.queue_url: is not a field that exists here; there are: connector, secret, url",
    ),
    (
        by_kind("order", {"connector": "webhook", "secret": "brandday/partner"}),
        "fulfilment.by_kind.order.url: is missing; add it",
    ),
    (by_kind("order", WEBHOOK | {"url": 1}), "fulfilment.by_kind.order.url: must be text"),
    (by_kind("order", WEBHOOK | {"url": "partner.example"}), "fulfilment.by_kind.order.url: must be an absolute https"),
    (by_kind("order", WEBHOOK | {"url": "file:///etc/passwd"}), "fulfilment.by_kind.order.url: must be an absolute"),
    (by_kind("order", WEBHOOK | {"url": "https://me:pw@partner.example/"}), "fulfilment.by_kind.order.url: must not"),
    (by_kind("order", WEBHOOK | {"secret": "other/app"}), "fulfilment.by_kind.order.secret: must be text that matches"),
    (by_kind("order", {"connector": "email", "to": "nobody"}), "fulfilment.by_kind.order.to: must be one e-mail addr"),
    (by_kind("order", {"connector": "sqs", "queue_url": "prizes"}), "fulfilment.by_kind.order.queue_url: must be "),
    # until when, and who must agree
    (rewarding(PRIZE, by_kind={"physical": WEBHOOK}), "fulfilment.claim_until: is missing, but the SKU 'HERO-1'"),
    (
        document(fulfilment={"claim_until": "2026-11-12T00:00:00"}),
        "fulfilment.claim_until: must be later than ends_at, which is 2026-11-12T00:00:00",
    ),
    (document(fulfilment={"claim_until": "2026-11-31T00:00:00"}), "fulfilment.claim_until: is not a date and time"),
    (document(fulfilment={"claim_until": "soon"}), "fulfilment.claim_until: must be a date and time like"),
    (
        document(fulfilment={"claim_until": "2026-11-30T00:00:00Z"}),
        "fulfilment.claim_until: has an offset that Asia/Shanghai does not have then",
    ),
    (
        rewarding(RED_ENVELOPE, approve_over={"amount": 5, "currency": "EUR"}),
        "fulfilment.approve_over.currency: is EUR, but the campaign is in CNY",
    ),
    (
        document(fulfilment={"approve_over": {"amount": 5, "currency": "CNY"}}),
        "fulfilment.approve_over: is compared with what rewards are worth, but nothing here says so",
    ),
    (document(fulfilment={"approve_over": {"amount": -1, "currency": "CNY"}}), "fulfilment.approve_over.amount: must"),
    (document(fulfilment={"time_limit_hours": 0}), "fulfilment.time_limit_hours: must be 1 or more"),
    (document(fulfilment={"time_limit_hours": 337}), "fulfilment.time_limit_hours: must be 336 or less"),
    (document(fulfilment={"claim_til": None}), "fulfilment.claim_til: is not a field that exists here; did you mean"),
    (document(fulfilment=None), "fulfilment: must be a mapping of fields, not nothing"),
]


@pytest.mark.parametrize(
    ("wrong", "expected"), WRONG, ids=[f"{number:02} {said.split(':')[0]}" for number, (_, said) in enumerate(WRONG)]
)
def test_a_document_that_cannot_work_is_refused_with_place_and_remedy(wrong: dict[str, Any], expected: str) -> None:
    said = problems(wrong)
    assert any(problem.startswith(expected) for problem in said), said


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = problems(document("skus.0.stock", 0, titel="x", hold_seconds=1))
    assert len(said) == 3


def test_everything_that_is_wrong_with_rewards_is_said_at_once() -> None:
    wrong = rewarding(
        PRIZE, claim_until="2026-11-11T00:00:00", approve_over={"amount": 5, "currency": "EUR"}, time_limit_hours=72
    )
    assert [line.split(":")[0] for line in problems(wrong | {"hold_seconds": 1})] == [
        "hold_seconds",
        "fulfilment.claim_until",
        "fulfilment.by_kind.physical",
        "fulfilment.approve_over.currency",
        "fulfilment.approve_over",
    ]


@pytest.mark.parametrize("wrong", [None, [], "text", 3, {}, {"skus": {}}])
def test_what_is_no_campaign_at_all_is_refused_too(wrong: object) -> None:
    assert problems(wrong)


def test_problems_point_into_the_document() -> None:
    with pytest.raises(DocumentRefused) as refused:
        parse_campaign(document("skus.1.stock", 0))
    assert [problem.pointer for problem in refused.value.problems] == ["/skus/1/stock"]


def test_problems_of_a_connector_point_to_its_options_without_a_detour() -> None:
    with pytest.raises(DocumentRefused) as refused:
        parse_campaign(by_kind("order", WEBHOOK | {"url": "ftp://x"}))
    assert [problem.pointer for problem in refused.value.problems] == ["/fulfilment/by_kind/order/url"]


def test_a_single_title_is_english() -> None:
    assert declared(title="Brand Day").title == {"en": "Brand Day"}


def test_what_is_left_out_has_its_default() -> None:
    campaign = declared()
    assert (campaign.extend_seconds, campaign.late_payment.value) == (300, "reclaim")
    assert campaign.eligibility.member_tiers == ()


def test_what_a_campaign_shows_of_itself_can_be_declared_again() -> None:
    campaign = declared(starts_at="2026-11-09T00:00:00.250")
    assert to_declaration(campaign)["starts_at"] == "2026-11-09T00:00:00.250+08:00"
    assert parse_campaign(to_declaration(campaign)).to_campaign() == campaign


def test_a_campaign_that_says_nothing_of_rewards_sells_orders_that_the_shop_hands_over() -> None:
    campaign = declared()
    assert campaign.fulfilment == Fulfilment()
    assert {sku.reward for sku in campaign.skus} == {RewardTerms(RewardKind.ORDER)}
    assert campaign.fulfilment.time_limit_ms == 72 * HOUR_MS


def test_what_rewards_are_and_who_hands_them_over_is_read() -> None:
    over = {"amount": 5000, "currency": "CNY"}
    campaign = declared("skus.1.reward", RED_ENVELOPE, fulfilment=FULFILMENT | {"approve_over": over})
    webhook = ConnectorChoice("webhook", {"url": WEBHOOK["url"], "secret": WEBHOOK["secret"]})
    assert campaign.skus[1].reward == RewardTerms(RewardKind.CASH, Money(8800, "CNY"))
    assert campaign.fulfilment == Fulfilment(
        by_kind={RewardKind.ORDER: webhook, RewardKind.PHYSICAL: webhook, RewardKind.CASH: webhook},
        claim_until=CLAIM_UNTIL,
        approve_over=Money(5000, "CNY"),
    )


@pytest.mark.parametrize(
    "campaign",
    [
        declared("skus.0.reward", PRIZE, fulfilment=FULFILMENT),
        declared("skus.0.reward", RED_ENVELOPE, fulfilment=FULFILMENT),
        declared(fulfilment={"by_kind": {"order": {"connector": "email", "to": "orders@partner.example"}}}),
    ],
    ids=["a prize", "cash", "orders by e-mail"],
)
def test_rewards_can_be_declared_again_as_a_campaign_shows_them(campaign: Campaign) -> None:
    declaration = to_declaration(campaign)
    assert declaration["fulfilment"]["claim_until"] in (None, "2026-11-30T00:00:00+08:00")
    assert parse_campaign(declaration).to_campaign() == campaign


def test_every_connector_of_the_registry_can_be_chosen() -> None:
    shown = json_schema()["$defs"]["FulfilmentPart"]["properties"]["by_kind"]["additionalProperties"]
    assert shown["discriminator"]["mapping"].keys() == CONNECTORS.keys()


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_examples_work_and_editors_agree(file: Path) -> None:
    source = read_campaign_file(file)
    Draft202012Validator(json_schema()).validate(source.document)
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../docs/campaign.schema.json\n")


def test_the_brand_day_is_half_price_with_one_hero_of_a_thousand() -> None:
    campaign = read_campaign_file(ROOT / "campaigns/november-brand-day.yaml").declared.to_campaign()
    assert all(sku.sale_price.amount * 2 == sku.list_price.amount for sku in campaign.skus)
    assert [sku.sku for sku in campaign.skus if sku.stock >= 1000] == ["HERO-SERUM-30"]


def test_the_gifts_cost_nothing_and_one_has_to_be_sent() -> None:
    campaign = read_campaign_file(ROOT / "campaigns/welcome-gifts.yaml").declared.to_campaign()
    assert {sku.sale_price.amount for sku in campaign.skus} == {0}
    assert {sku.reward.kind for sku in campaign.skus} == {RewardKind.PHYSICAL, RewardKind.DIGITAL, RewardKind.CASH}


def test_the_published_json_schema_is_that_of_the_model() -> None:
    published = json.loads((ROOT / "docs/campaign.schema.json").read_text(encoding="utf-8"))
    assert published == json_schema(), "run: brandday schema > docs/campaign.schema.json"


def test_the_json_schema_refuses_what_the_model_refuses_by_shape() -> None:
    schema = Draft202012Validator(json_schema())
    assert schema.is_valid(document())
    assert not schema.is_valid(document(titel="x"))
    assert not schema.is_valid(document("skus.0.stock", 0))
    assert schema.is_valid(rewarding(PRIZE, **FULFILMENT))
    assert not schema.is_valid(by_kind("order", {"connector": "fax"}))
    assert not schema.is_valid(by_kind("parcel", WEBHOOK))
