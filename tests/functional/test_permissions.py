"""Each function may do what it does and nothing else: its policy in the template against the calls it makes.

Every function is built by the composition root and played through all it can do; each call of its clients is
noted with the table or queue it goes to. What is allowed and never called fails the test just like the reverse.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import Any

import altcha
import boto3
import jwt
import pytest
from moto import mock_aws
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.entry_table import EntryTable, decode_entrant
from brandday.adapters.fulfilment_queue import dispatch_body
from brandday.adapters.guard_table import GuardTable
from brandday.adapters.keys import CAMPAIGN_COPIES, campaign_key
from brandday.adapters.reward_table import decode_reward
from brandday.bootstrap import (
    coupon_functions,
    environment,
    lottery_functions,
    operator_functions,
    reward_functions,
    sale_functions,
)
from brandday.domain.coupon_code import CodeKeys, fold
from brandday.domain.entrant import Entrant, Fate, Try
from brandday.domain.qr_content import write_content
from brandday.domain.refusal_case import Case
from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind
from brandday.domain.webhook_signature import sign
from brandday.usecases.reward_ports import Dispatch
from brandday_local.ports import LOOPBACK, free_port
from brandday_local.template_tables import TEMPLATE, table_shape
from tests.events import http_event
from tests.fakes.lottery_declarations import COMPLIANCE

CAMPAIGN = "permitted"
GIFTS = "gifts"
"""A campaign whose rewards leave through every connector."""

SECRET = "whsec_c2VjcmV0"
QUEUES = (
    "HoldQueue",
    "HoldDeadLetterQueue",
    "FulfilmentQueue",
    "FulfilmentDeadLetterQueue",
    "StreamDeadLetterQueue",
)
TABLES = {
    "StockTable": "STOCK_TABLE",
    "CampaignTable": "CAMPAIGN_TABLE",
    "RewardTable": "REWARD_TABLE",
    "EntryTable": "ENTRY_TABLE",
    "CouponTable": "COUPON_TABLE",
    "GuardTable": "GUARD_TABLE",
}
GUARDED = "guarded"
"""What the ids of protected campaigns begin with: one of each mechanic, and one with tickets."""

SIGNS = {"ShopSignalsSecret": "brandday-gate/shop", "EdgeSecret": "brandday-gate/edge"}
"""The secrets that parameters name."""

SHOP_SECRET = "s" * 32
VIEWER = "198.51.100.7"
DEVICE, EMAIL = "device-of-a-guest", "guest@example.com"
WRONG_CODE = "SPRING20"

LUCK = "luck"
"""An instant win with four gifts, which come back when nobody claims them, and points until they run out."""

TRIAL = "trial"
"""A draw with as many prizes as entrants, but for one who is a reserve."""

PICKED = "picked-coupons"
"""Coupons that shoppers take, in three shards."""

EVERYBODYS = "everybodys-code"
"""A shared code, its uses in three shards."""

MADE, PARTNERS = "made-coupons", "partners-codes"
"""Coupons that operators generate, and codes of a partner."""

COUPONS = 61
ENTRANTS = 75
TRIALS = 60
PARTNER_QUEUE = "partner-prizes"
PARTNER_QUEUES = "the queues in PartnerQueueArns"
SENDER = "the identity of EmailSender"
SECRETS = "secrets of brandday/"
PER_SHOPPER = 35
STOCK = 300
"""Ten shards of the layout, so that a request whose home shard is empty looks at two others in one call."""

IAM_ACTIONS = {"SendMessageBatch": "sqs:SendMessage", "DeleteMessageBatch": "sqs:DeleteMessage"}
"""Where the action is called otherwise than the API (Service Authorization Reference)."""

type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
type Calls = set[tuple[str, str]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Tables and a queue in moto, and the calls that clients made from here on send them."""
    made: Calls = set()
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session("testing", "testing", region_name="us-east-1"))
        client: Any = boto3.client("dynamodb")
        for table, variable in TABLES.items():
            client.create_table(TableName=table, **table_shape(table))
            monkeypatch.setenv(variable, table)
        for queue in QUEUES:
            variable = f"{''.join(f'_{each}' if each.isupper() else each for each in queue)[1:].upper()}_URL"
            monkeypatch.setenv(variable, boto3.client("sqs").create_queue(QueueName=queue)["QueueUrl"])
        boto3.client("sqs").create_queue(QueueName=PARTNER_QUEUE)
        monkeypatch.setenv("ADDRESS_KEY_ID", boto3.client("kms").create_key()["KeyMetadata"]["Arn"])
        boto3.client("secretsmanager").create_secret(Name="brandday/partner", SecretString=SECRET)
        for name in ("MarkSecret", "PassSecret"):
            boto3.client("secretsmanager").create_secret(Name=name, SecretString=name * 4)
            monkeypatch.setenv(name.replace("Secret", "_Secret").upper(), name)
        for secret, variable in (
            (SIGNS["ShopSignalsSecret"], "SHOP_SIGNALS_SECRET"),
            (SIGNS["EdgeSecret"], "EDGE_SECRET"),
        ):
            boto3.client("secretsmanager").create_secret(Name=secret, SecretString=SHOP_SECRET)
            monkeypatch.setenv(variable, secret)
        boto3.client("ses").verify_email_identity(EmailAddress="shop@example.com")
        monkeypatch.setenv("EMAIL_SENDER", "shop@example.com")
        monkeypatch.setenv("PRIVATE_DESTINATIONS", "allow")
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "BrandDay")
        monkeypatch.setattr(environment, "REWARDS_AT_ONCE", 1)  # moto cannot be trusted with threads

        def note(params: dict[str, Any], model: Any, **_: Any) -> None:
            made.update(_actions(model.service_model.service_name, model.name, params))

        events: Any = boto3.DEFAULT_SESSION
        events.events.register("provide-client-params", note)
        yield made


