"""Templates to HTML: everything escaped, no script, one style sheet that the policy names by its hash."""

import base64
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tds_core.entities import REGISTRY
from tds_core.page import view
from tds_core.page.charts import HEIGHT, WIDTH, Chart, chart
from tds_core.page.formats import Formats
from tds_core.sync.overview import message_key
from tds_core.words import LANGUAGES

_FOLDER = Path(__file__).with_name("templates")
STYLE = (_FOLDER / "style.css").read_text("utf-8")
STYLE_HASH = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def status(shown: Formats, figures: Mapping[str, Any], *, up: str, renews: bool) -> str:
    """The overview; `up` leads from this address to the one of the API's stage."""
    return _page(
        "status.html",
        shown,
        up=up,
        renews=renews,
        figures=figures,
        view=view,
        reason=lambda one: shown.say(message_key(one["code"], one["values"]), **shown.values(one["values"])),
        charts=_charts(shown, figures),
        width=WIDTH,
        height=HEIGHT,
    )


def record(shown: Formats, told: Mapping[str, Any], *, up: str, asked: str) -> str:
    """One record's story, or those that the text may mean."""
    return _page("record.html", shown, up=up, told=told, asked=asked)


def confirm(shown: Formats, *, up: str, action: str, user: str, question: str, fields: Mapping[str, str]) -> str:
    """The question before an action, with what the answer carries."""
    return _page("confirm.html", shown, up=up, action=action, user=user, question=question, fields=fields)


def message(shown: Formats, *, up: str, title: str, text: str) -> str:
    """A page of one sentence."""
    return _page("message.html", shown, up=up, title=title, text=text)


def _page(template: str, shown: Formats, **values: Any) -> str:
    return _TEMPLATES.get_template(template).render(
        f=shown,
        say=shown.say,
        entities=list(REGISTRY),
        other=next(language for language in LANGUAGES if language != shown.language),
        style=Markup(STYLE),  # noqa: S704 (our own file)
        **values,
    )


def _charts(shown: Formats, figures: Mapping[str, Any]) -> list[tuple[str, Chart]]:
    """What the last hours were like, each with its title."""

    def drawn(key: str, name: str) -> tuple[str, Chart]:
        made = chart(
            figures["hours"],
            name,
            shown=lambda value: shown.number(round(value, 1)),
            hour=lambda at: shown.time(at, "HH:00"),
            alternative=lambda top, last: shown.say(f"chart.{key}.alt", max=top, last=last),
        )
        return shown.say(f"chart.{key}"), made

    return [drawn("latency", "p99_s"), drawn("throughput", "changes")]
