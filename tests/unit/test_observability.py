"""A gauge is one metric of CloudWatch's embedded format, sent when it is measured."""

import json

import pytest

from tds_core.observability import gauge


def test_a_gauge_is_sent_at_once_with_its_function(capsys: pytest.CaptureFixture[str]) -> None:
    gauge("backfill")("WebhookSilenceHours", 5.5)
    (line,) = capsys.readouterr().out.splitlines()
    sent = json.loads(line)
    (directive,) = sent["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("TDS", [["service"]])
    assert [metric["Name"] for metric in directive["Metrics"]] == ["WebhookSilenceHours"]
    assert (sent["service"], sent["WebhookSilenceHours"]) == ("backfill", [5.5])
