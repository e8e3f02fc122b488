"""One deployed stack for the session: small company, short waits, no schedules; it ends with the tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from cli.deployment import Deployment
from cli.local.deploy import Cloud
from cli.local.stack import LocalStack, Wish
from cli.local.state import StackState, StateDirectory

SHORT_WAITS = {
    "BackoffBaseS": "1",
    "BreakerOpenS": "2",
    "ContactsWalkIntervalS": "5",
    "LagRetryS": "1",
    "LeaseS": "20",
    "OverlapS": "60",
    "ProcessorTimeoutS": "20",
    "QueueVisibilityS": "20",
    "RippleHoldS": "1",
    "VisibilityBaseS": "1",
    "VisibilityLimitS": "4",
    "WorkS": "20",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The running stack, as the commands and as AWS show it."""

    local: LocalStack
    state: StackState
    deployment: Deployment
    cloud: Cloud

    def environment(self, logical_id: str) -> Mapping[str, str]:
        """The environment that the template gave to a function."""
        resource = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=self.state.stack_name, LogicalResourceId=logical_id
        )
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        configuration: Mapping[str, Any] = self.cloud.client("lambda").get_function_configuration(FunctionName=name)
        return dict(configuration["Environment"]["Variables"])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A healthy stack."""
    directory = StateDirectory(tmp_path_factory.mktemp("stack"))
    local = LocalStack(directory)
    wish = Wish(minute_limit=6_000, in_flight_limit=10, schedules=False, fresh=True, parameters=SHORT_WAITS)
    try:
        state = local.up(wish, tethered=True)
        yield Stack(
            local=local,
            state=state,
            deployment=Deployment(stack=state.stack_name, region=state.region, local=state),
            cloud=Cloud(endpoint_url=state.aws_endpoint_url, state=directory),
        )
    finally:
        local.down()
        directory.remove_data()
