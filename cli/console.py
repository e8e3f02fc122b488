"""The console function, which answers every command: the CLI opens neither the database nor Zoho itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
from botocore.config import Config

from cli.local import emulator
from cli.local.state import StackState

_PATIENCE = Config(connect_timeout=5, read_timeout=70, retries={"total_max_attempts": 1, "mode": "standard"})


class ConsoleError(Exception):
    """The console refused a command; `reason` is the error's class."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """One stack's console function."""

    function: str
    client: Any

    @classmethod
    def local(cls, state: StackState) -> Self:
        """The console of a stack on this machine."""
        client = boto3.client(
            "lambda",
            endpoint_url=state.aws_endpoint_url,
            region_name=state.region,
            aws_access_key_id=emulator.CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=emulator.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=_PATIENCE,
        )
        return cls(function=state.console_function, client=client)

    @classmethod
    def on_aws(cls, stack_name: str, *, region: str | None = None) -> Self:
        """The console of a stack on AWS, with the caller's own credentials."""
        cloudformation = boto3.client("cloudformation", region_name=region, config=_PATIENCE)
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        client = boto3.client("lambda", region_name=region, config=_PATIENCE)
        return cls(function=outputs.get("ConsoleFunctionName", ""), client=client)

    def invoke(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Run one command and return its result.

        Raises ConsoleError when the command was refused or the function failed.
        """
        payload = json.dumps({"command": command, "arguments": dict(arguments or {})})
        answer = self.client.invoke(FunctionName=self.function, Payload=payload.encode())
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or not isinstance(body, dict) or "ok" not in body:
            message = body.get("errorMessage", "no answer") if isinstance(body, dict) else body
            raise ConsoleError("FunctionFailed", str(message))
        if not body["ok"]:
            raise ConsoleError(body["error"]["reason"], body["error"]["message"])
        return body["result"]