def test_every_function_is_allowed_exactly_what_it_does_and_keeps_no_secret(
    calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    used: dict[str, Calls] = {}
    solutions = []

    def play(function: str, script: Callable[[], None]) -> None:
        calls.clear()
        script()
        used[function] = used.get(function, set()) | calls

    play("AdminFunction", _operate)
    play("ReservationsFunction", _shop)
    play("CampaignsFunction", _browse)
    play("AdminFunction", _publish_guarded)
    play("TicketsFunction", _get_tickets)
    for mechanic, function, build in (
        ("flash_sale", "ReservationsFunction", sale_functions.reservations),
        ("coupon", "CouponsFunction", coupon_functions.coupons),
        ("lottery", "EntriesFunction", lottery_functions.entries),
    ):
        solution = _solution(f"{GUARDED}-{mechanic}".replace("_", "-"), "guest-0")
        solutions.append(solution)
        play(function, partial(_pass_the_gate, build, mechanic, solution))
    play("RiskFunction", _judge)
    play("StockProjectorFunction", _project)
    play("HoldExpiryFunction", _expire)
    play("StockSweeperFunction", _sweep)
    _give_gifts_to_three()
    play("RewardIssuerFunction", _issue)
    play("RewardsFunction", _claim)
    play("RewardDispatcherFunction", _dispatch)
    _kill_letters()
    play("FulfilmentsFunction", _fulfil)
    play("FulfilmentWorkerFunction", _deliver)
    _let_claims_lapse()
    play("RewardSweeperFunction", _sweep_rewards)
    play("AdminFunction", _publish_coupons)
    play("CouponsFunction", _pick)
    play("RedemptionsFunction", _redeem)
    play("RewardIssuerFunction", _write_down)
    play("AdminFunction", _look_at_coupons)
    play("AdminFunction", _publish_lotteries)
    play("EntriesFunction", _enter)
    _leave_an_entry_pending("stream")
    play("EntryProjectorFunction", _follow_entries)
    _leave_an_entry_pending("killed")
    play("FulfilmentsFunction", lambda: _redrive("stream"))
    _let_gifts_lapse(LUCK)
    play("RewardSweeperFunction", lambda: _forfeit(LUCK))
    _end_lotteries()
    play("DrawHolderFunction", _draw)
    play("EntryProjectorFunction", _follow_entries)
    _let_gifts_lapse(TRIAL)
    play("RewardSweeperFunction", lambda: _forfeit(TRIAL))
    play("DrawHolderFunction", _move_up)
    play("EntriesFunction", _prove)
    play("DrawsFunction", _show)
    play("AdminFunction", _look_at_draws)

    assert {name: calls - _allowed(name) for name, calls in used.items() if not calls <= _allowed(name)} == {}
    assert {name: _allowed(name) - calls for name, calls in used.items() if not calls >= _allowed(name)} == {}
    assert used.keys() == {name for name, body in _resources().items() if body["Type"] == "AWS::Serverless::Function"}
    _nothing_raw_is_kept(capsys.readouterr().out, solutions)


def _nothing_raw_is_kept(lines: str, solutions: list[str]) -> None:
    """Of all that was shown, neither the log nor the table of gates has anything but marks."""
    kept = json.dumps(_items("GuardTable"))
    # the search can find something: all kinds of items are there, and a line for each kind of request
    assert all(f'"{kind}#' in kept for kind in ("ACTIVITY", "BACKOFF", "CASES", "LISTED", "TALLY"))
    assert all(f'"route":"{route}"' in lines for route in ("/v1/redemptions", "/v1/scans", "/v1/validations"))
    codes = [item["code"]["S"] for item in _items("CouponTable") if item["sk"] == {"S": "FACTS"}]
    assert codes
    event = http_event("reserve_units")
    shown = [
        event["headers"]["authorization"].removeprefix("Bearer "),
        event["requestContext"]["http"]["sourceIp"],
        *(
            "a key",
            "guest-0",
            "guest-1",
            "shopper-0",
            "shopper-1",
            WRONG_CODE,
            VIEWER,
            DEVICE,
            EMAIL,
            SECRET,
            SHOP_SECRET,
        ),
        *(name * 4 for name in ("MarkSecret", "PassSecret")),
        *codes,
        *solutions,
    ]
    assert [raw for raw in shown if raw in lines] == []
    assert [raw for raw in shown if raw in kept] == []


def test_no_policy_has_a_wildcard() -> None:
    for body in _resources().values():
        if body["Type"] == "AWS::Serverless::Function":
            for statement in _statements(body):
                assert "*" not in str(statement["Action"])
                for resource in _listed(statement["Resource"]):
                    name = _name(resource)
                    assert "*" not in name, name  # but for the names of secrets, which campaigns choose


def _operate() -> None:
    admin = operator_functions.admin()
    now = time.gmtime(time.time() - 60)
    money = {"amount": 100, "currency": "CNY"}
    document = {
        "id": CAMPAIGN,
        "title": {"en": "Permitted"},
        "mechanic": "flash_sale",
        "time_zone": "UTC",
        "starts_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
        "ends_at": "2099-01-01T00:00:00Z",
        "channels": ["web"],
        "skus": [
            {
                "sku": "HERO",
                "title": {"en": "Hero"},
                "list_price": money,
                "sale_price": money,
                "stock": STOCK,
                "units_per_shopper": PER_SHOPPER,
            }
        ],
        "limit_per_shopper": PER_SHOPPER,
        "hold_seconds": 30,
        "extend_seconds": 30,
        "late_payment": "reclaim",
        "eligibility": {},
    }
    assert _ask(admin, "PUT", f"/v1/admin/campaigns/{GIFTS}", _gifts(document))["statusCode"] == 200
    assert _ask(admin, "POST", f"/v1/admin/campaigns/{GIFTS}/publish", {})["statusCode"] == 200
    act = f"/v1/admin/campaigns/{CAMPAIGN}"
    assert _ask(admin, "PUT", act, document)["statusCode"] == 200
    for verb in ("publish", "pause", "resume"):
        assert _ask(admin, "POST", f"{act}/{verb}", {})["statusCode"] == 200
    restock = {"id": "more", "sku": "HERO", "quantity": 2}
    assert _ask(admin, "POST", f"{act}/restocks", restock)["statusCode"] == 200
    for page in ("/v1/admin/campaigns", act, f"{act}/history", f"{act}/statistics"):
        assert _ask(admin, "GET", page)["statusCode"] == 200


def _judge() -> None:
    marks = {SignalKind.SHOPPER: "annAnnAnnAnnAnnA"}
    now = int(time.time() * 1000)
    case = Case("7Q2MX0KD93", CAMPAIGN, now, RiskMode.ENFORCE, "not_admitted", 80, ("farm",), marks, now + 1_000_000)
    GuardTable(_unnoted("dynamodb"), "GuardTable").save(case)
    risk = operator_functions.risk()
    one = f"/v1/admin/cases/{case.reference}"
    listed = {"kind": "email", "value": "farm@example.com"}
    steps: tuple[tuple[str, str, Any], ...] = (
        ("GET", f"/v1/admin/campaigns/{CAMPAIGN}/risk", None),
        ("GET", one, None),
        ("POST", f"{one}/allow", {}),
        ("POST", "/v1/admin/listings", {"listings": [{"list": "block", **listed}]}),
        ("GET", "/v1/admin/listings", None),
        ("POST", "/v1/admin/listings/remove", listed),
        ("GET", "/v1/admin/listings/history", None),
    )
    for method, path, body in steps:
        answer = _ask(risk, method, path, body)
        assert answer["statusCode"] == 200, answer


def _shop() -> None:
    codes = set()
    for number in range(STOCK // 10):
        reservations = sale_functions.reservations()  # a cold environment looks at other shards before it gives up
        event = http_event(
            "reserve_units",
            path={"campaign_id": CAMPAIGN},
            body={"sku": "HERO", "quantity": 15},
            claims={"sub": f"shopper-{number}", "channel": "web"},
        )
        answer = reservations(event, None)
        codes.add(answer["statusCode"])
        if answer["statusCode"] == 201:
            path = {"reservation_id": json.loads(answer["body"])["id"]}
            looked = http_event("get_reservation", path=path, claims={"sub": f"shopper-{number}"})
            assert reservations(looked, None)["statusCode"] == 200
    # Some were granted at home or elsewhere, some refused after looking elsewhere, and the refusals were reported.
    assert codes == {201, 409}


def _browse() -> None:
    campaigns = sale_functions.campaigns()
    assert campaigns(http_event("list_campaigns"), None)["statusCode"] == 200


def _project() -> None:
    item = _some_shard()
    record = {"eventID": "1", "dynamodb": {"Keys": {"pk": item["pk"]}, "SequenceNumber": "1", "NewImage": item}}
    assert sale_functions.stock_projector()({"Records": [record]}, None) == {"batchItemFailures": []}


def _expire() -> None:
    # One reminder that came early is sent again; one that is due finds a hold whose time is over.
    shard = int(_some_shard()["pk"]["S"].partition("#")[2])
    _make_holds_due()
    now = int(time.time() * 1000)
    records = [
        {"messageId": "1", "body": f'{{"campaign_id": "{CAMPAIGN}", "shard": {shard}, "due_at": {now + 60_000}}}'},
        {"messageId": "2", "body": f'{{"campaign_id": "{CAMPAIGN}", "shard": {shard}, "due_at": {now}}}'},
    ]
    assert sale_functions.hold_expiry()({"Records": records}, None) == {"batchItemFailures": []}


def _sweep() -> None:
    assert sale_functions.stock_sweeper()({}, None)["shards"] > 0


def _gifts(document: dict[str, Any]) -> dict[str, Any]:
    secret = "brandday/partner"
    sku = document["skus"][0] | {"stock": 300, "units_per_shopper": 1}
    worth = {"amount": 5000, "currency": "CNY"}
    rewards: list[dict[str, Any]] = [{"kind": "physical"}, {"kind": "digital"}, {"kind": "cash", "value": worth}]
    nowhere = f"http://{LOOPBACK}:{free_port()}/webhook"
    return document | {
        "id": GIFTS,
        "skus": [sku | {"sku": reward["kind"].upper(), "reward": reward} for reward in rewards],
        "limit_per_shopper": 1,
        "fulfilment": {
            "claim_until": "2099-02-01T00:00:00Z",
            "approve_over": {"amount": 100, "currency": "CNY"},
            "by_kind": {
                "physical": {"connector": "webhook", "url": nowhere, "secret": secret},
                "digital": {"connector": "email", "to": "prizes@example.com"},
                "cash": {
                    "connector": "sqs",
                    "queue_url": f"https://sqs.us-east-1.amazonaws.com/123456789012/{PARTNER_QUEUE}",
                    "secret": secret,
                },
            },
        },
    }


def _give_gifts_to_three() -> None:
    reservations = sale_functions.reservations()
    for sku in ("PHYSICAL", "DIGITAL", "CASH"):
        claims = {"sub": f"winner of {sku}", "channel": "web"}
        event = http_event(
            "reserve_units", path={"campaign_id": GIFTS}, body={"sku": sku, "quantity": 1}, claims=claims
        )
        reserved = reservations(event, None)
        assert reserved["statusCode"] == 201, reserved
        path = {"reservation_id": json.loads(reserved["body"])["id"]}
        confirmed = reservations(http_event("confirm_reservation", path=path, body={"order_id": f"order-{sku}"}), None)
        assert confirmed["statusCode"] == 200, confirmed


def _issue() -> None:
    changed = [item for item in _items("StockTable") if item["pk"]["S"].startswith(GIFTS)]
    assert reward_functions.reward_issuer()(_stream(changed, "pk"), None) == {"batchItemFailures": []}
    assert len(_items("RewardTable")) == 3


def _claim() -> None:
    rewards = reward_functions.rewards()
    subject = "winner of PHYSICAL"
    shown = _ask(rewards, "GET", "/v1/rewards", subject=subject, scope="shopper")
    (reward,) = json.loads(shown["body"])["rewards"]
    path = f"/v1/rewards/{reward['id']}"
    assert _ask(rewards, "GET", path, subject=subject, scope="shopper")["statusCode"] == 200
    address = {
        "recipient": "Li Na",
        "lines": ["1 Test Road"],
        "city": "Hangzhou",
        "region": "Zhejiang",
        "postal_code": "310000",
        "country": "CN",
        "phone": "+86 571 0000",
    }
    given = _ask(rewards, "PUT", f"{path}/address", address, subject=subject, scope="shopper")
    assert given["statusCode"] == 200, given


def _dispatch() -> None:
    handler = reward_functions.reward_dispatcher()
    assert handler(_stream(_items("RewardTable"), "pk", "sk"), None) == {"batchItemFailures": []}


def _kill_letters() -> None:
    """Leave a dead letter in each queue, about a reward that is on its way."""
    client = _unnoted("sqs")
    for queue in QUEUES:
        if "Dead" in queue:
            url = client.get_queue_url(QueueName=queue)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=_message(_reward("digital")))
    time.sleep(0.01)  # what was given up later than a walk began stays


def _fulfil() -> None:
    fulfilments = reward_functions.fulfilments()
    listed = _ask(fulfilments, "GET", "/v1/admin/fulfilments", query={"campaign_id": GIFTS})
    assert listed["statusCode"] == 200, listed
    rewards = {reward["kind"]: reward for reward in json.loads(listed["body"])["fulfilments"]}
    cash = f"/v1/admin/fulfilments/{rewards['cash']['id']}"
    assert _ask(fulfilments, "GET", cash)["statusCode"] == 200
    assert _ask(fulfilments, "POST", f"{cash}/approve", {}, subject="somebody else")["statusCode"] == 200
    assert _ask(fulfilments, "GET", "/v1/admin/queues")["statusCode"] == 200
    for queue in ("holds", "fulfilments", "stream"):
        _redrive(queue)
    _report(fulfilments, rewards["cash"]["id"])


def _report(fulfilments: Handler, reward_id: str) -> None:
    at = int(time.time())
    body = json.dumps({"status": "delivered", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))})
    event = http_event(
        "reserve_units",
        raw_body=body,
        headers={
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at),
            "webhook-signature": sign([SECRET.encode()], "msg_1", at, body.encode()),
        },
    )
    del event["requestContext"]["authorizer"]
    path = f"/v1/fulfilments/{reward_id}/receipts"
    event["rawPath"], event["requestContext"]["http"] = path, {"method": "POST", "path": path}
    answer = fulfilments(event, None)
    assert answer["statusCode"] == 200, answer


