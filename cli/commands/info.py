"""tds info: where a stack is and how to reach its parts."""

import typer

from cli import output
from cli.deployment import Deployment
from cli.local.state import StackState
from cli.options import AsJson, Region, Stack

_ADDRESSES = (
    *("api_url", "status_url", "image_base_url", "zoho_url", "accounts_url", "organization_id", "stack_name"),
    *("aws_endpoint_url", "control_url"),
)
_CREDENTIALS = (
    *("database_dsn", "client_id", "client_secret", "refresh_token", "webhook_secret"),
    *("viewer_user", "viewer_password", "operator_user", "operator_password"),
)


@output.command
def info(as_json: AsJson = False, stack: Stack = "", region: Region = "") -> None:
    """Show the addresses and credentials of the local stack; on AWS the ARNs instead of secrets."""
    deployment = Deployment.find(stack, region)
    if deployment.local is not None:
        _show(_values(deployment.local, (*_ADDRESSES, *_CREDENTIALS)), as_json=as_json)
        return
    _show(
        {
            "api_url": deployment.api_url,
            "status_url": deployment.output("StatusUrl"),
            "image_base_url": deployment.output("ImageBaseUrl"),
            "stack_name": deployment.stack,
            "region": deployment.region or "",
            "webhook_secret_arn": deployment.output("WebhookSecretArn"),
            "database_secret_arn": deployment.output("DatabaseSecretArn"),
            "viewer_secret_arn": deployment.output("ViewerSecretArn"),
            "operator_secret_arn": deployment.output("OperatorSecretArn"),
            "console_function": deployment.output("ConsoleFunctionName"),
            "unrouted_bucket": deployment.output("UnroutedBucket"),
        },
        as_json=as_json,
    )


def describe(state: StackState, *, as_json: bool) -> None:
    """Print a local stack's addresses; its credentials only where somebody asks for them."""
    _show(_values(state, _ADDRESSES), as_json=as_json)


def _values(state: StackState, names: tuple[str, ...]) -> dict[str, str]:
    return {name: getattr(state, name) for name in names}


def _show(values: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        output.print_json(values)
        return
    for name, value in values.items():
        typer.echo(f"{name:<20} {value}")
