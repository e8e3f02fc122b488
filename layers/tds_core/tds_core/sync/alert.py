"""Tell people what a verification found, in plain words, with ids, and with what to do; once a run, not once a row."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tds_core.settings import Settings

_log = logging.getLogger(__name__)
Severity = Literal["warning", "critical"]
Publish = Callable[[str, str, str], None]
# the alarms read these names: how many records differ and are not healed since each entity's newest comparison, and how
# long ago the oldest of these was, less the nights that lie between two of them where the day's limit is small
REMAINING, AGE = "DriftRemaining", "VerificationAgeHours"
_IDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence that people get, and what they should do."""

    severity: Severity
    text: str
    advice: str


class Alert:
    """Sends a run's findings to the topics of their severity, and figures as metrics.

    `publish` takes topic, subject and text and raises when nobody took them; `gauge` takes a metric's name and value.
    """

    def __init__(self, settings: Settings, *, publish: Publish, gauge: Callable[[str, float], None]) -> None:
        self._topics = {"critical": settings.critical_topic_arn, "warning": settings.warning_topic_arn}
        self._publish = publish
        self.gauge = gauge
        self._ratio = settings.drift_alarm_ratio
        self._units = settings.stock_alarm_units

    def tell(self, report: Mapping[str, Any]) -> None:
        """Send what there is to say of a report; nothing where all is well."""
        found = list(findings(report, ratio=self._ratio, units=self._units))
        for severity, topic in self._topics.items():
            lines = [f"- {one.text}\n  {one.advice}" for one in found if one.severity == severity]
            if lines and topic:
                subject = f"TDS Core: verification {report['run_id']} found differences"
                self._publish(topic, subject, "\n\n".join(lines))
        if found:
            _log.warning("verification found differences", extra={"run": report["run_id"], "findings": len(found)})


def findings(report: Mapping[str, Any], *, ratio: float, units: float) -> Iterator[Finding]:
    """What a report gives cause to say."""
    for name, part in report["entities"].items():
        if part["mismatch_ratio"] > ratio:
            yield Finding(
                severity="critical",
                text=f"{name}: {part['mismatch_ratio']:.1%} of the records differed from Zoho "
                f"({part['missing']} missing, {part['extra']} extra, {part['mismatched']} different).",
                advice="Run `tds verify --heal`, then see which road lost them with `tds status`.",
            )
        if part["error"]:
            yield Finding(
                severity="critical",
                text=f"{name}: the list could not be verified: {part['error']}.",
                advice="Mend what the error names; the next run reads the list again.",
            )
        if part["untold"]:
            shown = ", ".join(f"{column} of {count}" for column, count in part["untold"].items())
            yield Finding(
                severity="critical",
                text=f"{name}: the list does not tell {shown} records, so these were not compared.",
                advice="See the list's rows in Zoho: a column was dropped or is written otherwise now.",
            )
        if part["unexplained"]:
            shown = ", ".join(
                f"{one['column']} {one['currency']} {one['status']}: Zoho {one['zoho']}, ERP {one['erp']}"
                for one in part["unexplained"][:_IDS]
            )
            yield Finding(
                severity="critical",
                text=f"{name}: sums differ from Zoho although no record does: {shown}.",
                advice="Verify again; if it stays, Zoho's own report tells which side is right.",
            )
        if part["orphans"]["count"]:
            samples = ", ".join(f"{one['id']} -> {one['refers_to']}" for one in part["orphans"]["samples"][:_IDS])
            yield Finding(
                severity="warning",
                text=f"{name}: {part['orphans']['count']} references to records that are not there ({samples}).",
                advice="If Zoho still has those records, fetch them with `tds refetch`; if not, Zoho deleted them.",
            )
        if part["freshness"]["is_stale"]:
            yield Finding(
                severity="warning",
                text=f"{name}: the list was not polled in the promised time.",
                advice="See the list's last error in `tds status`.",
            )
    yield from _remaining(report)
    yield from _images(report["images"] or {})
    if report["stock_differences"]:
        shown = ", ".join(
            f"{one['id']} {one['field']}: Zoho {one['zoho']}, ERP {one['erp']}"
            for one in report["stock_differences"][:_IDS]
        )
        yield Finding(
            severity="warning",
            text=f"Stock differed by more than {units:g} units: {shown}.",
            advice="It is fetched anew; count the shelf if it comes back.",
        )


def _remaining(report: Mapping[str, Any]) -> Iterator[Finding]:
    count = sum(part["remaining"] for part in report["entities"].values())
    withheld = [one for one in report["remaining"] if (one["how"] or "").startswith("withheld")]
    if count:
        shown = ", ".join(
            f"{one['entity']} {one['id']} {one['field'] or one['kind']}" for one in report["remaining"][:_IDS]
        )
        yield Finding(
            severity="critical" if report["heal"] else "warning",
            text=f"{count} records differ from Zoho and are not healed: {shown}.",
            advice="See why in the differences of `tds verify --report DIR`; heal with `tds verify --heal`.",
        )
    if withheld:
        yield Finding(
            severity="critical",
            text=f"Deletions are held back: {', '.join(one['entity'] + ' ' + one['id'] for one in withheld[:_IDS])}.",
            advice="See them with `tds deletions list`; if they are right, `tds deletions approve`.",
        )


def _images(part: Mapping[str, Any]) -> Iterator[Finding]:
    if part.get("error"):
        yield Finding(
            severity="warning",
            text=f"The product images could not be verified: {part['error']}.",
            advice="Mend what the error names; the next run looks again.",
        )
    elif part.get("remaining"):
        shown = ", ".join(f"{one}: {fault}" for one, fault in list(part["faults"].items())[:_IDS])
        yield Finding(
            severity="warning",
            text=f"{part['remaining']} product images are not as Zoho has them ({shown}).",
            advice="See all with `tds images verify`, and each one's last trouble with `tds images status`.",
        )
