"""Alarms and the dashboard: they look at what there is, each alarm has a page, nothing that can pile up has none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")


def _template(name: str) -> Any:
    return YAML(typ="rt").load((ROOT / name).read_text(encoding="utf-8"))


TEMPLATE, MONITORING = _template("template.yaml"), _template("infra/monitoring.yaml")
ALARMS = {
    name: resource["Properties"]
    for name, resource in MONITORING["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
BODY = str(MONITORING["Resources"]["Dashboard"]["Properties"]["DashboardBody"])


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_has_its_line_in_the_runbook_and_tells_somebody(name: str) -> None:
    assert f"| `{name}` |" in RUNBOOK
    assert ALARMS[name]["AlarmActions"]


def test_what_is_watched_is_handed_in() -> None:
    handed = TEMPLATE["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
    assert set(handed) == set(MONITORING["Parameters"])
    for name, value in handed.items():
        if name in TEMPLATE["Resources"]:
            assert str(getattr(value, "value", value)).startswith(name), f"{name} is given something else"


def test_every_dead_letter_queue_has_an_alarm_and_its_number_on_the_dashboard() -> None:
    queues = {name for name in TEMPLATE["Resources"] if name.endswith("DeadLetterQueue")}
    watched = {
        str(alarm["Dimensions"][0]["Value"].value) for alarm in ALARMS.values() if alarm["Namespace"] == "AWS/SQS"
    }
    assert queues <= watched
    assert all(f"${{{name}}}" in BODY for name in queues)


def test_whoever_follows_a_stream_has_an_alarm_for_being_late() -> None:
    followers = {
        name
        for name, resource in TEMPLATE["Resources"].items()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    }
    late = {
        str(alarm["Dimensions"][0]["Value"].value) for alarm in ALARMS.values() if alarm["MetricName"] == "IteratorAge"
    }
    assert followers
    assert followers == late


def test_the_dashboard_is_one_that_cloudwatch_can_draw() -> None:
    """Names: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html."""
    dashboard = json.loads(re.sub(r"\$\{[^}]+\}", "name", BODY))
    taken: set[tuple[int, int]] = set()
    for widget in dashboard["widgets"]:
        place = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & place, f"{widget['properties']['title']} lies on another widget"
        assert max(x for x, _ in place) < 24
        taken |= place
    used = set(re.findall(r"\$\{(\w+)\}", BODY))
    assert used <= set(MONITORING["Parameters"])


def test_what_functions_measure_is_shown() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "layers/core/brandday").rglob("*.py"))
    measured = set(re.findall(r'"(Units[A-Z]\w+|[A-Z]\w+Lag)"', sources))
    assert measured >= {"UnitsHeld", "UnitsSold", "UnitsReleased", "HoldExpiryLag"}
    assert all(name in BODY for name in measured)


def test_refusals_are_told_from_answers_by_what_the_access_log_says() -> None:
    """`= "*"` matches whatever is there, so the line's `code`, null on success, cannot be what tells them apart."""
    pattern = str(MONITORING["Resources"]["RefusalsByCode"]["Properties"]["FilterPattern"])
    assert re.findall(r"\$\.(\w+) (\S+) ([^\s)]+)", pattern) == [("status", ">=", "400"), ("code", "=", '"*"')]
    source = (ROOT / "layers/core/brandday/entrypoints/http.py").read_text(encoding="utf-8")
    assert '"status": status,' in source
    assert '"code": current.code,' in source
