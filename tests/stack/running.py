"""What tests do with the deployed stack: send webhooks, have things happen in Zoho, look at rows and queues."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx
import psutil
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_loads

from cli.deployment import Deployment
from cli.failure import CommandFailed
from cli.follow import Follower
from cli.local.deploy import Cloud
from cli.local.stack import LocalStack, Wish
from cli.local.state import StackState, StateDirectory
from cli.progress import Snapshot
from tds_core import lossless_json
from tds_core.entities import REGISTRY
from tds_core.zoho.webhooks import SIGNATURE_HEADER, sign

Json = dict[str, Any]
Pairs = Sequence[tuple[str, str]]
PROMISE_S = 30.0  # what a webhook announces is a row within this time
JSON = "application/json"
_WORKER = re.compile(r"/ministack-lambda-tds-(?P<function>[A-Za-z]+)-[^/]*/_worker\.py")


def wait_for(condition: Callable[[], Any], message: str | Callable[[], str], *, timeout_s: float = PROMISE_S) -> None:
    """Wait until the condition holds; an AssertionError with the message otherwise."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, message if isinstance(message, str) else message()
        time.sleep(0.2)


@contextmanager
def deployed(directory: StateDirectory, wish: Wish) -> Iterator["Stack"]:
    """A healthy stack, which ends with the block and keeps nothing."""
    local = LocalStack(directory)
    try:
        yield Stack.of(local, local.up(wish, tethered=True))
    finally:
        local.down()
        directory.remove_data()


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The running stack, as the commands and as AWS show it."""

    local: LocalStack
    state: StackState
    deployment: Deployment
    cloud: Cloud

    @classmethod
    def of(cls, local: LocalStack, state: StackState) -> Self:
        """The stack that runs in a state directory."""
        return cls(
            local=local,
            state=state,
            deployment=Deployment(stack=state.stack_name, region=state.region, local=state),
            cloud=Cloud(endpoint_url=state.aws_endpoint_url, state=local.directory),
        )

    # -- webhooks

    def post(
        self,
        path: str,
        body: bytes | Json,
        *,
        form: Pairs = (),
        secret: str = "",
        signature: str | None = None,
    ) -> httpx.Response:
        """Send a webhook, signed as Zoho signs; `signature` replaces the right one, "" leaves the header out."""
        content = body if isinstance(body, bytes) else lossless_json.dumps(body).encode()
        right = sign(secret or self.state.webhook_secret, b"" if form else content, form)
        given = right if signature is None else signature
        headers = {"Content-Type": "application/x-www-form-urlencoded" if form else JSON}
        headers |= {SIGNATURE_HEADER: given} if given else {}
        return httpx.post(f"{self.state.api_url}/webhooks/zoho/{path}", content=content, headers=headers, timeout=60)

    def send(self, path: str, body: bytes | Json, **signed: Any) -> None:
        """Send a webhook that has to be stored."""
        answer = self.post(path, body, **signed)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text

    # -- Zoho

    def zoho(self, method: str, path: str, body: Any = None, **parameters: str) -> Any:
        """One call of the simulator's control interface; its answer with every digit."""
        url = f"{self.state.control_url}{path}"
        answer = httpx.request(method, url, json=body, params=parameters, timeout=30)
        assert answer.is_success, answer.text
        return lossless_json.loads(answer.content)

    def create(self, entity: str, fields: Json | None = None, *, webhook: bool = True) -> Json:
        """Create a record in Zoho; returns its document."""
        made = self.zoho("POST", f"/documents/{entity}", fields or {}, webhook=str(webhook).lower())
        return dict(made["document"])

    def edit(self, entity: str, record: str, fields: Json | None = None, *, webhook: bool = True) -> Json:
        """Edit a record in Zoho, at random but for the fields; returns its document."""
        made = self.zoho("PATCH", f"/documents/{entity}/{record}", fields or {}, webhook=str(webhook).lower())
        return dict(made["document"])

    def document(self, entity: str, record: str) -> Json:
        """A record as Zoho shows it now."""
        return dict(self.zoho("GET", f"/documents/{entity}/{record}")["document"])

    def documents(self, entity: str) -> dict[str, Json]:
        """Every record as Zoho shows it now, by id: its document, or its list row where that is all that is read."""
        records = self.zoho("GET", f"/documents/{entity}", limit="100000")
        shown = "list_row" if REGISTRY[entity].rows_are_documents else "document"
        return {record["id"]: record[shown] for record in records}

    # -- the mirror

    def query(self, statement: str | sql.Composed, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the database; JSON comes back with every digit."""
        text = sql.SQL(statement) if isinstance(statement, str) else statement
        with psycopg.connect(self.state.database_dsn, connect_timeout=5) as connection:
            set_json_loads(lossless_json.loads, connection)
            cursor = connection.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []

    def row(self, entity: str, record: str, *columns: str) -> tuple[Any, ...] | None:
        """Columns of a live row; None without one."""
        statement = sql.SQL("SELECT {} FROM {} WHERE {} = %s AND deleted_at IS NULL").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.Identifier("erp", REGISTRY[entity].table),
            sql.Identifier(REGISTRY[entity].key),
        )
        return next(iter(self.query(statement, [record])), None)

    def stored(self, entity: str) -> dict[str, Json | None]:
        """The documents of all live rows, by id."""
        key, table = sql.Identifier(REGISTRY[entity].key), sql.Identifier("erp", REGISTRY[entity].table)
        return dict(self.query(sql.SQL("SELECT {}, zoho FROM {} WHERE deleted_at IS NULL").format(key, table)))

    def story(self, entity: str, record: str) -> list[str]:
        """The outcomes of everything that came for a record."""
        statement = "SELECT outcome FROM tds.change_log WHERE entity = %s AND id = %s ORDER BY at"
        return [outcome for (outcome,) in self.query(statement, [entity, record])]

    def until_row(self, entity: str, record: str, *columns: str) -> tuple[Any, ...]:
        """Wait for a live row of that id; returns its columns."""
        wait_for(lambda: self.row(entity, record, "zoho"), f"{entity} {record} did not become a row")
        row = self.row(entity, record, *columns)
        assert row is not None
        return row

    def until_equal(self, entity: str, document: Json) -> None:
        """Wait until the row holds this very document."""
        record = document[REGISTRY[entity].zoho_key]
        wait_for(
            lambda: self.row(entity, record, "zoho") == (document,),
            lambda: f"{entity} {record} did not become what Zoho shows: {self.story(entity, record)}",
        )

    # -- what the functions do

    @property
    def follower(self) -> Follower:
        """Follows what the functions do, as the commands do it."""
        return Follower(self.deployment.ask, timeout_s=120)

    def backfill(self, *entities: str) -> Snapshot:
        """Walk the lists of these entities, or all, and wait until nothing is left to be fetched."""
        self.deployment.ask("backfill", {"entities": list(entities)})
        return self.follower.until_over(lambda _: None)

    def poll(self) -> None:
        """Poll every list, and wait until nothing is left to be fetched."""
        assert self.follower.poll().error is None
        self.follower.until_over(lambda _: None)

    def tick(self) -> None:
        """Wake the modes that nobody is at work on, as their schedules do; without PostgreSQL it is a missed tick."""
        with suppress(CommandFailed):
            idle = {"walk", "drain"} - set(self.deployment.ask("status", {})["working"])
            if idle:
                self.deployment.ask("wake", {"modes": sorted(idle)})

    def is_at_rest(self) -> bool:
        """Whether no webhook is under way, no message waits and no function of the backfill works."""
        activity, webhooks = self.zoho("GET", "/activity"), self.zoho("GET", "/webhooks")
        assert not activity.get("error"), activity
        if activity["running"] or webhooks["pending"] or self.deployment.queued():
            return False
        try:
            return not self.deployment.ask("status", {})["working"]
        except CommandFailed:  # its connection broke with an outage; the next answer is from a new one
            return False

    # -- AWS

    @contextmanager
    def held(self, entity: str) -> Iterator[None]:
        """Let the entity's messages wait meanwhile; then they come together."""
        mapping = self.resource(f"{entity.title()}ProcessorSource")
        client = self.cloud.client("lambda")
        wait_for(lambda: not self.deployment.queued(), "a message of before stays on its queue")
        client.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping, Enabled=True)

    def take(self, queue: str) -> list[Json]:
        """Take every message off a queue, named as in the template, with its attributes."""
        client, url = self.cloud.client("sqs"), self.deployment.output(f"{queue}Url")
        taken: list[Json] = []
        while True:
            answer = client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                attributes = message.get("MessageAttributes", {})
                stated = {name: value["StringValue"] for name, value in attributes.items()}
                taken.append({"body": message["Body"], "attributes": stated})
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if not answer.get("Messages"):
                return taken

    def workers(self) -> dict[str, list[psutil.Process]]:
        """The processes in which the emulator runs functions, by the function's logical id."""
        found: dict[str, list[psutil.Process]] = {}
        for process in psutil.Process(self.state.supervisor_pid).children(recursive=True):
            with suppress(psutil.Error):
                if worker := _WORKER.search(" ".join(process.cmdline())):
                    found.setdefault(worker["function"], []).append(process)
        return found

    def environment(self, logical_id: str) -> Mapping[str, str]:
        """The environment that the template gave to a function."""
        client, name = self.cloud.client("lambda"), self.resource(logical_id)
        configuration: Mapping[str, Any] = client.get_function_configuration(FunctionName=name)
        return dict(configuration["Environment"]["Variables"])

    def object(self, bucket: str, key: str) -> bytes:
        """An object's content."""
        return bytes(self.cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    def sign_with(self, *, current: str, previous: str) -> None:
        """Change the webhooks' secrets as a person would who rotates them."""
        text = json.dumps({"current": current, "previous": previous})
        arn = self.deployment.output("WebhookSecretArn")
        self.cloud.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource of the template."""
        resource = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=self.state.stack_name, LogicalResourceId=logical_id
        )
        return str(resource["StackResourceDetail"]["PhysicalResourceId"])
