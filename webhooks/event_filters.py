"""Filters of an endpoint: conditions on an event's body, all of which must hold for it to be sent.

A filter is `{"field": "data.status", "operator": "eq", "value": "no_show"}`. A field that the body
does not have is null. Numbers are compared with decimals in strings too, as prices are strings.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from kaivox.api.suggestions import unknown_name
from kaivox.errors import Invalid
from webhooks.event_types import EVENT_TYPES

MAX_FILTERS: Final = 10
MAX_CHOICES: Final = 50
MAX_TEXT: Final = 200
# Sent whatever the filters say: it has an id and nothing to filter by, and must not be missed.
UNFILTERED_TYPES: Final = frozenset({"customer.erased"})

_METADATA: Final = "data.metadata."
_DECIMAL: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?")
_FIELDS: Final = frozenset({"type", "livemode"}) | {
    f"data.{name}"
    for kind in EVENT_TYPES.values()
    for name, value in kind.example.items()
    if not isinstance(value, list | dict)
}


def _contains(actual: Any, wanted: Any) -> bool:
    return isinstance(actual, str) and str(wanted).casefold() in actual.casefold()


def _is_equal(actual: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(actual, bool):
        return actual is wanted
    if isinstance(wanted, int | float):
        return _number(actual) == _number(wanted)
    return bool(actual == wanted)


def _compare(actual: Any, wanted: Any) -> int | None:
    """-1, 0 or 1; None where the two have no order. Instants have one form, so text orders them."""
    if isinstance(wanted, int | float):
        number, limit = _number(actual), _number(wanted)
        return None if number is None or limit is None else int(number.compare(limit))
    if not isinstance(actual, str):
        return None
    return (actual > wanted) - (actual < wanted)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


_OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": _is_equal,
    "ne": lambda actual, wanted: not _is_equal(actual, wanted),
    "in": lambda actual, wanted: any(_is_equal(actual, one) for one in wanted),
    "not_in": lambda actual, wanted: not any(_is_equal(actual, one) for one in wanted),
    "gt": lambda actual, wanted: _compare(actual, wanted) == 1,
    "gte": lambda actual, wanted: _compare(actual, wanted) in (0, 1),
    "lt": lambda actual, wanted: _compare(actual, wanted) == -1,
    "lte": lambda actual, wanted: _compare(actual, wanted) in (0, -1),
    "contains": _contains,
}
OPERATORS: Final = tuple(_OPERATORS)


def matches(filters: Sequence[Mapping[str, Any]] | None, body: bytes) -> bool:
    """Whether every filter holds for the event with this body."""
    if not filters:
        return True
    event = json.loads(body)
    if event["type"] in UNFILTERED_TYPES:
        return True
    return all(
        _OPERATORS[one["operator"]](_value_of(event, one["field"]), one["value"]) for one in filters
    )


def _value_of(event: Any, field: str) -> Any:
    if field.startswith(_METADATA):  # a key of the user's own, which may contain dots
        return (event["data"].get("metadata") or {}).get(field.removeprefix(_METADATA))
    return event["data"].get(field[5:]) if field.startswith("data.") else event.get(field)


# --- Validation ----------------------------------------------------------------------------------


def check_filters(filters: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`filters` as they are stored. Raises Invalid."""
    problems = [
        f"Filter {number}: {problem}"
        for number, one in enumerate(filters, 1)
        if (problem := _problem(one))
    ]
    if len(filters) > MAX_FILTERS:
        problems = [f"At most {MAX_FILTERS} filters."]
    if problems:
        raise Invalid(errors={"filters": problems})
    return [{name: one[name] for name in ("field", "operator", "value")} for one in filters]


def _problem(one: Mapping[str, Any]) -> str | None:
    if set(one) != {"field", "operator", "value"}:
        return "write field, operator and value, and nothing else."
    field, operator, value = one["field"], one["operator"], one["value"]
    if not isinstance(field, str) or not isinstance(operator, str):
        return "field and operator are text."
    is_metadata = field.startswith(_METADATA) and 0 < len(field) - len(_METADATA) <= 40
    if field not in _FIELDS and not is_metadata:
        return unknown_name(field, [*_FIELDS, f"{_METADATA}…"], noun="field")
    if operator not in _OPERATORS:
        return unknown_name(operator, _OPERATORS, noun="operator")
    return _problem_of_value(operator, value)


def _problem_of_value(operator: str, value: Any) -> str | None:
    if operator in ("in", "not_in"):
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHOICES:
            return f"with {operator} the value is a list of 1 to {MAX_CHOICES}."
        return next((problem for one in value if (problem := _problem_of_value("eq", one))), None)
    if isinstance(value, str):
        return None if len(value) <= MAX_TEXT else f"a text has at most {MAX_TEXT} characters."
    if operator == "contains":
        return "with contains the value is text."
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_small = math.isfinite(value) and abs(value) < 10**18
        return None if is_small else "a number has at most 18 digits."
    if operator in ("eq", "ne") and (value is None or isinstance(value, bool)):
        return None
    return f"with {operator} the value is text or a number."


# --- As text -------------------------------------------------------------------------------------

_SYMBOLS: Final = {"eq": "=", "ne": "!=", "gte": ">=", "lte": "<=", "gt": ">", "lt": "<"}
_WORDS: Final = {"not_in": "not in", "in": "in", "contains": "contains"}
_BY_TEXT: Final = {text: name for name, text in {**_SYMBOLS, **_WORDS}.items()}
_LINE: Final = re.compile(r"(\S+?)\s*(!=|>=|<=|=|>|<|\s(?:not in|in|contains)\s)\s*(.*)")


def as_text(filters: Sequence[Mapping[str, Any]] | None) -> str:
    """One line per filter: `data.status = no_show`."""
    names = {**_SYMBOLS, **_WORDS}
    return "\n".join(
        f"{one['field']} {names[one['operator']]} {_value_as_text(one['value'])}"
        for one in filters or ()
    )


def from_text(text: str) -> list[dict[str, Any]]:
    """The filters of `as_text`. Raises ValueError with the line that is none."""
    return [_from_line(line) for line in filter(None, map(str.strip, text.splitlines()))]


def _from_line(line: str) -> dict[str, Any]:
    found = _LINE.fullmatch(line)
    if not found:
        raise ValueError(line)
    operator = _BY_TEXT[found[2].strip()]
    value: Any = _value_from_text(found[3])
    if operator in ("in", "not_in") and not isinstance(value, list):
        value = [_value_from_text(part.strip()) for part in found[3].split(",")]
    if operator == "contains" and not isinstance(value, str):
        value = found[3]
    return {"field": found[1], "operator": operator, "value": value}


def _value_as_text(value: Any) -> str:
    if isinstance(value, str) and value.strip() == value and _value_from_text(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _value_from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
