"""Logs and metrics: JSON lines with a constant message and fields, ids yes, payloads and secrets never.

Modules log through `logging.getLogger(__name__)`; a function's start calls `logger` once to give them their form.
"""

import logging
from collections.abc import Callable

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "TDS"
_PACKAGE = "tds_core"


def logger(function: str) -> Logger:
    """The function's own logger; everything that tds_core logs takes its form."""
    own = Logger(service=function, use_rfc3339=True, utc=True)
    logging.getLogger(_PACKAGE)
    copy_config_to_registered_loggers(own, include={_PACKAGE})
    return own


def metrics(function: str) -> Metrics:
    """The function's metrics, in the namespace TDS and with the function as their only dimension."""
    return Metrics(namespace=NAMESPACE, service=function)


def gauge(function: str) -> Callable[[str, float], None]:
    """Sends single values of the function at once, for one that measures in some of its runs only."""

    def send(name: str, value: float) -> None:
        with single_metric(name=name, unit=MetricUnit.NoUnit, value=value, namespace=NAMESPACE) as metric:
            metric.add_dimension(name="service", value=function)

    return send
