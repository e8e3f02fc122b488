"""One round of polling over one list: the pages that show what changed, each list by the means that it offers.

Zoho pages by offset. A row that is deleted while a list is read page by page moves all rows behind it up by one, so
the first row of the next page slips onto the page that was read. Where a cursor moves past what a round has read, that
row would be lost until the night. So a round of several pages looks at them again, from the last but one up to the
front: now rows slip only to where they are still to be read. What is pushed the other way is pushed by a row that is
new at the front, which is read last. Hence the cursor may move if the second look showed nothing new; else it stays,
and the next round reads the same again. Lists whose every round begins at the same place need no second look.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from tds_core.database.runs import Cursor
from tds_core.entities.model import parse_instant
from tds_core.entities.spec import EntitySpec, LookBack, ModifiedSince, NewestFirst, WholeList
from tds_core.errors import FilterIgnored
from tds_core.sync.cadence import Cadence
from tds_core.zoho.client import ListPage

_RESOLUTION = timedelta(seconds=1)
_SHORT_LIST_ROWS = 4_000
_VERSION = "last_modified_time"


@dataclass(slots=True, kw_only=True)
class Round:
    """The pages that hold every row changed `since`; of a look-back that is not `whole` at times only the first one.

    `read` makes the call for a page's number and parameters. `is_sure` tells, when the pages are used up, whether the
    cursor may move.
    """

    spec: EntitySpec
    cursor: Cursor
    cadence: Cadence
    since: datetime
    whole: bool
    read: Callable[[int, Mapping[str, str]], ListPage]
    is_sure: bool = True
    _last: int = 0
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def pages(self) -> Iterator[ListPage]:
        """Read the pages one by one; raises FilterIgnored after a page that shows it, and what `read` raises."""
        match self.spec.changes:
            case ModifiedSince(sort_column=column):
                yield from self._filtered(column)
            case NewestFirst(sort_column=column):
                yield from self._newest(column, _VERSION, self.since, is_cursor=True)
            case LookBack(date_column=column, days=days, deeper=deeper):
                zone = self.cadence.zone
                first_day = (self.cursor.now.astimezone(zone) - timedelta(days=days)).date()
                found = self._newest(column, column, datetime.combine(first_day, datetime.min.time(), zone))
                is_whole = self.whole or self.cadence.begins(deeper, self.cursor.polled_at, self.cursor.now)
                yield from found if is_whole else islice(found, 1)
            case WholeList():
                yield from self._upwards({})

    def _filtered(self, column: str) -> Iterator[ListPage]:
        """Rows by `last_modified_time`, each one checked: some of Zoho's lists ignore the filter silently."""
        since = self.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        parameters = {_VERSION: since, "sort_column": column, "sort_order": "D"}
        for page in self._upwards(parameters):
            yield page
            if any(_is_before(row, _VERSION, self.since - _RESOLUTION) for row in page.rows):
                raise FilterIgnored(f"{self.spec.name}: the list ignores last_modified_time")
        yield from self._again(parameters)

    def _newest(self, column: str, key: str, since: datetime, *, is_cursor: bool = False) -> Iterator[ListPage]:
        """Pages from the newest back to `since`; all of them where a short list ignores the order.

        A long one would cost a day's calls, so that is told like an ignored filter and left to the nightly walk.
        """
        parameters = {"sort_column": column, "sort_order": "D"}
        is_sorted = True
        for page in self._upwards(parameters):
            yield page
            is_sorted = page.sort_column == column
            if is_sorted and page.rows and _is_before(page.rows[-1], key, since):
                break
            if not is_sorted and page.has_more and self.cursor.walked_rows > _SHORT_LIST_ROWS:
                raise FilterIgnored(f"{self.spec.name}: the list ignores the order by {column}")
        if is_cursor and is_sorted:
            yield from self._again(parameters)

    def _upwards(self, parameters: Mapping[str, str]) -> Iterator[ListPage]:
        """The list from its first page on."""
        has_more = True
        while has_more:
            page = self.read(self._last + 1, parameters)
            self._last += 1
            self._seen |= self._shown(page)
            has_more = page.has_more
            yield page

    def _again(self, parameters: Mapping[str, str]) -> Iterator[ListPage]:
        """All pages but the last one once more, the first one last."""
        for number in range(self._last - 1, 0, -1):
            page = self.read(number, parameters)
            self.is_sure = self.is_sure and self._shown(page) <= self._seen
            yield page

    def _shown(self, page: ListPage) -> set[tuple[str, str]]:
        return {(str(row.get(self.spec.zoho_key)), str(row.get(_VERSION))) for row in page.rows}


def _is_before(row: Mapping[str, Any], key: str, limit: datetime) -> bool:
    """Whether the row's time or date lies before the limit; a row without one does not."""
    value = row.get(key)
    if isinstance(value, str) and len(value) == len("2026-01-02"):
        return value < limit.date().isoformat()
    try:
        instant = parse_instant(value)
    except ValueError:
        return False
    return instant is not None and instant < limit
