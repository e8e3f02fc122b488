"""Answer the `tds` command, and what operators do on the status page."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import logger
from tds_core.page.access import Logins
from tds_core.page.actions import Actions
from tds_core.settings import Settings
from tds_core.sync import wiring

settings = Settings.load().require("operator_secret_arn")
log = logger(settings.function)
console = wiring.console(settings)
actions = Actions(
    console,
    database=wiring.database(settings),
    logins=Logins(operators=wiring.logins(settings.operator_secret_arn)),
)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one command, or answer one request that API Gateway let through."""
    return actions.handle(event) if "httpMethod" in event else console.handle(event)
