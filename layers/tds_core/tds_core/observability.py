"""Logs and metrics: JSON lines with a constant message and fields, ids yes, payloads and secrets never.

Modules log through `logging.getLogger(__name__)`; a function's start calls `logger` once to give them their form.
"""

import logging

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

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
