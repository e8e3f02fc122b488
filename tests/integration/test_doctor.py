"""The check of a deployment: every line tells the truth, and one that fails costs the others nothing."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from moto import mock_aws

from tds_core.database.connection import Database
from tds_core.database.migrate import migrations
from tds_core.entities import REGISTRY
from tds_core.errors import PermitDenied, QueueUnavailable
from tds_core.sync.doctor import Deployment, Doctor, cloud
from tds_core.sync.doctor.findings import Check, Finding, examine, good
from tds_core.sync.doctor.zoho import ZohoDoctor
from tds_core.zoho import scopes
from tds_core.zoho.routes import ROUTES
from tests import zoho_fakes
from tests.integration.graveyard import Graveyard
from tests.integration.road import Connect, Queued, Road, Zoho, document, message, record
from tests.zoho_fakes import error

Lines = list[dict[str, Any]]
WELL: dict[str, Any] = {"receiver": {"statusCode": 401}, "backfill": {"checks": []}}


@dataclass
class Functions:
    """The other functions, with what each answers; one without an answer may not be invoked."""

    answers: dict[str, Any] = field(default_factory=lambda: dict(WELL))
    invoked: list[tuple[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 (AWS's names)
        self.invoked.append((FunctionName, json.loads(Payload)))
        return {"Payload": io.BytesIO(json.dumps(self.answers[FunctionName]).encode())}


@dataclass
class Ward:
    """One deployment in memory, as the template makes it."""

    deployment: Deployment
    functions: Functions
    grave: Graveyard

    def examine(self) -> Lines:
        found: Lines = json.loads(json.dumps(Doctor(self.deployment).examine()))
        return found

    def of(self, check: str) -> Lines:
        return [line for line in self.examine() if line["check"] == check]

    def grades(self, check: str) -> list[str]:
        return [line["grade"] for line in self.of(check)]


@pytest.fixture
def ward(connect: Connect, aws_credentials: None) -> Iterator[Ward]:
    with mock_aws():
        grave, functions = Graveyard.make(connect()), Functions()
        topics = [boto3.client("sns").create_topic(Name=name)["TopicArn"] for name in ("critical", "warning")]
        for name, state in (("poll", "ENABLED"), ("drain", "ENABLED")):
            schedule(name, state)
        alarm("dead", topics[0])
        alarm("another-stacks", "arn:aws:sns:eu-central-1:1:other")
        settings = replace(
            grave.settings,
            backfill_function="backfill",
            webhook_receiver_function="receiver",
            schedules="poll,drain",
            alarm_topics=",".join(topics),
        )

        def client(service: str, **_: Any) -> Any:
            return functions if service == "lambda" else boto3.client(service)  # type: ignore[call-overload]

        places = grave.places.all
        yield Ward(
            deployment=Deployment(settings=settings, database=grave.database, places=places, client=client),
            functions=functions,
            grave=grave,
        )


def schedule(name: str, state: str) -> None:
    target = {"Arn": "arn:aws:lambda:eu-central-1:1:function:f", "RoleArn": "arn:aws:iam::1:role/r"}
    window = {"Mode": "OFF"}
    boto3.client("scheduler").create_schedule(
        Name=name, State=state, ScheduleExpression="rate(1 minute)", Target=target, FlexibleTimeWindow=window
    )


def alarm(name: str, action: str) -> None:
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        AlarmActions=[action],
        Namespace="TDS",
        MetricName="DeadThings",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )


def test_a_fresh_deployment_is_not_broken_and_says_what_is_still_to_do(ward: Ward) -> None:
    found = ward.examine()
    assert not [line for line in found if line["grade"] == "broken"]
    assert all(line["todo"] for line in found if line["grade"] == "look")
    assert [ward.grades(check)[0] for check in ("migrations", "role", "receiver", "queues", "dead things")] == [
        "good"
    ] * 5
    assert ward.grades("schedule") == ["good", "good"]
    (database, *_) = ward.of("database")
    assert database["grade"] == "good" and "PostgreSQL" in database["says"]
    webhooks = ward.of("webhooks")
    assert [line["about"] for line in webhooks] == [route.title for route in ROUTES.values() if route.title]
    assert {line["grade"] for line in webhooks} == {"look"}


def test_without_postgresql_what_needs_it_is_not_checked_and_the_rest_is(ward: Ward) -> None:
    ward.deployment.database.close()
    ward.deployment.database._conninfo = lambda: "host=127.0.0.1 port=1"
    grades = {line["check"]: line["grade"] for line in ward.examine()}
    assert grades["database"] == "broken"
    assert {grades[check] for check in ("migrations", "role", "Zoho", "polls", "webhooks")} == {"not checked"}
    assert (grades["receiver"], grades["schedule"], grades["alarms"]) == ("good", "good", "good")


def test_a_missing_migration_is_broken_and_one_of_newer_code_is_told(ward: Ward, owner_conninfo: str) -> None:
    newest = [migration.name for migration in migrations()][-1]
    with psycopg.connect(owner_conninfo, autocommit=True) as owner:
        owner.execute("INSERT INTO tds.migrations (name, hash) VALUES ('9999_future', '')")
        assert ward.grades("migrations") == ["look"]
        owner.execute("DELETE FROM tds.migrations WHERE name = %s", (newest,))
    (line,) = ward.of("migrations")
    assert line["grade"] == "broken" and newest in line["says"] and "tds migrate" in line["todo"]


def test_a_role_that_may_do_too_much_or_without_limits_is_told(
    connect: Connect, ward: Ward, owner_conninfo: str
) -> None:
    assert ward.grades("role") == ["good"]
    mighty = Database(lambda: owner_conninfo, application_name="test")
    ward.deployment = replace(ward.deployment, database=mighty)
    assert ward.grades("role") == ["broken", "look"]
    mighty.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param({"errorMessage": "the webhook secret has no current value"}, "current value", id="does-not-start"),
        pytest.param({"statusCode": 202}, "202", id="takes-what-nobody-signed"),
        pytest.param({}, "None", id="says-nothing"),
    ],
)
def test_a_receiver_that_does_not_refuse_what_is_not_signed_is_broken(ward: Ward, answer: Any, says: str) -> None:
    ward.functions.answers["receiver"] = answer
    (line,) = ward.of("receiver")
    assert line["grade"] == "broken" and says in line["says"]


def test_the_function_that_calls_zoho_checks_zoho_itself(ward: Ward) -> None:
    told = {"check": "scope", "grade": "broken", "says": "no", "todo": "do", "about": "ZohoBooks.bills.READ"}
    ward.functions.answers["backfill"] = {"checks": [told, told | {"check": "login", "about": "", "grade": "good"}]}
    assert [(line["grade"], line["about"]) for line in ward.of("Zoho")] == [
        ("broken", "ZohoBooks.bills.READ"),
        ("good", "login"),
    ]
    assert ("backfill", {"mode": "doctor"}) in ward.functions.invoked
    ward.functions.answers["backfill"] = {"errorMessage": "timed out", "errorType": "Sandbox.Timedout"}
    assert ward.grades("Zoho") == ["broken"]


def test_a_schedule_that_is_off_or_gone_is_told(ward: Ward) -> None:
    schedule("walk", "DISABLED")
    settings = replace(ward.deployment.settings, schedules="poll,walk")
    ward.deployment = replace(ward.deployment, settings=settings)
    assert ward.grades("schedule") == ["good", "look"]
    ward.deployment = replace(ward.deployment, settings=replace(settings, schedules="poll,gone"))
    (line,) = ward.of("schedule")
    assert line["grade"] == "broken" and "ResourceNotFoundException" in line["says"]


def test_polls_that_stopped_are_broken_unless_they_are_left_to_commands(ward: Ward) -> None:
    assert ward.grades("polls") == ["look"]
    ward.deployment.database.execute("INSERT INTO tds.cursors (scan, polled_at) VALUES ('x', now())")
    assert ward.grades("polls") == ["good"]
    ward.deployment.database.execute("UPDATE tds.cursors SET polled_at = now() - interval '25 hours'")
    assert ward.grades("polls") == ["broken"]
    schedule("walk", "DISABLED")
    ward.deployment = replace(ward.deployment, settings=replace(ward.deployment.settings, schedules="walk"))
    assert ward.grades("polls") == ["look"]


def test_webhooks_of_a_module_that_came_are_good(ward: Ward) -> None:
    Queued("invoices", ward.deployment.database).handle(record(message("invoices", document("invoices", "901"))))
    grades = {line["about"]: line["grade"] for line in ward.of("webhooks")}
    assert (grades["Invoices"], grades["Bills"]) == ("good", "look")


def test_silent_webhooks_are_broken(ward: Ward) -> None:
    for hours in (30, 1):
        ward.deployment.database.execute(
            """INSERT INTO tds.change_log (at, entity, id, outcome, kind, source, observed_at, version)
            VALUES (now() - make_interval(hours => %(h)s), 'bills', %(h)s::text, 'updated', 'document', 'poll',
                now() - make_interval(hours => %(h)s), now() - make_interval(hours => %(h)s))""",
            {"h": hours},
        )
    grades = {line["about"]: line["grade"] for line in ward.of("webhooks")}
    assert (grades["Bills"], grades["Invoices"]) == ("broken", "look")


def test_dead_things_and_waiting_messages_are_told(ward: Ward) -> None:
    ward.grave.poison("901")
    (line,) = ward.of("dead things")
    assert line["grade"] == "look" and "dead_letters/invoices 1" in line["says"]
    url = dict(ward.deployment.settings.queue_urls)["invoices"]
    for _ in range(51):
        ward.grave.sqs.send_message(QueueUrl=url, MessageBody="{}")
    (line,) = ward.of("queues")
    assert line["grade"] == "look" and "invoices 51" in line["says"]


def test_alarms_of_other_stacks_do_not_count(ward: Ward) -> None:
    (line,) = ward.of("alarms")
    assert (line["grade"], line["says"]) == ("good", "1 lead to this stack's topics")
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="dead", StateValue="ALARM", StateReason="test")
    cloudwatch.disable_alarm_actions(AlarmNames=["dead"])
    assert ward.grades("alarms") == ["good", "look", "look"]
    cloudwatch.delete_alarms(AlarmNames=["dead"])
    assert ward.grades("alarms") == ["broken"]


def test_nobody_who_hears_of_alarms_is_told(ward: Ward) -> None:
    assert ward.grades("alarm e-mail") == ["look", "look"]
    gone = replace(
        ward.deployment,
        settings=replace(ward.deployment.settings, alarm_topics="arn:aws:sns:eu-central-1:123456789012:gone"),
    )
    assert [line["grade"] for line in Doctor(gone).examine() if line["check"] == "alarm e-mail"] == ["broken"]


@pytest.mark.parametrize(
    ("confirmed", "pending", "grade"),
    [
        pytest.param(1, 0, "good", id="confirmed"),
        pytest.param(1, 1, "look", id="one-of-two-waits"),
        pytest.param(0, 1, "look", id="not-confirmed"),
    ],
)
def test_an_e_mail_counts_once_it_is_confirmed(ward: Ward, confirmed: int, pending: int, grade: str) -> None:
    # moto counts no subscriptions
    sns = boto3.client("sns")
    counts = {"SubscriptionsConfirmed": str(confirmed), "SubscriptionsPending": str(pending)}
    sns.get_topic_attributes = lambda **_: {"Attributes": counts}
    ward.deployment = replace(ward.deployment, client=lambda service, **_: sns)
    found = list(cloud.listeners(ward.deployment))
    assert [line.grade for line in found] == [grade, grade]


def test_on_an_emulator_what_only_aws_shows_is_not_checked(ward: Ward) -> None:
    assert ward.of("AWS") == []

    def elsewhere(service: str, **_: Any) -> Any:
        hurried = Config(retries={"max_attempts": 0})
        return boto3.client(service, endpoint_url="http://127.0.0.1:1", config=hurried)  # type: ignore[call-overload]

    ward.deployment = replace(ward.deployment, client=elsewhere)
    for check in ("AWS", "alarm e-mail"):
        assert set(ward.grades(check)) == {"not checked"}


# -- Zoho


@pytest.fixture
def zoho() -> Zoho:
    made = Zoho()
    for name in REGISTRY:
        made.listing(name, [])
    return made


Examine = Callable[..., Lines]


@pytest.fixture
def visit(connect: Connect, zoho: Zoho) -> Examine:
    def examine(clock: Callable[[], float] = lambda: 0.0, **settings: Any) -> Lines:
        road = Road(connect, zoho.http, **settings)
        doctor = ZohoDoctor(road.settings, database=road.database, client=road.client, clock=clock)
        return [line for line in doctor.examine() if line["grade"] != "good" or line["about"]]

    return examine


def test_every_scope_costs_one_call_with_one_row(visit: Examine, zoho: Zoho) -> None:
    lines = visit()
    assert {line["about"]: line["grade"] for line in lines} == dict.fromkeys(scopes.needed(), "good")
    assert len(zoho.calls) == 1 + len(scopes.needed())
    assert {call.params["per_page"] for call in zoho.calls if "per_page" in call.params} == {"1"}


def test_a_missing_scope_is_named_and_the_others_are_still_checked(visit: Examine, zoho: Zoho) -> None:
    zoho.answer("/bills", error(57, status=401))
    grades = {line["about"]: line["grade"] for line in visit()}
    assert grades.pop("ZohoBooks.bills.READ") == "broken"
    assert set(grades.values()) == {"good"}


def test_an_outage_of_one_list_says_nothing_about_its_scope(visit: Examine, zoho: Zoho) -> None:
    zoho.answer("/bills", error(1000, status=500))
    grades = {line["about"]: line["grade"] for line in visit()}
    assert grades["ZohoBooks.bills.READ"] == "not checked"


def test_another_organisation_is_broken(visit: Examine) -> None:
    broken = [line for line in visit(zoho_organization_id="999") if line["grade"] == "broken"]
    assert [line["check"] for line in broken] == ["organisation"]
    assert "999" in broken[0]["says"] and "ZohoOrganizationId" in broken[0]["todo"]


def test_a_zone_that_nobody_knows_is_told(visit: Examine, zoho: Zoho) -> None:
    zoho.organization = {"time_zone": "Moon/Crater"}
    assert [line["check"] for line in visit() if line["grade"] == "look"] == ["organisation"]


def test_refused_credentials_leave_the_rest_unchecked(connect: Connect) -> None:
    refused = zoho_fakes.FakeZoho(zoho_fakes.answer(), token=zoho_fakes.answer({"error": "invalid_code"}))
    road = Road(connect, refused.http)
    lines = ZohoDoctor(road.settings, database=road.database, client=road.client).examine()
    assert [(line["check"], line["grade"]) for line in lines] == [
        ("login", "broken"),
        ("organisation", "not checked"),
        ("scope", "not checked"),
    ]
    assert refused.requests == []
    assert not any(secret in json.dumps(lines) for secret in zoho_fakes.SECRETS)


def test_a_used_up_budget_is_no_defect(visit: Examine) -> None:
    grades = {line["about"]: line["grade"] for line in visit(day_limit=3)}
    assert "broken" not in grades.values()
    assert "not checked" in grades.values()


def test_the_check_ends_in_half_a_minute(visit: Examine, zoho: Zoho) -> None:
    moments = iter([*range(0, 40, 10), *[40] * 100])
    lines = visit(clock=lambda: float(next(moments)))
    assert len(zoho.calls) < len(scopes.needed())
    assert "not checked" in {line["grade"] for line in lines}


# -- one check among others


def test_a_check_that_fails_is_broken_by_its_error_and_the_next_is_made() -> None:
    def fails(_: None) -> list[Finding]:
        raise QueueUnavailable("no answer")

    def waits(_: None) -> list[Finding]:
        raise PermitDenied(limit="day", wait_s=5)

    checks = [
        Check("a", fails, "do it"),
        Check("b", lambda _: [good("well")], "", needs="a"),
        Check("c", lambda _: [good("well")], "", needs="b"),
        Check("d", waits, ""),
        Check("e", lambda _: [good("well")], "", needs="d"),
    ]
    lines = examine(checks, None)
    assert [line["grade"] for line in lines] == ["broken", "not checked", "not checked", "not checked", "good"]
    assert (lines[0]["says"], lines[0]["todo"]) == ("QueueUnavailable: no answer", "do it")


def test_the_moment_of_the_last_poll_is_the_databases(ward: Ward) -> None:
    ward.deployment.database.execute("INSERT INTO tds.cursors (scan, polled_at) VALUES ('x', now())")
    (line,) = ward.of("polls")
    day = {f"{moment:%Y-%m-%d}" for moment in (datetime.now(UTC), datetime.now(UTC) - timedelta(minutes=1))}
    assert any(one in line["says"] for one in day)