def _deliver() -> None:
    _unnoted("dynamodb").update_item(  # the report said that it is there already
        TableName="RewardTable",
        Key={name: _reward("cash")[name] for name in ("pk", "sk")},
        UpdateExpression="SET #status = :pending, pending_since = :now, time_limit_ms = :long",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":pending": {"S": "pending"},
            ":now": {"N": str(int(time.time() * 1000))},
            ":long": {"N": "1000000"},
        },
    )
    messages = [_message(_reward(kind)) for kind in ("physical", "digital", "cash")]
    # what nobody can read is a dead letter at once
    records = [_record(number, body) for number, body in enumerate([*messages, "nonsense"])]
    answer = reward_functions.fulfilment_worker()({"Records": records}, _Context())
    assert [failed["itemIdentifier"] for failed in answer["batchItemFailures"]] == ["message-0"], "nobody listens there"
    assert decode_reward(_reward("digital")).status == "dispatched"
    assert decode_reward(_reward("cash")).status == "dispatched"


class _Context:
    """What the worker asks Lambda."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 100_000


def _let_claims_lapse() -> None:
    """The prize still waits for its address, and nobody has time any more: the campaign's deadline was long ago."""
    _rewrite(GIFTS, '"2099-02-01T00:00:00', '"2025-02-01T00:00:00')
    item = _reward("physical")
    late = {"status": {"S": "awaiting_address"}, "claim_until": {"N": "1"}, "tried": {"BOOL": False}}
    gone = ("address", "lease_holder", "lease_until", "pending_since")
    waiting = {name: value for name, value in (item | late).items() if name not in gone}
    waiting["gsk"] = {"S": item["gsk"]["S"].replace("pending", "awaiting_address")}
    _unnoted("dynamodb").put_item(TableName="RewardTable", Item=waiting)


