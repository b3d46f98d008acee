"""Who is let in where: every route of the template, at the gateway's door and at our own behind it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from brandday.connectors.webhook import WebhookOptions
from brandday.entrypoints.routes import OPERATOR, SHOPPER, Route
from brandday_local.template_tables import TEMPLATE
from tests.events import http_event
from tests.http_client import Client
from tools import openapi

API: Any = YAML().load(TEMPLATE.read_text(encoding="utf-8"))
SCOPES = {"shopper", "orders", "store", "operator"}
CODE = {f"{route.method} {route.path}": (route, routes) for _, routes in openapi.TABLES.values() for route in routes}
AUTH = {
    f"{at['Method']} {at['Path']}": at["Auth"]
    for body in API["Resources"].values()
    for event in body.get("Properties", {}).get("Events", {}).values()
    if event["Type"] == "HttpApi"
    for at in [event["Properties"]]
}
ADMIN = [key for key in AUTH if " /v1/admin/" in key]
CHANGING = [key for key in AUTH if not key.startswith("GET ")]
SIGNED = "POST /v1/fulfilments/{reward_id}/receipts"
IDS = {
    "reservation_id": "rsv_none.0.AAAAAAAAAAAA.00000000",
    "reward_id": "rwd_AAAAAAAAAAAA.00000000.none-such",
    "entry_id": "ent_none-such.AAAAAAAAAAAA.1",
    "coupon_id": f"cpn_{'A' * 20}",
    "redemption_id": f"rdm_{'A' * 20}",
    "queue": "holds",
    "reference": "7Q2MX0KD93",
}


class Untouched:
    """Use cases that nobody may reach."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was reached")


def status(key: str, claims: dict[str, Any] | None) -> int:
    """What our own code says to a request, however it got past the gateway; no claims: without a token."""
    route, routes = CODE[key]
    path = re.sub(r"\{(\w+)\}", lambda name: IDS.get(name[1], "none-such"), route.path)
    event = http_event("reserve_units", raw_body="{}", claims=claims)
    event |= {"rawPath": path, "routeKey": ""}
    event["requestContext"]["http"] |= {"method": route.method, "path": path}
    event["requestContext"]["authorizer"]["jwt"]["scopes"] = ["operator"]  # what counts is the signed claim
    if claims is None:
        del event["requestContext"]["authorizer"]
    return Client(routes, Untouched()).send(event).status


def test_the_template_and_the_code_have_the_same_routes() -> None:
    assert set(AUTH) == set(CODE)
    assert len(ADMIN) > 20
    assert any(not key.startswith("GET ") for key in ADMIN)


def test_the_gateway_checks_a_token_unless_it_is_told_not_to() -> None:
    auth = API["Resources"]["Api"]["Properties"]["Auth"]
    authorizer = auth["Authorizers"][auth["DefaultAuthorizer"]]
    assert authorizer["IdentitySource"] == "$request.header.Authorization"
    assert authorizer["JwtConfiguration"]["issuer"].value == "JwtIssuer"
    assert [each.value for each in authorizer["JwtConfiguration"]["audience"]] == ["JwtAudience"]


@pytest.mark.parametrize("key", ADMIN)
def test_a_route_of_operators_is_open_to_operators_alone(key: str) -> None:
    assert AUTH[key] == {"AuthorizationScopes": [OPERATOR]}
    assert CODE[key][0].scope == OPERATOR


@pytest.mark.parametrize("key", AUTH)
def test_the_gateway_asks_for_the_scope_that_the_code_asks_for(key: str) -> None:
    scope = CODE[key][0].scope
    assert AUTH[key] == ({"Authorizer": "NONE"} if scope is None else {"AuthorizationScopes": [scope]})


def test_what_changes_something_needs_a_token_but_for_what_partners_sign() -> None:
    assert [key for key in CHANGING if CODE[key][0].scope is None] == [SIGNED]
    assert CODE[SIGNED][0].signed


def test_no_other_route_has_the_power_of_operators() -> None:
    elsewhere = {key for key, (route, _) in CODE.items() if route.scope == OPERATOR and key not in ADMIN}
    assert elsewhere == set()


