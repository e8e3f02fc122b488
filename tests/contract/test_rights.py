"""Each role of the deployed stack may do exactly what its function does, loops and what SAM adds included."""

import copy
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samcli.lib.cfn_language_extensions import expand_language_extensions
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tds_core.sync.image_store import PLACEHOLDER, SERVED

ROOT = Path(__file__).parents[2]
SECRET, SEND, INVOKE = "secretsmanager:GetSecretValue", "sqs:SendMessage", "lambda:InvokeFunction"
CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
DISTRIBUTION = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${ImageDistribution}"
LOGS_AND_TRACES = {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
SCHEDULES = (
    "BackfillPollRole",
    "BackfillWalkRole",
    "BackfillDrainRole",
    "VerificationTickRole",
    "HousekeepingTickRole",
)
Rights = set[tuple[str, str]]


class NoManagedPolicies:
    """SAM's list of the account's managed policies, which this template names none of."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def resources() -> dict[str, Any]:
    """The template's resources as CloudFormation gets them: loops unrolled, functions with their roles."""
    template = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    expanded = copy.deepcopy(expand_language_extensions(template, {}, enabled=True).expanded_template)
    expanded["Transform"] = "AWS::Serverless-2016-10-31"
    for resource in expanded["Resources"].values():
        for name in {"CodeUri", "ContentUri"} & set(resource.get("Properties", {})):
            resource["Properties"][name] = "s3://bucket/code"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        found: dict[str, Any] = transform(expanded, {}, NoManagedPolicies())["Resources"]
    return found


def entities() -> list[str]:
    names: list[str] = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))["Metadata"]["Entities"]
    return names


def of_type(kind: str) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in resources().items() if each["Type"] == kind}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(resource: Any) -> str:
    """The logical id or parameter behind an ARN; a path below it as it is written."""
    if isinstance(resource, str):
        return resource
    return str(resource["Ref"] if "Ref" in resource else resource["Fn::GetAtt"][0])


def granted(policy: Any) -> Iterator[tuple[str, str]]:
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            yield from ((action, named(resource)) for resource in listed(statement["Resource"]))


def rights() -> dict[str, Rights]:
    found: dict[str, Rights] = defaultdict(set)
    for role, properties in of_type("AWS::IAM::Role").items():
        found[role] |= {right for policy in properties["Policies"] for right in granted(policy)}
    for policy in of_type("AWS::IAM::Policy").values():
        for role in policy["Roles"]:
            found[role["Ref"]] |= set(granted(policy))
    return dict(found)


def processor(entity: str) -> Rights:
    """It takes from its queue, moves what is dead, reads the database's secret, and wakes the drain."""
    return {
        *((action, f"{entity}Queue") for action in CONSUME),
        (SEND, f"{entity}DeadLetterQueue"),
        (SECRET, "DatabaseSecret"),
        (INVOKE, "Backfill"),
    }


def redriver(*places: str) -> Rights:
    """It counts every queue, takes what is dead in these places, and sends letters back to where they came from."""
    names = (*entities(), "ProductImages")
    return {
        *((action, place) for action in CONSUME for place in (*places, *(f"{name}DeadLetterQueue" for name in names))),
        *((action, f"{name}Queue") for action in (SEND, "sqs:GetQueueAttributes") for name in names),
    }


