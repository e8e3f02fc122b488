"""The template gives each function what its settings ask for, by default the same values; rights are in test_rights."""

import re
import string
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from cli import webhooks
from tds_core.settings import Settings
from tds_core.sync import alert, health, image_feed, image_store, process, publish, silence, watch

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "webhook_receiver": "WebhookReceiver",
    "backfill": "Backfill",
    "verification": "Verification",
    "console": "Console",
    "image_sync": "ImageSync",
    "housekeeping": "Housekeeping",
    "migrate": "Migrate",
    "gate": "Gate",
    "page": "Page",
    "processor": "${Entity}Processor",
}
# settings that have a meaning for some functions only
OWN = {
    "function": set(FUNCTIONS),
    "entity": {"processor"},
    "backfill_function": {"processor", "console", "verification"},
    "webhook_receiver_function": {"console"},
    "schedules": {"console"},
    "alarm_topics": {"console"},
    "verification_function": {"console"},
    "critical_topic_arn": {"verification"},
    "warning_topic_arn": {"verification"},
    "database_secret_arn": {
        "processor",
        "backfill",
        "verification",
        "console",
        "housekeeping",
        "migrate",
        "image_sync",
        "page",
    },
    "database_reader_secret_arn": {"migrate"},
    "viewer_secret_arn": {"gate"},
    "operator_secret_arn": {"gate", "console"},
    "database_owner_secret_arn": {"migrate"},
    "zoho_secret_arn": {"backfill", "verification", "image_sync"},
    "webhook_secret_arn": {"webhook_receiver"},
    "unrouted_queue_url": {"webhook_receiver", "console", "housekeeping"},
    "unrouted_bucket": {"webhook_receiver", "console"},
    "failed_runs_queue_url": {"console", "housekeeping"},
    "event_bus": {"housekeeping"},
    "queue_url": {"processor", "image_sync"},
    "dead_letter_queue_url": {"processor", "image_sync"},
    "queue_urls": {"webhook_receiver", "console", "housekeeping"},
    "image_queue_url": {"backfill"},
    "image_bucket": {"image_sync", "console", "verification"},
    "image_distribution_id": {"image_sync", "console", "verification"},
    "image_base_url": {"console", "verification"},
    "verification_margin_s": {"verification"},
    "announced_within_s": {"verification"},
    "verification_fetches": {"verification"},
}


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    return loaded


def resources() -> dict[str, Any]:
    found: dict[str, Any] = dict(template()["Resources"])
    looped: dict[str, Any] = found.pop("Fn::ForEach::EntityResources")[2]
    return found | looped


def own_variables(function: str) -> dict[str, Any]:
    variables: dict[str, Any] = resources()[FUNCTIONS[function]]["Properties"]["Environment"]["Variables"]
    queues = {name for name in variables if name.startswith(("Fn::ForEach", "TDS_QUEUE_NAME_"))}
    return {name: value for name, value in variables.items() if name not in queues} | (
        {"TDS_QUEUE_URLS": "one for each queue"} if queues else {}
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_gets_its_own_settings_and_no_others(function: str) -> None:
    expected = {f"TDS_{name.upper()}" for name, functions in OWN.items() if function in functions}
    shared = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert set(own_variables(function)) == expected - set(shared)


def test_every_other_setting_is_a_parameter_for_all_functions() -> None:
    shared = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    assert shared == {f"TDS_{field.name.upper()}" for field in fields(Settings) if field.name not in OWN}


def test_parameters_have_the_defaults_of_the_settings() -> None:
    parameters = template()["Parameters"]
    given = template()["Globals"]["Function"]["Environment"]["Variables"] | own_variables("verification")
    references = {name: value.get("Ref", "") for name, value in given.items() if isinstance(value, dict)}
    compared = {}
    for field in fields(Settings):
        reference = references.get(f"TDS_{field.name.upper()}", "")
        default = parameters.get(reference, {}).get("Default")
        if default not in (None, "") and field.default != "":
            compared[field.name] = (str(default), str(field.default).removesuffix(".0"))
    assert len(compared) > 20
    assert {name: pair for name, pair in compared.items() if pair[0] != pair[1]} == {}


def test_every_parameter_is_used_and_shown_in_a_group() -> None:
    text = (ROOT / "template.yaml").read_text("utf-8").partition("\nConditions:\n")[2]
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template()["Parameters"])
    assert not [name for name in shown if not re.search(rf"\b{name}\b", text)]


def test_nothing_has_a_fixed_name() -> None:
    names = {"FunctionName", "QueueName", "BucketName", "TopicName", "LogGroupName", "AlarmName", "RoleName", "Name"}
    given = [
        (logical_id, name)
        for logical_id, resource in resources().items()
        if resource["Type"] != "AWS::Lambda::EventSourceMapping"  # names the function that it serves
        for name in names & set(resource.get("Properties", {}))
        if resource["Properties"][name] != {"Ref": "AWS::StackName"}  # an event bus must have one
    ]
    assert given == []