@pytest.mark.parametrize("key", [key for key in AUTH if CODE[key][0].scope])
def test_behind_the_gateway_the_code_refuses_the_wrong_token_before_it_does_anything(key: str) -> None:
    route: Route = CODE[key][0]
    others = sorted(SCOPES - {str(route.scope)})

    assert status(key, None) == 401
    assert status(key, {"sub": None, "scope": route.scope}) == 401
    assert status(key, {"sub": "", "scope": route.scope}) == 401
    assert status(key, {"scope": " ".join(others)}) == 403
    assert status(key, {"scope": None}) == 403
    for alike in (f"{route.scope}s", f"x{route.scope}", str(route.scope).upper(), f"[{route.scope}]"):
        assert status(key, {"scope": alike}) == 403
    if route.scope != SHOPPER:
        assert status(key, {"scope": SHOPPER}) == 403


# --- at rest ---


def _of_type(kind: str) -> dict[str, Any]:
    return {name: body["Properties"] for name, body in API["Resources"].items() if body["Type"] == kind}


def test_everything_that_is_kept_is_kept_encrypted() -> None:
    tables, queues = _of_type("AWS::DynamoDB::Table"), _of_type("AWS::SQS::Queue")
    assert tables
    assert {name for name, each in tables.items() if each.get("SSESpecification") != {"SSEEnabled": True}} == set()
    assert {name for name, each in tables.items() if "PointInTimeRecoverySpecification" not in each} == set()
    assert queues
    assert {name for name, each in queues.items() if each.get("SqsManagedSseEnabled") is not True} == set()
    # CloudWatch encrypts every log group with a key of its own; all of ours end by themselves
    assert all("RetentionInDays" in each for each in _of_type("AWS::Logs::LogGroup").values())
    assert not _of_type("AWS::S3::Bucket")
    assert not _of_type("AWS::SNS::Topic")


# --- secrets ---


def test_functions_are_told_names_of_secrets_and_never_a_secret() -> None:
    variables = API["Globals"]["Function"]["Environment"]["Variables"]
    of_functions = [
        name
        for body in _of_type("AWS::Serverless::Function").values()
        for name in body.get("Environment", {}).get("Variables", {})
    ]
    assert of_functions == []  # all have the same, so that there is one place to look
    told = {name: str(getattr(value, "value", value)) for name, value in variables.items()}
    secret = {name: value for name, value in told.items() if re.search("SECRET|KEY|TOKEN|PASS", name)}
    assert secret == {
        "MARK_SECRET": "MarkSecret",
        "PASS_SECRET": "PassSecret",
        "SHOP_SIGNALS_SECRET": "ShopSignalsSecret",
        "EDGE_SECRET": "EdgeSecret",
        "ADDRESS_KEY_ID": "AddressKey.Arn",
    }
    names = {"ShopSignalsSecret", "EdgeSecret"}
    assert all(API["Parameters"][name]["AllowedPattern"] == "|brandday-gate/[A-Za-z0-9/_-]+" for name in names)
    assert set(_of_type("AWS::SecretsManager::Secret")) == {"MarkSecret", "PassSecret"}
    assert all("GenerateSecretString" in each for each in _of_type("AWS::SecretsManager::Secret").values())
    # a dynamic reference is how a secret's value gets into a template
    assert "{{resolve:" not in TEMPLATE.read_text(encoding="utf-8")
    assert not any("NoEcho" in each for each in API["Parameters"].values())


def test_what_gates_trust_can_neither_be_named_by_a_campaign_nor_be_read_by_what_talks_to_partners() -> None:
    edge = "brandday-gate/edge"
    assert re.fullmatch(API["Parameters"]["EdgeSecret"]["AllowedPattern"], edge)
    with pytest.raises(ValidationError):
        WebhookOptions(url="https://partner.example/hook", secret=edge)
    readable = set(re.findall(r":secret:([^\s\"]+)", TEMPLATE.read_text(encoding="utf-8")))
    assert readable == {"brandday/*", "${ShopSignalsSecret}-??????", "${EdgeSecret}-??????"}
    assert not fnmatchcase(f"{edge}-AbCdEf", "brandday/*")
    assert fnmatchcase("brandday/partner-AbCdEf", "brandday/*")  # IAM's * goes over slashes, too


def test_the_gateways_own_log_has_no_token_and_no_address_of_a_thing() -> None:
    form = str(API["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"])
    said = set(re.findall(r"\$context\.([\w.]+)", form))
    assert not {
        each for each in said if "header" in each or "claims" in each or each in ("path", "authorizer.principalId")
    }
    assert "routeKey" in said
