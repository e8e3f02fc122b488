"""What people read, by language: one file of messages each, with the same keys and the same places for values."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ar")


class Words:
    """The messages of one language."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        self._messages = messages

    def __call__(self, key: str, /, **values: Any) -> str:
        """The message with its values; raises KeyError for one that is not there."""
        return self._messages[key].format(**values)

    def or_else(self, key: str, otherwise: str) -> str:
        """The message, or that text where there is none: for names that Zoho gives."""
        return self._messages.get(key, otherwise)


@cache
def words(language: str) -> Words:
    """The messages of a language in `LANGUAGES`."""
    return Words(messages(language))


def messages(language: str) -> dict[str, str]:
    """Every message by its key."""
    found: dict[str, str] = json.loads((Path(__file__).with_name(f"{language}.json")).read_text("utf-8"))
    return found
