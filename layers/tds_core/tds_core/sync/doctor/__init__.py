"""Whether a deployment has what it needs and is at work: each line good, worth a look, broken, or not checked.

Nothing is taken on trust: a secret is good if the function that reads it starts, a schedule if it is on, webhooks if
they came. What only AWS itself can show is never called good on an emulator.
"""

from typing import Any

from tds_core.sync.doctor import cloud, postgres, work
from tds_core.sync.doctor.deployment import Deployment
from tds_core.sync.doctor.findings import Check, examine

__all__ = ["CHECKS", "Deployment", "Doctor"]

_DATABASE = "database"
CHECKS: tuple[Check[Deployment], ...] = (
    Check(_DATABASE, postgres.database, "compare DatabaseHost, its security group and the secret's password"),
    Check("migrations", postgres.migrated, "run `tds migrate`", needs=_DATABASE),
    Check("role", postgres.role, "run `tds migrate`", needs=_DATABASE),
    Check("receiver", cloud.receiver, "look at the log of the receiver"),
    Check("Zoho", cloud.zoho, "look at the log of the backfill function", needs=_DATABASE),
    Check("schedule", cloud.schedules, "deploy again; compare the stack with the template"),
    Check("polls", work.polls, "`tds status` tells why", needs=_DATABASE),
    Check("webhooks", work.webhooks, "`tds webhook check`", needs=_DATABASE),
    Check("queues", work.queues, "look at the rights of the console function"),
    Check("dead things", work.dead, "`tds dlq list`", needs=_DATABASE),
    Check("alarms", cloud.alarms, "look at the rights of the console function"),
    Check("alarm e-mail", cloud.listeners, "look at the rights of the console function"),
    Check("AWS", cloud.account, ""),
)


class Doctor:
    """Looks at one deployment with the rights of the console function."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def examine(self) -> list[dict[str, Any]]:
        """Make every check, in the order in which one would look; each line as plain values."""
        return examine(CHECKS, self._deployment)
