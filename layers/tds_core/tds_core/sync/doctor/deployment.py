"""What the checks look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tds_core import aws
from tds_core.database.connection import Database
from tds_core.settings import Settings
from tds_core.sync.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment as the console function sees it; `client` makes a client of an AWS service."""

    settings: Settings
    database: Database
    places: Sequence[Place]
    client: Callable[..., Any] = aws.client

    @property
    def topics(self) -> list[str]:
        """Where alarms go."""
        return [topic for topic in self.settings.alarm_topics.split(",") if topic]
