"""`manage.py bi_login`: what the login of one business reads, and everything it must not read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from appointments.groups.models import AppointmentSeries, Visit
from kaivox.businesses.models import AuditEntry
from kaivox.reporting import logins
from kaivox.reporting.sql_views import VIEWS
from tests import factories

postgresql = pytest.mark.skipif(settings.EMBEDDED, reason="BI logins need PostgreSQL")
# Part of every text of the other business.
SECRET = "zq7Stranger"
AT = datetime(2026, 3, 10, 20, 15, tzinfo=UTC)

# `role` and `schema` are those of the other business's login.
REACHING = [
    "SELECT * FROM public.customers_customer",
    "SELECT * FROM public.businesses_business",
    "SELECT secret FROM public.webhooks_endpoint",
    "SELECT * FROM {schema}.customers",
    "TABLE {schema}.calls",
    "COPY {schema}.customers TO STDOUT",
    "SET ROLE {role}",
    "SET SESSION AUTHORIZATION {role}",
    "SET ROLE postgres",
    "GRANT {role} TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "CREATE VIEW pg_temp.mine AS SELECT * FROM public.customers_customer; TABLE mine",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT * FROM pg_authid, pg_statistic",
    "COPY customers TO PROGRAM 'cat'",
    "SELECT lo_import('/etc/passwd')",
    "SET search_path = {schema}; SELECT * FROM customers",
    "CREATE SCHEMA other",
    "CREATE TABLE public.other (id int)",
    "CREATE OR REPLACE VIEW customers AS SELECT * FROM public.customers_customer",
    "ALTER VIEW customers SET (security_barrier = off)",
    "CREATE RULE leak AS ON SELECT TO customers DO INSTEAD SELECT 1",
    "CREATE EXTENSION dblink",
    "SELECT query_to_xml('TABLE public.customers_customer', true, true, '')",
    "SELECT table_to_xml('public.customers_customer', true, true, '')",
    "SELECT * FROM customers FOR UPDATE",
    "LOCK TABLE public.customers_customer",
    "ANALYZE public.customers_customer; TABLE pg_statistic",
]
WRITING = [
    "UPDATE {view} SET id = id",
    "DELETE FROM {view}",
    "INSERT INTO {view} DEFAULT VALUES",
    "TRUNCATE {view}",
    "DROP VIEW {view}",
]


def fill(business, text):
    """A row of every kind, whose texts begin with `text`."""
    service = factories.make_service(
        business, name=f"{text} service", price=Decimal("99.50"), capacity=3,
        resource_kinds=["chair", "table"],
    )  # fmt: skip
    person = factories.make_staff(business, name=f"{text} staff", services=[service])
    customer = factories.make_customer(business, name=f"{text} customer")
    visit = Visit.objects.create(business=business, customer=customer)
    series = AppointmentSeries.objects.create(
        business=business, customer=customer, frequency="weekly", interval=1, count=1
    )
    booked = factories.make_appointment(
        business, service=service, staff=person, customer=customer, start_time=AT,
        party_size=2, visit=visit, series=series,
    )  # fmt: skip
    table = factories.make_resource(business, name=f"{text} table", capacity=4)
    factories.reserve(booked, table)
    factories.make_waitlist_entry(business, service=service, customer=customer, staff=person)
    factories.make_call(
        business, customer=customer, summary=f"{text} summary", sentiment="negative",
        sentiment_score=-0.5, started_at=AT,
    )  # fmt: skip
    factories.make_endpoint(business, description=f"{text} endpoint")
    factories.make_event(business)


@pytest.fixture
def filled(business, other_business):
    fill(business, "Ours")
    fill(other_business, SECRET)


@pytest.fixture
def theirs(other_business):
    """The login of the other business, so that there is a schema and a role to break into."""
    logins.issue_login(business=other_business, now=timezone.now())
    yield logins.role_name(other_business), f"bi_{other_business.pk}"
    logins.revoke_login(business=other_business, now=timezone.now())


def error_of(session, statement):
    try:
        session.execute(statement)
    except psycopg.Error as error:
        return error
    return None


def exists(schema):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [schema])
        return cursor.fetchone() == (1,)


def run(*arguments):
    output = StringIO()
    call_command("bi_login", *arguments, stdout=output)
    return output.getvalue().strip()


@pytest.mark.skipif(not settings.EMBEDDED, reason="is about SQLite")
class TestOnSqlite:
    def test_names_what_it_needs(self, business):
        for arguments in ((), ("--revoke",)):
            with pytest.raises(CommandError, match="need PostgreSQL"):
                run("--business", business.slug, *arguments)


@postgresql
@pytest.mark.django_db(transaction=True)
class TestCommand:
    def test_prints_a_url_that_connects(self, business):
        try:
            url = run("--business", business.slug, "--timeout", "7")
            with psycopg.connect(url) as session:
                assert session.execute("SHOW statement_timeout").fetchone() == ("7s",)
                assert session.execute("SHOW timezone").fetchone() == ("UTC",)
                assert session.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        finally:
            assert "Revoked" in run("--business", business.slug, "--revoke")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
        assert actions == ["bi_login.issued", "bi_login.revoked"]

    def test_stores_no_password_in_the_clear(self, login):
        password = login.split(":")[2].split("@")[0]
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname ~ '_bi_'")
            stored = [row[0] for row in cursor.fetchall()]
        assert all(one.startswith("SCRAM-SHA-256$") and password not in one for one in stored)

    def test_run_again_replaces_the_password(self, business, login):
        with connection.cursor() as cursor:
            read = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
            before = cursor.execute(read, [logins.role_name(business)]).fetchone()
            assert run("--business", business.slug) != login
            assert cursor.execute(read, [logins.role_name(business)]).fetchone() != before

    def test_rejects_bad_arguments_in_a_sentence(self, business):
        with pytest.raises(CommandError, match="between 1 and 3600"):
            run("--business", business.slug, "--timeout", "0")
        with pytest.raises(CommandError, match="no business"):
            run("--business", "unknown")
        with pytest.raises(CommandError, match="has no BI login"):
            run("--business", business.slug, "--revoke")

    def test_revoking_ends_open_sessions(self, business, login):
        with psycopg.connect(login, autocommit=True) as session:
            session.execute("SELECT count(*) FROM calls")
            assert run("--business", business.slug, "--revoke").endswith(": 1.")
            # The signal may arrive a moment later.
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT pg_sleep(30)")


@postgresql
@pytest.mark.django_db(transaction=True)
class TestViews:
    def test_show_the_rows_of_the_business_alone(self, filled, session):
        for view in VIEWS:
            rows = session.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view.name)))
            found = rows.fetchall()
            assert len(found) == 1, view.name
            assert SECRET not in str(found)

    def test_have_local_time_beside_utc(self, filled, session):
        row = session.execute(
            "SELECT start_time, start_time_local, time_zone, price, service FROM appointments"
        ).fetchone()
        local = datetime(2026, 3, 11, 1, 45)  # noqa: DTZ001 - wall time
        assert row == (AT, local, "Asia/Kolkata", Decimal("99.50"), "Ours service")

    def test_have_resources_groups_and_sizes(self, filled, session):
        row = session.execute("SELECT party_size, visit_id, series_id FROM appointments").fetchone()
        assert row == (2, Visit.objects.first().pk, AppointmentSeries.objects.first().pk)
        row = session.execute(
            "SELECT resource, kind, capacity, party_size, start_time, end_time - start_time, status"
            " FROM resource_bookings"
        ).fetchone()
        assert row == ("Ours table", "table", 4, 2, AT, timedelta(minutes=30), "scheduled")
        row = session.execute("SELECT capacity, resource_kinds FROM services").fetchone()
        assert row == (3, "chair, table")
        row = session.execute("SELECT status, service, staff_name FROM waitlist").fetchone()
        assert row == ("waiting", "Ours service", "Ours staff")

    def test_describe_every_column(self, session):
        undescribed = session.execute(
            "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = current_schema()::regnamespace AND attnum > 0"
            " AND col_description(attrelid, attnum) IS NULL"
        ).fetchall()
        assert undescribed == []

    def test_are_empty_while_the_business_is_suspended(self, filled, business, session):
        business.suspended_at = timezone.now()
        business.save()
        assert session.execute("SELECT count(*) FROM customers").fetchone() == (0,)

    def test_are_searched_by_time_inside_the_barrier(self, filled, session):
        """Comparisons of instants are leakproof, so they may use the index of the table."""
        plan = session.execute(
            "EXPLAIN SELECT count(*) FROM appointments WHERE start_time >= now() - interval '7 days'"
        ).fetchall()
        assert "Subquery Scan" not in str(plan)


@postgresql
@pytest.mark.django_db(transaction=True)
class TestIsolation:
    def test_no_statement_reaches_another_business(self, filled, theirs, session):
        role, schema = theirs
        session.execute("SET default_transaction_read_only = off")  # any session can
        for statement in REACHING:
            error = error_of(session, statement.format(role=role, schema=schema))
            assert error is not None, statement
            assert error.sqlstate != "42601", f"a syntax error proves nothing: {statement}"
            assert SECRET not in str(error)

    def test_nothing_is_written(self, filled, session):
        session.execute("SET default_transaction_read_only = off")
        for statement in WRITING:
            for view in VIEWS:
                assert error_of(session, statement.format(view=view.name)), (statement, view.name)

    def test_begins_read_only(self, session):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("CREATE TABLE pg_catalog.other (id int)")

    def test_a_function_that_reports_its_arguments_sees_our_rows_only(self, filled, session):
        """A cheap function of the login's own would run first, were the views no security barriers."""
        seen = []
        session.add_notice_handler(lambda notice: seen.append(notice.message_primary))
        session.execute("SET default_transaction_read_only = off")
        session.execute(
            "CREATE FUNCTION pg_temp.leak(value anyelement) RETURNS boolean LANGUAGE plpgsql"
            " COST 0.0000001 AS $$ BEGIN RAISE NOTICE '%', value; RETURN true; END $$"
        )
        columns = [(view.name, column.name) for view in VIEWS for column in view.columns]
        for view, column in columns:
            condition = sql.SQL("SELECT count(*) FROM {} WHERE pg_temp.leak({}::text)").format(
                sql.Identifier(view), sql.Identifier(column)
            )
            assert session.execute(condition).fetchone() == (1,)
        assert len(seen) == len(columns)  # a call for each row that it saw
        assert any("Ours customer" in text for text in seen)
        assert SECRET not in str(seen)

    def test_an_error_names_no_foreign_value(self, filled, session):
        for view, column in (("customers", "name"), ("calls", "summary"), ("staff", "name")):
            with pytest.raises(psycopg.DataError) as raised:
                session.execute(
                    sql.SQL("SELECT * FROM {} WHERE {}::int = 1").format(
                        sql.Identifier(view), sql.Identifier(column)
                    )
                )
            assert "Ours" in str(raised.value)
            assert SECRET not in str(raised.value)

    def test_the_catalogue_names_no_foreign_value(self, filled, theirs, other_business, session):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customers_customer, calls_call, businesses_business")
        relations = session.execute(
            "SELECT relname FROM pg_class WHERE relnamespace IN"
            " ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
            " AND relkind IN ('r', 'v', 'm') AND has_table_privilege(pg_class.oid, 'SELECT')"
        ).fetchall()
        assert ("pg_stats",) in relations
        for (name,) in relations:
            try:
                rows = session.execute(
                    sql.SQL("SELECT x::text FROM {} x").format(sql.Identifier(name))
                )
                text = str(rows.fetchall())
            except psycopg.Error as error:
                text = str(error)
            assert SECRET not in text, name
            assert other_business.name not in text, name

    def test_is_no_member_of_another_role(self, session):
        memberships = session.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname <> current_user"
            " AND pg_has_role(current_user, oid, 'MEMBER')"
        ).fetchone()
        assert memberships == (0,)

    def test_no_function_of_the_schemas_runs_as_its_owner(self, session):
        found = session.execute(
            "SELECT oid::regprocedure FROM pg_proc WHERE prosecdef"
            " AND has_function_privilege(oid, 'EXECUTE')"
        ).fetchall()
        assert found == []

    def test_statements_end_at_the_timeout(self, login):
        with (
            psycopg.connect(login, options="-c statement_timeout=100ms") as session,
            pytest.raises(psycopg.errors.QueryCanceled),
        ):
            session.execute("SELECT pg_sleep(60)")