def _sweep_rewards() -> None:
    assert reward_functions.reward_sweeper()({}, None)["rewards"] > 0
    assert decode_reward(_reward("physical")).units_returned


def _publish_coupons() -> None:
    admin = operator_functions.admin()
    kinds: dict[str, dict[str, Any]] = {
        PICKED: {"code_kind": "unique", "issued_by": "shoppers"},
        EVERYBODYS: {"code_kind": "shared", "code": "EVERYBODY"},
        MADE: {"code_kind": "unique", "issued_by": "operators"},
        PARTNERS: {"code_kind": "imported", "prefix": "PARTNER"},
    }
    nowhere = {"connector": "webhook", "url": f"http://{LOOPBACK}:{free_port()}/webhook", "secret": "brandday/partner"}
    for campaign, kind in kinds.items():
        document = {
            "id": campaign,
            "title": {"en": "Coupons"},
            "mechanic": "coupon",
            "time_zone": "UTC",
            "starts_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60)),
            "ends_at": "2099-01-01T00:00:00Z",
            "channels": ["web"],
            "currency": "CNY",
            "quantity": COUPONS,
            "benefit": {"kind": "amount_off", "amount": {"amount": 100, "currency": "CNY"}},
            **kind,
        }
        if campaign in (PICKED, MADE):
            document |= {"reward": {"kind": "digital"}, "fulfilment": {"by_kind": {"digital": nowhere}}}
        act = f"/v1/admin/campaigns/{campaign}"
        applied = _ask(admin, "PUT", act, document)
        assert applied["statusCode"] == 200, applied
        assert _ask(admin, "POST", f"{act}/publish", {})["statusCode"] == 200
    for job, made_by, size in (("some", "generate", 5), ("friends", "target", 2)):
        _start_job(admin, MADE, {"job": job, "kind": made_by, "size": size, "digest": "" if size == 5 else "0" * 64})
    _start_job(admin, PARTNERS, {"job": "file", "kind": "import", "size": 9, "digest": "0" * 64})


def _start_job(admin: Handler, campaign: str, job: dict[str, Any]) -> None:
    jobs = f"/v1/admin/campaigns/{campaign}/coupon-jobs"
    started = _ask(admin, "POST", jobs, job, key=job["job"])
    assert started["statusCode"] == 201, started
    one = f"{jobs}/{job['job']}"
    if job["kind"] == "import":
        rows = [{"line": 1, "code": "PARTNER-1"}, {"line": 2, "code": "PARTNER-2", "shopper": "shopper-0"}]
        made = _ask(admin, "POST", f"{one}/rows", {"rows": rows})
    else:
        shoppers = {"shoppers": ["shopper-0", "shopper-1"]} if job["kind"] == "target" else {}
        made = _ask(admin, "POST", f"{one}/batches", {"from": 0, **shoppers})
    assert made["statusCode"] == 200, made
    assert _ask(admin, "GET", jobs)["statusCode"] == 200


