"""Store Zoho's webhooks on their entity's queue: nothing is answered with 202 that is not stored."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core import aws, observability
from tds_core.settings import Settings
from tds_core.sync import receive
from tds_core.zoho.webhook_secrets import WebhookSecrets

log = observability.logger("webhook_receiver")
metrics = observability.metrics("webhook_receiver")
settings = receive.check(Settings.load())
receiver = receive.Receiver(
    settings,
    secrets=WebhookSecrets(aws.secret_reader(settings.webhook_secret_arn)),
    storage=aws.Storage(),
    count=lambda name, number: metrics.add_metric(name=name, unit=MetricUnit.Count, value=number),
)


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one webhook; what fails here is answered with 502 by API Gateway, never with success."""
    return receiver.handle(event)