@postgresql
@pytest.mark.django_db(transaction=True)
class TestMigrations:
    def test_may_change_columns_that_views_read(self, filled, session):
        change = "ALTER TABLE services_service ALTER COLUMN name TYPE varchar({})"
        with connection.cursor() as cursor:
            with pytest.raises(Exception, match="used by a view"):
                cursor.execute(change.format(121))
            try:
                with logins.views_outside_migrations():
                    cursor.execute(change.format(121))
            finally:
                with logins.views_outside_migrations():
                    cursor.execute(change.format(120))
        assert session.execute("SELECT name FROM services").fetchone() == ("Ours service",)

    def test_build_the_views_as_they_are_defined_now(self, login, business, monkeypatch):
        shorter = VIEWS[:1]
        monkeypatch.setattr(logins, "VIEWS", shorter)
        call_command("migrate", verbosity=0)
        with psycopg.connect(login) as session:
            assert session.execute("SELECT count(*) FROM appointments").fetchone() == (0,)

    def test_drop_the_views_of_a_deleted_business(self, other_business):
        logins.issue_login(business=other_business, now=timezone.now())
        role, schema = logins.role_name(other_business), f"bi_{other_business.pk}"
        other_business.delete()
        logins.rebuild_views()
        assert not exists(schema)
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    def test_drop_the_views_of_a_restored_dump_without_its_role(self, business):
        schema = f"bi_{business.pk}"
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        call_command("migrate", verbosity=0)
        assert not exists(schema)


