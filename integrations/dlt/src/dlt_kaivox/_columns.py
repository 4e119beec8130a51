"""Types of columns, from the models of the Python SDK."""

from __future__ import annotations

import typing
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Final

from dlt.common.data_types.typing import TDataType
from dlt.common.schema.typing import TColumnSchema
from dlt.extract.hints import make_nested_hints
from kaivox import KaiVox

_TYPES: Final[dict[Any, TDataType]] = {
    bool: "bool",
    int: "bigint",
    float: "double",
    str: "text",
    Decimal: "decimal",
    datetime: "timestamp",
    date: "date",
    # Users' own data: the names in it are no columns.
    dict: "json",
}


def resource_names(client: KaiVox) -> list[str]:
    """The resources whose changes can be read: those with a method `sync`."""
    return [
        name
        for name in dir(type(client))
        if not name.startswith("_") and hasattr(getattr(client, name), "sync")
    ]


def model_of(method: Callable[..., Any]) -> type[Any]:
    """The model that a method of the SDK returns, alone or in pages."""
    returned = typing.get_type_hints(method)["return"]
    model: type[Any]
    [model] = typing.get_args(returned) or [returned]
    return model


def hints_of(model: type[Any]) -> dict[str, Any]:
    """Types and descriptions of the fields, and of those of child tables, as arguments of `dlt.resource`."""
    fields = {
        name: typing.get_type_hints(field.fget)["return"]
        for name, field in vars(model).items()
        if isinstance(field, property)
    }
    columns: dict[str, TColumnSchema] = {
        name: {"name": name, "data_type": data_type, "description": _description(model, name)}
        for name, hint in fields.items()
        if (data_type := _data_type(hint))
    }
    children = {
        name: make_nested_hints(columns=hints_of(child)["columns"])
        for name, hint in fields.items()
        if (child := _child_of(hint))
    }
    return {"columns": columns, "nested_hints": children}


def _description(model: type[Any], name: str) -> str:
    return getattr(model, name).__doc__ or ""


def _data_type(hint: Any) -> TDataType | None:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return "text"
    if origin in {typing.Union, UnionType}:
        # What may be null; a value of several types is left to dlt.
        present = [part for part in typing.get_args(hint) if part is not NoneType]
        return _data_type(present[0]) if len(present) == 1 else None
    return _TYPES.get(origin or hint)


def _child_of(hint: Any) -> type[Any] | None:
    """The model of a list of objects, which is a table of its own."""
    [item, *_] = typing.get_args(hint) or [None]
    is_model = isinstance(item, type) and hasattr(item, "to_dict")
    return item if typing.get_origin(hint) is list and is_model else None