def _look_at_coupons() -> None:
    admin = operator_functions.admin()
    stored = f"/v1/admin/campaigns/{MADE}/coupons"
    codes = []
    for part in range(16):
        shown = _ask(admin, "GET", stored, query={"part": str(part)})
        assert shown["statusCode"] == 200, shown
        codes += [coupon["code"] for coupon in json.loads(shown["body"])["coupons"]]
    assert len(codes) == 7
    disabled = _ask(admin, "POST", f"{stored}/disable", {"codes": codes})
    assert disabled["statusCode"] == 200, disabled
    assert _ask(admin, "GET", f"/v1/admin/campaigns/{MADE}/statistics")["statusCode"] == 200


def _publish_guarded() -> None:
    admin = operator_functions.admin()
    now, money = time.time(), {"amount": 100, "currency": "CNY"}
    sku = {"sku": "HERO", "title": {"en": "Hero"}, "list_price": money, "sale_price": money, "stock": 30}
    of_mechanic: dict[str, dict[str, Any]] = {
        "flash_sale": {
            "skus": [sku | {"units_per_shopper": 1}],
            "limit_per_shopper": 1,
            "hold_seconds": 30,
            "extend_seconds": 30,
            "late_payment": "reject",
        },
        "coupon": {
            "currency": "CNY",
            "quantity": 30,
            "benefit": {"kind": "amount_off", "amount": money},
            "code_kind": "unique",
            "issued_by": "shoppers",
        },
        "lottery": {
            "entries": {"per_day": 1, "per_campaign": 1, "earned": 1},
            "compliance": COMPLIANCE,
            "fulfilment": {
                "claim_until": "2099-02-01T00:00:00Z",
                "by_kind": {"digital": {"connector": "email", "to": "prizes@example.com"}},
            },
            "mode": "instant",
            "prizes": [
                {
                    "prize": "POINTS",
                    "title": {"en": "Points"},
                    "stock": 60,
                    "reward": {"kind": "digital"},
                    "odds": "1/2",
                }
            ],
        },
    }
    limits = [
        {"name": "tries", "by": "shopper", "counts": "attempts", "most": 1, "window": {"hours": 1, "kind": "sliding"}},
        {"name": "one-per-network", "by": "network", "counts": "wins", "most": 1},
    ]
    challenge = {"kind": "altcha", "ask": "always", "difficulty": 100, "valid_seconds": 300, "wait_seconds": 30}
    ticket = {"opens_before_seconds": 60, "valid_seconds": 300}
    rule = {"rule": "new_account", "weight": 1, "younger_than_hours": 1}
    risk = {"mode": "enforce", "refuse_at": 1, "rules": [rule]}
    for mechanic, terms in [*of_mechanic.items(), ("flash_sale", of_mechanic["flash_sale"])]:
        with_ticket = mechanic == "flash_sale" and _published(admin, f"{GUARDED}-flash-sale")
        document = {
            "id": f"{GUARDED}-{'ticket' if with_ticket else mechanic.replace('_', '-')}",
            "title": {"en": "Guarded"},
            "mechanic": mechanic,
            "time_zone": "UTC",
            "starts_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60)),
            "ends_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 86_400)),
            "channels": ["web"],
            **terms,
            "protection": {"limits": limits}
            | ({"ticket": ticket, "risk": risk} if with_ticket else {"challenge": challenge}),
        }
        act = f"/v1/admin/campaigns/{document['id']}"
        applied = _ask(admin, "PUT", act, document)
        assert applied["statusCode"] == 200, applied
        assert _ask(admin, "POST", f"{act}/publish", {})["statusCode"] == 200


def _published(admin: Handler, campaign: str) -> bool:
    status: int = _ask(admin, "GET", f"/v1/admin/campaigns/{campaign}")["statusCode"]
    return status == 200


def _get_tickets() -> None:
    tickets = sale_functions.tickets()
    path = f"/v1/campaigns/{GUARDED}-ticket/tickets"
    assert _visit(tickets, "POST", path, "guest-0")["statusCode"] == 201
    refused = _visit(tickets, "POST", path, "guest-1", account_created_at=int(time.time()))
    assert json.loads(refused["body"])["code"] == "not_admitted", refused
    assert _visit(tickets, "GET", f"/v1/campaigns/{GUARDED}-coupon/challenge", "guest-0")["statusCode"] == 200


def _pass_the_gate(build: Callable[[], Handler], mechanic: str, solution: str) -> None:
    handler = build()
    campaign = f"{GUARDED}-{mechanic.replace('_', '-')}"
    path = {"flash_sale": "reservations", "coupon": "coupons", "lottery": "entries"}[mechanic]
    body = {"sku": "HERO", "quantity": 1} if mechanic == "flash_sale" else None
    taken = _visit(handler, "POST", f"/v1/campaigns/{campaign}/{path}", "guest-0", body, solution=solution)
    assert taken["statusCode"] == 201, taken
    vouched = _visit(handler, "POST", f"/v1/campaigns/{campaign}/{path}", "guest-1", body, vouched=True)
    assert (vouched["statusCode"], json.loads(vouched["body"])["code"]) == (409, "limit_reached"), vouched


def _solution(campaign: str, shopper: str) -> str:
    """What ALTCHA's widget would find."""
    posed = json.loads(_visit(sale_functions.tickets(), "GET", f"/v1/campaigns/{campaign}/challenge", shopper)["body"])
    challenge = altcha.Challenge.from_dict(posed)
    solution = altcha.solve_challenge(challenge, timeout=20)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def _visit(
    handler: Handler,
    method: str,
    path: str,
    shopper: str,
    body: object = None,
    *,
    solution: str = "",
    **signals: Any,
) -> dict[str, Any]:
    """A request by the edge, with what the shop has signed."""
    said = {"sub": shopper, "aud": "brandday-signals", "exp": time.time() + 60, "device": DEVICE, "email": EMAIL}
    signed = said | signals
    headers = {
        "edge-secret": SHOP_SECRET,
        "viewer-address": VIEWER,
        "shop-signals": jwt.encode(signed, SHOP_SECRET, "HS256"),
        "challenge-solution": solution,
    }
    return _ask(handler, method, path, body, subject=shopper, scope="shopper", headers=headers)