def expected() -> dict[str, Rights]:
    schedule = {(INVOKE, "Backfill"), (SEND, "FailedRunsQueue")}
    return {
        "MigrateRole": {(SECRET, name) for name in ("DatabaseSecret", "ReaderSecret", "DatabaseOwnerSecretArn")},
        "WebhookReceiverRole": {
            (SECRET, "WebhookSecret"),
            ("s3:PutObject", "${UnroutedBucket.Arn}/unrouted/*"),
            (SEND, "UnroutedQueue"),
            *((SEND, f"{entity}Queue") for entity in entities()),
        },
        "BackfillRole": {
            *((SECRET, name) for name in ("DatabaseSecret", "ZohoSecretArn")),
            *((SEND, queue) for queue in ("FailedRunsQueue", "ProductImagesQueue")),
        },
        "ImageSyncRole": {
            *((action, "ProductImagesQueue") for action in CONSUME),
            (SEND, "ProductImagesDeadLetterQueue"),
            *((SECRET, name) for name in ("DatabaseSecret", "ZohoSecretArn")),
            *((f"s3:{verb}Object", f"${{ImageBucket.Arn}}/{SERVED}*") for verb in ("Put", "Delete")),
            *((f"s3:{verb}Object", "${ImageBucket.Arn}/originals/*") for verb in ("Put", "Delete")),
            ("s3:GetObject", f"${{ImageBucket.Arn}}/{PLACEHOLDER}"),
            ("cloudfront:CreateInvalidation", DISTRIBUTION),
        },
        "GateRole": {(SECRET, "ViewerSecret"), (SECRET, "OperatorSecret")},
        "PageRole": {(SECRET, "ReaderSecret")},
        "BackfillPollRole": schedule,
        "BackfillWalkRole": schedule,
        "BackfillDrainRole": schedule,
        "VerificationTickRole": {(INVOKE, "Verification"), (SEND, "FailedRunsQueue")},
        "VerificationRole": {
            *((SECRET, name) for name in ("DatabaseSecret", "ZohoSecretArn")),
            *(("sns:Publish", topic) for topic in ("CriticalAlarms", "WarningAlarms")),
            *((INVOKE, "Backfill"), (SEND, "FailedRunsQueue"), ("s3:ListBucket", "ImageBucket")),
            ("cloudfront:CreateInvalidation", DISTRIBUTION),
        },
        "HousekeepingTickRole": {(INVOKE, "Housekeeping"), (SEND, "FailedRunsQueue")},
        "HousekeepingRole": {
            (SECRET, "DatabaseSecret"),
            (SEND, "FailedRunsQueue"),
            ("sqs:GetQueueAttributes", "UnroutedQueue"),
            ("events:PutEvents", "EventBus"),
            *redriver("FailedRunsQueue"),
        },
        "ConsoleRole": {
            *((INVOKE, function) for function in ("Backfill", "Verification", "WebhookReceiver")),
            *((SECRET, "DatabaseSecret"), ("s3:ListBucket", "ImageBucket")),
            ("cloudfront:CreateInvalidation", DISTRIBUTION),
            (SECRET, "OperatorSecret"),
            *(("scheduler:GetSchedule", role.removesuffix("Role")) for role in SCHEDULES),
            *(("sns:GetTopicAttributes", topic) for topic in ("CriticalAlarms", "WarningAlarms")),
            # CloudWatch lists alarms of all stacks or none
            ("cloudwatch:DescribeAlarms", "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"),
            ("s3:GetObject", "${UnroutedBucket.Arn}/unrouted/*"),
            *redriver("FailedRunsQueue", "UnroutedQueue"),
        },
        **{f"{entity}ProcessorRole": processor(entity) for entity in entities()},
    }


def test_every_role_has_exactly_the_rights_that_its_function_uses() -> None:
    assert rights() == expected()


def test_managed_policies_are_those_for_logs_and_traces_only() -> None:
    attached = {
        arn.rpartition("/")[2]
        for properties in of_type("AWS::IAM::Role").values()
        for arn in properties.get("ManagedPolicyArns", [])
    }
    assert attached == LOGS_AND_TRACES


def test_every_function_has_a_role_of_its_own() -> None:
    roles = {name: properties["Role"]["Fn::GetAtt"][0] for name, properties in of_type("AWS::Lambda::Function").items()}
    assert roles == {name: f"{name}Role" for name in roles}
    assert set(roles) == {
        *(
            "Migrate",
            "WebhookReceiver",
            "Backfill",
            "Verification",
            "Console",
            "ImageSync",
            "Housekeeping",
            "Gate",
            "Page",
        ),
        *(f"{entity}Processor" for entity in entities()),
    }


def test_a_role_is_taken_by_its_own_service_only() -> None:
    for name, properties in of_type("AWS::IAM::Role").items():
        (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
        service = "scheduler" if name in SCHEDULES else "lambda"
        assert statement["Principal"] == {"Service": [f"{service}.amazonaws.com"]}, name
