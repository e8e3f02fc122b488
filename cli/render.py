"""What people see: tables of the mirror's state, of progress and of the demo's result."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.progress import ListProgress, Snapshot, age_s, duration
from cli.reckoning import Account
from cli.times import moment

_BAR_WIDTH = 24
_GOOD, _BAD, _FAINT = "green", "bold red", "dim"


def table(*columns: str, title: str = "", numbers: Iterable[str] = ()) -> Table:
    """An empty table in the one style of the command; the columns in `numbers` are set to the right."""
    made = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    right = set(numbers)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    return made


def amount(text: str) -> str:
    """An exact amount with thousands apart and no digit lost: 1234567.500 becomes 1,234,567.5."""
    plain = f"{Decimal(text):,f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def amounts(totals: Mapping[str, Mapping[str, str]]) -> str:
    """Totals by currency, one line each."""
    return "\n".join(
        " · ".join([*([currency] if currency else []), *(f"{name} {amount(value)}" for name, value in sums.items())])
        for currency, sums in totals.items()
    )


def status(figures: Mapping[str, Any], *, dead_letters: Mapping[str, int], now: datetime | None = None) -> Group:
    """The console's status for people; `dead_letters` counts the messages of each queue that holds any."""
    now = now or datetime.now(UTC)
    return Group(
        _verdict(figures["verdict"]),
        Text(),
        _entities(figures, now=now),
        Text(),
        _machinery(figures, dead_letters, now=now),
        Text(),
        _runs(figures, now=now),
    )


def progress(snapshot: Snapshot) -> Table:
    """Lists and details under way, with rate and time left."""
    made = table("", "", "done", "of", "per s", "left", numbers=("done", "of", "per s", "left"))
    for part in snapshot.lists:
        made.add_row(f"list {part.scan}", _state(part), f"{part.rows:,}", "", "", "")
    for detail in snapshot.details:
        done = detail.total - detail.pending
        parked = f"{detail.parked} parked" if detail.parked else duration(detail.eta_s)
        share = done / detail.total if detail.total else 0.0
        made.add_row(
            f"{detail.entity}", _bar(share), f"{done:,}", f"{detail.total:,}", f"{detail.per_second:.0f}", parked
        )
    if not snapshot.is_over:
        made.caption, made.caption_justify = "\n".join(snapshot.waits) or None, "left"
    return made


def progress_line(snapshot: Snapshot) -> str:
    """The same in one short line, where there is no terminal."""
    whole = sum(not part.is_pending for part in snapshot.lists)
    total, pending, waiting = (
        sum(getattr(part, name) for part in snapshot.details) for name in ("total", "pending", "open")
    )
    rate = sum(part.per_second for part in snapshot.details)
    pace = f", {rate:.0f}/s, {duration(waiting / rate)} left" if waiting and rate else ""
    parked = f", {sum(snapshot.parked.values()):,} parked" if snapshot.parked else ""
    waits = "" if snapshot.is_over else "".join(f" | {text}" for text in snapshot.waits)
    lists = f"{whole} of {len(snapshot.lists)} lists whole, {sum(part.rows for part in snapshot.lists):,} rows"
    return f"{lists} | {total - pending:,} of {total:,} documents{pace}{parked}{waits}"


def latency(webhooks: Mapping[str, Any]) -> str:
    """How many webhooks came, and how long from the receiver's clock: applied at once, and fetched from Zoho."""
    applied, fetched = webhooks["applied"], webhooks["fetched"]
    told = [f"{applied['count']:,} applied at once{_percentiles(applied)}"] if applied["count"] else []
    if fetched["count"]:
        waiting = f", {fetched['waiting']:,} of them still wait" if fetched["waiting"] else ""
        told.append(f"{fetched['count']:,} fetched{_percentiles(fetched)}{waiting}")
    return "; ".join([f"{webhooks['count']:,} webhooks", *told])


def _percentiles(way: Mapping[str, Any]) -> str:
    return f" ({', '.join(f'{name} {value:.2f} s' for name, value in way['seconds'].items())})"


def _entities(figures: Mapping[str, Any], *, now: datetime) -> Table:
    numbers = ("ERP rows", "details pending", "NULLs")
    made = table("entity", *numbers, "last change", "freshness promised", "totals", numbers=numbers)
    for name, part in figures["entities"].items():
        made.add_row(
            name,
            f"{part['erp']:,}",
            warned(part["details_pending"]),
            warned(part["nulls"]),
            _ago(part["last_modified_time"], now=now),
            duration(part["freshness_s"]),
            amounts(part["totals"]),
        )
    return made


