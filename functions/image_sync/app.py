"""Fetch product images and store them as they are served; what fails goes back to the backlog with its reason.

CloudFormation calls it, too: a deploy stores the picture that products without one show.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import logger
from tds_core.settings import Settings
from tds_core.sync import wiring
from tds_core.sync.custom_resource import CustomResource
from tds_core.sync.image_store import ImageStore
from tds_core.sync.image_sync import ImageSync
from tds_core.sync.queue import EntityQueue

settings = Settings.load()
log = logger(settings.function)
images = ImageSync(
    settings,
    database=wiring.database(settings),
    client=wiring.client(settings),
    store=ImageStore(settings),
    queue=EntityQueue(settings),
)
placeholder = CustomResource(images.keep_placeholder, name="tds-placeholder")


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process an SQS event and name the messages to deliver again, or answer CloudFormation."""
    if "RequestType" in event:
        return dict(placeholder.handle(event))
    return images.handle(event, lambda: context.get_remaining_time_in_millis() / 1000)
