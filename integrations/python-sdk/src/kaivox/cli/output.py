"""Tables for people and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kaivox.models import Model

console = Console(highlight=False, soft_wrap=True)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def show(rows: Iterable[Model], columns: Sequence[str], *, as_json: bool) -> None:
    """Prints rows: these columns as a table, or everything as a JSON array."""
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell(getattr(row, name))) for name in columns))
    console.print(table if table.row_count else Text("None found."))


def show_one(row: Model, *, as_json: bool) -> None:
    """Prints one object with all its fields."""
    if as_json:
        print_json(row.to_dict())
        return
    table = Table("field", "value", box=None, pad_edge=False, show_header=False)
    for name, value in row.to_dict().items():
        table.add_row(Text(name, style="bold"), Text(cell(value)))
    console.print(table)


def print_json(value: Any) -> None:
    """Not by rich, which would break lines at the width of the terminal."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def cell(value: Any) -> str:
    """A value as one line without control characters: a name may come from anybody."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%MZ")
    if isinstance(value, list) and all(isinstance(item, Model) for item in value):
        return ", ".join(cell(item.to_dict().get("name")) for item in value)
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    return printable(str(value))


def printable(text: str) -> str:
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