def _pick() -> None:
    statuses, coupons = set(), coupon_functions.coupons()
    for number in range(COUPONS + 3):
        if number >= COUPONS:
            coupons = coupon_functions.coupons()  # a cold environment looks at other shards before it gives up
        taken = _as_shopper(coupons, "POST", f"/v1/campaigns/{PICKED}/coupons", number)
        statuses.add(taken["statusCode"])
    assert statuses == {201, 409}
    again = _as_shopper(coupons, "POST", f"/v1/campaigns/{PICKED}/coupons", 0)
    coupon = json.loads(again["body"])
    checked = _as_shopper(coupons, "POST", "/v1/validations", 0, body={"codes": [coupon["code"]], "order": _order()})
    assert json.loads(checked["body"])["best"]["discount"]["amount"] == 100, checked
    assert _as_shopper(coupons, "GET", f"/v1/coupons/{coupon['id']}/qr", 0)["statusCode"] == 200
    wallet = _as_shopper(coupons, "GET", "/v1/coupons", 0, query={"order": json.dumps(_order())})
    assert len(json.loads(wallet["body"])["coupons"]) == 3
    guess = {"codes": [f"GUESS-{number}" for number in range(10)], "order": _order()}
    answers = {_as_shopper(coupons, "POST", "/v1/validations", 99, body=guess)["statusCode"] for _ in range(2)}
    assert answers == {200, 429}


def _write_down() -> None:
    changed = [item for item in _items("StockTable") if item["pk"]["S"].startswith(PICKED)]
    assert reward_functions.reward_issuer()(_stream(changed, "pk"), None) == {"batchItemFailures": []}
    coupons = [item for item in _items("CouponTable") if item["sk"] == {"S": "FACTS"}]
    assert len([item for item in coupons if item["campaign_id"] == {"S": PICKED}]) == COUPONS


def _redeem() -> None:
    statuses, shop = set(), coupon_functions.redemptions()
    for number in range(COUPONS + 3):
        if number >= COUPONS:
            shop = coupon_functions.redemptions()  # cold again
        statuses.add(_order_with(shop, f"SO-{number}", ["EVERYBODY"], number, lock=number < 2)["statusCode"])
    assert statuses == {201, 409}
    assert _order_with(shop, "SO-typo", [WRONG_CODE], 0, lock=False)["statusCode"] == 404
    code = _code_of(1)  # nobody has written it down yet
    for codes in ([code], ["partner 1", code]):
        changed = _order_with(shop, "SO-many", codes, 1, lock=True)
        assert changed["statusCode"] == 201, changed
    dropped = _order_with(shop, "SO-many", [code], 1, lock=True)
    one = f"/v1/redemptions/{json.loads(dropped['body'])['id']}"
    steps = (("GET", one), ("POST", f"{one}/confirm"), ("POST", f"{one}/rollback"))
    for method, path in steps:
        answer = _ask(shop, method, path, subject="shop", scope="orders")
        assert answer["statusCode"] == 200, answer
    locked = json.loads(_order_with(shop, "SO-0", ["EVERYBODY"], 0, lock=True)["body"])["id"]
    released = _ask(shop, "DELETE", f"/v1/redemptions/{locked}", subject="shop", scope="orders")
    assert released["statusCode"] == 200, released
    body = {"content": _content_of(code), "order_id": "P-1", "order": _order()}
    scanned = _ask(shop, "POST", "/v1/scans", body, scope="store", claims={"store": "hangzhou-1"})
    assert scanned["statusCode"] == 201, scanned


def _order_with(shop: Handler, order_id: str, codes: list[str], number: int, *, lock: bool) -> dict[str, Any]:
    body = {"order_id": order_id, "codes": codes, "order": _order(), "shopper": {"id": f"shopper-{number}"}}
    key = f"{order_id} {codes}"
    return _ask(shop, "POST", "/v1/redemptions", body | {"lock": lock}, subject="shop", scope="orders", key=key)


def _order() -> dict[str, Any]:
    price = {"amount": 500, "currency": "CNY"}
    return {"currency": "CNY", "lines": [{"sku": "HERO", "quantity": 1, "unit_price": price}], "channel": "web"}


def _code_of(number: int) -> str:
    """The code of a coupon that a shopper has taken."""
    found = _as_shopper(coupon_functions.coupons(), "POST", f"/v1/campaigns/{PICKED}/coupons", number)
    return str(json.loads(found["body"])["code"])


def _content_of(code: str) -> str:
    secret = CampaignTable(_unnoted("dynamodb"), "CampaignTable").code_secret()
    assert secret is not None
    return write_content(CodeKeys.from_secret(secret), fold(code))


def _publish_lotteries() -> None:
    admin = operator_functions.admin()
    nowhere = {"connector": "webhook", "url": f"http://{LOOPBACK}:{free_port()}/webhook", "secret": "brandday/partner"}
    now = int(time.time())
    common = {
        "title": {"en": "Luck"},
        "mechanic": "lottery",
        "time_zone": "UTC",
        "starts_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60)),
        "ends_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 86_400)),
        "channels": ["web"],
        "entries": {"per_day": 1, "per_campaign": 1, "earned": 1},
        "compliance": COMPLIANCE,
        "fulfilment": {
            "claim_until": "2099-02-01T00:00:00Z",
            "by_kind": {"physical": nowhere, "digital": nowhere},
        },
    }
    gift = {"prize": "GIFT", "title": {"en": "Gift"}, "reward": {"kind": "physical"}}
    points = {"prize": "POINTS", "title": {"en": "Points"}, "stock": 60, "reward": {"kind": "digital"}}
    instant = common | {
        "id": LUCK,
        "mode": "instant",
        "prizes": [gift | {"stock": 4, "odds": "1/2"}, points],
        "consolation": "POINTS",
    }
    drawn = common | {
        "id": TRIAL,
        "mode": "draw",
        "prizes": [gift | {"stock": TRIALS - 1}],
        "draw": {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 2 * 86_400)), "reserves": 1},
    }
    for document in (instant, drawn):
        act = f"/v1/admin/campaigns/{document['id']}"
        applied = _ask(admin, "PUT", act, document)
        assert applied["statusCode"] == 200, applied
        assert _ask(admin, "POST", f"{act}/publish", {})["statusCode"] == 200
        assert _ask(admin, "GET", f"{act}/statistics")["statusCode"] == 200


