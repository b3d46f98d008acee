"""Reading an API out of a processed template: all of it, or none."""

from typing import Any

import pytest

from brandday_local.deploy import Deployment
from brandday_local.restore import (
    Authorizer,
    RestoreError,
    Route,
    authorizers_of,
    resolver,
    restore_scaling,
    routes_of,
)

FUNCTION = {"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/x/${Shop.Arn}/invocations"}


def body(**changes: Any) -> dict[str, Any]:
    operation = {
        "x-amazon-apigateway-integration": {"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": FUNCTION},
        "security": [{"Tokens": ["shopper"]}],
    }
    scheme = {
        "x-amazon-apigateway-authorizer": {
            "type": "jwt",
            "jwtConfiguration": {"issuer": {"Ref": "JwtIssuer"}, "audience": ["brandday"]},
            "identitySource": "$request.header.Authorization",
        }
    }
    public = {key: value for key, value in operation.items() if key != "security"}
    return {
        "paths": {"/v1/things": {"get": public | {"security": [{"NONE": []}]}, "post": operation | changes}},
        "components": {"securitySchemes": {"Tokens": scheme}},
    }


def deployment(**parameters: str) -> Deployment:
    template = {"Resources": {"Shop": {"Type": "AWS::Lambda::Function"}, "Table": {"Type": "AWS::DynamoDB::Table"}}}
    return Deployment(template, parameters, {"Shop": "shop-1", "Table": "table-1"}, {})


def test_routes_and_authorizers_are_read_with_their_scopes() -> None:
    resolved = resolver(deployment(JwtIssuer="http://issuer"))(body())
    uri = "arn:aws:apigateway:us-east-1:lambda:path/x/arn:aws:lambda:us-east-1:000000000000:function:shop-1/invocations"
    assert routes_of(resolved) == [
        Route("GET /v1/things", uri, None, (), 30_000),
        Route("POST /v1/things", uri, "Tokens", ("shopper",), 30_000),
    ]
    assert authorizers_of(resolved) == [
        Authorizer("Tokens", "http://issuer", ("brandday",), "$request.header.Authorization")
    ]


@pytest.mark.parametrize(
    "unknown",
    [{"Ref": "Nobody"}, {"Fn::GetAtt": ["Table", "StreamArn"]}, {"Fn::Sub": "${Table.Arn}"}, {"Fn::Join": ["", []]}],
    ids=["a name", "an attribute", "an attribute in a text", "a function"],
)
def test_what_cannot_be_resolved_stops_the_start(unknown: dict[str, Any]) -> None:
    with pytest.raises(RestoreError, match="cannot resolve"):
        resolver(deployment())({"deep": [unknown]})


def test_what_cannot_be_restored_stops_the_start() -> None:
    other_integration = body(**{"x-amazon-apigateway-integration": {"type": "http_proxy"}})
    two_authorizers = body(security=[{"Tokens": []}, {"Others": []}])
    other_authorizer = body()
    other_authorizer["components"]["securitySchemes"]["Tokens"] = {
        "x-amazon-apigateway-authorizer": {"type": "request"}
    }
    with pytest.raises(RestoreError, match="POST /v1/things"):
        routes_of(other_integration)
    with pytest.raises(RestoreError, match="more than one"):
        routes_of(two_authorizers)
    with pytest.raises(RestoreError, match="only JWT"):
        authorizers_of(other_authorizer)


class Mappings:
    """Event source mappings of an emulator that keeps what it is told, or forgets it."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.functions = self
        self._forgets = forgets
        self._scaling: dict[str, int] = {}

    def update_event_source_mapping(self, *, UUID: str, ScalingConfig: dict[str, int]) -> None:  # noqa: N803
        del UUID
        self._scaling = {} if self._forgets else ScalingConfig

    def get_event_source_mapping(self, *, UUID: str) -> dict[str, Any]:  # noqa: N803
        return {"UUID": UUID, "ScalingConfig": self._scaling}


def test_a_limit_that_came_as_a_text_is_set_as_a_number_or_stops_the_start() -> None:
    emulator: Any = Mappings()
    restore_scaling("mapping-1", {"MaximumConcurrency": "4"}, emulator)
    assert emulator.get_event_source_mapping(UUID="mapping-1")["ScalingConfig"] == {"MaximumConcurrency": 4}
    forgetful: Any = Mappings(forgets=True)
    with pytest.raises(RestoreError, match="the template says 4"):
        restore_scaling("mapping-1", {"MaximumConcurrency": "4"}, forgetful)
