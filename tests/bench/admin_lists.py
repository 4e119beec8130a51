"""Every list of the admin, and its front page, with a million appointments, calls and deliveries.

`make bench ARGS=admin_lists`; `python -m tests.bench.admin_lists 100000` for a smaller table, and
`--keep` to use the table again next time. Rows are inserted by SQL on PostgreSQL: to measure reading,
the operations need not run.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
os.environ["DEBUG"] = "1"  # queries are counted, static files found where they are written
django.setup()

from django.contrib.admin import site  # noqa: E402 - after the set-up
from django.contrib.auth.models import User  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection, reset_queries  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.runner import DiscoverRunner  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from kaivox.businesses.models import Business, Membership  # noqa: E402
from tests import factories  # noqa: E402

BUSINESSES = 20
MAX_QUERIES = 15
MAX_MS = 300
ROUNDS = 9

# Row n of {rows}: the newest is an hour from now, each other two minutes before it, so a million go
# back almost four years. Twenty businesses take turns.
APPOINTMENTS = """
INSERT INTO appointments_appointment (business_id, created_at, updated_at, start_time, end_time,
  busy_start, busy_end, duration_minutes, price, currency, status, source, notes,
  cancellation_reason, metadata, customer_id, service_id, staff_id)
SELECT business, at - interval '3 days', at, at, at + interval '5 minutes', at,
  at + interval '5 minutes', 5, 500, 'INR',
  (ARRAY['completed','completed','cancelled','no_show'])[1 + n % 4], 'api', '', '', '{{}}',
  customer, service, staff
FROM (SELECT n, now() + interval '1 hour' - n * interval '2 minutes' AS at,
  {parents} FROM generate_series(1, {rows}) AS n) AS row
"""
CALLS = """
INSERT INTO calls_call (business_id, created_at, updated_at, provider, provider_call_id, direction,
  status, from_number, to_number, customer_id, started_at, ended_at, duration_seconds, end_reason,
  outcome, sentiment, sentiment_source, summary, recording_url, transcript, words)
SELECT business, at, at, 'kaivox', 'bench-' || n, 'inbound',
  (ARRAY['completed','completed','completed','missed'])[1 + n % 4], '+9198' || n, '+918012345678',
  customer, at, at + interval '1 minute', 60, '', '',
  (ARRAY['positive','neutral','negative',''])[1 + n % 4], '', 'Asked for a cleaning.', '',
  '[]', 'cleaning'
FROM (SELECT n, now() - n * interval '2 minutes' AS at, {parents}
  FROM generate_series(1, {rows}) AS n) AS row
"""
EVENTS = """
INSERT INTO webhooks_event (business_id, created_at, updated_at, uid, type, body, object_id,
  is_test, occurred_at)
SELECT business, at, at, 'evt_bench' || n, 'appointment.booked', '{{}}', n, false, at
FROM (SELECT n, now() - n * interval '2 minutes' AS at, {parents}
  FROM generate_series(1, {rows}) AS n) AS row
"""
DELIVERIES = """
INSERT INTO webhooks_delivery (business_id, created_at, updated_at, event_id, endpoint_id, status,
  trigger, next_attempt_at, attempt_count, failure_count, loss_count, delivered_at,
  last_http_status, last_error)
SELECT event.business_id, event.created_at, event.created_at, event.id, endpoint.id,
  CASE WHEN event.id % 50 = 0 THEN 'exhausted' ELSE 'succeeded' END, 'auto', event.created_at, 1,
  0, 0, event.created_at, CASE WHEN event.id % 50 = 0 THEN 500 ELSE 200 END, ''
FROM webhooks_event AS event JOIN webhooks_endpoint AS endpoint USING (business_id)
"""


def main() -> int:
    wanted = [word for word in sys.argv[1:] if word.isdigit()]
    rows, keep = int(wanted[0]) if wanted else 1_000_000, "--keep" in sys.argv
    if connection.vendor != "postgresql":
        print("This bench makes its rows on PostgreSQL: set DATABASE_URL.")
        return 1
    runner = DiscoverRunner(verbosity=0, interactive=False, debug_mode=True, keepdb=keep)
    runner.setup_test_environment()
    # Django would serialize the database for tests that roll back: gigabytes here.
    databases = runner.setup_databases(serialized_aliases=())
    try:
        if not Business.objects.exists():
            _fill(rows)
        return _measure()
    finally:
        runner.teardown_databases(databases)


def _fill(rows: int) -> None:
    for _ in range(BUSINESSES):
        business = factories.make_business()
        factories.make_customer(business)
        factories.make_staff(business)
        factories.make_service(business)
        factories.make_endpoint(business)
    picks = [
        f"(SELECT array_agg(id ORDER BY business_id) FROM {table})[1 + n % {BUSINESSES}] AS {name}"  # noqa: S608 - names of ours
        for name, table in (
            ("customer", "customers_customer"),
            ("service", "services_service"),
            ("staff", "staff_staffmember"),
        )
    ]
    first = "(SELECT array_agg(id ORDER BY id) FROM businesses_business)"
    parents = ", ".join([f"{first}[1 + n % {BUSINESSES}] AS business", *picks])
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in (APPOINTMENTS, CALLS, EVENTS, DELIVERIES):
            started = time.monotonic()
            cursor.execute(statement.format(rows=rows, parents=parents))
            table = statement.split()[2]
            print(
                f"{cursor.rowcount:,} rows in {table}, {time.monotonic() - started:.0f} s",
                flush=True,
            )
        cursor.execute("ANALYZE")


def _measure() -> int:
    everyone = factories.make_user(username=f"root-{time.time()}", is_superuser=True)
    member = factories.make_user(username=f"member-{time.time()}")
    for business in Business.objects.order_by("pk")[:2]:
        Membership.objects.create(user=member, business=business, role="owner")
    print(f"\n{'list':46} {'who':10} {'queries':>7} {'p50 ms':>7}")
    slow = 0
    for path in ["/admin/", "/admin/calendar/", *_lists()]:
        for who, user in (("superuser", everyone), ("member", member)):
            slow += _one(path, who, user)
    print(f"\n{slow} beyond {MAX_QUERIES} queries or {MAX_MS} ms" if slow else "\nAll within.")
    return 1 if slow else 0


def _lists() -> list[str]:
    models = [model._meta for model in site._registry if model is not User]
    return sorted(reverse(f"admin:{m.app_label}_{m.model_name}_changelist") for m in models)


def _one(path: str, who: str, user: User) -> bool:
    client = Client()
    client.force_login(user)
    times = []
    response = client.get(path)
    if response.status_code == 403:
        return False
    queries = 0
    for _ in range(ROUNDS):
        reset_queries()
        started = time.perf_counter()
        response = client.get(path)
        times.append(1000 * (time.perf_counter() - started))
        queries = len(connection.queries)
    p50 = statistics.median(times)
    too_much = queries > MAX_QUERIES or p50 > MAX_MS or response.status_code != 200
    mark = "  <--" if too_much else ""
    print(f"{path:46} {who:10} {queries:7} {p50:7.0f}{mark}", flush=True)
    return too_much


if __name__ == "__main__":
    cache.clear()
    with override_settings(TWO_FACTOR_REQUIRED=False, SECURE_SSL_REDIRECT=False):
        sys.exit(main())
