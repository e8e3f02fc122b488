"""Stay with a verification until its report is there, and write the files that an accountant signs."""

import csv
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.failure import CommandFailed, ExitCode
from cli.follow import Ask, FollowTimeout

_LOOK_S = 1.0
_LONGEST_WAKE_S = 15.0
_PAGE = 1_000
_FETCHING = ("confirm", "images")
_PHASES = {
    "lists": "reading Zoho's lists",
    "local": "holding every row against its own document",
    "oldest": "choosing the oldest documents",
    "confirm": "asking Zoho for what differs",
    "images": "comparing product images",
    "report": "writing the report",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a run has come."""

    run: int
    phase: str
    lists: int
    rows: int
    differences: int
    open: int
    healed: int
    error: str | None
    is_over: bool

    @classmethod
    def parse(cls, shown: Mapping[str, Any]) -> "Stage":
        """From the console's answer."""
        return cls(
            run=shown["run_id"],
            phase=shown["phase"],
            error=shown["error"],
            is_over=shown["ended_at"] is not None,
            **shown["progress"],
        )

    @property
    def sentence(self) -> str:
        """The same for people, in one line."""
        if self.is_over:
            return f"verification {self.run}: over"
        waits = f", {self.open:,} wait for Zoho" if self.phase == "confirm" and self.open else ""
        trouble = f"; last error: {self.error}" if self.error else ""
        return (
            f"verification {self.run}: {_PHASES[self.phase]}; {self.lists} lists and {self.rows:,} rows compared, "
            f"{self.differences:,} suspicions, {self.healed:,} healed{waits}{trouble}"
        )


def follow(
    ask: Ask,
    run: int,
    show: Callable[[Stage], None],
    *,
    timeout_s: float | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Wait for the run's report, and wake the functions where no schedule does; raises FollowTimeout."""
    started = clock()
    before: Stage | None = None
    wait_s, next_s = _LOOK_S, started
    while True:
        shown = ask("verification", {"run": run})
        stage = Stage.parse(shown)
        show(stage)
        if stage.is_over:
            return dict(shown["report"])
        now = clock()
        if timeout_s is not None and now - started >= timeout_s:
            raise FollowTimeout(timeout_s)
        if stage != before:
            before, wait_s, next_s = stage, _LOOK_S, now
        if now >= next_s:
            ask("wake", {"modes": ["drain", "verification"] if stage.phase in _FETCHING else ["verification"]})
            wait_s, next_s = min(2 * wait_s, _LONGEST_WAKE_S), now + wait_s
        sleep(_LOOK_S)


def differences(ask: Ask, run: int) -> Iterator[Mapping[str, Any]]:
    """Everything that differed, page by page."""
    after: list[str] = []
    while True:
        page: Sequence[Mapping[str, Any]] = ask("differences", {"run": run, "after": after, "limit": _PAGE})
        yield from page
        if len(page) < _PAGE:
            return
        after = [page[-1][name] for name in ("entity", "id", "kind", "field")]


def write(folder: Path, report: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> list[Path]:
    """Write counts.csv, totals.csv and differences.csv; every amount is the exact text. Raises CommandFailed."""
    entities = report["entities"].items()
    counts = ("zoho", "erp", "missing", "extra", "mismatched", "details_pending", "healed", "remaining", "nulls")
    sums = ("currency", "status", "column", "zoho", "erp")
    values = ("entity", "id", "kind", "field", "status", "erp_value", "zoho_value", "suspected_at", "healed_at", "how")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _write(folder / "counts.csv", ("entity", *counts), ((n, *(p[c] for c in counts)) for n, p in entities)),
            _write(
                folder / "totals.csv",
                ("entity", *sums),
                ((name, *(total[key] for key in sums)) for name, part in entities for total in part["totals"]),
            ),
            _write(folder / "differences.csv", values, ([_cell(one[v]) for v in values] for one in found)),
        ]
    except OSError as exc:
        raise CommandFailed(f"cannot write to {folder}: {exc.strerror}", ExitCode.NOT_OK) from exc


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:  # the mark has Excel read Arabic rightly
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _cell(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    is_number = text.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") and not is_number else text
