"""Read one page of a list and apply it to the mirror: what poll, walk and verification have in common."""

import logging
from collections.abc import Sequence
from typing import Any

from tds_core.database.candidates import Candidate, from_document, from_list_row, mention
from tds_core.database.mirror import Mirror, count
from tds_core.database.ordering import Clock, Moment
from tds_core.database.runs import Run
from tds_core.entities.spec import EntitySpec
from tds_core.errors import PermanentError
from tds_core.priority import Priority
from tds_core.zoho.client import ListPage

_log = logging.getLogger(__name__)


def read_page(
    specs: Sequence[EntitySpec], page: ListPage, *, run: Run, source: str
) -> list[tuple[EntitySpec, list[Candidate]]]:
    """A page's rows as candidates, each under the entity it is of."""
    strangers = [row for row in page.rows if not any(spec.is_own(row) for spec in specs)]
    if strangers:
        _log.error("list rows of no known kind", extra={"scan": specs[0].scan_name, "rows": len(strangers)})
        run.add(specs[0].scan_name, {"unknown": len(strangers)})
    return [
        (spec, [c for row in page.rows if spec.is_own(row) for c in _candidate(spec, row, page, source)])
        for spec in specs
    ]


def apply_page(
    mirror: Mirror, specs: Sequence[EntitySpec], page: ListPage, *, run: Run, source: str, priority: Priority
) -> None:
    """Apply a page's rows, each to the entity it is of."""
    for spec, candidates in read_page(specs, page, run=run, source=source):
        run.add(spec.name, count(mirror.apply(spec, candidates, priority=priority)))


def _candidate(spec: EntitySpec, row: dict[str, Any], page: ListPage, source: str) -> list[Candidate]:
    """The row's candidate; one that cannot be read is requested by its id, and one without an id is told of."""
    moment = Moment(at=page.observed_at, clock=Clock.FETCH)
    try:
        if spec.rows_are_documents:
            return [from_document(spec, row, moment=moment, source=source)]
        return [from_list_row(spec, row, observed_at=page.observed_at, source=source)]
    except PermanentError as exc:
        _log.error("list row cannot be read", extra={"entity": spec.name, "reason": str(exc)})
    try:
        return [mention(spec.id_of(row), moment=moment, source=source)]
    except PermanentError:
        return []