def test_a_bucket_is_private_encrypted_and_kept() -> None:
    buckets = {name: each for name, each in resources().items() if each["Type"] == "AWS::S3::Bucket"}
    assert buckets.keys() == {"UnroutedBucket", "ImageBucket"}
    for bucket in buckets.values():
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["BucketEncryption"]


def test_images_are_served_by_the_distribution_alone_and_originals_by_nobody() -> None:
    found = resources()
    assert found["ImageBucket"]["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    statements = found["ImageBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert allowed["Resource"] == {"Fn::Sub": f"${{ImageBucket.Arn}}/{image_store.SERVED}*"}
    assert allowed["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"].endswith("/${ImageDistribution}")
    distribution = found["ImageDistribution"]["Properties"]["DistributionConfig"]
    assert distribution["Origins"][0]["OriginAccessControlId"]
    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    shown = {(each["ErrorCode"], each["ResponseCode"]) for each in distribution["CustomErrorResponses"]}
    pages = {each["ResponsePagePath"] for each in distribution["CustomErrorResponses"]}
    assert (shown, pages) == ({(403, 404), (404, 404)}, {f"/{image_store.PLACEHOLDER}"})
    assert not image_store.original_key("1").startswith(image_store.SERVED)


def test_images_have_time_for_a_call_and_a_lease_outlives_their_function() -> None:
    properties = resources()["ImageSync"]["Properties"]
    visibility = resources()["ProductImagesQueue"]["Properties"]["VisibilityTimeout"]
    assert visibility == 6 * properties["Timeout"]
    assert properties["Timeout"] < image_feed.LEASE_S


def test_no_statement_allows_everything() -> None:
    for logical_id, resource in resources().items():
        for policy in resource.get("Properties", {}).get("Policies", []):
            for statement in policy["Statement"]:
                assert "*" not in str(statement["Action"]), logical_id
                assert statement["Resource"] != "*", logical_id


def test_generated_passwords_need_no_quoting_anywhere() -> None:
    secrets = [each for each in resources().values() if each["Type"] == "AWS::SecretsManager::Secret"]
    generated = [each["Properties"]["GenerateSecretString"] for each in secrets]
    assert len(generated) == 5
    for one in generated:
        assert one["ExcludePunctuation"] is True and not one.get("IncludeSpace")
        assert set(one["ExcludeCharacters"]) == set(string.punctuation), "what the emulator goes by"


def test_a_generated_webhook_secret_is_one_that_zoho_takes() -> None:
    generated = resources()["WebhookSecret"]["Properties"]["GenerateSecretString"]
    assert webhooks.fits("a" * generated["PasswordLength"])


def test_silent_webhooks_are_an_alarm_in_both_severities() -> None:
    topics = {}
    for alarm in resources().values():
        properties = alarm.get("Properties", {})
        if properties.get("MetricName") == silence.METRIC:
            assert properties["Namespace"] == "TDS"
            assert properties["Dimensions"] == [{"Name": "service", "Value": own_variables("backfill")["TDS_FUNCTION"]}]
            topics[properties["AlarmActions"][0]["Ref"]] = properties["Threshold"]["Ref"]
    assert topics == {"WarningAlarms": "WebhookSilenceHours", "CriticalAlarms": "SilenceCriticalHours"}


def test_health_is_an_alarm_by_every_figure_and_a_missing_one_is_critical() -> None:
    alarms = [each["Properties"] for each in resources().values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    told = {
        alarm["MetricName"]: alarm
        for alarm in alarms
        if {"Name": "service", "Value": "housekeeping"} in alarm["Dimensions"]
    }
    severities = {metric: alarm["AlarmActions"][0]["Ref"] for metric, alarm in told.items()}
    assert severities == {
        health.DEAD_THINGS: "CriticalAlarms",
        health.TOKEN_REFUSED: "CriticalAlarms",
        health.PARKED: "WarningAlarms",
        publish.METRIC: "WarningAlarms",
        health.CIRCUIT_OPEN: "WarningAlarms",
        health.DAY_LEFT: "WarningAlarms",
        watch.VERDICT: "CriticalAlarms",
        watch.STALE: "WarningAlarms",
        watch.DRIFT: "CriticalAlarms",
    }
    assert own_variables("housekeeping")["TDS_FUNCTION"] == "housekeeping"
    assert told[health.DEAD_THINGS]["TreatMissingData"] == {"Fn::If": ["RunsBySchedule", "breaching", "notBreaching"]}


def test_a_single_dead_letter_is_a_warning() -> None:
    alarm = resources()["${Entity}DeadLetterAlarm"]["Properties"]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (0, [{"Ref": "WarningAlarms"}])


def test_an_outage_never_makes_dead_letters_and_a_killer_always_does() -> None:
    queue = resources()["${Entity}Queue"]["Properties"]
    parameters, lives_s = template()["Parameters"], queue["MessageRetentionPeriod"]
    outage = lives_s / parameters["VisibilityLimitS"]["Default"]
    killed = lives_s / parameters["QueueVisibilityS"]["Default"]
    assert outage < queue["RedrivePolicy"]["maxReceiveCount"] < killed


def test_the_longest_message_fits_with_its_attributes_into_every_queue_it_may_go_through() -> None:
    names = ("reason", "entity", "ids", "first_seen", "trace_id", "redrives")
    longest = "\N{DROMEDARY CAMEL}" * 10_000
    attributes = sum(len((name + "String" + process.sendable(longest)).encode()) for name in names)
    limit = template()["Parameters"]["MessageLimitBytes"]["MaxValue"]
    for queue in ("${Entity}Queue", "${Entity}DeadLetterQueue"):
        assert limit + attributes <= resources()[queue]["Properties"]["MaximumMessageSize"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_environment_fits_into_four_kilobytes(function: str) -> None:
    shared = template()["Globals"]["Function"]["Environment"]["Variables"]
    address = "https://sqs.eu-central-1.amazonaws.com/123456789012/tds-core-staging-PurchaseOrdersQueue-ABCDEFGHIJKL"
    variables: dict[str, Any] = resources()[FUNCTIONS[function]]["Properties"]["Environment"]["Variables"]
    own = [name for name in variables if not name.startswith("Fn::ForEach")]
    looped = [f"TDS_QUEUE_NAME_{name}" for loop in set(variables) - set(own) for name in variables[loop][1]]
    queues = [*looped, *(name for name in own if name.startswith("TDS_QUEUE_NAME_"))]
    arn = len("arn:aws:sns:eu-central-1:123456789012:tds-core-staging-CriticalAlarms-ABCDEFGHIJKL,")
    joined = {name: arn * len(variables[name]["Fn::Join"][1]) for name in own if "Fn::Join" in variables[name]}
    written = {name: len(variables[name]) for name in own if isinstance(variables[name], str)}
    longest = {name: (joined | written).get(name, len(address)) for name in set(own) - set(queues)}
    longest |= dict.fromkeys(queues, len(address.rpartition("/")[2]))
    assert sum(map(len, shared)) + 8 * len(shared) + sum(len(name) + size for name, size in longest.items()) < 4_096


def test_what_a_verification_measures_is_an_alarm() -> None:
    alarms = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in resources().values()
        if alarm.get("Properties", {}).get("Namespace") == "TDS"
    }
    for metric in (alert.REMAINING, alert.AGE):
        service = own_variables("verification")["TDS_FUNCTION"]
        assert alarms[metric]["Dimensions"] == [{"Name": "service", "Value": service}]


def test_at_most_thirty_five_functions_use_the_database_at_once() -> None:
    """The role tds_app has 50 connections; the page has a role of its own, and migrations run before all others."""
    single = ("Backfill", "Console", "Housekeeping", "Verification")
    reserved = [resources()[name]["Properties"]["ReservedConcurrentExecutions"]["Fn::If"][1] for name in single]
    entities = len(template()["Metadata"]["Entities"])
    (queued,) = {
        each["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        for each in resources().values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    assert queued * (entities + 1) + sum(reserved) <= 35, "a processor an entity, and the images"


def test_functions_wait_for_the_migrations() -> None:
    functions = {name: each for name, each in resources().items() if each["Type"] == "AWS::Serverless::Function"}
    assert {name for name, each in functions.items() if each.get("DependsOn") != "Migrations"} == {"Migrate", "Gate"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_entry_point_is_short_and_does_nothing_itself(function: str) -> None:
    text = (ROOT / "functions" / function / "app.py").read_text("utf-8")
    assert len(text.splitlines()) <= 40
    assert not re.search(r"\b(os\.environ|psycopg|httpx|boto3|SELECT|cli)\b", text)


def test_the_layer_describes_every_service_that_is_called() -> None:
    """The layer's build takes the others out of botocore, so a client of one would fail in the cloud alone."""
    package = ROOT / "layers" / "tds_core"
    kept = re.search(r"^AWS_SERVICES := (.*)$", (package / "Makefile").read_text("utf-8"), re.MULTILINE)
    sources = [path.read_text("utf-8") for path in (package / "tds_core").rglob("*.py")]
    called = {name for text in sources for name in re.findall(r"\bclient\(\s*\"(\w+)\"", text)}
    assert kept is not None and {"events", "lambda", "sqs"} <= called
    assert called <= set(kept[1].split())


def test_every_path_behind_a_login_is_throttled_for_all_addresses_together() -> None:
    behind = {
        (event["Properties"]["Path"], event["Properties"]["Method"].upper())
        for resource in resources().values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"].get("Auth", {}).get("Authorizer") == "Gate"
    }
    settings = resources()["Api"]["Properties"]["MethodSettings"]
    limits = {
        (one["ResourcePath"].replace("~1", "/"), one["HttpMethod"]): one["ThrottlingRateLimit"]
        for one in settings
        if "ThrottlingRateLimit" in one
    }
    assert len(behind) == 5 and limits.keys() == behind
    assert sum(limits.values()) == 19, "docs/decisions.md reckons with it"
