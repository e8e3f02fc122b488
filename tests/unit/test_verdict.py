"""The verdict rests on freshness and verification; every reason has words in each language, and the runbook."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from tds_core.sync.overview import explained
from tds_core.sync.verdict import REASONS, Checked, List, Reason, Signals, Verdict, verdict
from tds_core.words import LANGUAGES, messages

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")


def signals(**changes: Any) -> Signals:
    """Everything is well, but for the changes."""
    well: dict[str, Any] = {
        "now": NOW,
        "queue_late_s": 30.0,
        "drift_ratio": 0.01,
        "watched_at": NOW - timedelta(seconds=40),
        "lists": [List(scan="invoices", read_at=NOW - timedelta(minutes=6), promised=timedelta(minutes=5))],
        "queue_ages_s": {"invoices": 1.0},
        "checked": checked(),
    }
    return Signals(**(well | changes))


def old_list(minutes: float) -> list[List]:
    return [List(scan="invoices", read_at=NOW - timedelta(minutes=minutes), promised=timedelta(minutes=5))]


def checked(*, open: int = 0, hours: float = 6, **found: Any) -> dict[str, Checked]:
    """Invoices are well; so are bills, but for this."""
    ended_at = NOW - timedelta(hours=hours)
    well = Checked(ended_at=NOW - timedelta(hours=6))
    return {"invoices": well, "bills": Checked(ended_at=ended_at, open=open, rows=1000, **found)}


def test_good_is_what_was_read_in_time_and_compared() -> None:
    assert verdict(signals()) == Verdict()
    assert Verdict().level == "good"


def test_nothing_known_is_not_good() -> None:
    assert verdict(Signals(now=NOW, queue_late_s=30.0, drift_ratio=0.01, watched_at=None, checked={})).level == "bad"


def test_its_limits_are_those_of_the_alarms() -> None:
    drifting, late = {"checked": checked(open=15)}, {"queue_ages_s": {"invoices": 45.0}}
    told = [verdict(signals(**drifting, drift_ratio=ratio)).reasons[0].code for ratio in (0.01, 0.02)]
    assert told == ["drift", "unhealed"]
    assert [verdict(signals(**late, queue_late_s=limit)).level for limit in (30.0, 60.0)] == ["bad", "good"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"queue_ages_s": {"invoices": 30.1}}, "queue_late", id="queue"),
        pytest.param({"dead": {"dead_letters/invoices": 1}}, "dead_letters", id="dead-letter"),
        pytest.param({"checked": checked(open=11)}, "drift", id="drift"),
        pytest.param({"checked": checked(unexplained=1)}, "sums", id="sums"),
        pytest.param({"checked": checked(untold=1)}, "untold", id="untold"),
        pytest.param({"lists": old_list(10.1)}, "stale", id="stale"),
        pytest.param({"lists": [List(scan="bills", read_at=None, promised=timedelta(1))]}, "unread", id="unread"),
        pytest.param({"token_refusal": "invalid_code"}, "token", id="token"),
        pytest.param({"watched_at": NOW - timedelta(minutes=4)}, "unwatched", id="unwatched"),
    ],
)
def test_what_makes_the_figures_unreliable_is_bad(changes: dict[str, Any], code: str) -> None:
    judged = verdict(signals(**changes))
    assert (judged.level, [reason.code for reason in judged.reasons]) == ("bad", [code])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"checked": checked(open=10)}, "unhealed", id="a-percent"),
        pytest.param({"checked": checked() | {"users": Checked()}}, "unverified", id="never-verified"),
        pytest.param({"checked": checked(error="ZohoUnavailable: 502")}, "uncompared", id="not-read"),
        pytest.param({"images_wrong": 3}, "images", id="images"),
        pytest.param({"checked": checked(hours=49)}, "unverified", id="verified-long-ago"),
        pytest.param({"pending_history": 5}, "history", id="history"),
        pytest.param({"silent": ["invoices"]}, "silent", id="silent"),
        pytest.param({"circuit": "open"}, "circuit", id="circuit"),
        pytest.param({"spent": ["books"]}, "day_spent", id="day-spent"),
        pytest.param({"parked": 1}, "parked", id="parked"),
        pytest.param({"failed_runs": 1}, "failed_runs", id="failed-run"),
    ],
)
def test_what_heals_by_itself_needs_attention(changes: dict[str, Any], code: str) -> None:
    judged = verdict(signals(**changes))
    assert (judged.level, [reason.code for reason in judged.reasons]) == ("attention", [code])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"queue_ages_s": {"invoices": 30.0}}, id="queue"),
        pytest.param({"dead": {"dead_letters/invoices": 0}}, id="dead-letter"),
        pytest.param({"lists": old_list(10.0)}, id="list"),
        pytest.param({"watched_at": NOW - timedelta(minutes=3)}, id="watch"),
    ],
)
def test_up_to_the_limit_is_good(changes: dict[str, Any]) -> None:
    assert verdict(signals(**changes)).level == "good"


def test_the_gravest_reason_decides_and_comes_first() -> None:
    judged = verdict(signals(parked=1, token_refusal="invalid_code", circuit="open"))
    assert (judged.level, [reason.code for reason in judged.reasons]) == ("bad", ["token", "circuit", "parked"])


def test_the_verdict_is_told_in_words_with_what_to_do() -> None:
    told = explained(verdict(signals(lists=old_list(50), checked=checked(hours=120) | {"users": Checked()})))
    assert told["level"] == "bad"
    texts = [reason["text"] for reason in told["reasons"]]
    assert texts == [
        "invoices was last read 50 min ago, promised is every 5 min",
        "Kinds of records that were never compared with Zoho: 1, such as users",
        "Kinds of records that were not compared with Zoho for too long: 1, the longest bills: 5 d",
    ]
    assert all(reason["todo"] for reason in told["reasons"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_words_and_what_to_do(language: str) -> None:
    said = messages(language)
    assert {code for code in REASONS if not (said.get(f"reason.{code}") and said.get(f"reason.{code}.todo"))} == set()
    assert {code for code in ("good", "attention", "bad") if f"verdict.{code}" not in said} == set()


@pytest.mark.parametrize(("language", "places"), [("en", ("below", "above")), ("ar", ("أدناه", "أسفل", "أعلاه"))])
def test_what_to_do_is_said_for_the_page_and_for_a_terminal_alike(language: str, places: tuple[str, ...]) -> None:
    said = {name: text.lower() for name, text in messages(language).items() if name.endswith(".todo")}
    assert [name for name, text in said.items() if any(place in text for place in places)] == []


def test_languages_have_the_same_messages_with_the_same_values() -> None:
    first, *others = (messages(language) for language in LANGUAGES)
    for other in others:
        assert set(other) == set(first)
        assert {key for key in first if _places(first[key]) != _places(other[key])} == set()


def test_every_reason_has_its_line_in_the_runbook() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", RUNBOOK, re.MULTILINE))
    assert set(REASONS) - told == set()


def test_a_reason_without_a_rank_is_an_error() -> None:
    with pytest.raises(KeyError):
        _ = Reason(code="bad_weather").level


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_message_is_said_somewhere() -> None:
    folder = Path(__file__).parents[2] / "layers" / "tds_core" / "tds_core"
    sources = [*(folder / "page").rglob("*.py"), *(folder / "page").rglob("*.html"), folder / "sync" / "overview.py"]
    text = "".join(source.read_text("utf-8") for source in sources)
    named = set(re.findall(r'"([a-z]+)\." ~|f"([a-z]+)\.\{|name\("([a-z]+)"', text))
    kinds = {one for found in named for one in found if one} | {"verdict", "reason", "entity", "product", "place"}
    assert {key for key in messages("en") if f'"{key}"' not in text and key.partition(".")[0] not in kinds} == set()
