"""Apply one queue to the mirror. Failed messages return to the queue; poison goes to the dead-letter queue."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.entities import queued
from tds_core.observability import logger
from tds_core.settings import Settings
from tds_core.sync import wiring
from tds_core.sync.process import Processor
from tds_core.sync.queue import DrainWaker, EntityQueue

settings = Settings.load().require("entity")
log = logger(settings.function)
processor = Processor(
    *queued(settings.entity),
    mirror=wiring.mirror(settings, wiring.database(settings)),
    queue=EntityQueue(settings),
    waker=DrainWaker(settings),
)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process an SQS event and name the messages to deliver again."""
    return processor.handle(event)
