"""What the dashboard shows and the alarms watch is measured by somebody, and every alarm is in the runbook."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tds_core.observability import NAMESPACE
from tds_core.page import access
from tds_core.sync import alert, health, publish, silence, watch
from tests.contract.test_template import ROOT, own_variables, resources

# metric -> the function that sends it
EMITTED = {
    **dict.fromkeys((watch.VERDICT, watch.STALE, watch.DRIFT, publish.METRIC), "housekeeping"),
    **dict.fromkeys(
        (health.DEAD_THINGS, health.PARKED, health.CIRCUIT_OPEN, health.TOKEN_REFUSED, health.DAY_LEFT), "housekeeping"
    ),
    **dict.fromkeys(("WebhooksReceived", "WebhooksRejected", "WebhooksUnrouted"), "webhook_receiver"),
    **dict.fromkeys((alert.REMAINING, alert.AGE), "verification"),
    silence.METRIC: "backfill",
    access.LOGINS_REFUSED: "gate",
}
# of AWS's own metrics those that are used: namespace -> metric -> dimension, and what has such figures in the template
OF_AWS = {
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    "AWS/Lambda": {"Duration", "Errors"},
    "AWS/ApiGateway": {"5XXError"},
}
OWNERS = {"AWS/SQS": "AWS::SQS::Queue", "AWS/Lambda": "AWS::Serverless::Function"}
_SEARCH = re.compile(r'\{([\w/]+),\w+\} MetricName="(\w+)"')
Metric = tuple[str, str, dict[str, Any]]


def alarms() -> dict[str, dict[str, Any]]:
    found = {name: each["Properties"] for name, each in resources().items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    return {name: each for name, each in found.items() if each["Namespace"]}


def widgets() -> list[dict[str, Any]]:
    body = resources()["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def shown() -> Iterator[Metric]:
    """The metrics of the dashboard; a search has no dimensions."""
    for widget in widgets():
        for one in widget["properties"]["metrics"]:
            if isinstance(one[0], dict):
                namespace, metric = _SEARCH.findall(one[0]["expression"])[0]
                yield namespace, metric, {}
            else:
                namespace, metric, dimension, value = one[:4]
                yield namespace, metric, {dimension: value}


def watched() -> Iterator[Metric]:
    """The metrics of the alarms."""
    for alarm in alarms().values():
        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        yield alarm["Namespace"], alarm["MetricName"], dimensions


def test_every_metric_that_is_shown_or_watched_is_measured() -> None:
    metrics = [*shown(), *watched()]
    assert len(metrics) > 30
    for namespace, metric, dimensions in metrics:
        if namespace == NAMESPACE:
            assert dimensions == {"service": EMITTED[metric]}, metric
        else:
            assert metric in OF_AWS[namespace], (namespace, metric)


def test_every_own_metric_is_on_the_dashboard_and_sent_by_code() -> None:
    assert {metric for namespace, metric, _ in shown() if namespace == NAMESPACE} == set(EMITTED)
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "layers/tds_core/tds_core").rglob("*.py"))
    assert {metric for metric in EMITTED if f'"{metric}"' not in sources} == set()
    for function in set(EMITTED.values()):
        assert own_variables(function)["TDS_FUNCTION"] == function


def test_an_alarm_watches_what_the_template_makes() -> None:
    for name, alarm in alarms().items():
        owner = OWNERS.get(alarm["Namespace"])
        for dimension in alarm["Dimensions"] if owner else []:
            value = json.dumps(dimension["Value"])
            assert any(logical_id in value for logical_id, each in resources().items() if each["Type"] == owner), name


def test_every_alarm_has_two_ends_in_one_of_two_severities() -> None:
    for name, alarm in alarms().items():
        assert alarm["AlarmActions"] == alarm["OKActions"], name
        assert alarm["AlarmActions"][0]["Ref"] in ("CriticalAlarms", "WarningAlarms"), name
        assert alarm["AlarmDescription"], name


def test_silence_of_housekeeping_is_an_alarm() -> None:
    breaching = {"Fn::If": ["RunsBySchedule", "breaching", "notBreaching"]}
    missing = {name for name, alarm in alarms().items() if alarm["TreatMissingData"] == breaching}
    assert missing == {"DeadThingsAlarm", "SilenceCriticalAlarm", "VerificationAgeAlarm"}


@pytest.mark.parametrize("name", sorted(alarms()))
def test_every_alarm_is_in_the_runbook(name: str) -> None:
    runbook = Path(ROOT / "docs" / "runbook.md").read_text("utf-8")
    assert f"`{name.replace('${Entity}', '<Entity>')}`" in runbook


def test_there_are_less_than_forty_series_of_our_own() -> None:
    assert len(EMITTED) < 40
