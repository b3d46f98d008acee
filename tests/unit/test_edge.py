"""The edge: its bounds are the code's, every rule can be seen, and nothing of one shopper is kept for another."""

import json
import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from brandday.entrypoints import http
from brandday.entrypoints.client_address import EDGE_SECRET_HEADER, VIEWER_ADDRESS_HEADER
from brandday.entrypoints.order_body import ORDER_LIMIT_BYTES, QUERY_LIMIT
from brandday.entrypoints.routes import BODY_LIMIT_BYTES
from tests.http_client import check_schema

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/edge.md").read_text(encoding="utf-8")
TEXT = (ROOT / "infra/edge.yaml").read_text(encoding="utf-8")
EDGE: Any = YAML().load(TEXT)
API: Any = YAML().load((ROOT / "template.yaml").read_text(encoding="utf-8"))
ACL = EDGE["Resources"]["WebAcl"]["Properties"]
RULES = {rule["Name"]: rule for rule in (each[1] if isinstance(each, list) else each for each in ACL["Rules"])}
MANAGED = {
    rule["Statement"]["ManagedRuleGroupStatement"]["Name"]: rule
    for rule in RULES.values()
    if "ManagedRuleGroupStatement" in rule["Statement"]
}
DISTRIBUTION = EDGE["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
NO_CACHE = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ROUTES = [
    (event["Properties"]["Method"], event["Properties"]["Path"], event["Properties"]["Auth"])
    for resource in API["Resources"].values()
    for event in resource.get("Properties", {}).get("Events", {}).values()
    if event["Type"] == "HttpApi"
]


@pytest.mark.parametrize("name", EDGE["Parameters"])
def test_a_parameter_is_documented(name: str) -> None:
    assert f"`{name}`" in GUIDE or f"{name}=" in GUIDE or name in ("PriceClass", "LogRetentionDays")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_documented_and_has_a_metric_of_its_name(name: str) -> None:
    assert f"| `{name}` |" in GUIDE
    seen = RULES[name]["VisibilityConfig"]
    assert (seen["MetricName"], seen["CloudWatchMetricsEnabled"], seen["SampledRequestsEnabled"]) == (name, True, True)


def test_rules_come_in_the_order_of_the_page() -> None:
    assert [rule["Priority"] for rule in RULES.values()] == list(range(len(RULES)))
    assert re.findall(r"^\| `(\w+)` \| ", GUIDE, re.M) == list(RULES)


def test_the_managed_groups_are_these_and_documented() -> None:
    assert set(MANAGED) == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesAnonymousIpList",
        "AWSManagedRulesBotControlRuleSet",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }
    assert all(f"`{name}`" in GUIDE for name in MANAGED)
    assert all(rule["Statement"]["ManagedRuleGroupStatement"]["VendorName"] == "AWS" for rule in MANAGED.values())


def test_bodies_are_bounded_as_in_the_code() -> None:
    bounds = {name: EDGE["Parameters"][name]["Default"] for name in ("BodyLimitBytes", "OrderBodyLimitBytes")}
    assert bounds == {"BodyLimitBytes": BODY_LIMIT_BYTES, "OrderBodyLimitBytes": ORDER_LIMIT_BYTES}
    # what is beyond what WAF looks at counts as too large, and it looks at all of an order
    seen = ACL["AssociationConfig"]["RequestBody"]["CLOUDFRONT"]["DefaultSizeInspectionLimit"]
    assert int(seen.removeprefix("KB_")) * 1024 >= EDGE["Parameters"]["OrderBodyLimitBytes"]["MaxValue"]
    assert TEXT.count("OversizeHandling: MATCH") == 2