def _enter() -> None:
    entries = lottery_functions.entries()
    for campaign, entrants in ((LUCK, ENTRANTS), (TRIAL, TRIALS)):
        for number in range(entrants):
            answer = _as_shopper(entries, "POST", f"/v1/campaigns/{campaign}/entries", number)
            assert answer["statusCode"] == 201, answer
    again = _as_shopper(entries, "POST", f"/v1/campaigns/{TRIAL}/entries", 0, key="once more")
    assert again["statusCode"] == 409, again
    granted = {"id": "share-1", "shopper_id": "shopper-0", "chances": 1, "reason": "share"}
    answer = _ask(entries, "POST", f"/v1/campaigns/{TRIAL}/chances", granted, subject="shop", scope="orders")
    assert answer["statusCode"] == 200, answer
    (entry,) = _own_entries(entries, TRIAL)
    for page in (entry, f"{entry}/proof"):
        assert _as_shopper(entries, "GET", page, 0)["statusCode"] == 200


def _own_entries(entries: Handler, campaign: str) -> list[str]:
    listed = _as_shopper(entries, "GET", "/v1/entries", 0, query={"campaign_id": campaign})
    assert listed["statusCode"] == 200, listed
    return [f"/v1/entries/{entry['id']}" for entry in json.loads(listed["body"])["entries"]]


def _redrive(queue: str) -> None:
    fulfilments, cursor = reward_functions.fulfilments(), None
    while True:
        body = {"limit": 100} | ({"cursor": cursor} if cursor else {})
        answer = _ask(fulfilments, "POST", f"/v1/admin/queues/{queue}/redrive", body, key=queue)
        assert answer["statusCode"] == 200, answer
        cursor = json.loads(answer["body"])["next"]
        if cursor is None:
            break
    assert not any(entrant.entries[-1].pending for entrant in _entrants(LUCK))


def _leave_an_entry_pending(tag: str) -> None:
    """As a request does that is killed between its two writes, when there are no points any more."""
    client = _unnoted("dynamodb")
    campaign = CampaignTable(client, "CampaignTable").load(LUCK)[0]
    assert campaign.luck is not None
    table = EntryTable(client, "EntryTable")
    loser = next(each for each in _entrants(LUCK) if len(each.entries) == 1 and each.entries[0].won is None)
    killed = loser.entries[0]._replace(at=loser.entries[0].at + 1, tag=tag, tries=(Try("1", Fate.PENDING),))
    assert table.save(campaign.luck.frozen, loser, replace(loser, entries=(*loser.entries, killed)))


def _entrants(campaign: str) -> list[Entrant]:
    return [decode_entrant(item) for item in _items("EntryTable") if item["pk"]["S"].startswith(campaign)]


def _follow_entries() -> None:
    event = _stream(_items("EntryTable"), "pk", "sk")
    assert lottery_functions.entry_projector()(event, None) == {"batchItemFailures": []}
    assert not any(entrant.entries[-1].pending for entrant in _entrants(LUCK))


def _let_gifts_lapse(campaign: str) -> None:
    """One gift waits for its address, and its deadline was long ago."""
    late = {"claim_until": {"N": "1"}}
    item = next(each for each in _gifts_of(campaign) if each["status"]["S"] == "awaiting_address")
    _unnoted("dynamodb").put_item(TableName="RewardTable", Item=item | late)
    _rewrite(campaign, '"2099-02-01T00:00:00', '"2025-02-01T00:00:00')


def _gifts_of(campaign: str) -> list[dict[str, Any]]:
    rewards = (item for item in _items("RewardTable") if item["sk"]["S"].endswith(f".{campaign}"))
    return [item for item in rewards if item["kind"]["S"] == "physical"]


def _forfeit(campaign: str) -> None:
    reward_functions.reward_sweeper()({}, None)
    assert any(item["status"]["S"] == "forfeited" for item in _gifts_of(campaign))


def _end_lotteries() -> None:
    """Long enough ago for the seal, and for the draw."""
    document = _config(TRIAL)["document"]["S"]
    _rewrite(TRIAL, found := re.findall(r'"draw":{"at[^,]*', document)[0], re.sub(r"\d{13}", "1000", found))
    for campaign, copy in product((LUCK, TRIAL), range(CAMPAIGN_COPIES)):
        _unnoted("dynamodb").update_item(
            TableName="CampaignTable",
            Key=_config_key(campaign, copy),
            UpdateExpression="SET #status = :ended, ended_at = :at",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":ended": {"S": "ended"},
                ":at": {"S": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 120))},
            },
        )


def _draw() -> None:
    assert lottery_functions.draw_holder()({}, None) == {"troubles": 0}
    assert sum(entrant.entries[0].won is not None for entrant in _entrants(TRIAL)) == TRIALS - 1


def _move_up() -> None:
    assert lottery_functions.draw_holder()({}, None) == {"troubles": 0}
    assert sum(entrant.entries[0].won is not None for entrant in _entrants(TRIAL)) == TRIALS, "the reserve has one, too"


def _prove() -> None:
    entries = lottery_functions.entries()
    for campaign in (LUCK, TRIAL):
        proof = _as_shopper(entries, "GET", f"{_own_entries(entries, campaign)[0]}/proof", 0)
        assert proof["statusCode"] == 200, proof
        assert json.loads(proof["body"])["luck"]


def _look_at_draws() -> None:
    admin = operator_functions.admin()
    draw = f"/v1/admin/campaigns/{TRIAL}/draw"
    assert _ask(admin, "GET", draw, query={"dry_run": "true"})["statusCode"] == 200
    places = _ask(admin, "GET", f"{draw}/places")
    assert len(json.loads(places["body"])["places"]) == TRIALS


def _show() -> None:
    draws = lottery_functions.draws()
    for campaign in (LUCK, TRIAL):
        for page in ("draw", "draw/receipt", "rules"):
            shown = _ask(draws, "GET", f"/v1/campaigns/{campaign}/{page}")
            assert shown["statusCode"] == 200, shown
        page = json.loads(_ask(draws, "GET", f"/v1/campaigns/{campaign}/draw/receipt")["body"])
        while page["next"] is not None:
            shown = _ask(draws, "GET", f"/v1/campaigns/{campaign}/draw/receipt", query={"after": page["next"]})
            page = json.loads(shown["body"])


