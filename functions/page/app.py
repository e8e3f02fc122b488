"""Show the status page; it reads the database as a role that can do nothing else."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import logger
from tds_core.page.site import Site
from tds_core.settings import Settings
from tds_core.sync import wiring

settings = Settings.load()
log = logger(settings.function)
site = Site(settings, database=wiring.database(settings))


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one GET request."""
    return site.handle(event)