@postgresql
@pytest.mark.django_db
class TestPrivileges:
    @pytest.fixture
    def ordinary_role(self):
        """Our session as a role without privileges on the server, in a transaction."""
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE kaivox_bi_ordinary")
            cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO kaivox_bi_ordinary")
            cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO kaivox_bi_ordinary")
            cursor.execute("SET LOCAL ROLE kaivox_bi_ordinary")

    def test_a_role_with_createrole_is_enough(self, ordinary_role, business):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            cursor.execute("ALTER ROLE kaivox_bi_ordinary CREATEROLE")
            cursor.execute("SELECT format('GRANT %I TO kaivox_bi_ordinary', current_user)")
            cursor.execute(cursor.fetchone()[0])
            cursor.execute("SET LOCAL ROLE kaivox_bi_ordinary")
        logins.issue_login(business=business, now=timezone.now())
        assert logins.revoke_login(business=business, now=timezone.now()) == 0

    def test_a_role_that_may_not_create_roles_is_named(self, business, ordinary_role):
        with pytest.raises(logins.LoginsUnavailable, match="role kaivox_bi_ordinary may not"):
            logins.issue_login(business=business, now=timezone.now())

    def test_a_schema_in_which_all_may_create_is_an_error(self, business):
        with connection.cursor() as cursor:
            cursor.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        with pytest.raises(logins.LoginsUnavailable, match="REVOKE CREATE"), transaction.atomic():
            logins.issue_login(business=business, now=timezone.now())
