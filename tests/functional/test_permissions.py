"""Each function may do what it does and nothing else: its policy in the template against the calls it makes.

Every function is built by the composition root and played through all it can do; each call of its clients is
noted with the table or queue it goes to. What is allowed and never called fails the test just like the reverse.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from ruamel.yaml import YAML

from brandday import bootstrap
from brandday_local.template_tables import TEMPLATE, table_shape
from tests.events import http_event

CAMPAIGN = "permitted"
PER_SHOPPER = 35
STOCK = 300
"""Ten shards of the layout, so that a request whose home shard is empty looks at two others in one call."""

IAM_ACTIONS = {"SendMessageBatch": "sqs:SendMessage"}
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
        for table in ("StockTable", "CampaignTable"):
            client.create_table(TableName=table, **table_shape(table))
            monkeypatch.setenv(f"{'STOCK' if table == 'StockTable' else 'CAMPAIGN'}_TABLE", table)
        queue = boto3.client("sqs").create_queue(QueueName="HoldQueue")["QueueUrl"]
        monkeypatch.setenv("HOLD_QUEUE_URL", queue)

        def note(params: dict[str, Any], model: Any, **_: Any) -> None:
            made.update(_actions(model.name, params))

        events: Any = boto3.DEFAULT_SESSION
        events.events.register("provide-client-params", note)
        yield made


def test_every_function_is_allowed_exactly_what_it_does(calls: Calls) -> None:
    used: dict[str, Calls] = {}

    def play(function: str, script: Callable[[], None]) -> None:
        calls.clear()
        script()
        used[function] = set(calls)

    play("AdminFunction", _operate)
    play("ReservationsFunction", _shop)
    play("CampaignsFunction", _browse)
    play("StockProjectorFunction", _project)
    play("HoldExpiryFunction", _expire)
    play("StockSweeperFunction", _sweep)

    assert used == {function: _allowed(function) for function in used}
    assert used.keys() == {name for name, body in _resources().items() if body["Type"] == "AWS::Serverless::Function"}


def test_no_policy_has_a_wildcard() -> None:
    for body in _resources().values():
        if body["Type"] == "AWS::Serverless::Function":
            for statement in _statements(body):
                assert "*" not in str(statement["Action"])
                assert str(statement["Resource"]) != "*"


def _operate() -> None:
    admin = bootstrap.admin()
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
    act = f"/v1/admin/campaigns/{CAMPAIGN}"
    assert _ask(admin, "PUT", act, document)["statusCode"] == 200
    for verb in ("publish", "pause", "resume"):
        assert _ask(admin, "POST", f"{act}/{verb}", {})["statusCode"] == 200
    restock = {"id": "more", "sku": "HERO", "quantity": 2}
    assert _ask(admin, "POST", f"{act}/restocks", restock)["statusCode"] == 200
    for page in ("/v1/admin/campaigns", act, f"{act}/history", f"{act}/statistics"):
        assert _ask(admin, "GET", page)["statusCode"] == 200


def _shop() -> None:
    codes = set()
    for number in range(STOCK // 10):
        reservations = bootstrap.reservations()  # a cold environment looks at other shards before it gives up
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
    campaigns = bootstrap.campaigns()
    assert campaigns(http_event("list_campaigns"), None)["statusCode"] == 200


def _project() -> None:
    item = _some_shard()
    record = {"eventID": "1", "dynamodb": {"Keys": {"pk": item["pk"]}, "SequenceNumber": "1", "NewImage": item}}
    assert bootstrap.stock_projector()({"Records": [record]}, None) == {"batchItemFailures": []}


def _expire() -> None:
    # One reminder that came early is sent again; one that is due finds a hold whose time is over.
    shard = int(_some_shard()["pk"]["S"].partition("#")[2])
    _make_holds_due()
    now = int(time.time() * 1000)
    records = [
        {"messageId": "1", "body": f'{{"campaign_id": "{CAMPAIGN}", "shard": {shard}, "due_at": {now + 60_000}}}'},
        {"messageId": "2", "body": f'{{"campaign_id": "{CAMPAIGN}", "shard": {shard}, "due_at": {now}}}'},
    ]
    assert bootstrap.hold_expiry()({"Records": records}, None) == {"batchItemFailures": []}


def _sweep() -> None:
    assert bootstrap.stock_sweeper()({}, None)["shards"] > 0


def _make_holds_due() -> None:
    """Shorten the campaign's holds to nothing: what was claimed a moment ago is due."""
    client = _unnoted_client()
    key = {"pk": {"S": f"CAMPAIGN#{CAMPAIGN}"}, "sk": {"S": "CONFIG"}}
    document = client.get_item(TableName="CampaignTable", Key=key)["Item"]["document"]["S"]
    client.update_item(
        TableName="CampaignTable",
        Key=key,
        UpdateExpression="SET document = :document",
        ExpressionAttributeValues={":document": {"S": document.replace('"hold_seconds":30', '"hold_seconds":0')}},
    )


def _unnoted_client() -> Any:
    return boto3.Session("testing", "testing", region_name="us-east-1").client("dynamodb")


def _some_shard() -> dict[str, Any]:
    items = _unnoted_client().scan(TableName="StockTable")["Items"]
    return next(item for item in items if any(len(name) > 4 and "." not in name for name in item))


def _ask(handler: Handler, method: str, path: str, body: object = None) -> dict[str, Any]:
    event = http_event(
        "reserve_units", body=body, claims={"sub": "op", "scope": "operator"}, path={"campaign_id": CAMPAIGN}
    )
    event["rawPath"], event["requestContext"]["http"] = path, {"method": method, "path": path}
    return handler(event, None)


def _actions(api: str, params: dict[str, Any]) -> Calls:
    if api == "TransactWriteItems":
        return {
            (f"dynamodb:{kind}Item", item["TableName"])
            for each in params["TransactItems"]
            for kind, item in each.items()
        }
    if api == "BatchGetItem":
        return {("dynamodb:BatchGetItem", table) for table in params["RequestItems"]}
    if "QueueUrl" in params:
        return {(IAM_ACTIONS[api], params["QueueUrl"].rpartition("/")[2])}
    return {(f"dynamodb:{api}", params["TableName"])}


def _allowed(function: str) -> Calls:
    return {
        (action, str(statement["Resource"].value).removesuffix(".Arn"))
        for statement in _statements(_resources()[function])
        for action in statement["Action"]
    }


def _statements(function: Any) -> Any:
    return [statement for policy in function["Properties"]["Policies"] for statement in policy["Statement"]]


def _resources() -> Any:
    return YAML().load(TEMPLATE)["Resources"]
