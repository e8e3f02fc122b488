"""Let people to the status page: API Gateway asks here who may pass, before anything else of a request is read."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import gauge, logger
from tds_core.page.access import Attempts, Gate, Logins
from tds_core.settings import Settings
from tds_core.sync import wiring

settings = Settings.load().require("viewer_secret_arn", "operator_secret_arn")
log = logger(settings.function)
gate = Gate(
    Logins(viewers=wiring.logins(settings.viewer_secret_arn), operators=wiring.logins(settings.operator_secret_arn)),
    count=gauge(settings.function),
    attempts=Attempts(),
)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with a policy; whoever may not pass gets 401."""
    return gate.admit(event)
