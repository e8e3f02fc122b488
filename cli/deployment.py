"""The deployed stack that a command speaks to: the local one, or one on AWS by its name."""

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.console import Console, ConsoleError
from cli.failure import CommandFailed, ExitCode
from cli.local.emulator import CREDENTIALS
from cli.local.state import StackState, StateDirectory
from tds_core.errors import is_wrong_usage

# a function may run for its whole timeout before it answers, and asking twice would do the work twice
_PATIENCE = Config(connect_timeout=5, read_timeout=310, retries={"total_max_attempts": 1, "mode": "standard"})
_MESSAGES = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_DEAD_LETTERS = ("DeadLetterQueueUrl", "UnroutedQueueUrl", "FailedRunsQueueUrl")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One stack. `local` is the state of a local one, None on AWS."""

    stack: str
    region: str | None
    local: StackState | None

    @classmethod
    def find(cls, stack: str = "", region: str = "") -> Self:
        """The stack of that name on AWS, or without a name the local one.

        Raises CommandFailed when no local stack is up.
        """
        if stack:
            return cls(stack=stack, region=region or None, local=None)
        if region:
            raise CommandFailed("--region goes with --stack")
        directory = StateDirectory.default()
        state = StackState.read(directory.state_file)
        if state is None:
            raise CommandFailed(
                f"no stack is up in {directory.root}: start one with `tds up`, or name one with --stack"
            )
        return cls(stack=state.stack_name, region=state.region, local=state)

    @property
    def api_url(self) -> str:
        """Where webhooks go."""
        return self.local.api_url if self.local else self.output("ApiUrl")

    @property
    def control_url(self) -> str:
        """The simulator's control address; raises CommandFailed where the stack has no simulator."""
        if self.local is None or not self.local.control_url:
            raise CommandFailed("this stack has no simulator: it reads from another Zoho server")
        return self.local.control_url

    def webhook_secret(self) -> str:
        """The secret that signs webhooks now."""
        if self.local:
            return self.local.webhook_secret
        arn = self.output("WebhookSecretArn")
        text = self._call("secretsmanager", "get_secret_value", SecretId=arn)["SecretString"]
        return str(json.loads(text)["current"])

    def ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        """Have the console function run a command and return its result.

        Raises CommandFailed when it cannot be reached or says no.
        """
        try:
            return self._console.invoke(command, arguments)
        except ConsoleError as exc:
            code = ExitCode.WRONG_USAGE if is_wrong_usage(exc.reason) else ExitCode.NOT_OK
            raise CommandFailed(f"{exc.reason}: {exc}", code) from exc
        except (BotoCoreError, ClientError) as exc:
            raise self._unreachable(exc) from exc

    def invoke(self, function: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke a function and wait for its answer; raises CommandFailed."""
        answer = self._call("lambda", "invoke", FunctionName=function, Payload=json.dumps(payload))
        result = json.loads(answer["Payload"].read() or b"{}")
        if answer.get("FunctionError"):
            told = result.get("errorMessage", "no message") if isinstance(result, dict) else result
            raise CommandFailed(f"{function} failed: {told}")
        return dict(result or {})

    def caller(self) -> str:
        """Who asks, for the books: on AWS the caller's ARN, else the name of the user on this machine."""
        if self.local is None:
            return str(self._call("sts", "get_caller_identity")["Arn"])
        try:
            return getpass.getuser()
        except (OSError, KeyError):  # a user without a name
            return "unknown"

    def dead_letters(self) -> dict[str, int]:
        """How many messages each queue of dead things holds; empty ones are left out."""
        return self._queued(dead=True)

    def queued(self) -> dict[str, int]:
        """How many webhooks wait in each entity's queue or are being processed; empty ones are left out."""
        return self._queued(dead=False)

    def output(self, name: str) -> str:
        """One output of the stack; raises CommandFailed."""
        try:
            return self._outputs[name]
        except KeyError as exc:
            raise CommandFailed(f"the stack {self.stack} has no output {name}") from exc

    @cached_property
    def _outputs(self) -> dict[str, str]:
        (description,) = self._call("cloudformation", "describe_stacks", StackName=self.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", ())}

    def _queued(self, *, dead: bool) -> dict[str, int]:
        urls = {
            name.removesuffix("QueueUrl"): url
            for name, url in self._outputs.items()
            if name.endswith("QueueUrl") and name.endswith(_DEAD_LETTERS) == dead
        }
        counts = {name: self._messages(url) for name, url in urls.items()}
        return {name: count for name, count in counts.items() if count}

    def _messages(self, queue_url: str) -> int:
        """Messages that wait and those that somebody has taken but not finished."""
        answer = self._call("sqs", "get_queue_attributes", QueueUrl=queue_url, AttributeNames=list(_MESSAGES))
        return sum(int(answer["Attributes"][name]) for name in _MESSAGES)

    @cached_property
    def _console(self) -> Console:
        return Console.local(self.local) if self.local else Console.on_aws(self.stack, region=self.region)

    def _call(self, service: str, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client(service), operation)(**arguments)
        except (BotoCoreError, ClientError) as exc:
            raise self._unreachable(exc) from exc

    def _client(self, service: str) -> Any:
        local = {}
        if self.local:
            local = {
                "endpoint_url": self.local.aws_endpoint_url,
                "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            }
        return boto3.client(service, region_name=self.region, config=_PATIENCE, **local)  # type: ignore[call-overload]

    def _unreachable(self, exc: Exception) -> CommandFailed:
        return CommandFailed(f"cannot reach the stack {self.stack}: {exc}")
