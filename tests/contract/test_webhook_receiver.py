"""The receiver knows the registry's modules, starts fast but never without a secret, and its events are right."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tds_core.entities import REGISTRY
from tds_core.lossless_json import JsonObject
from tds_core.sync import receive
from tds_core.sync.process import Message
from tds_core.zoho.routes import ENTITIES, ROUTES
from tds_core.zoho.webhooks import Change, Operation
from tests.webhook_events import NOW, Endpoint

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events" / "webhook_receiver"
EVENT_SECRET = "eventsAreSignedWithThis"

# Runs the function's own start with a client that answers nothing but the secret.
START = """
import runpy, sys
import boto3
class Client:
    def get_secret_value(self, **_):
        return {{"SecretString": {secret!r}}}
boto3.client = lambda *_, **__: Client()
runpy.run_path("functions/webhook_receiver/app.py")
print(" ".join(sys.modules))
"""


def start(secret: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {f"TDS_QUEUE_NAME_{entity}": entity for entity in ENTITIES} | {
        "TDS_WEBHOOK_SECRET_ARN": "arn",
        "TDS_UNROUTED_QUEUE_URL": "queue/unrouted",
        "TDS_UNROUTED_BUCKET": "bucket",
        "TDS_ZOHO_ORGANIZATION_ID": "10234695",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "layers" / "tds_core"), *sys.path]),
    }
    command = [sys.executable, "-c", START.format(secret=secret)]
    return subprocess.run(
        command, cwd=ROOT, env=variables | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_every_entitys_webhook_modules_lead_to_it() -> None:
    told = {(module, spec.name) for spec in REGISTRY.values() for module in spec.webhook_modules}
    assert told == {(route.module, entity) for route in ROUTES.values() for entity in route.entities}


def test_a_route_reads_zohos_names_of_its_entities() -> None:
    for route in ROUTES.values():
        for entity in {*route.entities, *route.types.values()}:
            spec = REGISTRY[entity]
            assert (route.envelope, route.id_key) == (spec.detail_key, spec.zoho_key), route.module


def test_an_entity_with_webhooks_has_the_queue_of_its_name() -> None:
    assert {entity: REGISTRY[entity].queue for entity in ENTITIES} == {entity: entity for entity in ENTITIES}


def test_a_type_leads_to_the_entity_that_claims_it() -> None:
    for route in ROUTES.values():
        told = {(route.type_key, kind): entity for kind, entity in route.types.items()}
        assert told == {
            spec.discriminator: spec.name
            for spec in REGISTRY.values()
            if spec.discriminator and spec.discriminator[0] == route.type_key
        }


@pytest.mark.parametrize(
    ("operation", "document"), [("upsert", {"invoice_id": 7, "total": 5}), ("delete", None), ("request", None)]
)
def test_the_processor_reads_what_the_receiver_writes(operation: Operation, document: JsonObject | None) -> None:
    change = Change(entity="invoices", operation=operation, id="7", document=document)
    message = Message.parse(receive.message(change, observed_at=NOW, trace_id="t"))
    assert (message.entity, message.op, message.ids, message.document, message.moment.at) == (
        "invoices",
        operation,
        ("7",),
        document,
        NOW,
    )
    assert (message.source, message.trace_id) == ("webhook", "t")


def test_its_start_imports_nothing_heavy() -> None:
    done = start('{"current": "someSecret01"}')
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert "tds_core.sync.receive" in modules
    assert not {"psycopg", "pydantic", "httpx", "tds_core.entities"} & modules


@pytest.mark.parametrize("secret", ["", "{}", '{"current": ""}', '{"previous": "someSecret01"}'])
def test_without_a_secret_it_refuses_to_start(secret: str) -> None:
    done = start(secret)
    assert done.returncode != 0
    assert "tds_core.errors.ConfigurationError" in done.stderr


@pytest.mark.parametrize(
    "variable",
    ["TDS_WEBHOOK_SECRET_ARN", "TDS_UNROUTED_BUCKET", "TDS_ZOHO_ORGANIZATION_ID", "TDS_QUEUE_NAME_invoices"],
)
def test_without_a_setting_it_refuses_to_start(variable: str) -> None:
    done = start('{"current": "someSecret01"}', **{variable: ""})
    assert done.returncode != 0
    assert "tds_core.errors.ConfigurationError" in done.stderr


def told() -> dict[str, tuple[int, list[tuple[str, str | None]]]]:
    """What the event files' README says of each one: the answer's status, and what is stored where."""
    rows = re.findall(r"^\| (\w+) \| .* \| (.+) \|$", (EVENTS / "README.md").read_text("utf-8"), re.MULTILINE)
    expected: dict[str, tuple[int, list[tuple[str, str | None]]]] = {}
    for name, goes_to in rows[1:]:
        entities, _, operation = goes_to.partition(", ")
        stored = [(entity, operation or None) for entity in entities.split(" and ")]
        expected[name] = (401, []) if goes_to == "-" else (202, stored)
    return expected


EXPECTED = told()
UPSERTED = {name: stored for name, (_, stored) in EXPECTED.items() if stored and stored[0][1] == "upsert"}


def event(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return read


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_an_event_file_is_answered_and_stored_as_it_says(name: str) -> None:
    endpoint = Endpoint(secret=json.dumps({"current": EVENT_SECRET}))
    status = endpoint.send(event(name))
    assert (status, [(queue, message.get("op")) for queue, message in endpoint.messages]) == EXPECTED[name]


def test_every_entity_has_an_event_file() -> None:
    assert {queue for stored in UPSERTED.values() for queue, _ in stored} == set(ENTITIES)


@pytest.mark.parametrize("name", UPSERTED)
def test_the_documents_in_the_event_files_are_whole(name: str) -> None:
    endpoint = Endpoint(secret=json.dumps({"current": EVENT_SECRET}))
    endpoint.send(event(name))
    ((entity, message),) = endpoint.messages
    assert REGISTRY[entity].is_document(message["document"]) == (name != "invoice_chosen_fields")
