"""The deployed API fuzzed from its own OpenAPI document: no 5xx, and every answer is one that was promised.

`tests/functional/test_api_fuzz.py` tries far more in one process; here it is about what only the whole path can
break: the gateway's routes and tokens, the packages in the layers, the real handlers over the real tables.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from brandday_local.stack import LocalStack

pytestmark = pytest.mark.stack

OPENAPI = Path(__file__).parents[2] / "docs/openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SETTINGS = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

VALID_ONLY = schemathesis.Config.from_dict(
    {"generation": {"mode": "positive"}, "phases": {"coverage": {"enabled": False}}}
)
schema = schemathesis.openapi.from_path(str(OPENAPI), config=VALID_ONLY)


@pytest.fixture(scope="module")
def token(stack: LocalStack) -> str:
    return stack.token("fuzzer", "shopper orders store operator", channel="web", tier="gold", store="hangzhou-1")


@schema.parametrize()
@SETTINGS
def test_every_answer_of_the_deployed_api_is_a_documented_one(
    case: schemathesis.Case[Any], stack: LocalStack, token: str
) -> None:
    case.call_and_validate(
        base_url=stack.api_url, headers={"Authorization": f"Bearer {token}"}, checks=CHECKS, timeout=30
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b'{"sku": NaN}', 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"[" * 10_000, 400, "malformed_json"),
        (b'{"sku": "' + b"a" * 17_000 + b'"}', 413, "body_too_large"),
        (b'{"sku": "A", "quantity": true}', 422, "validation_failed"),
        (b'{"sku": "A", "shopper_id": "other"}', 422, "validation_failed"),
    ],
    ids=["open", "nan", "bytes", "deep", "large", "bool", "unknown"],
)
def test_hostile_bodies_are_refused_on_the_way_through_the_gateway(
    stack: LocalStack, token: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    url = f"{stack.api_url}/v1/campaigns/any-campaign/reservations"
    answer = httpx.post(url, content=body, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic dTpw", "Bearer a.b.c"])
def test_without_a_good_token_nobody_gets_in(stack: LocalStack, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in ("/v1/reservations/rsv_x", "/v1/admin/campaigns"):
        assert httpx.get(stack.api_url + path, headers=headers, timeout=30).status_code == 401


def test_a_shopper_is_no_operator(stack: LocalStack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('shopper', 'shopper')}"}
    assert httpx.get(f"{stack.api_url}/v1/admin/campaigns", headers=headers, timeout=30).status_code == 403
