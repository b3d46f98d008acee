"""The deployed template: who is let in where, and that nothing of it got lost on the emulator."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from ruamel.yaml import YAML

from brandday_local.issuer import SigningKey, TokenIssuer
from brandday_local.places import ROOT
from brandday_local.stack import LOCAL_PARAMETERS, LocalStack

BUILT = ROOT / ".aws-sam" / "build"
SOME_RESERVATION = "/v1/reservations/rsv_none.0.AAAAAAAAAAAA.00000000"


@dataclass(frozen=True)
class TemplateRoute:
    """A route as template.yaml has it; no scope means public."""

    function: str
    method: str
    path: str
    scope: str | None

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


def template_functions() -> dict[str, dict[str, object]]:
    # read here on its own, not through the code that deploys it
    resources = YAML().load(ROOT / "template.yaml")["Resources"]
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def template_routes() -> Iterator[TemplateRoute]:
    for name, function in template_functions().items():
        for event in function["Events"].values():  # type: ignore[attr-defined]
            if event["Type"] == "HttpApi":
                route = event["Properties"]
                scopes = route["Auth"].get("AuthorizationScopes", [])
                assert scopes or route["Auth"]["Authorizer"] == "NONE"
                yield TemplateRoute(name, route["Method"], route["Path"], scopes[0] if scopes else None)


ROUTES = list(template_routes())
GUARDED = [route for route in ROUTES if route.scope]


@pytest.fixture
def api(stack: LocalStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, timeout=30) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "idempotency-key": "e2e"}


def with_some_ids(path: str) -> str:
    ids = {
        "reservation_id": SOME_RESERVATION[17:],
        "reward_id": "rwd_AAAAAAAAAAAA.00000000.none-such",
        "queue": "holds",
        "coupon_id": f"cpn_{'A' * 20}",
        "redemption_id": f"rdm_{'A' * 20}",
    }
    filled = re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], "none-such"), path)
    return f"{filled}?campaign_id=none-such" if filled == "/v1/admin/fulfilments" else filled


@pytest.mark.stack
def test_health_answers_without_a_token(api: httpx.Client) -> None:
    assert api.get("/v1/health").status_code == 200


@pytest.mark.stack
def test_the_api_has_exactly_the_routes_of_the_template(stack: LocalStack) -> None:
    there = {
        (route["RouteKey"], tuple(route.get("AuthorizationScopes", [])), route.get("AuthorizationType"))
        for route in stack.aws.http_api.get_routes(ApiId=stack.api_id)["Items"]
    }
    wanted = {(route.key, (route.scope,), "JWT") if route.scope else (route.key, (), "NONE") for route in ROUTES}
    assert there == wanted


@pytest.mark.stack
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_every_route_leads_to_code_that_knows_it(route: TemplateRoute, stack: LocalStack, api: httpx.Client) -> None:
    headers = bearer(stack.token("somebody", route.scope)) if route.scope else {}
    answer = api.request(route.method, with_some_ids(route.path), headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["code"] not in ("route_not_found", "method_not_allowed"), answer.text


@pytest.mark.stack
@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.key)
def test_no_guarded_route_lets_in_anybody_without_the_right_token(
    route: TemplateRoute, stack: LocalStack, api: httpx.Client
) -> None:
    others = " ".join({"shopper", "orders", "store", "operator"} - {str(route.scope)})
    path = with_some_ids(route.path)
    assert api.request(route.method, path).status_code == 401
    assert api.request(route.method, path, headers=bearer(stack.token("somebody", others))).status_code == 403


@pytest.mark.stack
@pytest.mark.parametrize(
    "claims",
    [{"lifetime_seconds": -60}, {"aud": "somebody-else"}, {"iss": "http://127.0.0.1:1"}, {"iat": 4_000_000_000}],
    ids=["expired", "wrong audience", "wrong issuer", "from the future"],
)
def test_a_token_that_is_not_for_here_and_now_is_refused(
    claims: dict[str, object], stack: LocalStack, api: httpx.Client
) -> None:
    assert api.get(SOME_RESERVATION, headers=bearer(stack.token("somebody", "shopper", **claims))).status_code == 401


@pytest.mark.stack
def test_a_forged_token_is_refused(stack: LocalStack, api: httpx.Client) -> None:
    # the right names all over, and another key under the right key's id
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forger = TokenIssuer(stack.issuer, stack.audience, SigningKey(key, stack.tokens.key.key_id))
    assert api.get(SOME_RESERVATION, headers=bearer(forger.mint("somebody", "shopper"))).status_code == 401
    assert api.get(SOME_RESERVATION, headers=bearer("no.token.this")).status_code == 401
    # the control: the same request with a real token gets through to the code
    assert api.get(SOME_RESERVATION, headers=bearer(stack.token("somebody", "shopper"))).status_code == 404


@pytest.mark.stack
def test_the_throttles_of_the_template_are_there(stack: LocalStack) -> None:
    (stage,) = stack.aws.http_api.get_stages(ApiId=stack.api_id)["Items"]
    wanted = YAML().load(ROOT / "template.yaml")["Resources"]["Api"]["Properties"]["RouteSettings"]
    assert set(stage["RouteSettings"]) == set(wanted) <= {route.key for route in ROUTES}


@pytest.mark.stack
def test_a_browser_may_ask(stack: LocalStack, api: httpx.Client) -> None:
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    answer = api.options("/v1/campaigns/none-such/reservations", headers=asked)
    assert answer.status_code == 204
    assert "idempotency-key" in answer.headers["access-control-allow-headers"]


@pytest.mark.stack
def test_queue_stream_and_schedule_are_connected(stack: LocalStack) -> None:
    mappings = stack.aws.functions.list_event_source_mappings()["EventSourceMappings"]
    assert {(each["EventSourceArn"].split(":")[2], *each["FunctionResponseTypes"]) for each in mappings} == {
        ("dynamodb", "ReportBatchItemFailures"),
        ("sqs", "ReportBatchItemFailures"),
    }


@pytest.mark.stack
def test_both_readers_of_the_stock_tables_stream_are_connected(stack: LocalStack) -> None:
    arn = stack.aws.tables.describe_table(TableName=stack.stock_table)["Table"]["LatestStreamArn"]
    mappings = stack.aws.functions.list_event_source_mappings()["EventSourceMappings"]
    readers = {
        each["FunctionArn"].rpartition(":")[2].split("-")[1] for each in mappings if each["EventSourceArn"] == arn
    }
    assert readers == {"StockProjectorFunction", "RewardIssuerFunction"}


@pytest.mark.stack
def test_the_reward_table_the_queue_and_the_key_are_as_the_template_says(stack: LocalStack) -> None:
    table = stack.aws.tables.describe_table(TableName=stack.reward_table)["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by_status"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"

    queue = stack.aws.queues.get_queue_attributes(QueueUrl=stack.fulfilment_queue_url, AttributeNames=["All"])
    assert queue["Attributes"]["VisibilityTimeout"] == "720"
    assert queue["Attributes"]["MessageRetentionPeriod"] == "1209600"
    assert json.loads(queue["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 1000
    mappings = stack.aws.functions.list_event_source_mappings()["EventSourceMappings"]
    (worker,) = [each for each in mappings if each["EventSourceArn"] == queue["Attributes"]["QueueArn"]]
    # a text in place of this number stops the emulator's reader of all queues
    assert worker["ScalingConfig"] == {"MaximumConcurrency": int(LOCAL_PARAMETERS["WorkerConcurrency"])}

    aliases = stack.aws.keys.list_aliases()["Aliases"]
    (key,) = [alias["TargetKeyId"] for alias in aliases if alias["AliasName"] == "alias/brandday-addresses"]
    assert stack.aws.keys.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


@pytest.mark.stack
def test_the_coupon_table_is_as_the_template_says(stack: LocalStack) -> None:
    table = stack.aws.tables.describe_table(TableName=stack.coupon_table)["Table"]
    indexes = {index["IndexName"]: index["Projection"]["ProjectionType"] for index in table["GlobalSecondaryIndexes"]}
    assert indexes == {"by_owner": "KEYS_ONLY", "by_campaign": "ALL"}
    assert "StreamSpecification" not in table


_IMPORTED = """
import json, os, sys, traceback
folders, runtime = json.loads(sys.argv[1]), sys.argv[2]
sys.path.append(runtime)
import boto3
for function, of_function in folders.items():
    if os.fork() == 0:
        sys.path[-1:] = [*of_function, runtime]
        error = None
        try:
            import app, zoneinfo
            assert app.lambda_handler
            zoneinfo.ZoneInfo("Asia/Shanghai")
        except BaseException:
            error = traceback.format_exc()
        os.write(1, (json.dumps([function, error]) + "\\n").encode())
        os._exit(0)
    os.wait()