def _machinery(figures: Mapping[str, Any], dead_letters: Mapping[str, int], *, now: datetime) -> Table:
    made = Table.grid(padding=(0, 2))
    zoho, backlog = figures["zoho"], figures["backlog"].values()
    waiting, due, parked, held = (
        sum(part[name] for part in backlog) for name in ("requests", "due", "parked", "held_ripples")
    )
    made.add_row("backlog", Text(f"{waiting:,} to fetch, {due:,} of them due, {held:,} collected for later"))
    made.add_row("parked", warned(parked))
    images = figures["images"]
    made.add_row("images", Text(f"{images['stored']:,} of {images['expected']:,} stored, {images['linked']:,} linked"))
    dead = ", ".join(f"{queue} {count:,}" for queue, count in dead_letters.items())
    made.add_row("dead letters", Text(dead or "0", style=_BAD if dead else _GOOD))
    made.add_row(
        "lists",
        Text("\n").join(_scan(name, part, now=now) for name, part in figures["scans"].items())
        if figures["scans"]
        else "never read",
    )
    made.add_row("organisation", _organization(figures["organization"], now=now))
    made.add_row("webhooks", latency(figures["webhooks"]) + ", in the last hour")
    made.add_row("unannounced", _silence(figures["silence"], now=now))
    made.add_row("days in a row", _in_a_row(figures, now=now))
    made.add_row("events", _outbox(figures["outbox"]))
    made.add_row("at work", ", ".join(figures["working"]) or "nobody")
    made.add_row("calls left", "\n".join(_day(day, figures["time_zone"]) for day in zoho["days"]) or "not known yet")
    made.add_row(
        "this minute",
        f"{zoho['minute_used']} of {zoho['minute_limit']}, in flight {zoho['in_flight']} of {zoho['in_flight_limit']}",
    )
    made.add_row("circuit", circuit(zoho, now=now))
    made.add_row("token", token(zoho))
    return made


def _verdict(verdict: Mapping[str, Any]) -> Text:
    """Whether the figures can be relied on, why not, and what to do."""
    shown = Text(verdict["text"], style=_GOOD if verdict["level"] == "good" else _BAD)
    for reason in verdict["reasons"]:
        shown.append(f"\n  {reason['text']}", style="").append(f"\n    {reason['todo']}", style=_FAINT)
    return shown


def _outbox(outbox: Mapping[str, Any]) -> Text:
    if not outbox["waiting"]:
        return Text("all published", style=_GOOD)
    return Text(f"{outbox['waiting']:,} wait to be published, the oldest for {duration(outbox['age_s'])}")


def _runs(figures: Mapping[str, Any], *, now: datetime) -> Table:
    made = table("last runs", "began", "took", "Zoho calls", "outcomes", numbers=("Zoho calls",))
    for run in figures["runs"]:
        outcomes = ", ".join(f"{name} {count:,}" for name, count in sorted(run["outcomes"].items()))
        trouble = Text(run["error"], style=_BAD) if run["error"] else Text(outcomes, style=_FAINT)
        made.add_row(
            run["mode"], _ago(run["started_at"], now=now), _took(run, now=now), f"{run['zoho_calls']:,}", trouble
        )
    return made


def _scan(name: str, figures: Mapping[str, Any], *, now: datetime) -> Text:
    part = ListProgress.parse(name, figures)
    walked = f"whole list {_ago(figures['walked_at'], now=now)} ({part.rows:,} rows)"
    if part.is_pending:
        walked = f"walk under way, {part.rows:,} rows" if part.is_under_way else "walk asked for"
    errors = [figures[key] for key in ("poll_error", "walk_error") if figures[key]]
    shown = Text(f"{name}: polled {_ago(figures['polled_at'], now=now)}, {walked}")
    return shown.append("".join(f", {error}" for error in errors), style=_BAD)


def _organization(figures: Mapping[str, Any] | None, *, now: datetime) -> Text:
    """When its id and zone were last checked, and why that failed."""
    checked = _ago(figures["polled_at"] if figures else None, now=now)
    error = figures["poll_error"] if figures else None
    return Text(f"checked {checked}").append(f", {error}" if error else "", style=_BAD)


