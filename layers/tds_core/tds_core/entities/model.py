"""The base of every document model and the types that Zoho's values are read with.

Zoho writes "" for whatever is empty, ids and numbers sometimes as the other, and adds keys without notice; so
"" becomes NULL, never 0, unknown keys are ignored here (the raw document keeps them), and text is Zoho's own.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, ValidationError

from tds_core.errors import InvalidDocument, InvalidId
from tds_core.ids import parse_id as parse_id

_ID_LENGTH = 25
_INTEGER_LIMIT = 2**31
# asked for every value of every document, so no union is built each time
_NUMERIC, _SCALAR = (Decimal, int, str), (bool, int, Decimal)


def _key(value: Any) -> str:
    try:
        return parse_id(value)
    except InvalidId as exc:
        raise ValueError(str(exc)) from exc


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, _SCALAR):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise ValueError("expected text")


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number(value: Any) -> Decimal | None:
    if _is_blank(value):
        return None
    if isinstance(value, bool) or not isinstance(value, _NUMERIC):
        raise ValueError("expected a number")
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    except InvalidOperation as exc:
        raise ValueError("expected a number") from exc
    if not number.is_finite() or abs(number.adjusted()) >= _ID_LENGTH:
        raise ValueError("number out of range")
    return number


def _integer(value: Any) -> int | None:
    number = _number(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise ValueError("expected a whole number")
    if abs(number) >= _INTEGER_LIMIT:
        raise ValueError("number out of range")
    return int(number)


def _flag(value: Any) -> bool | None:
    if _is_blank(value):
        return None
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError("expected true or false")


def _day(value: Any) -> date | None:
    if _is_blank(value):
        return None
    if not isinstance(value, str):
        raise ValueError("expected a date")
    return date.fromisoformat(value[:10])


def parse_instant(value: Any) -> datetime | None:
    """Zoho's time with its organisation's offset, in UTC; raises ValueError for anything else."""
    if _is_blank(value):
        return None
    if not isinstance(value, str):
        raise ValueError("expected a time")
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("expected a time with its offset")
    try:
        return instant.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("time out of range") from exc


def _json_list(value: Any) -> list[Any] | None:
    if _is_blank(value):
        return None
    if not isinstance(value, list):
        raise ValueError("expected a list")
    return value


def _json_object(value: Any) -> dict[str, Any] | None:
    if _is_blank(value):
        return None
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


class DetailOnly:
    """Marks a field that no list row carries: it belongs to the document track."""


class ListOnly:
    """Marks a field that list rows carry and documents do not."""


def distinct(name: str) -> BeforeValidator:
    """Reads a list of objects as the different texts of one of their keys, in order and separated by commas."""

    def join(value: Any) -> str | None:
        elements = _json_list(value) or []
        if not all(isinstance(element, dict) for element in elements):
            raise ValueError("expected a list of objects")
        texts = {_text(element.get(name)) for element in elements}
        return ", ".join(sorted(text for text in texts if text)) or None

    return BeforeValidator(join)


T = TypeVar("T")
Detail = Annotated[T, DetailOnly()]
Listed = Annotated[T, ListOnly()]

ZohoId = Annotated[str, BeforeValidator(_key)]
Text = Annotated[str | None, BeforeValidator(_text)]
Money = Annotated[Decimal | None, BeforeValidator(_number)]
Quantity = Money
Integer = Annotated[int | None, BeforeValidator(_integer)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Day = Annotated[date | None, BeforeValidator(_day)]
Instant = Annotated[datetime | None, BeforeValidator(parse_instant)]
JsonList = Annotated[list[Any] | None, BeforeValidator(_json_list)]
JsonObject = Annotated[dict[str, Any] | None, BeforeValidator(_json_object)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of one of Zoho's objects: its columns, and those of them that nobody could read and are None."""

    columns: dict[str, Any]
    unreadable: frozenset[str] = frozenset()


class Element(BaseModel):
    """One of Zoho's objects: the field names are the mirror's columns, the aliases Zoho's keys."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        """Read one of Zoho's documents, list rows or elements of a list inside a document.

        Raises InvalidDocument naming the fields that do not fit, never their values.
        """
        try:
            return cls.model_validate(source)
        except ValidationError as exc:
            raise InvalidDocument(f"{cls.__name__}: cannot read {', '.join(_keys_of(exc))}") from exc

    @classmethod
    def read(cls, source: Mapping[str, Any], *, needed: Set[str]) -> Reading:
        """Read one of Zoho's objects, and do without a value that cannot be read unless its column is `needed`.

        Zoho writes an id where a flag should be, and formatted text where a number should: one such value must not
        keep a record out. Raises InvalidDocument naming the fields that do not fit, never their values.
        """
        try:
            return Reading(columns=cls.model_validate(source).columns())
        except ValidationError as exc:
            keys = {*_keys_of(exc)}
            unreadable = frozenset(name for name in cls.model_fields if keys.intersection(cls.source_keys(name)))
            if unreadable & needed or not unreadable:
                raise InvalidDocument(f"{cls.__name__}: cannot read {', '.join(sorted(keys))}") from exc
        # all of a column's keys are left out, so that none stands in for the one that counts
        left_out = {key.partition(".")[0] for name in unreadable for key in cls.source_keys(name)}
        rest = cls.parse({key: value for key, value in source.items() if key not in left_out})
        return Reading(columns=rest.columns() | dict.fromkeys(unreadable), unreadable=unreadable)

    @classmethod
    def source_keys(cls, column: str) -> tuple[str, ...]:
        """Zoho's keys that the column is read from, the first present one counts; a dot leads into an object."""
        info = cls.model_fields[column]
        if isinstance(info.validation_alias, AliasChoices):
            return tuple(".".join(map(str, path)) for path in info.validation_alias.convert_to_aliases())
        return (info.alias or column,)

    def columns(self) -> dict[str, Any]:
        """The columns whose keys were present in the source; an absent key leaves its column alone."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Document(Element):
    """A record as Zoho states it, in a full document or a list row."""

    created_time: Instant = None
    last_modified_time: Instant = None


def _keys_of(exc: ValidationError) -> list[str]:
    """Zoho's keys whose values do not fit."""
    return sorted({".".join(map(str, error["loc"])) for error in exc.errors(include_input=False)})
