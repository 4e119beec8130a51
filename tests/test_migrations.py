"""Migrations: released ones stay as they are, and none stops a database that serves requests."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField

from kaivox.businesses.models import BusinessOwned
from tests.migration_steps import tables_of
from tests.released_migrations import present, released
from tests.stack import ROOT, empty_database
from webhooks.models import Event

PARTIAL = {
    "postgresql": "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'",
}
LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


@pytest.mark.once
class TestReleased:
    def test_are_as_they_were_released(self):
        found = present()
        changed = [path for path, digest in released().items() if found.get(path) != digest]
        assert not changed, (
            "These were released: databases that have run them would not get the change. Write new "
            "migrations instead."
        )


def indexes_of(table):
    """Columns and uniqueness of each index that has all rows, by name; None: an expression."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
        cursor.execute(PARTIAL[connection.vendor])
        partial = {name for (name,) in cursor.fetchall()}
    return {
        name: (one["columns"], one["unique"] or one["primary_key"])
        for name, one in found.items()
        if one["columns"] and (one["index"] or one["unique"]) and name not in partial
        # Of searches; for LIKE there are indexes in another order.
        and one.get("type") not in ("gin", "gist") and not name.endswith("_like")
    }  # fmt: skip


@pytest.mark.django_db
class TestIndexes:
    def test_none_is_the_beginning_of_another(self):
        """Such an index finds nothing that the other does not, and costs time in every write."""
        redundant = []
        for model in apps.get_models():
            if "site-packages" in apps.get_app_config(model._meta.app_label).path:
                continue  # of Django or of a package
            indexes = indexes_of(model._meta.db_table)
            redundant += [
                f"{name}: {other} begins with its columns"
                for name, (columns, is_unique) in indexes.items()
                for other, (more, _) in indexes.items()
                if not is_unique and len(more) > len(columns) and more[: len(columns)] == columns
            ]
        assert redundant == []

    def test_of_each_table_begins_one_with_the_business(self):
        """`BusinessOwned.business` has none of its own."""
        owned = [model for model in apps.get_models() if issubclass(model, BusinessOwned)]
        without = [
            model.__name__
            for model in owned
            if not any(
                one[0][0] == "business_id" for one in indexes_of(model._meta.db_table).values()
            )
        ]
        assert without == []

    def test_of_event_ids_is_one(self):
        with connection.cursor() as cursor:
            names = connection.introspection.get_constraints(cursor, Event._meta.db_table)
        assert not [name for name in names if name.endswith("_like")]


@pytest.mark.skipif(settings.EMBEDDED, reason="SQLite has neither these limits nor other writers")
@pytest.mark.django_db(transaction=True)
class TestMigrateCommand:
    def limits(self):
        with connection.cursor() as cursor:
            return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in LIMITS]

    def test_may_work_for_long_but_not_wait_for_long(self, monkeypatch):
        seen = []
        monkeypatch.setattr(migrate.Command, "handle", lambda *_, **__: seen.append(self.limits()))
        before = self.limits()
        call_command("migrate")
        assert seen == [["3s", "0", "0"]]
        assert self.limits() == before != seen[0]

    def test_says_what_to_do_where_a_table_stays_locked(self, monkeypatch):
        def lock(*args, **kwargs):
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'; LOCK TABLE webhooks_event")

        monkeypatch.setattr(migrate.Command, "handle", lock)
        values = connection.get_connection_params()
        names = ("host", "port", "dbname", "user", "password")
        with psycopg.connect(**{k: v for k, v in values.items() if k in names}) as other:
            other.execute("LOCK TABLE webhooks_event")
            with pytest.raises(CommandError, match="stayed locked for 3 seconds"):
                call_command("migrate")


class TestNewColumns:
    def test_have_a_default_in_the_database_or_are_nullable(self):
        """The previous release, which runs while `migrate` does and after it, inserts rows without them."""
        loader = MigrationLoader(None)
        known = {(Path(path).parent.parent.name, Path(path).stem) for path in released()}
        ours = {label for label, _ in known}
        added = [
            f"{label}.{name}: {operation.model_name}.{operation.name}"
            for (label, name), migration in loader.disk_migrations.items()
            if label in ours and (label, name) not in known and not migration.replaces
            for operation in migration.operations
            if isinstance(operation, AddField)
            and not operation.field.null
            and not operation.field.has_db_default()
            and not operation.field.many_to_many
        ]
        assert not added, f"Set db_default: {added}"


@pytest.mark.django_db
class TestSquashed:
    @pytest.fixture
    def of_an_older_release(self, tmp_path):
        """The tables of a database that has run each migration."""
        environment = {
            **os.environ,
            "KAIVOX_VAR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "kaivox.settings",
        }
        with ExitStack() as databases:
            if not settings.EMBEDDED:
                name = f"steps_{secrets.token_hex(4)}"
                environment["DATABASE_URL"] = databases.enter_context(empty_database(name))
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "tests.migration_steps"],
                cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
        return json.loads(done.stdout)

    def test_make_the_tables_that_the_steps_make(self, of_an_older_release):
        new = tables_of(connection)
        assert new.keys() == of_an_older_release.keys()
        different = [
            f"{kind} {name}: new {new[kind].get(name)}, old {old.get(name)}"
            for kind, old in of_an_older_release.items()
            for name in sorted(old.keys() | new[kind].keys())
            if old.get(name) != new[kind].get(name)
        ]
        assert not different, "\n".join(different)
