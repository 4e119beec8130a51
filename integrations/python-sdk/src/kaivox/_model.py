"""Base of the response models, and the conversions between JSON and Python values.

A model stores the JSON object and converts a field when it is read: a list of 100,000 rows costs one
small object a row, and fields that the server adds later stay in `to_dict()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

_SECRET_FIELDS: Final = frozenset({"secret"})
_MASK: Final = "********"

MetaT = TypeVar("MetaT")
ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class ResponseInfo:
    """Facts of the HTTP response that an object came with."""

    status: int
    request_id: str
    etag: str | None
    is_replay: bool
    """Whether an idempotency key made the server repeat an earlier response."""


class Model:
    """A JSON object of the API with typed, read-only fields."""

    __slots__ = ("_data", "response")

    def __init__(self, data: dict[str, Any], response: ResponseInfo | None = None) -> None:
        self._data = data
        self.response = response
        """Set on single objects, null on the rows of a list."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object as it was received, unknown fields included."""
        return self._data

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._data == other._data

    def __hash__(self) -> int:
        return hash((type(self), repr(sorted(self._data.items(), key=lambda item: item[0]))))

    def __repr__(self) -> str:
        shown = (
            f"{name}={_MASK if name in _SECRET_FIELDS and isinstance(value, str) else value!r}"
            for name, value in self._data.items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Items(list[ItemT], Generic[ItemT, MetaT]):
    """A whole list in one response, with the facts about it in `meta`."""

    def __init__(self, items: Sequence[ItemT], meta: MetaT) -> None:
        super().__init__(items)
        self.meta = meta


class NotGiven:
    """Type of `NOT_GIVEN`: the argument is left out, which None is not."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()


def passed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were passed, as JSON values."""
    return {name: to_json(value) for name, value in values.items() if value is not NOT_GIVEN}


def to_json(value: Any) -> Any:
    """Dates, times and decimals as the API reads them. Raises ValueError for a time without zone."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(
                f"{value!r} has no time zone: the API cannot know which instant it is."
            )
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    return value


def to_query(values: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters: several values with commas, booleans in lower case; None is left out."""
    return {name: _query_text(value) for name, value in passed(values).items() if value is not None}


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_query_text, value))
    return str(value)


def path_part(text: str) -> str:
    """Text as one segment of a path, whatever characters it has."""
    return quote(text, safe="")


def to_instant(text: str) -> datetime:
    """An instant in UTC."""
    # Python 3.10 does not read the "Z".
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def instant_text(value: datetime | str) -> str:
    """An instant as the API writes it: in UTC, whole seconds, `Z`."""
    instant = to_instant(value) if isinstance(value, str) else value
    if instant.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: the API cannot know which instant it is.")
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def earlier(text: str, *, seconds: int) -> str:
    return instant_text(to_instant(text) - timedelta(seconds=seconds))
