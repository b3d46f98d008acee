"""Routes, template, OpenAPI document and API guide say the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from brandday.connectors.webhook import EVENT_TYPE
from brandday.domain.errors import every_error
from brandday.entrypoints.routes import Route
from tests.http_client import check_schema
from tools import openapi

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
QUESTIONS = {"/v1/validations", "/v1/campaigns/{campaign_id}/tickets"}
"""Paths of what changes nothing, and is asked by POST because an address is too short for it and is logged, or because
each answer is new and a secret."""

ROUTES = [(function, route) for function, (_, routes) in openapi.TABLES.items() for route in routes]


def name(value: object) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Route) else str(value)


def template_routes() -> set[tuple[str, str, str, str | None]]:
    """(function, method, path, scope) of every route in template.yaml; scope None means public."""
    found = set()
    for function, resource in YAML().load(ROOT / "template.yaml")["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "HttpApi":
                at: dict[str, Any] = event["Properties"]
                auth = at.get("Auth", {})
                scopes = [None] if auth.get("Authorizer") == "NONE" else auth["AuthorizationScopes"]
                found |= {(function, at["Method"], at["Path"], scope) for scope in scopes}
    return found


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The API's document, made once for all routes."""
    return openapi.openapi()


def test_the_documents_are_what_the_code_says() -> None:
    assert (ROOT / "docs/openapi.json").read_text(encoding="utf-8") == openapi.openapi_text()
    assert openapi.guide_text(GUIDE) == GUIDE


def test_a_schema_keeps_its_name_when_a_module_is_moved(document: dict[str, Any]) -> None:
    """Two of one name are told apart by their modules, and clients are generated with these names."""
    assert [each for each in document["components"]["schemas"] if "__" in each] == []


def test_drift_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "DOCS", tmp_path)
    (tmp_path / "api.md").write_text(GUIDE.replace("| `sold_out` | 409 |", "| `sold_out` | 410 |"), encoding="utf-8")
    assert openapi.main(["--check"]) == 1
    assert openapi.main([]) == 0
    assert openapi.main(["--check"]) == 0
    assert (tmp_path / "api.md").read_text(encoding="utf-8") == GUIDE


def test_the_template_has_exactly_these_routes() -> None:
    assert {(function, route.method, route.path, route.scope) for function, route in ROUTES} == template_routes()


@pytest.mark.parametrize(("function", "route"), ROUTES, ids=name)
def test_every_route_is_documented(function: str, route: Route, document: dict[str, Any]) -> None:
    assert f"| `{route.method} {route.path}` |" in GUIDE, function
    operation = document["paths"][route.path][route.method.lower()]
    assert operation["summary"] == route.summary
    assert operation.get("security", []) == ([{"token": [route.scope]}] if route.scope else [])
    for kind in route.every_error:
        said = operation["responses"][str(kind.status)]
        schema = said["content"]["application/problem+json"]["schema"]
        assert kind.code in schema["allOf"][1]["properties"]["code"]["enum"]


@pytest.mark.parametrize(("_", "route"), [pair for pair in ROUTES if pair[1].method == "POST"], ids=name)
def test_every_post_that_changes_something_needs_an_idempotency_key(_: str, route: Route) -> None:
    # what is signed has an id of its own, `webhook-id`
    assert (route.needs_key or route.signed) == (route.path not in QUESTIONS)


def test_no_two_operations_share_a_name() -> None:
    names = [openapi.operation_id(route) for _, route in ROUTES]
    assert len(set(names)) == len(names)


def test_every_error_a_client_can_meet_is_in_the_guide_once() -> None:
    for kind in every_error():
        assert len(re.findall(rf"^\| `{kind.code}` \|", GUIDE, re.MULTILINE)) == 1


def test_the_examples_in_the_guide_are_a_real_parcel_a_real_question_and_a_real_problem() -> None:
    parcel, asked, problem = (json.loads(example) for example in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL))
    assert parcel["type"] == EVENT_TYPE
    check_schema({"$ref": "#/components/schemas/ValidateCodesBody"}, asked)
    check_schema({"$ref": "#/components/schemas/Problem"}, problem)
