"""The operators' desk at the gate over HTTP events, with cases and lists in memory behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from brandday.domain.errors import AdmissionRefused
from brandday.domain.protection import Counted, Limit, Protection
from brandday.domain.refusal_case import Case
from brandday.domain.risk import RiskMode, RiskTerms, Weighed
from brandday.domain.risk_rules.shared_signal import SharedSignal
from brandday.domain.signals import SignalKind
from brandday.entrypoints.admin_risk import ROUTES
from brandday.usecases.keep_lists import DAY_MS, MOST_ROWS
from tests.events import http_event
from tests.fakes.declarations import DURING, declared
from tests.fakes.memory_desk import MARKER, RiskDesk
from tests.http_client import Answered, Client

REPORT = "/v1/admin/campaigns/{campaign_id}/risk"
CASE = "/v1/admin/cases/{reference}"
ALLOW = f"{CASE}/allow"
LISTINGS = "/v1/admin/listings"
REMOVE = f"{LISTINGS}/remove"
HISTORY = f"{LISTINGS}/history"

REFERENCE = "7Q2MX0KD93"
SHOPPER = MARKER.mark(SignalKind.SHOPPER, "ann") or ""
DEVICE = MARKER.mark(SignalKind.DEVICE, "phone-1") or ""
REFUSED = Case(
    reference=REFERENCE,
    campaign_id=declared().id,
    at=DURING,
    mode=RiskMode.ENFORCE,
    code="not_admitted",
    score=90,
    reasons=("farm",),
    marks={SignalKind.SHOPPER: SHOPPER, SignalKind.DEVICE: DEVICE},
    forget_at=DURING + 90 * DAY_MS,
)
PROTECTION = Protection(
    limits=(Limit("two-per-device", SignalKind.DEVICE, Counted.WINS, 2),),
    risk=RiskTerms(RiskMode.ENFORCE, 50, 80, (Weighed("farm", 90, SharedSignal("device", 3)),)),
)


@dataclass
class Api:
    """The API in front of a desk."""

    desk: RiskDesk = field(default_factory=lambda: RiskDesk(PROTECTION))

    def __post_init__(self) -> None:
        self.client = Client(ROUTES, self.desk.use_cases)

    def call(
        self,
        method: str,
        route: str,
        body: object = None,
        *,
        who: str = "ann",
        scope: str = "operator",
        key: str | None = "key-1",
        query: dict[str, str] | None = None,
        **path: str,
    ) -> Answered:
        """Ask as an operator."""
        headers: dict[str, str | None] = {"idempotency-key": key}
        event = http_event("reserve_units", body=body, headers=headers, claims={"sub": who, "scope": scope})
        raw_path = route.format(**path)
        event |= {"routeKey": f"{method} {route}", "rawPath": raw_path, "queryStringParameters": query or {}}
        event["requestContext"]["http"] |= {"method": method, "path": raw_path}
        return self.client.send(event)

    def put(self, *listings: dict[str, str], key: str = "key-1") -> Answered:
        """Put listings."""
        return self.call("POST", LISTINGS, {"listings": list(listings)}, key=key)


@pytest.fixture
def api() -> Api:
    api = Api()
    api.desk.open(REFUSED)
    return api


def test_a_report_counts_what_was_refused(api: Api) -> None:
    other = {SignalKind.SHOPPER: "bobBobBobBobBobB", SignalKind.DEVICE: DEVICE}
    api.desk.open(replace(REFUSED, reference="0000000000", mode=RiskMode.SHADOW, marks=other))
    body = api.call("GET", REPORT, campaign_id=declared().id).body
    assert body["cases"] == 2
    assert body["complete"] is True
    assert body["by_mode"] == {"shadow": 1, "enforce": 1}
    assert body["by_code"] == {"not_admitted": 2}
    assert body["risk"] == {"mode": "enforce", "challenge_at": 50, "refuse_at": 80}
    assert body["reasons"] == [
        {
            "name": "farm",
            "grounds": "rule",
            "text": "More than 3 shoppers came with the same device.",
            "weight": 90,
            "cases": 2,
        }
    ]
    assert body["marks"] == [{"kind": "device", "mark": DEVICE, "cases": 2, "list": None}]
    assert body["thresholds"] == [{"score": 80, "shoppers": 2}, {"score": 90, "shoppers": 2}]


def test_a_campaign_that_is_not_there_has_no_report(api: Api) -> None:
    assert api.call("GET", REPORT, campaign_id="nowhere").code == "campaign_not_found"


@pytest.mark.parametrize("typed", [REFERENCE, REFERENCE.lower(), "7q2mxo-kd93", "7Q2-MXO-KD9-3"])
def test_a_case_is_found_however_its_reference_is_typed(api: Api, typed: str) -> None:
    body = api.call("GET", CASE, reference=typed).body
    assert body["reference"] == REFERENCE
    assert body["code"] == "not_admitted"
    assert body["reasons"][0]["weight"] == 90
    assert body["marks"][1] == {"kind": "device", "mark": DEVICE, "listing": None}


@pytest.mark.parametrize(
    "typed", ["0000000000", "7Q2MX0KD9", "7Q2MX0KD930", "UUUUUUUUUU", "7Q2MX_KD93", "--7Q2MX0KD93"]
)
def test_any_other_reference_is_not_found(api: Api, typed: str) -> None:
    for answer in (api.call("GET", CASE, reference=typed), api.call("POST", ALLOW, {}, reference=typed)):
        assert (answer.status, answer.code) == (404, "case_not_found")


def test_every_refusal_that_takes_a_reference_can_be_explained(api: Api) -> None:
    codes = {error.code for error in AdmissionRefused.__subclasses__() if "reference" in error.takes}
    assert {"limit_reached", "rate_limited", "not_admitted"} <= codes
    for number, code in enumerate(sorted(codes)):
        reference = f"{number:010}"
        api.desk.open(replace(REFUSED, reference=reference, code=code, reasons=("two-per-device", "farm")))
        body = api.call("GET", CASE, reference=reference).body
        assert body["code"] == code
        assert [reason["grounds"] for reason in body["reasons"]] == ["limit", "rule"]


def test_a_refusal_is_lifted_once(api: Api) -> None:
    first = api.call("POST", ALLOW, {"days": 7, "reason": "called us"}, reference=REFERENCE)
    assert first.body["changed"] is True
    assert "Idempotent-Replayed" not in first.headers
    assert first.body["listing"] == {
        "list": "allow",
        "kind": "shopper",
        "mark": SHOPPER,
        "until": "2026-11-16T00:00:00.000Z",
        "reason": "called us",
        "who": "ann",
        "at": "2026-11-08T17:00:00.000Z",
    }
    again = api.call("POST", ALLOW, {"days": 7, "reason": "called us"}, reference=REFERENCE.lower())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body["listing"] == first.body["listing"]
    explained = api.call("GET", CASE, reference=REFERENCE).body
    assert explained["lifted_at"] == "2026-11-08T17:00:00.000Z"
    assert explained["marks"][0]["listing"]["list"] == "allow"


def test_lifting_without_a_word_takes_thirty_days(api: Api) -> None:
    assert api.call("POST", ALLOW, {}, reference=REFERENCE).body["listing"]["until"] == "2026-12-09T00:00:00.000Z"


@pytest.mark.parametrize("body", [{"days": -1}, {"days": 732}, {"reason": "two\nlines"}, {"until": "tomorrow"}])
def test_nonsense_lifts_nothing(api: Api, body: dict[str, Any]) -> None:
    assert api.call("POST", ALLOW, body, reference=REFERENCE).code == "validation_failed"
    assert not api.desk.kept.trail


def test_values_are_listed_and_never_come_back(api: Api) -> None:
    value = "+86 138 1234 5678"
    answer = api.put({"list": "block", "kind": "phone", "value": value, "reason": "a farm"})
    (outcome,) = answer.body["listings"]
    assert outcome["changed"] is True
    assert outcome["listing"]["mark"] == MARKER.mark(SignalKind.PHONE, "+8613812345678")
    shown = json.dumps([answer.body, api.call("GET", LISTINGS).body, api.call("GET", HISTORY).body])
    assert "1234" not in shown
    assert "1234" not in repr(api.client.lines)
    assert api.client.lines[0]["listed"] == 1


def test_rows_with_a_problem_do_not_hold_up_the_others(api: Api) -> None:
    answer = api.put(
        {"list": "block", "kind": "gadget", "value": "g"},
        {"list": "block", "kind": "device", "mark": DEVICE},
        {"list": "block", "kind": "device", "value": "phone-1"},
    )
    assert [one["problem"] for one in answer.body["listings"]] == ["unknown_kind", None, "repeated"]
    again = api.put({"list": "block", "kind": "device", "mark": DEVICE}, key="key-2")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_hundred_rows_fit_and_one_more_does_not(api: Api) -> None:
    rows = [{"list": "block", "kind": "device", "value": f"{number} {'v' * 400}"} for number in range(MOST_ROWS)]
    long = [row | {"reason": "r" * 200, "until": "2026-12-24T00:00:00.000+00:00"} for row in rows]
    assert api.put(*long).status == 200
    assert api.put(*long, {"list": "block", "kind": "device", "value": "v"}).code == "validation_failed"
    assert api.put().code == "validation_failed"


def test_pages_by_kind_and_list(api: Api) -> None:
    api.put(*({"list": "block", "kind": "device", "value": f"d-{number}"} for number in range(3)))
    api.put({"list": "allow", "kind": "email", "value": "a@b.example"})
    assert len(api.call("GET", LISTINGS).body["listings"]) == 4
    assert len(api.call("GET", LISTINGS, query={"kind": "device"}).body["listings"]) == 3
    assert len(api.call("GET", LISTINGS, query={"list": "allow"}).body["listings"]) == 1
    first = api.call("GET", LISTINGS, query={"limit": "3"}).body
    rest = api.call("GET", LISTINGS, query={"limit": "3", "after": first["next"]}).body
    assert len(rest["listings"]) == 1
    assert rest["next"] is None
    for query in ({"kind": "gadget"}, {"list": "grey"}, {"limit": "0"}, {"after": "nowhere"}):
        assert api.call("GET", LISTINGS, query=query).code == "validation_failed"
    assert api.call("GET", HISTORY, query={"after": "nowhere"}).code == "validation_failed"


def test_what_is_taken_off_is_taken_off_once(api: Api) -> None:
    api.put({"list": "block", "kind": "device", "value": "phone-1"})
    removed = api.call("POST", REMOVE, {"kind": "device", "value": " phone-1 "}, key="remove")
    assert removed.body["changed"] is True
    assert api.call("GET", LISTINGS).body["listings"] == []
    again = api.call("POST", REMOVE, {"kind": "device", "value": " phone-1 "}, key="remove")
    assert again.headers["Idempotent-Replayed"] == "true"
    other = api.call("POST", REMOVE, {"kind": "device", "mark": DEVICE}, key="another")
    assert (other.status, other.code) == (404, "listing_not_found")
    assert api.call("POST", REMOVE, {"kind": "device"}).body["errors"][0]["pointer"] == "/value"
    assert api.call("POST", REMOVE, {"kind": "email", "value": "nobody"}).code == "validation_failed"


def test_the_history_says_who_did_what(api: Api) -> None:
    api.put({"list": "block", "kind": "device", "value": "phone-1", "reason": "a farm"})
    api.desk.clock.advance(1)
    api.call("POST", ALLOW, {"reason": "a mistake"}, who="bob", reference=REFERENCE)
    latest, first = api.call("GET", HISTORY).body["entries"]
    assert (latest["who"], latest["act"], first["who"], first["act"]) == ("bob", "allow", "ann", "list")
    assert first["changes"][0]["path"] == ["lists", "device", DEVICE]
    assert first["changes"][0]["after"]["reason"] == "a farm"
    assert len(api.call("GET", HISTORY, query={"limit": "1"}).body["entries"]) == 1


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_shopper_may_do_none_of_it(api: Api, route: Any) -> None:
    path = {"campaign_id": declared().id, "reference": REFERENCE}
    answer = api.call(route.method, route.path, {}, scope="shopper", query=None, **path)
    assert (answer.status, answer.code) == (403, "forbidden")
    if route.method == "POST":
        assert api.call(route.method, route.path, {}, key=None, query=None, **path).code == "idempotency_key_missing"
    assert not api.desk.kept.trail
