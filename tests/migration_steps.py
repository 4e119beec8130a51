"""Migrates step by step where squashed migrations exist, and describes the tables of a database.

    python -m tests.migration_steps     migrates an empty database so, and prints its tables as JSON

A new database is created by squashed migrations, one of an older release has run those that they replace. Both
must have the same tables: this makes the second.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from django.db.migrations.executor import MigrationExecutor

_POSTGRESQL = {
    "columns": """
        SELECT table_name || '.' || column_name,
          concat_ws(' ', udt_name, character_maximum_length, numeric_precision, numeric_scale,
            is_nullable, column_default, is_identity, is_generated, generation_expression)
        FROM information_schema.columns WHERE table_schema = current_schema()""",
    "statistics of columns": """
        SELECT attrelid::regclass || '.' || attname, attstattarget FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 AND attstattarget > 0""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "constraints": """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) || ' ' || convalidated
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND conrelid <> 0""",
    "triggers": """
        SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal""",
    "functions": """
        SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
          AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')""",
    "statistics": """
        SELECT stxname, concat_ws(' ', stxrelid::regclass, stxkind, (
          SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute
          WHERE attrelid = stxrelid AND attnum = ANY(stxkeys)))
        FROM pg_statistic_ext""",
    "extensions": "SELECT extname, extversion FROM pg_extension",
}
_SQLITE = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"


def migrate_by_steps(connection: Any) -> None:
    """Runs the migrations that squashed ones replace, and what they need."""
    executor = MigrationExecutor(connection)
    executor.loader.replace_migrations = False
    executor.loader.build_graph()
    executor.migrate(
        [migration.replaces[-1] for migration in executor.loader.replacements.values()]
    )


def tables_of(connection: Any) -> dict[str, dict[str, Any]]:
    """Definitions by name. The order of columns is left out: a new column is the last of an old table."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            found = {}
            for kind, query in _POSTGRESQL.items():
                cursor.execute(query)
                found[kind] = {str(name): str(value) for name, value in cursor.fetchall()}
            return found
        cursor.execute(_SQLITE)
        return {"all": {name: _parts(" ".join(sql.split())) for name, sql in cursor.fetchall()}}


def _parts(statement: str) -> list[str]:
    """The statement up to its first parenthesis, and the sorted columns and constraints in it."""
    statement = statement.replace('"', "")
    head, _, rest = statement.partition("(")
    if not head.startswith("CREATE TABLE"):
        return [statement]
    parts, depth = [""], 0
    for character in rest.rpartition(")")[0]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [head, *sorted(re.sub(r"\s+", " ", part).strip() for part in parts)]


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    migrate_by_steps(connection)
    call_command("migrate", verbosity=0, skip_checks=True)
    sys.stdout.write(json.dumps(tables_of(connection)))


if __name__ == "__main__":
    main()