def _day(day: Mapping[str, Any], zone: str) -> str:
    closed = ", closed" if day["is_closed"] else ""
    history = f", none of them for the history until {moment(day['resets_at'], zone)}" if day["ends_history"] else ""
    return f"{day['product']}: {day['remaining']:,} of {day['limit']:,} today{closed}{history}"


def _silence(silence: Mapping[str, Any], *, now: datetime) -> Text:
    """The entities of which polls found what no webhook had announced, the silent ones loudest."""
    lines = []
    for name, part in silence.items():
        if not (part["unannounced"] or part["missed_24h"]):
            continue
        came = (
            f"last webhook {_ago(part['last_webhook_at'], now=now)}" if part["last_webhook_at"] else "no webhook ever"
        )
        found = f"{part['unannounced']:,} changes found by polls since, {part['missed_24h']:,} missed in 24 h"
        silent = f", SILENT for {part['hours']:.1f} hours of business" if part["is_silent"] else ""
        lines.append(Text(f"{name}: {came}, {found}{silent}", style=_BAD if part["is_silent"] else ""))
    return Text("\n").join(lines) if lines else Text("nothing that polls found", style=_GOOD)


def _in_a_row(figures: Mapping[str, Any], *, now: datetime) -> Text:
    """Days without a bad verdict, whole days on which no run failed, and what failed last."""
    runs = figures["without_failure"]
    shown = Text(f"{figures['days_without_failure']} without a bad verdict, {runs['days']} without a failed run")
    if runs["error"]:
        shown.append(f", last {runs['mode']} {_ago(runs['started_at'], now=now)}: {runs['error']}", style=_FAINT)
    return shown


def circuit(zoho: Mapping[str, Any], *, now: datetime) -> Text:
    """The state, since when, and when Zoho is asked next."""
    if zoho["circuit"] == "closed":
        return Text("closed", style=_GOOD)
    ahead_s = -(age_s(zoho["circuit_retry_at"], now=now) or 0)
    probe = f"next probe in {duration(ahead_s)}" if ahead_s > 0 else "the next call is the probe"
    if zoho["circuit"] == "half_open":
        probe = "a probe is under way"
    lasts = duration(max(age_s(zoho["circuit_changed_at"], now=now) or 0, 0))
    return Text(f"{zoho['circuit']} for {lasts}, {zoho['circuit_failures']} failures, {probe}", style=_BAD)


def token(zoho: Mapping[str, Any]) -> Text:
    """How long the token holds, and why there is none."""
    shown = Text(f"valid for {duration(zoho['token_expires_in_s'] or 0)}, {zoho['token_mints']} minted in 10 min")
    if zoho["token_expires_in_s"] is None:
        shown = Text("none yet")
    for trouble in (zoho["token_refusal"], zoho["data_centre"]):
        if trouble:
            shown.append(f"\n{trouble}", style=_BAD)
    return shown


def _took(run: Mapping[str, Any], *, now: datetime) -> str:
    if run["ended_at"] is None:
        return "not ended"
    seconds = (datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])).total_seconds()
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def _ago(text: str | None, *, now: datetime) -> str:
    age = age_s(text, now=now)
    return "never" if age is None else f"{duration(max(age, 0))} ago"


def warned(count: int) -> Text:
    """A count that should be 0."""
    return Text(f"{count:,}", style=_BAD if count else _GOOD)


def _state(part: ListProgress) -> str:
    return "reading" if part.is_under_way else "waiting" if part.is_pending else "whole"


def _bar(share: float) -> Text:
    full = round(share * _BAR_WIDTH)
    return Text.assemble(("━" * full, _GOOD), ("━" * (_BAR_WIDTH - full), _FAINT))


def comparison(accounts: Sequence[Account]) -> Table:
    """Both sides of every entity, counts and totals."""
    numbers = ("Zoho", "ERP", "difference", "details pending", "Zoho total", "ERP total")
    made = table("entity", *numbers[:4], "total of", *numbers[4:], numbers=numbers)
    for part in accounts:
        made.add_row(
            part.entity,
            f"{part.zoho:,}",
            f"{part.erp:,}",
            warned(part.difference),
            warned(part.details_pending),
            "\n".join(f"{column} {currency}".strip() for currency, column, _, _ in part.sums),
            "\n".join(amount(str(theirs)) for _, _, theirs, _ in part.sums),
            Text("\n").join(
                Text(amount(str(ours)), style=_GOOD if ours == theirs else _BAD) for _, _, theirs, ours in part.sums
            ),
        )
    return made
