"""Sets what the emulator's CloudFormation silently drops, each thing through its own API.

What has to be set is computed from the processed template, so that it cannot differ from what AWS would make of the
same template, and what cannot be set stops the start: half an API is worse than none. Dropped by ministack 1.5.33 are

- `AWS::ApiGatewayV2::Api.Body`: all routes, integrations, authorizers and CORS rules of SAM's HTTP API,
- `AWS::Lambda::Function.ReservedConcurrentExecutions`,
- `AWS::DynamoDB::Table.TimeToLiveSpecification`,

and made a text of, on which its poller of all queues fails for ever:

- `AWS::Lambda::EventSourceMapping.ScalingConfig`, if the number comes from a parameter.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from brandday_local.aws import Emulated
from brandday_local.deploy import STACK_NAME, Deployment
from brandday_local.emulator import REGION

ACCOUNT = "000000000000"
METHODS = ("get", "put", "post", "delete", "patch", "head")
INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
CORS = "x-amazon-apigateway-cors"


class RestoreError(RuntimeError):
    """Something in the template cannot be set on the emulator, or did not stick."""


@dataclass(frozen=True)
class Authorizer:
    """A JWT authorizer of an API."""

    name: str
    issuer: str
    audience: tuple[str, ...]
    identity_source: str


@dataclass(frozen=True)
class Route:
    """A route of an API: `key` is "METHOD /path"; no authorizer means public."""

    key: str
    function_uri: str
    authorizer: str | None
    scopes: tuple[str, ...]
    timeout_ms: int


@dataclass(frozen=True)
class Restored:
    """How many of what were set."""

    routes: int
    authorizers: int
    concurrency_limits: int
    times_to_live: int
    scalings: int


def restore(deployment: Deployment, aws: Emulated) -> Restored:
    """Set all that was dropped and check that it is there; RestoreError says what is missing."""
    resolve = resolver(deployment)
    resources: Mapping[str, Mapping[str, Any]] = deployment.template["Resources"]
    routes = authorizers = limits = times_to_live = scalings = 0
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::ApiGatewayV2::Api" if "Body" in properties:
                body = resolve(properties["Body"])
                wanted = routes_of(body)
                restore_api(deployment.resources[name], body, wanted, aws)
                routes += len(wanted)
                authorizers += len(authorizers_of(body))
            case "AWS::Lambda::Function" if "ReservedConcurrentExecutions" in properties:
                limit = int(resolve(properties["ReservedConcurrentExecutions"]))
                restore_concurrency(deployment.resources[name], limit, aws)
                limits += 1
            case "AWS::DynamoDB::Table" if "TimeToLiveSpecification" in properties:
                restore_time_to_live(deployment.resources[name], resolve(properties["TimeToLiveSpecification"]), aws)
                times_to_live += 1
            case "AWS::Lambda::EventSourceMapping" if "ScalingConfig" in properties:
                restore_scaling(deployment.resources[name], resolve(properties["ScalingConfig"]), aws)
                scalings += 1
    if not routes:
        raise RestoreError("the processed template has no HTTP API with routes")
    return Restored(routes, authorizers, limits, times_to_live, scalings)


# -- the HTTP API ---------------------------------------------------------------------------------------------------


def authorizers_of(body: Mapping[str, Any]) -> list[Authorizer]:
    """The JWT authorizers that an API's OpenAPI body declares; RestoreError for any other kind."""
    found = []
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        declared = scheme.get(AUTHORIZER, {})
        if declared.get("type") != "jwt":
            raise RestoreError(f"authorizer {name}: only JWT authorizers are restored, not {declared.get('type')!r}")
        jwt = declared["jwtConfiguration"]
        found.append(Authorizer(name, jwt["issuer"], tuple(jwt["audience"]), declared["identitySource"]))
    return found


def routes_of(body: Mapping[str, Any]) -> list[Route]:
    """The routes that an API's OpenAPI body declares; RestoreError for what is not understood."""
    found = []
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            key = f"{method.upper()} {path}"
            if method not in METHODS:
                raise RestoreError(f"route {key}: this kind of entry is not restored")
            integration = operation.get(INTEGRATION, {})
            if integration.get("type", "").lower() != "aws_proxy" or integration.get("payloadFormatVersion") != "2.0":
                raise RestoreError(f"route {key}: only Lambda proxy integrations (payload 2.0) are restored")
            security = [item for item in operation.get("security", []) if "NONE" not in item]
            if len(security) > 1:
                raise RestoreError(f"route {key}: more than one authorizer")
            name, scopes = next(iter(security[0].items())) if security else (None, [])
            timeout = int(integration.get("timeoutInMillis", 30_000))
            found.append(Route(key, integration["uri"], name, tuple(scopes), timeout))
    return found


