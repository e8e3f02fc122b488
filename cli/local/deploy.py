"""Builds the template for this machine and deploys it to the emulator, with the same SAM CLI as to AWS."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import boto3
from samtranslator.yaml_helper import yaml_parse

from cli.failure import CommandFailed
from cli.local import emulator
from cli.local.state import PROJECT, StateDirectory

STACK_NAME = "tds"
_ARTIFACTS = "tds-artifacts"
_SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One emulated AWS account."""

    endpoint_url: str
    state: StateDirectory

    def client(self, service: str) -> Any:
        """A client of one AWS service."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=emulator.REGION,
            aws_access_key_id=emulator.CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=emulator.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def create_secret(self, name: str, value: Mapping[str, str]) -> str:
        """Store a secret and return its ARN."""
        answer = self.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(dict(value)))
        return str(answer["ARN"])

    def secret(self, arn: str) -> Mapping[str, str]:
        """Read a secret."""
        answer: Mapping[str, str] = json.loads(
            self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        )
        return answer

    def deploy(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Deploy what `build` built; returns the stack's outputs."""
        self.client("s3").create_bucket(Bucket=_ARTIFACTS)
        _sam(
            self.state,
            "deploy",
            f"--template-file={self.state.build / 'template.yaml'}",
            f"--stack-name={STACK_NAME}",
            f"--s3-bucket={_ARTIFACTS}",
            f"--region={emulator.REGION}",
            "--parameter-overrides",
            *overrides(parameters),
            environment={"AWS_ENDPOINT_URL": self.endpoint_url, "SAM_CLI_POLL_DELAY": "0.5", **emulator.CREDENTIALS},
        )
        stack = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self._put_gateway_responses(outputs["RestApiId"], outputs["StageName"])
        return outputs

    def _put_gateway_responses(self, api: str, stage: str) -> None:
        """Those of the template's API: the emulator does not read them out of an API's description, as AWS does."""
        gateway = self.client("apigateway")
        template = yaml_parse((PROJECT / "template.yaml").read_text("utf-8"))
        for kind, response in template["Resources"]["Api"]["Properties"]["GatewayResponses"].items():
            headers = response["ResponseParameters"]["Headers"]
            gateway.put_gateway_response(
                restApiId=api,
                responseType=kind,
                statusCode=str(response["StatusCode"]),
                responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            )
        gateway.create_deployment(restApiId=api, stageName=stage)


def check_parameters(names: Iterable[str]) -> None:
    """Raise CommandFailed at the first name that is no parameter of the template, with those that are like it."""
    known = {name.lower(): name for name in yaml_parse((PROJECT / "template.yaml").read_text("utf-8"))["Parameters"]}
    for name in names:
        if name not in known.values():
            near = [known[found] for found in get_close_matches(name.lower(), known, cutoff=0.4)]
            choice = f"did you mean {', '.join(near)}?" if near else "template.yaml has their list"
            raise CommandFailed(f"the template has no parameter {name}: {choice}")


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Template parameters as SAM CLI reads them; without the quotes it would cut `rate(1 minute)` at the blank."""
    return [f"ParameterKey={name},ParameterValue={json.dumps(value)}" for name, value in parameters.items()]


def build(state: StateDirectory) -> None:
    """Build template and layer for the emulator's interpreter; quick when nothing changed."""
    scripts = Path(sys.executable).parent
    variables = {
        "LAYER_TARGET": "host",
        "LAYER_PYTHON": str(emulator.interpreter()),
        "PATH": os.pathsep.join([str(scripts), os.environ.get("PATH", os.defpath)]),
    }
    if any(Path(bundle).exists() for bundle in _SYSTEM_CERTIFICATES):
        variables["UV_SYSTEM_CERTS"] = "1"
    _sam(
        state,
        "build",
        f"--template-file={PROJECT / 'template.yaml'}",
        f"--build-dir={state.build}",
        "--no-cached",
        environment=variables,
    )


@contextmanager
def _scratch(state: StateDirectory) -> Iterator[Path]:
    """A temporary folder that is gone afterwards: packaging makes one for each zip and removes none."""
    shutil.rmtree(state.scratch, ignore_errors=True)  # of a run that was killed
    state.scratch.mkdir(parents=True)
    try:
        yield state.scratch
    finally:
        shutil.rmtree(state.scratch, ignore_errors=True)


def _sam(state: StateDirectory, command: str, *arguments: str, environment: Mapping[str, str]) -> None:
    program = Path(sys.executable).with_name("sam")
    configuration = [f"--config-file={PROJECT / 'samconfig.toml'}", "--config-env=local"]
    log = state.logs / f"{command}.log"
    with log.open("wb") as output, _scratch(state) as scratch:
        done = subprocess.run(
            [str(program), command, *configuration, *arguments],
            cwd=PROJECT,
            env={**os.environ, "SAM_CLI_TELEMETRY": "0", "NO_COLOR": "1", "TMPDIR": str(scratch), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"sam {command} failed; see {log}\n{state.log_tail(command)}")
