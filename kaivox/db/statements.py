"""Statements that Django's ORM can make, but has under private names only: nothing outside
`kaivox.db` uses these. tests/db/test_statements.py fails when Django changes them."""

from __future__ import annotations

from typing import Any, Self

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.constants import OnConflict


def insert_or_ignore(row: Model) -> bool:
    """Inserts `row`, a new one, unless a unique constraint forbids it; whether it did.

    INSERT … ON CONFLICT DO NOTHING: it waits for a concurrent transaction with the same values, as `save`
    in a savepoint would, in one statement instead of three.
    """
    meta = row._meta
    columns = [column for column in meta.concrete_fields if not column.primary_key]
    [inserted] = (
        type(row)
        ._base_manager.get_queryset()
        ._insert(  # type: ignore[attr-defined]
            [row],
            columns,
            using=connection.alias,
            returning_fields=[meta.pk],
            on_conflict=OnConflict.IGNORE,
        )
    )
    if inserted is None:
        return False
    (row.pk,) = inserted
    row._state.adding = False
    return True


def delete_without_model(rows: QuerySet[Any]) -> int:
    """Deletes `rows` by one DELETE and returns how many. Neither their model nor what refers to them is
    asked, so nothing may refer to them."""
    return rows._raw_delete(connection.alias)


def with_row_class(rows: QuerySet[Any], row_class: type[Any]) -> QuerySet[Any]:
    """`rows`, iterated by `row_class`, a subclass of `django.db.models.query.BaseIterable`."""
    made: Any = rows.all()
    made._iterable_class = row_class
    return made


class CountLimitedQuerySet(QuerySet[Any]):
    """Rows of which callers count at most `count_limit`; None: all. Clones, and so filters, keep it."""

    count_limit: int | None = None

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone.count_limit = self.count_limit
        return clone
