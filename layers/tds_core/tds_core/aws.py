"""AWS with bounded patience: clients with short timeouts and few retries, made once, and what is done with them."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tds_core.errors import AwsRefused, ConfigurationError, QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_PATIENCE = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})


def client(service: str, *, answer_s: int | None = None) -> Any:
    """An AWS client with this module's patience; one that waits longer for its answer asks only once."""
    once = Config(read_timeout=answer_s, retries={"total_max_attempts": 1, "mode": "standard"})
    return boto3.client(service, config=_PATIENCE.merge(once) if answer_s else _PATIENCE)  # type: ignore[call-overload]


def ask(client: Any, operation: str, **arguments: Any) -> dict[str, Any]:
    """AWS's answer to a question about the deployment; raises AwsRefused."""
    try:
        answer: dict[str, Any] = getattr(client, operation)(**arguments)
    except (BotoCoreError, ClientError) as exc:
        raise AwsRefused(f"{operation}: {cause(exc)}") from exc
    return answer


def is_emulated(client: Any) -> bool:
    """Whether this client speaks to an emulator instead of AWS."""
    return not str(client.meta.endpoint_url).rstrip("/").endswith((".amazonaws.com", ".amazonaws.com.cn"))


class Storage:
    """Queues and objects; what a method returned from is stored."""

    def __init__(self) -> None:
        self._queues: SQSClient = boto3.client("sqs", config=_PATIENCE)

    @cached_property
    def _objects(self) -> "S3Client":  # made when first needed: most starts are for ordinary webhooks
        return boto3.client("s3", config=_PATIENCE)

    def send(self, queue_url: str, message: str) -> None:
        """Put a message on a queue; raises QueueUnavailable."""
        self._store("message", lambda: self._queues.send_message(QueueUrl=queue_url, MessageBody=message))

    def keep(self, bucket: str, key: str, body: bytes, *, content_type: str) -> None:
        """Write an object; raises QueueUnavailable."""
        self._store(
            "object",
            lambda: self._objects.put_object(
                Bucket=bucket, Key=key, Body=body, ContentType=content_type or "application/octet-stream"
            ),
        )

    def read(self, bucket: str, key: str, *, limit_bytes: int) -> tuple[bytes, int]:
        """An object's content up to the limit, and its whole length; raises QueueUnavailable."""
        try:
            answer = self._objects.get_object(Bucket=bucket, Key=key)
            return answer["Body"].read(limit_bytes), answer["ContentLength"]
        except (BotoCoreError, ClientError) as exc:
            raise QueueUnavailable(f"object not read: {cause(exc)}") from exc

    def _store(self, what: str, store: Callable[[], Any]) -> None:
        try:
            store()
        except (BotoCoreError, ClientError) as exc:
            raise QueueUnavailable(f"{what} not stored: {cause(exc)}") from exc


def secret_reader(arn: str, *, max_age_s: int = 0) -> Callable[[], str]:
    """A function that reads a secret's text, anew when it is older; it raises ConfigurationError."""
    provider = SecretsProvider(boto3_client=boto3.client("secretsmanager", config=_PATIENCE))

    def read() -> str:
        try:
            return str(provider.get(arn, max_age=max_age_s, force_fetch=not max_age_s))
        except GetParameterError as exc:
            raise ConfigurationError("the secret cannot be read") from exc

    return read


def cause(exc: BotoCoreError | ClientError) -> str:
    """The error's kind: its text may hold what was sent."""
    return str(exc.response["Error"]["Code"]) if isinstance(exc, ClientError) else type(exc).__name__
