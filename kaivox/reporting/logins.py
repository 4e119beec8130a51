"""BI logins: a PostgreSQL role of one business that may read its views and nothing else.

The role has privileges on one schema, `bi_<id of the business>`, whose views belong to the owner of
the tables. They are security barriers: a function that the login writes sees only rows that passed
the condition on the business. No list of logins is stored: the schemas are the list.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from django.db import connection, transaction
from psycopg import sql

from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business
from kaivox.reporting.sql_views import VIEWS, View

DEFAULT_TIMEOUT_SECONDS: Final = 60
MAX_CONNECTIONS: Final = 10
_MAX_IDENTIFIER: Final = 63
_SCHEMA: Final = re.compile(r"bi_(\d+)")


class LoginsUnavailable(Exception):
    """The database, or our role in it, has no such logins; the message is shown to the operator."""


def role_name(business: Business) -> str:
    """Roles belong to a server and not to a database, so the name has both."""
    with connection.cursor() as cursor:
        return f"{_database_name(cursor)}_bi_{business.pk}"[-_MAX_IDENTIFIER:]


def issue_login(
    *, business: Business, now: datetime, timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
) -> str:
    """Creates the login, or changes the password of the existing one, and builds its views.

    Returns the connection URL with the password, which is stored nowhere else. Raises
    LoginsUnavailable on SQLite, and where our role may not create roles.
    """
    _check_database()
    role, schema = role_name(business), _schema_name(business.pk)
    password = secrets.token_urlsafe(24)
    with transaction.atomic(), connection.cursor() as cursor:
        _create_role(cursor, role, password, schema, timeout_seconds)
        with _as_owner_of_tables(cursor):
            cursor.execute(_identifiers("CREATE SCHEMA IF NOT EXISTS {}", schema))
            cursor.execute(_identifiers("GRANT USAGE ON SCHEMA {} TO {}", schema, role))
            _create_views(cursor, business.pk, role)
        _check_public_schema(cursor, role)
        record_audit(business=business, actor=None, action="bi_login.issued", subject=role, now=now)
    return _url(role, password)


def revoke_login(*, business: Business, now: datetime) -> int:
    """Ends the login: its sessions, its views and its role. Returns the number of ended sessions.
    Raises LoginsUnavailable as `issue_login` does, and where the business has no login."""
    _check_database()
    role = role_name(business)
    with connection.cursor() as cursor:
        if not _role_exists(cursor, role):
            raise LoginsUnavailable(f"{business.name} has no BI login.")
        # Committed by itself: from now on no new session begins.
        cursor.execute(_identifiers("ALTER ROLE {} NOLOGIN", role))
        _become_member(cursor, role)
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = %s",
            [role],
        )
        ended = int(cursor.fetchone()[0])
        with transaction.atomic():
            with _as_owner_of_tables(cursor):
                _drop_schema(cursor, business.pk)
            cursor.execute(_identifiers("DROP OWNED BY {}", role))
            cursor.execute(_identifiers("DROP ROLE {}", role))
            record_audit(
                business=business, actor=None, action="bi_login.revoked", subject=role, now=now
            )
    return ended


@contextmanager
def views_outside_migrations() -> Iterator[None]:
    """Drops the views of all logins while the block changes tables, and builds them again at its end:
    PostgreSQL changes no column that a view reads. Roles and passwords do not change."""
    with transaction.atomic(), connection.cursor() as cursor:
        for business_id in _businesses_with_login(cursor):
            for view in VIEWS:
                cursor.execute(
                    _identifiers("DROP VIEW IF EXISTS {}.{}", _schema_name(business_id), view.name)
                )
    try:
        yield
    finally:
        if connection.is_usable():
            rebuild_views()


@transaction.atomic
def rebuild_views() -> None:
    """Builds the views of every login as they are defined today. Drops those of a deleted business, and
    those whose role is missing, as after the restore of a dump on another server."""
    with connection.cursor() as cursor:
        for business_id in _businesses_with_login(cursor):
            business = Business.objects.filter(pk=business_id).first()
            if business is not None and _role_exists(cursor, role_name(business)):
                _create_views(cursor, business_id, role_name(business))
            else:
                _drop_schema(cursor, business_id)


def _check_database() -> None:
    if connection.vendor != "postgresql":
        raise LoginsUnavailable(
            "BI logins need PostgreSQL (DATABASE_URL); with SQLite, export CSV files as "
            "docs/recipes/bi.md shows."
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper OR rolcreaterole, pg_has_role(tableowner, 'MEMBER'),"
            " tableowner FROM pg_roles, pg_tables WHERE rolname = current_user"
            " AND schemaname = 'public' AND tablename = %s",
            [Business._meta.db_table],
        )
        user, may_create, is_member, owner = cursor.fetchone()
    if not (may_create and is_member):
        raise LoginsUnavailable(
            f"The database role {user} may not create logins: run the command with DATABASE_URL of a "
            f"superuser, or of a role with CREATEROLE that is a member of {owner}."
        )


def _check_public_schema(cursor: Any, role: str) -> None:
    """Before PostgreSQL 15 every role may create tables in `public`, unless it is revoked."""
    cursor.execute("SELECT has_schema_privilege(%s, 'public', 'CREATE')", [role])
    if cursor.fetchone()[0]:
        raise LoginsUnavailable(
            "Every role may create tables in this database. As its administrator run: REVOKE CREATE ON "
            "SCHEMA public FROM PUBLIC; and GRANT CREATE ON SCHEMA public TO the owner of the tables."
        )


def _create_role(cursor: Any, role: str, password: str, schema: str, timeout: int) -> None:
    # Hashed here: the server may log the statement.
    hashed = connection.connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    verb = "ALTER" if _role_exists(cursor, role) else "CREATE"
    cursor.execute(
        sql.SQL(
            verb + " ROLE {} WITH LOGIN NOINHERIT NOCREATEDB NOCREATEROLE"
            " CONNECTION LIMIT {} PASSWORD {}"
        ).format(sql.Identifier(role), sql.Literal(MAX_CONNECTIONS), sql.Literal(hashed))
    )
    settings = {
        "search_path": schema,
        "timezone": "UTC",
        "default_transaction_read_only": "on",
        "statement_timeout": f"{timeout}s",
        "idle_in_transaction_session_timeout": f"{timeout}s",
    }
    for name, value in settings.items():
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(role), sql.Identifier(name), sql.Literal(value)
            )
        )


def _create_views(cursor: Any, business_id: int, role: str) -> None:
    schema = _schema_name(business_id)
    for view in VIEWS:
        # Not CREATE OR REPLACE, which can neither remove a column nor change its type.
        cursor.execute(_identifiers("DROP VIEW IF EXISTS {}.{}", schema, view.name))
        query = sql.SQL(view.query(business_id))
        created = _identifiers("CREATE VIEW {}.{} WITH (security_barrier) AS ", schema, view.name)
        cursor.execute(created + query)
        _comment(cursor, schema, view)
        cursor.execute(_identifiers("GRANT SELECT ON {}.{} TO {}", schema, view.name, role))


def _comment(cursor: Any, schema: str, view: View) -> None:
    on_view = _identifiers("COMMENT ON VIEW {}.{} IS ", schema, view.name)
    cursor.execute(on_view + sql.Literal(view.comment))
    for column in view.columns:
        on_column = _identifiers("COMMENT ON COLUMN {}.{}.{} IS ", schema, view.name, column.name)
        cursor.execute(on_column + sql.Literal(column.comment))


def _drop_schema(cursor: Any, business_id: int) -> None:
    cursor.execute(_identifiers("DROP SCHEMA IF EXISTS {} CASCADE", _schema_name(business_id)))


@contextmanager
def _as_owner_of_tables(cursor: Any) -> Iterator[None]:
    """Runs the block as the role that owns our tables, so that views never read them as a superuser,
    and `migrate` can drop them."""
    cursor.execute(
        "SELECT current_user, tableowner FROM pg_tables"
        " WHERE schemaname = 'public' AND tablename = %s",
        [Business._meta.db_table],
    )
    user, owner = cursor.fetchone()
    cursor.execute(_identifiers("SET LOCAL ROLE {}", owner))
    yield
    cursor.execute(_identifiers("SET LOCAL ROLE {}", user))


def _become_member(cursor: Any, role: str) -> None:
    """A role with CREATEROLE ends sessions of, and drops, only roles of which it is a member."""
    cursor.execute("SELECT pg_has_role(%s, 'MEMBER')", [role])
    if not cursor.fetchone()[0]:
        cursor.execute(_identifiers("GRANT {} TO CURRENT_USER", role))


def _role_exists(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
    return bool(cursor.fetchone()[0])


def _database_name(cursor: Any) -> str:
    """Its own name, which a pooler may replace by another in DATABASE_URL."""
    cursor.execute("SELECT current_database()")
    return str(cursor.fetchone()[0])


def _businesses_with_login(cursor: Any) -> list[int]:
    cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^bi_[0-9]+$' ORDER BY 1")
    return [int(found[1]) for (name,) in cursor.fetchall() if (found := _SCHEMA.fullmatch(name))]


def _schema_name(business_id: int) -> str:
    return f"bi_{business_id}"


def _identifiers(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))


def _url(role: str, password: str) -> str:
    server = connection.settings_dict
    address = f"{quote(server['HOST'] or '127.0.0.1', safe='')}:{server['PORT'] or 5432}"
    return f"postgresql://{quote(role)}:{password}@{address}/{quote(server['NAME'])}"
