"""AWS as the console's rights show it: functions that start, schedules that are on, alarms that reach somebody."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tds_core import aws
from tds_core.sync.doctor.deployment import Deployment
from tds_core.sync.doctor.findings import Finding, broken, good, unchecked, worth_a_look

_BACKFILL_S, _START_S = 40, 15
_ON = "ENABLED"
_ONLY_ON_AWS = {
    "rights": "an emulator lets every function do everything; the tests hold the template's rights to what is used",
    "network": "an emulator has no VPC, NAT gateway or security group",
    "alarms firing": "an emulator publishes no figures of SQS and API Gateway",
}
_UNSIGNED: dict[str, Any] = {
    "path": "/webhooks/zoho/invoices",
    "pathParameters": {"module": "invoices"},
    "httpMethod": "POST",
    "headers": {},
    "multiValueQueryStringParameters": None,
    "body": "{}",
    "isBase64Encoded": False,
}


def receiver(of: Deployment) -> Iterator[Finding]:
    """Whether the receiver starts, which it refuses without its secret, and refuses what is not signed."""
    answer = _invoke(of, of.settings.webhook_receiver_function, _UNSIGNED, answer_s=_START_S)
    if answer.get("statusCode") == 401:
        yield good("starts with its secret, and refuses what is not signed")
    else:
        told = answer.get("errorMessage") or f"it answered {answer.get('statusCode')} to what is not signed"
        yield broken(str(told), 'look at the receiver\'s log and at the secret {"current", "previous"}')


def zoho(of: Deployment) -> Iterator[Finding]:
    """What the function that calls Zoho finds, with its own secret, rights and network."""
    answer = _invoke(of, of.settings.backfill_function, {"mode": "doctor"}, answer_s=_BACKFILL_S)
    if "checks" not in answer:
        yield broken(f"backfill failed: {answer.get('errorMessage')}", "look at the log of the backfill function")
    for one in answer.get("checks", ()):
        yield Finding(grade=one["grade"], says=one["says"], todo=one["todo"], about=one["about"] or one["check"])


def schedules(of: Deployment) -> Iterator[Finding]:
    """Whether each schedule is on."""
    for name, schedule in _every_schedule(of):
        if schedule["State"] == _ON:
            yield good(f"on, {schedule['ScheduleExpression']}", about=name)
        else:
            yield worth_a_look(
                "off: this run is left to the commands", "deploy with SchedulesState=ENABLED", about=name
            )


def is_left_to_commands(of: Deployment) -> bool:
    """Whether no schedule is on; raises AwsRefused."""
    return all(schedule["State"] != _ON for _, schedule in _every_schedule(of))


def alarms(of: Deployment) -> Iterator[Finding]:
    """Whether alarms lead to this stack's topics, and which of them ring."""
    topics = set(of.topics)
    ours = [alarm for alarm in _every_alarm(of) if topics & set(alarm.get("AlarmActions", ()))]
    off = [alarm["AlarmName"] for alarm in ours if not alarm.get("ActionsEnabled", True)]
    ringing = [alarm["AlarmName"] for alarm in ours if alarm.get("StateValue") == "ALARM"]
    if not ours:
        yield broken("no alarm leads to this stack's topics", "deploy again; compare the stack with the template")
        return
    yield good(f"{len(ours)} lead to this stack's topics")
    if off:
        yield worth_a_look(f"switched off: {', '.join(off)}", "switch them on: aws cloudwatch enable-alarm-actions")
    if ringing:
        yield worth_a_look(f"ringing: {', '.join(ringing)}", "docs/runbook.md has each of them")


def listeners(of: Deployment) -> Iterator[Finding]:
    """Whether somebody hears of alarms."""
    client = of.client("sns")
    if aws.is_emulated(client):
        yield unchecked("an emulator sends no e-mail")
        return
    for topic in of.topics:
        stated = aws.ask(client, "get_topic_attributes", TopicArn=topic)["Attributes"]
        confirmed, pending = (int(stated.get(f"Subscriptions{kind}", 0)) for kind in ("Confirmed", "Pending"))
        name = topic.rpartition(":")[2]
        if pending:
            yield worth_a_look("a subscription waits", "open AWS's e-mail and confirm it", about=name)
        elif confirmed:
            yield good(f"{confirmed} confirmed", about=name)
        else:
            yield worth_a_look("nobody hears of these alarms", "deploy with AlarmEmail, or subscribe", about=name)


def account(of: Deployment) -> Iterator[Finding]:
    """What only AWS itself shows, on an emulator; on AWS the other checks have shown it."""
    if aws.is_emulated(of.client("sns")):
        for about, why in _ONLY_ON_AWS.items():
            yield unchecked(why, about=about)


def _every_schedule(of: Deployment) -> Iterator[tuple[str, dict[str, Any]]]:
    client = of.client("scheduler")
    for name in filter(None, of.settings.schedules.split(",")):
        yield name, aws.ask(client, "get_schedule", Name=name)


def _every_alarm(of: Deployment) -> Iterator[dict[str, Any]]:
    client, following = of.client("cloudwatch"), ""
    while True:
        more = {"NextToken": following} if following else {}
        page = aws.ask(client, "describe_alarms", AlarmTypes=["MetricAlarm"], **more)
        yield from page["MetricAlarms"]
        following = page.get("NextToken", "")
        if not following:
            return


def _invoke(of: Deployment, function: str, event: Mapping[str, Any], *, answer_s: int) -> dict[str, Any]:
    """Run a function and wait for what it says; raises AwsRefused."""
    client = of.client("lambda", answer_s=answer_s)
    answer = aws.ask(client, "invoke", FunctionName=function, Payload=json.dumps(event))
    told = json.loads(answer["Payload"].read() or b"{}")
    return dict(told) if isinstance(told, dict) else {}