"""
"""What all of them find in Lambda is loaded once; each function goes on from there in a process of its own."""


@pytest.fixture(scope="module")
def imported(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong with each function's import, if anything did."""
    # the emulator would not notice: it runs functions on a Python that has everything installed anyway
    runtime = tmp_path_factory.mktemp("runtime")
    for package in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):  # Lambda's own
        (runtime / package).symlink_to(Path(boto3.__file__).parents[1] / package)
    folders = {}
    for function, properties in template_functions().items():
        own_layers = [layer.value for layer in properties.get("Layers", [])]  # type: ignore[attr-defined]
        layers = [BUILT / layer / "python" for layer in ("CoreLayer", "DependenciesLayer", *own_layers)]
        folders[function] = [str(folder) for folder in (BUILT / function, *layers)]
    variables = YAML().load(ROOT / "template.yaml")["Globals"]["Function"]["Environment"]["Variables"]
    settings = {name: "some" for name in variables if name.endswith(("_TABLE", "_URL", "_ID", "_SECRET"))} | {
        "AWS_DEFAULT_REGION": "us-east-1",
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONTZPATH": "",  # as in Lambda: time zones come from a package or not at all
    }
    asked = [sys.executable, "-S", "-P", "-c", _IMPORTED, json.dumps(folders), str(runtime)]
    done = subprocess.run(asked, env=settings, capture_output=True, text=True, check=True)
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.stack
@pytest.mark.parametrize("function", template_functions(), ids=str)
def test_the_layers_hold_all_that_a_function_imports(function: str, imported: dict[str, str | None]) -> None:
    assert imported[function] is None, imported[function]
