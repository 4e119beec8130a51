"""A business with very many calls, created quickly: rows by COPY, then the indexes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.runner import DiscoverRunner
from django.utils import timezone

from customers.models import Customer
from kaivox.businesses.models import Business
from ratelimits.models import QuotaOverride
from tests import factories
from tests.bench.call_texts import COLUMNS, rows
from tests.bench.data import FAR_AWAY, show_progress

CUSTOMERS = 1_000


@contextmanager
def bench_database() -> Iterator[None]:
    """A migrated database, dropped at the end. Raises SystemExit without PostgreSQL."""
    if connection.vendor != "postgresql":
        raise SystemExit("This bench is about PostgreSQL: set DATABASE_URL.")
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment(debug=False)
    databases = runner.setup_databases()
    try:
        yield
    finally:
        connection.close()
        runner.teardown_databases(databases)


def make_business_with_calls(count: int) -> Business:
    """Has a thousand customers, and a quota that no benchmark reaches."""
    business = factories.make_business(country="IN", plan="enterprise")
    ends_at = timezone.now() + timedelta(days=1)
    QuotaOverride.objects.create(
        business=business, per_minute=FAR_AWAY, per_day=FAR_AWAY, ends_at=ends_at
    )
    customers = Customer.objects.bulk_create(
        Customer(business=business, name=f"Customer {number}", phone=f"+91970{number:07d}")
        for number in range(CUSTOMERS)
    )
    _fill(business, [customer.pk for customer in customers], count)
    return business


def _fill(business: Business, customers: list[int], count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        again = _drop_indexes(cursor)
        with cursor.copy(f"COPY calls_call ({COLUMNS}) FROM STDIN") as copy:
            for number, row in enumerate(
                rows(count, business_id=business.pk, customers=customers), 1
            ):
                copy.write_row(row)
                if number % 2_000 == 0 or number == count:
                    show_progress("calls", number, count)
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for number, statement in enumerate(again, 1):
            cursor.execute(statement)
            show_progress("indexes", number, len(again))
        cursor.execute("VACUUM ANALYZE")


def _drop_indexes(cursor: Any) -> list[str]:
    """Drops the indexes that belong to no constraint; returns the statements that create them."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'calls_call' AND indexname "
        "NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'calls_call'::regclass)"
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]
