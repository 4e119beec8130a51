"""Schema changes of large tables while requests are served.

Use them in a migration with `atomic = False`. On PostgreSQL indexes are built and dropped
CONCURRENTLY, which blocks no writer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import connections, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint, AddIndex, AlterField, RemoveIndex, RunPython
from django.db.migrations.operations.base import Operation
from django.db.models import Model

_BATCH = 500

Code = Callable[[Any, BaseDatabaseSchemaEditor], None]


class _Online:
    """An operation that is CONCURRENTLY on PostgreSQL, and as ever on SQLite."""

    plain: type[Operation]
    concurrent: type[Operation]

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        forwards: Any = self._operation(schema_editor).database_forwards
        forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        backwards: Any = self._operation(schema_editor).database_backwards
        backwards(self, app_label, schema_editor, from_state, to_state)

    def _operation(self, editor: BaseDatabaseSchemaEditor) -> type[Operation]:
        return self.concurrent if editor.connection.vendor == "postgresql" else self.plain


class AddIndexOnline(_Online, AddIndexConcurrently):
    """AddIndex without blocking writers."""

    plain, concurrent = AddIndex, AddIndexConcurrently


class RemoveIndexOnline(_Online, RemoveIndexConcurrently):
    """RemoveIndex without blocking writers."""

    plain, concurrent = RemoveIndex, RemoveIndexConcurrently


class DropNotNull(AlterField):
    """AlterField of a foreign key that becomes nullable. Django would add its constraint again, which
    reads the whole table under a lock."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        self._alter("DROP", app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        self._alter("SET", app_label, schema_editor, from_state, to_state)

    def _alter(
        self, action: str, app_label: str, editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if editor.connection.vendor != "postgresql":
            AlterField.database_forwards(self, app_label, editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        column = model._meta.get_field(self.name).column
        quote = editor.connection.ops.quote_name
        editor.execute(
            f"ALTER TABLE {quote(model._meta.db_table)}"
            f" ALTER COLUMN {quote(column)} {action} NOT NULL"
        )


def drop_index_of_column(app: str, model: str, column: str) -> RunPython:
    """Drops the plain index that a foreign key brought, also where an earlier Django named it."""

    def drop(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        table = apps.get_model(app, model)._meta.db_table
        for name in _plain_indexes(editor, table, column):
            _drop(editor, name)

    def create(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        table = apps.get_model(app, model)._meta.db_table
        quote = editor.connection.ops.quote_name
        editor.execute(
            f"CREATE INDEX {_concurrently(editor)} {quote(f'{table}_{column}')}"
            f" ON {quote(table)} ({quote(column)})"
        )

    return RunPython(drop, create, elidable=False)


def drop_pattern_index(app: str, model: str, column: str) -> RunPython:
    """Drops the second index, for LIKE, that Django gives a unique text column on PostgreSQL."""

    def drop(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor != "postgresql":
            return
        table = apps.get_model(app, model)._meta.db_table
        # That of a table which the same migration creates is created at its end.
        editor.deferred_sql = [
            sql for sql in editor.deferred_sql if not _is_pattern_index(sql, table, column)
        ]
        with editor.connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
                " AND tablename = %s AND indexname ~ %s",
                [table, f"^{table}_{column}_[0-9a-f]+_like$"],
            )
            names = [name for (name,) in cursor.fetchall()]
        for name in names:
            _drop(editor, name)

    return RunPython(drop, RunPython.noop)


def on_postgresql(*statements: str) -> RunPython:
    """Runs `statements` of SQL where the database is PostgreSQL."""

    def run(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "postgresql":
            for statement in statements:
                editor.execute(statement)

    return RunPython(run, RunPython.noop)


class AddCheckNotValid(AddConstraint):
    """Adds a CheckConstraint without reading the rows that exist; `validate_check`, in a later
    migration, reads them. On SQLite the first one rebuilds the table and the second does nothing."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            # The statement has its values in it: `params` would make a % in it a placeholder.
            schema_editor.execute(
                f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", params=None
            )


def validate_check(app: str, model: str, name: str) -> RunPython:
    """Reads all rows to validate the constraint `name`, without blocking writers."""

    def validate(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.connection.vendor == "postgresql":
            quote = editor.connection.ops.quote_name
            table = apps.get_model(app, model)._meta.db_table
            editor.execute(f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(name)}")

    return RunPython(validate, RunPython.noop)


def fill_folded_text(app: str, model: str, *columns: str) -> RunPython:
    """Fills each `FoldedTextField` of rows that are older than it, in batches that commit one by one.

    Rows that have the right text are not written, so a repeated migration continues where an
    interrupted one ended.
    """

    def fill(apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
        table = apps.get_model(app, model)
        fields = [table._meta.get_field(column) for column in columns]
        read = {name for field in fields for name in (field.attname, *field.of)}
        last = 0
        while True:
            # Locked, so that no concurrent change is folded from what the row was before it.
            with transaction.atomic():
                rows = table.objects.select_for_update(no_key=True).order_by("pk")
                batch = list(rows.filter(pk__gt=last).only(*read)[:_BATCH])
                stale = []
                for row in batch:
                    before = [getattr(row, column) for column in columns]
                    for field in fields:
                        setattr(row, field.attname, field.text_of(row))
                    if before != [getattr(row, column) for column in columns]:
                        stale.append(row)
                update_texts(stale, columns)
            if not batch:
                return
            last = batch[-1].pk

    return RunPython(fill, RunPython.noop)


def update_texts(rows: Sequence[Model], columns: Sequence[str]) -> None:
    """Writes text columns of rows of one table, on PostgreSQL in one UPDATE.

    `bulk_update` has a CASE for each column with a branch for each row, so its time grows with the
    square of the batch.
    """
    if not rows:
        return
    meta, connection = rows[0]._meta, connections[rows[0]._state.db]
    quote = connection.ops.quote_name
    table, key = quote(meta.db_table), quote(meta.pk.column)  # type: ignore[union-attr]
    texts = [[getattr(row, column) for row in rows] for column in columns]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            assigned = ", ".join(f"{quote(one)} = new.{quote(one)}" for one in columns)
            cursor.execute(
                f"UPDATE {table} SET {assigned}"  # noqa: S608 - names of ours
                f" FROM unnest(%s::bigint[]{', %s::text[]' * len(columns)})"
                f" AS new (pk, {', '.join(map(quote, columns))}) WHERE {table}.{key} = new.pk",
                [[row.pk for row in rows], *texts],
            )
        else:
            assigned = ", ".join(f"{quote(one)} = %s" for one in columns)
            cursor.executemany(
                f"UPDATE {table} SET {assigned} WHERE {key} = %s",  # noqa: S608 - names of ours
                list(zip(*texts, [row.pk for row in rows], strict=True)),
            )


def _plain_indexes(editor: BaseDatabaseSchemaEditor, table: str, column: str) -> list[str]:
    with editor.connection.cursor() as cursor:
        found = editor.connection.introspection.get_constraints(cursor, table)
    return [
        name
        for name, one in found.items()
        if one["columns"] == [column]
        and one["index"]
        and not (one["unique"] or one["primary_key"] or one["foreign_key"])
        # One that a model declares has a name of its own, and perhaps a condition.
        and name.startswith(f"{table}_{column}"[:20])
    ]


def _is_pattern_index(statement: Any, table: str, column: str) -> bool:
    return statement.references_column(table, column) and "_pattern_ops" in str(statement)


def _drop(editor: BaseDatabaseSchemaEditor, name: str) -> None:
    quoted = editor.connection.ops.quote_name(name)
    editor.execute(f"DROP INDEX {_concurrently(editor)} IF EXISTS {quoted}")


def _concurrently(editor: BaseDatabaseSchemaEditor) -> str:
    return "CONCURRENTLY" if editor.connection.vendor == "postgresql" else ""
