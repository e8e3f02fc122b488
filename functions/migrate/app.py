"""Bring the database up to date before anything else is deployed: a CloudFormation custom resource."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import logger
from tds_core.settings import Settings
from tds_core.sync import upgrade

settings = Settings.load()
log = logger(settings.function)
migrations = upgrade.resource(settings)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Apply the migrations and always tell how it went: to CloudFormation, or to `tds migrate`."""
    return migrations.handle(event)