def restore_api(api_id: str, body: Mapping[str, Any], routes: list[Route], aws: Emulated) -> None:
    """Give an API its authorizers, CORS rules, integrations and routes, and check that they are all there."""
    if aws.http_api.get_routes(ApiId=api_id)["Items"]:
        raise RestoreError(f"API {api_id} has routes already: this emulator no longer drops Api.Body")
    authorizer_ids = {
        wanted.name: aws.http_api.create_authorizer(
            ApiId=api_id,
            Name=wanted.name,
            AuthorizerType="JWT",
            IdentitySource=[wanted.identity_source],
            JwtConfiguration={"Issuer": wanted.issuer, "Audience": list(wanted.audience)},
        )["AuthorizerId"]
        for wanted in authorizers_of(body)
    }
    if CORS in body:
        aws.http_api.update_api(ApiId=api_id, CorsConfiguration=cast("Any", cors_of(body[CORS])))
    integrations: dict[tuple[str, int], str] = {}
    for route in routes:
        function = (route.function_uri, route.timeout_ms)
        if function not in integrations:
            integrations[function] = aws.http_api.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationMethod="POST",
                IntegrationUri=route.function_uri,
                PayloadFormatVersion="2.0",
                TimeoutInMillis=route.timeout_ms,
            )["IntegrationId"]
        target = f"integrations/{integrations[function]}"
        if route.authorizer is None:
            aws.http_api.create_route(ApiId=api_id, RouteKey=route.key, Target=target, AuthorizationType="NONE")
        else:
            aws.http_api.create_route(
                ApiId=api_id,
                RouteKey=route.key,
                Target=target,
                AuthorizationType="JWT",
                AuthorizerId=authorizer_ids[route.authorizer],
                AuthorizationScopes=list(route.scopes),
            )
    check_api(api_id, body, routes, aws)


def check_api(api_id: str, body: Mapping[str, Any], routes: list[Route], aws: Emulated) -> None:
    """Compare what an API has with what the template says; RestoreError names the first difference."""
    names = {item["AuthorizerId"]: item["Name"] for item in aws.http_api.get_authorizers(ApiId=api_id)["Items"]}
    there = {
        item["RouteKey"]: (names.get(item.get("AuthorizerId", "")), tuple(item.get("AuthorizationScopes", [])))
        for item in aws.http_api.get_routes(ApiId=api_id)["Items"]
    }
    wanted = {route.key: (route.authorizer, route.scopes) for route in routes}
    for key in wanted.keys() | there.keys():
        if wanted.get(key) != there.get(key):
            raise RestoreError(f"route {key}: the template says {wanted.get(key)}, the API has {there.get(key)}")
    if CORS in body and not aws.http_api.get_api(ApiId=api_id).get("CorsConfiguration"):
        raise RestoreError(f"API {api_id} has no CORS rules")


def cors_of(declared: Mapping[str, Any]) -> dict[str, Any]:
    """CORS rules in the words of the API (AllowOrigins) instead of OpenAPI's (allowOrigins)."""
    return {name[0].upper() + name[1:]: value for name, value in declared.items()}


# -- functions and tables -------------------------------------------------------------------------------------------


def restore_concurrency(function: str, limit: int, aws: Emulated) -> None:
    """Limit how many environments a function may have at once."""
    aws.functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=limit)
    there = aws.functions.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
    if there != limit:
        raise RestoreError(f"{function}: ReservedConcurrentExecutions is {there}, the template says {limit}")


def restore_scaling(mapping: str, wanted: Mapping[str, Any], aws: Emulated) -> None:
    """Limit how many batches of a queue are worked on at once."""
    limit = int(wanted["MaximumConcurrency"])
    aws.functions.update_event_source_mapping(UUID=mapping, ScalingConfig={"MaximumConcurrency": limit})
    there = aws.functions.get_event_source_mapping(UUID=mapping).get("ScalingConfig", {}).get("MaximumConcurrency")
    if there != limit:
        raise RestoreError(f"event source mapping {mapping}: MaximumConcurrency is {there}, the template says {limit}")


def restore_time_to_live(table: str, wanted: Mapping[str, Any], aws: Emulated) -> None:
    """Switch the expiry of a table's items on."""
    aws.tables.update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"AttributeName": wanted["AttributeName"], "Enabled": bool(wanted["Enabled"])},
    )
    there = aws.tables.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if there.get("AttributeName") != wanted["AttributeName"]:
        raise RestoreError(f"{table}: time to live is {there}, the template says {wanted}")


# -- intrinsic functions --------------------------------------------------------------------------------------------


def resolver(deployment: Deployment) -> Callable[[Any], Any]:
    """Return a function that replaces the intrinsic functions in a piece of the template (those that SAM writes)."""
    known: Mapping[str, str] = {
        "AWS::Region": REGION,
        "AWS::Partition": "aws",
        "AWS::AccountId": ACCOUNT,
        "AWS::StackName": STACK_NAME,
        **deployment.resources,
        **deployment.parameters,
    }

    def ref(name: str) -> str:
        if name not in known:
            raise RestoreError(f"cannot resolve Ref {name}")
        return known[name]

    def attribute(name: str, wanted: str) -> str:
        kind = deployment.template["Resources"].get(name, {}).get("Type")
        if (kind, wanted) != ("AWS::Lambda::Function", "Arn"):
            raise RestoreError(f"cannot resolve {name}.{wanted} ({kind})")
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{deployment.resources[name]}"

    def substitute(found: re.Match[str]) -> str:
        name, dot, wanted = found[1].partition(".")
        return attribute(name, wanted) if dot else ref(name)

    def resolve(value: Any) -> Any:
        match value:
            case {"Ref": str(name)}:
                return ref(name)
            case {"Fn::GetAtt": [str(name), str(wanted)]}:
                return attribute(name, wanted)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^!}]+)\}", substitute, text)
            case dict() if any(name.startswith("Fn::") for name in value):
                raise RestoreError(f"cannot resolve {value}")
            case dict():
                return {name: resolve(inner) for name, inner in value.items()}
            case list():
                return [resolve(inner) for inner in value]
            case _:
                return value

    return resolve