def _reward(kind: str) -> dict[str, Any]:
    return next(item for item in _items("RewardTable") if item.get("kind") == {"S": kind})


def _message(item: dict[str, Any]) -> str:
    reward = decode_reward(item)
    return dispatch_body(Dispatch(reward.id, reward.cycle, reward.sent))


def _record(number: int, body: str) -> dict[str, Any]:
    client = _unnoted("sqs")
    queue = client.get_queue_url(QueueName="FulfilmentQueue")["QueueUrl"]
    client.send_message(QueueUrl=queue, MessageBody=body)
    received = client.receive_message(QueueUrl=queue)["Messages"][0]
    return {
        "messageId": f"message-{number}",
        "receiptHandle": received["ReceiptHandle"],
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def _stream(items: list[dict[str, Any]], *keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventID": str(number),
                "dynamodb": {
                    "Keys": {key: item[key] for key in keys},
                    "SequenceNumber": str(number),
                    "NewImage": item,
                },
            }
            for number, item in enumerate(items)
        ]
    }


def _make_holds_due() -> None:
    """Shorten the campaign's holds to nothing: what was claimed a moment ago is due."""
    _rewrite(CAMPAIGN, '"hold_seconds":30', '"hold_seconds":0')


def _rewrite(campaign_id: str, old: str, new: str) -> None:
    document = _config(campaign_id)["document"]["S"]
    assert old in document
    for copy in range(CAMPAIGN_COPIES):
        _unnoted("dynamodb").update_item(
            TableName="CampaignTable",
            Key=_config_key(campaign_id, copy),
            UpdateExpression="SET document = :document",
            ExpressionAttributeValues={":document": {"S": document.replace(old, new)}},
        )


def _config_key(campaign_id: str, copy: int = 0) -> dict[str, Any]:
    return {"pk": {"S": campaign_key(campaign_id, copy)}, "sk": {"S": "CONFIG"}}


def _config(campaign_id: str) -> dict[str, Any]:
    found: dict[str, Any] = _unnoted("dynamodb").get_item(TableName="CampaignTable", Key=_config_key(campaign_id))
    return found["Item"]  # type: ignore[no-any-return]


@cache
def _unnoted(service: str) -> Any:
    """A client of nobody's function, whose calls are not noted."""
    session: Any = boto3.Session("testing", "testing", region_name="us-east-1")
    return session.client(service)


def _items(table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _unnoted("dynamodb").scan(TableName=table)["Items"]
    return found


def _some_shard() -> dict[str, Any]:
    items = [item for item in _items("StockTable") if item["pk"]["S"].startswith(CAMPAIGN)]
    return next(item for item in items if any(len(name) > 4 and "." not in name for name in item))


def _ask(
    handler: Handler,
    method: str,
    path: str,
    body: object = None,
    *,
    subject: str = "op",
    scope: str = "operator",
    query: dict[str, str] | None = None,
    key: str = "a key",
    claims: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    event = http_event(
        "reserve_units",
        body=body,
        headers={"idempotency-key": key, **(headers or {})},
        claims={"sub": subject, "scope": scope, **(claims or {})},
        path={"campaign_id": CAMPAIGN},
    )
    if body is None:
        del event["body"]
    event["rawPath"], event["requestContext"]["http"] = path, {"method": method, "path": path}
    event["queryStringParameters"] = query or {}
    return handler(event, None)


def _as_shopper(handler: Handler, method: str, path: str, number: int, **more: Any) -> dict[str, Any]:
    return _ask(handler, method, path, subject=f"shopper-{number}", scope="shopper", **more)


def _actions(service: str, api: str, params: dict[str, Any]) -> Calls:
    """What IAM is asked for a call: the action, and the resource by its name in the template."""
    match service, api:
        case "dynamodb", "TransactWriteItems":
            return {
                (f"dynamodb:{kind}Item", item["TableName"])
                for each in params["TransactItems"]
                for kind, item in each.items()
            }
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            return {(f"dynamodb:{api}", table) for table in params["RequestItems"]}
        case "dynamodb", _:
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            return {(f"dynamodb:{api}", params["TableName"] + index)}
        case "sqs", _:
            queue = params["QueueUrl"].rpartition("/")[2]
            return {(IAM_ACTIONS.get(api, f"sqs:{api}"), PARTNER_QUEUES if queue == PARTNER_QUEUE else queue)}
        case "kms", _:
            return {(f"kms:{api}", "AddressKey")}
        case "secretsmanager", _:
            name = params["SecretId"]
            known = {secret: parameter for parameter, secret in SIGNS.items()} | {
                own: own for own in ("MarkSecret", "PassSecret")
            }
            return {(f"secretsmanager:{api}", SECRETS if name.startswith("brandday/") else known[name])}
        case "sesv2", _:
            return {(f"ses:{api}", SENDER)}
        case _:
            raise AssertionError(f"{service} {api}")


def _allowed(function: str) -> Calls:
    return {
        (action, _name(resource))
        for statement in _statements(_resources()[function])
        for action in statement["Action"]
        for resource in _listed(statement["Resource"])
    }


def _listed(resource: Any) -> list[Any]:
    """The resources of a statement: one, or a list; !Sub with a list of its own is one."""
    is_list = isinstance(resource, CommentedSeq) and resource.tag.value is None
    return list(resource) if is_list else [resource]


def _name(resource: Any) -> str:
    """A resource as `_actions` calls it."""
    text = str(resource[0] if isinstance(resource, list) else resource.value)
    if text == "PartnerQueueArns":
        return PARTNER_QUEUES
    if ":identity/" in text:
        return SENDER
    if text.endswith(":secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:brandday/*"):
        return SECRETS
    for parameter in SIGNS:
        if text.endswith(f":secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:${{{parameter}}}-??????"):
            return parameter
    return text.replace("${", "").replace("}", "").replace(".Arn", "").replace(".Id", "")


def _statements(function: Any) -> Any:
    statements = [statement for policy in function["Properties"]["Policies"] for statement in policy["Statement"]]
    # !If [condition, statement, nothing]: what is allowed if there is something to allow
    return [each[1] if isinstance(each, list) else each for each in statements]


@cache  # reading it takes a third of a second
def _resources() -> Any:
    return YAML().load(TEMPLATE)["Resources"]
