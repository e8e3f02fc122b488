"""Whether the work is done: lists polled, webhooks heard, queues worked off, nothing dead."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from tds_core.database import announcements, condition
from tds_core.sync import silence
from tds_core.sync.dead_queue import DeadQueue
from tds_core.sync.doctor import cloud
from tds_core.sync.doctor.deployment import Deployment
from tds_core.sync.doctor.findings import Finding, broken, good, worth_a_look
from tds_core.sync.silence import Silence
from tds_core.zoho.routes import ROUTES

_WAITING = 50
_STALE = timedelta(days=1)


def polls(of: Deployment) -> Iterator[Finding]:
    """Whether lists are really polled."""
    last, now = condition.last_polled_at(of.database), announcements.now(of.database)
    if last is None:
        yield worth_a_look("no list was polled yet", "wait for the first one, or run `tds poll`")
    elif now - last < _STALE:
        yield good(f"a list was polled at {last:%Y-%m-%d %H:%M} UTC")
    else:
        says, todo = f"no list was polled since {last:%Y-%m-%d %H:%M} UTC", "`tds status` tells why; then `tds poll`"
        yield worth_a_look(says, todo) if cloud.is_left_to_commands(of) else broken(says, todo)


def webhooks(of: Deployment) -> Iterator[Finding]:
    """Whether webhooks of each module come."""
    heard = silence.measure(of.settings, of.database)
    for route in ROUTES.values():
        if route.title:
            yield _module(route.title, [heard[entity] for entity in route.entities if entity in heard])


def queues(of: Deployment) -> Iterator[Finding]:
    """Whether messages wait."""
    sqs = of.client("sqs")
    waiting = {name: DeadQueue(sqs, url).count() for name, url in of.settings.queue_urls}
    late = {name: count for name, count in waiting.items() if count > _WAITING}
    if late:
        told = ", ".join(f"{name} {count:,}" for name, count in late.items())
        yield worth_a_look(f"messages wait: {told}", "look again in a minute; if they stay, at the processors' logs")
    else:
        yield good(f"{sum(waiting.values()):,} messages wait or are being processed")


def dead(of: Deployment) -> Iterator[Finding]:
    """Whether anything is dead."""
    totals = {place.prefix: total for place in of.places if (total := place.total())}
    if totals:
        told = ", ".join(f"{prefix} {total:,}" for prefix, total in totals.items())
        yield worth_a_look(f"dead: {told}", "`tds dlq list` says why, docs/runbook.md what to do")
    else:
        yield good("nothing is dead")


def _module(title: str, heard: Sequence[Silence]) -> Finding:
    """One module of Zoho's, by the entities that its webhooks are for."""
    moments = [one.last_webhook_at for one in heard if one.last_webhook_at]
    last = f"the last one came at {max(moments):%Y-%m-%d %H:%M} UTC" if moments else "none ever came"
    if any(one.is_silent for one in heard):
        hours = max(one.hours for one in heard)
        says = f"{last}; for {hours:.1f} hours of business polls have found changes that none announced"
        return broken(says, "compare the rule with `tds webhook urls`, then `tds webhook check`", about=title)
    if not moments:
        return worth_a_look(last, "change such a record in Zoho while `tds webhook check` listens", about=title)
    return good(last, about=title)