def test_no_managed_rule_is_stricter_than_the_api() -> None:
    """AWS's own bounds: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html."""
    overrides = MANAGED["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    counted = {each["Name"] for each in overrides if "Count" in each["ActionToUse"]}
    assert ORDER_LIMIT_BYTES > 8 * 1024
    assert QUERY_LIMIT > 2048
    assert {"SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING"} <= counted


def test_the_hot_paths_are_the_doors_where_something_is_taken_or_tried() -> None:
    forms = [re.compile(each) for each in EDGE["Resources"]["HotPaths"]["Properties"]["RegularExpressionList"]]
    hot = {f"{method} {path}" for method, path, _ in ROUTES if any(form.search(path) for form in forms)}
    wanted = {"reservations", "coupons", "entries", "tickets", "challenge"}
    assert hot == {
        "POST /v1/validations",
        "POST /v1/redemptions",
        "POST /v1/scans",
        *(f"{'GET' if last == 'challenge' else 'POST'} /v1/campaigns/{{campaign_id}}/{last}" for last in wanted),
    }


def test_paths_are_compared_as_the_api_reads_them() -> None:
    """Otherwise a percent sign leads around a rule."""
    paths = re.findall(r"UriPath: \{\} }\n(?:.*\n){0,2}? *TextTransformations: (.*)", TEXT)
    assert len(paths) == TEXT.count("UriPath: {}")
    assert set(paths) == {"[{ Priority: 0, Type: URL_DECODE }, { Priority: 1, Type: NORMALIZE_PATH }]"}


@pytest.mark.parametrize("name", ACL["CustomResponseBodies"])
def test_a_refusal_at_the_edge_has_the_shape_of_all_refusals(name: str) -> None:
    content = ACL["CustomResponseBodies"][name]["Content"]
    problem = json.loads(re.sub(r"\$\{\w+\}", "1", str(getattr(content, "value", content))))
    check_schema({"$ref": "#/components/schemas/Problem"}, problem)


def test_nothing_that_opens_a_door_is_logged() -> None:
    fields = EDGE["Resources"]["WafLogging"]["Properties"]["RedactedFields"]
    headers = {each["SingleHeader"]["Name"] for each in fields if "SingleHeader" in each}
    assert headers >= {"authorization", "idempotency-key", "entry-ticket", "challenge-solution", "shop-signals"}
    assert EDGE_SECRET_HEADER in headers
    assert {"QueryString": {}} in fields


def test_there_is_no_wildcard_but_in_paths() -> None:
    code = (line.partition("#")[0].strip() for line in TEXT.splitlines())
    starred = [line for line in code if "*" in line and not line.startswith("AllowedPattern:")]
    assert starred == ["- PathPattern: /v1/campaigns/*/challenge", "- PathPattern: /v1/campaigns/*"]


# --- CloudFront ---


def _behaviour(path: str) -> Any:
    for each in DISTRIBUTION["CacheBehaviors"]:
        if fnmatchcase(path, each["PathPattern"]):
            return each
    return DISTRIBUTION["DefaultCacheBehavior"]


@pytest.mark.parametrize(("method", "path", "auth"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES])
def test_a_route_gets_through_and_what_is_one_shoppers_is_not_kept(method: str, path: str, auth: Any) -> None:
    behaviour = _behaviour(re.sub(r"\{\w+\}", "one", path))
    assert method in behaviour["AllowedMethods"]
    if method == "GET" and auth.get("Authorizer") != "NONE":
        assert behaviour["CachePolicyId"] == NO_CACHE


def test_what_is_kept_is_kept_as_long_as_the_api_says() -> None:
    policy = EDGE["Resources"]["PublicPages"]["Properties"]["CachePolicyConfig"]
    assert (policy["MinTTL"], policy["DefaultTTL"]) == (0, 0)
    assert policy["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"]["Headers"] == ["Origin"]


def test_every_behaviour_tells_the_address_over_https_with_security_headers() -> None:
    for each in (DISTRIBUTION["DefaultCacheBehavior"], *DISTRIBUTION["CacheBehaviors"]):
        assert each["ViewerProtocolPolicy"] == "https-only"
        assert each["ResponseHeadersPolicyId"].value == "SecurityHeaders"
        (function,) = each["FunctionAssociations"]
        assert function["EventType"] == "viewer-request"
        assert function["FunctionARN"].value == "TellAddress.FunctionARN"
    assert DISTRIBUTION["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


def test_the_headers_are_those_of_the_code() -> None:
    config = EDGE["Resources"]["SecurityHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert all(each["Override"] for each in config.values())
    assert {
        "Content-Security-Policy": config["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "Referrer-Policy": config["ReferrerPolicy"]["ReferrerPolicy"],
        "Strict-Transport-Security": f"max-age={config['StrictTransportSecurity']['AccessControlMaxAgeSec']}",
        "X-Content-Type-Options": "nosniff",
    } == http._SECURITY_HEADERS


def test_what_a_viewer_says_of_their_address_is_replaced() -> None:
    """The function is run as it is deployed."""
    source = EDGE["Resources"]["TellAddress"]["Properties"]["FunctionCode"]
    viewer = {"headers": {VIEWER_ADDRESS_HEADER: {"value": "1.1.1.1"}, "accept": {"value": "*/*"}}}
    event = json.dumps({"request": viewer, "viewer": {"ip": "2001:db8::7"}})
    program = f"{source}\nconsole.log(JSON.stringify(handler({event})))"
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    headers = json.loads(done.stdout)["headers"]
    assert headers == {VIEWER_ADDRESS_HEADER: {"value": "2001:db8::7"}, "accept": {"value": "*/*"}}
    (added,) = DISTRIBUTION["Origins"][0]["OriginCustomHeaders"]
    assert added["HeaderName"].lower() == EDGE_SECRET_HEADER
    assert added["HeaderValue"].value == "{{resolve:secretsmanager:${EdgeSecret}:SecretString}}"


# --- the throttles of the API itself ---


def test_every_route_of_operators_and_every_hot_one_has_a_throttle_of_its_own() -> None:
    throttled = API["Resources"]["Api"]["Properties"]["RouteSettings"]
    keys = {f"{method} {path}" for method, path, _ in ROUTES}
    assert set(throttled) <= keys
    forms = [re.compile(each) for each in EDGE["Resources"]["HotPaths"]["Properties"]["RegularExpressionList"]]
    hot = {key for key in keys if any(form.search(key.partition(" ")[2]) for form in forms)}
    assert hot <= set(throttled)
    assert {key for key in keys if " /v1/admin/" in key} <= set(throttled)
    assert all(set(each) == {"ThrottlingRateLimit", "ThrottlingBurstLimit"} for each in throttled.values())


def test_browsers_of_any_origin_may_ask_only_if_somebody_says_so() -> None:
    origin = API["Parameters"]["WebOrigin"]
    assert "Default" not in origin
    allowed = re.compile(origin["AllowedPattern"])
    assert all(allowed.fullmatch(each) for each in ("*", "https://shop.example", "http://localhost:3000"))
    assert not any(allowed.fullmatch(each) for each in ("", "null", "http://shop.example", "https://*.example"))
