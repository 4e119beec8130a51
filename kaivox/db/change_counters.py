"""Counts the changes of tables per business, by triggers in the database.

A response that depends on nothing but some tables of a business is unchanged exactly while the count
of their changes is. The database counts, so nothing that writes has to know of it: models, bulk
updates, cascades and SQL typed by hand all count. A counter is updated in the transaction of the
change, so both become visible at the same moment, however late that transaction commits. Clocks play
no part.

One counter row per table and business would make concurrent writers of a business wait for each
other. On PostgreSQL a writer therefore takes any counter row that no other transaction has locked,
and inserts another where all are locked; the count is their sum. It never decreases, and each commit
increases it. SQLite has one writer at a time and needs one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

# The table of `kaivox.businesses.models.ChangeCounter`.
TABLE: Final = "businesses_changecounter"

_FUNCTION: Final = "kaivox_count_change"
_EVENTS: Final = ("INSERT", "UPDATE", "DELETE")
# What each event's trigger sees of the rows: a transition table may be named only where it exists.
_TRANSITION_TABLES: Final = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}

M = TypeVar("M", bound=type[Model])

_counted: list[type[Model]] = []


def count_changes(model: M) -> M:
    """Class decorator: the database counts the changes of this model's rows, per business."""
    _counted.append(model)
    return model


def counted_models() -> tuple[type[Model], ...]:
    return tuple(_counted)


def change_count(connection: Any, business_id: int, models: Sequence[type[Model]]) -> int:
    """How many changes of the rows of `models` that belong to the business are visible now. Read it
    before the rows that it is to describe."""
    with connection.cursor() as cursor:
        cursor.execute(_count_sql(len(models)), [business_id, *map(_table_of, models)])
        return int(cursor.fetchone()[0])


def create_triggers(*, using: str, **kwargs: Any) -> None:
    """Receiver of `post_migrate`: creates the triggers that are missing. SQLite loses those of a table
    whenever a migration rebuilds it."""
    connection = connections[using]
    with connection.cursor() as cursor:
        existing = {*connection.introspection.table_names(cursor)}
        tables = [table for table in map(_table_of, _counted) if table in existing]
        if TABLE not in existing:
            return
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
            _create_in_postgresql(cursor, tables)
        else:
            for table in tables:
                for event in _EVENTS:
                    cursor.execute(_sqlite_trigger(connection, table, event))


@cache
def _count_sql(tables: int) -> str:
    names = ", ".join(["%s"] * tables)
    return (
        f"SELECT COALESCE(SUM(changes), 0) FROM {TABLE} "  # noqa: S608 - our own names
        f"WHERE business_id = %s AND table_name IN ({names})"
    )


def _table_of(model: type[Model]) -> str:
    return model._meta.db_table


# A statement is planned when it is first run, so the branches of other events may name tables that
# this trigger does not have.
_POSTGRESQL_FUNCTION: Final = f"""
CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed bigint[];
  one bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(DISTINCT business_id) INTO changed FROM new_rows;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(DISTINCT business_id) INTO changed FROM old_rows;
  ELSE
    SELECT array_agg(business_id) INTO changed
      FROM (SELECT business_id FROM old_rows UNION SELECT business_id FROM new_rows) AS changes;
  END IF;
  FOREACH one IN ARRAY coalesce(changed, '{{}}') LOOP
    UPDATE {TABLE} SET changes = changes + 1 WHERE id = (
      SELECT id FROM {TABLE} WHERE business_id = one AND table_name = TG_TABLE_NAME
      LIMIT 1 FOR UPDATE SKIP LOCKED);
    IF NOT FOUND THEN
      INSERT INTO {TABLE} (business_id, table_name, changes) VALUES (one, TG_TABLE_NAME, 1);
    END IF;
  END LOOP;
  RETURN NULL;
END $$
"""  # noqa: S608 - our own names


def _create_in_postgresql(cursor: Any, tables: Sequence[str]) -> None:
    # Only what is missing: CREATE TRIGGER waits for the writers of the table.
    cursor.execute(
        "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relname = ANY(%s) AND relnamespace = current_schema()::regnamespace",
        [list(tables)],
    )
    existing = set(cursor.fetchall())
    for table in tables:
        for event in _EVENTS:
            name = _trigger_name(table, event)
            if (table, name) not in existing:
                cursor.execute(
                    f'CREATE TRIGGER "{name}" AFTER {event} ON "{table}"'
                    f" REFERENCING {_TRANSITION_TABLES[event]}"
                    f" FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"
                )


def _sqlite_trigger(connection: BaseDatabaseWrapper, table: str, event: str) -> str:
    """SQLite knows only triggers of a row."""
    rows = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}[event]
    steps = "".join(
        f"INSERT INTO {TABLE} (business_id, table_name, changes) "  # noqa: S608 - our own names
        f"SELECT {row}.business_id, '{table}', 0 WHERE NOT EXISTS (SELECT 1 FROM {TABLE} "
        f"WHERE business_id = {row}.business_id AND table_name = '{table}'); "
        f"UPDATE {TABLE} SET changes = changes + 1 "
        f"WHERE business_id = {row}.business_id AND table_name = '{table}'; "
        for row in rows
    )
    name = connection.ops.quote_name(_trigger_name(table, event))
    on = connection.ops.quote_name(table)
    return f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {on} BEGIN {steps}END"


def _trigger_name(table: str, event: str) -> str:
    return f"{table}_count_{event.lower()}"
