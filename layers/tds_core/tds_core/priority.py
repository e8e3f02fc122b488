"""Why Zoho is called: one order for the backlog and for the call budget."""

from enum import IntEnum


class Priority(IntEnum):
    """The smaller the number, the sooner it is fetched."""

    WEBHOOK = 0
    MANUAL = 1
    POLL = 2
    VERIFICATION = 3
    RIPPLE = 4
    HEAL = 5
    BACKFILL = 6
    IMAGES = 7
