"""Numbers, times and names as people of a language write them; digits are Arabic-Indic in Arabic."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, negotiate_locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent

from tds_core.words import LANGUAGES, Words, words

_LOCALES = {"en": "en_GB", "ar": "ar_IQ"}
_DIGITS = {"ar": str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")}
_VALUE_LENGTH = 200
# text of another direction within a sentence keeps to itself
_ISOLATE, _ISOLATE_END = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How values read in one language and one organisation's time zone, as of `now`."""

    language: str
    zone: ZoneInfo
    now: datetime

    @property
    def say(self) -> Words:
        """The messages."""
        return words(self.language)

    @property
    def direction(self) -> str:
        """Of the text: ltr or rtl."""
        return Locale.parse(_LOCALES[self.language]).text_direction

    def number(self, value: float) -> str:
        """A count with thousands apart."""
        return _number(value, self.language)

    def amount(self, value: str) -> str:
        """An exact amount: no digit is lost, and no float is touched."""
        exact = Decimal(value)
        short = exact.normalize()
        if short == short.to_integral_value():
            short = short.to_integral_value()
        locale = _LOCALES[self.language]
        return self.digits(format_decimal(short, locale=locale, decimal_quantization=False, numbering_system="default"))

    def percent(self, share: float) -> str:
        """A share with one decimal."""
        locale = _LOCALES[self.language]
        return self.digits(format_percent(share, format="0.0%", locale=locale, numbering_system="default"))

    def duration(self, seconds: float) -> str:
        """A time span in its largest unit: 5 minutes."""
        span = timedelta(seconds=max(round(seconds), 1 if seconds > 0 else 0))
        return _duration(span, self.language)

    def ago(self, moment: str | None) -> str:
        """How long ago an ISO time was."""
        if moment is None:
            return self.say("never")
        return self.say("ago", age=self.duration(self.age_s(moment)))

    def age_s(self, moment: str) -> float:
        """The seconds since an ISO time."""
        return max((self.now - datetime.fromisoformat(moment)).total_seconds(), 0.0)

    def time(self, moment: str, pattern: str = "d MMM y, HH:mm:ss") -> str:
        """An ISO time on the organisation's clock."""
        local = datetime.fromisoformat(moment).astimezone(self.zone)
        return self.digits(format_datetime(local, pattern, locale=_LOCALES[self.language]))

    def name(self, kind: str, name: str) -> str:
        """What an entity, a figure or an event is called; a name that has no words stays as it is."""
        return self.say.or_else(f"{kind}.{name}", name.replace("_", " "))

    def value(self, value: Any) -> str:
        """A stored value as text, cut where it is long."""
        if value is None:
            return self.say("nothing")
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        return text if len(text) <= _VALUE_LENGTH else text[:_VALUE_LENGTH] + "…"

    def digits(self, text: str) -> str:
        """The text with the language's digits."""
        return _digits(text, self.language)

    def values(self, given: Mapping[str, Any]) -> dict[str, str]:
        """The values of a reason, each written by what it is."""
        return {name.removesuffix("_s"): self._written(name, value) for name, value in given.items()}

    def _written(self, name: str, value: Any) -> str:
        if name.endswith("_s"):
            return self.duration(value or 0.0)
        if name == "share":
            return self.percent(value)
        if name in ("entity", "scan", "product"):
            return self.name("product" if name == "product" else "entity", value)
        if name == "place":
            return self.place(value)
        return self.number(value) if isinstance(value, int | float) else f"{_ISOLATE}{value}{_ISOLATE_END}"

    def place(self, place: str) -> str:
        """A queue or place of dead messages: its entity's name, or its own."""
        kind, _, entity = place.partition("/")
        return self.name("entity", entity) if entity else self.name("place", kind)


@lru_cache(maxsize=4096)
def _number(value: float, language: str) -> str:
    return _digits(format_decimal(value, locale=_LOCALES[language], numbering_system="default"), language)


@lru_cache(maxsize=4096)
def _duration(span: timedelta, language: str) -> str:
    return _digits(format_timedelta(span, threshold=1.5, locale=_LOCALES[language]), language)


def _digits(text: str, language: str) -> str:
    return text.translate(_DIGITS.get(language, {}))


def language_of(asked: str, accepted: str) -> str:
    """The language that the address asks for, else the best of the Accept-Language header, else English."""
    if asked in LANGUAGES:
        return asked
    ranked = sorted((_quality(part) for part in accepted.split(",")), key=lambda pair: -pair[0])
    preferred = [tag.replace("-", "_") for quality, tag in ranked if quality > 0]
    return negotiate_locale(preferred, LANGUAGES) or LANGUAGES[0]


def _quality(part: str) -> tuple[float, str]:
    tag, _, quality = part.strip().partition(";q=")
    try:
        return (float(quality) if quality else 1.0), tag.strip()
    except ValueError:
        return 0.0, tag


def formats(language: str, *, zone: str = "UTC", now: str | None = None) -> Formats:
    """The formats of a language for times of an organisation's zone; `now` is the figures' own."""
    moment = datetime.fromisoformat(now) if now else datetime.now(UTC)
    return Formats(language=language, zone=ZoneInfo(zone), now=moment)
