"""Calls: the list, each filter and the search over a million of one business, and taking calls in.

`make bench ARGS=call_list`; `python -m tests.bench.call_list 100000` for a smaller table.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from urllib.parse import urlsplit

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")
django.setup()

from django.db import connection  # noqa: E402 - after the set-up
from django.test.runner import DiscoverRunner  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from calls.models import Call, ProviderAccount  # noqa: E402
from customers.models import Customer  # noqa: E402
from kaivox.businesses.models import Business  # noqa: E402
from ratelimits.models import QuotaOverride  # noqa: E402
from tests import factories  # noqa: E402
from tests.bench.call_intake import SECRET  # noqa: E402
from tests.bench.call_texts import COLUMNS, rows  # noqa: E402
from tests.bench.data import FAR_AWAY, show_progress  # noqa: E402

MOST_MS = 50
LEAST_CALLS_A_SECOND = 200
ROUNDS = 15
CALLS_TAKEN = 2_000


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if connection.vendor != "postgresql":
        print("This bench is about PostgreSQL: set DATABASE_URL.")
        return 1
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment(debug=False)
    databases = runner.setup_databases()
    try:
        business = _make_business()
        _fill(business, count)
        slow = _measure_lists(business)
        return _measure_intake(business) or slow
    finally:
        connection.close()
        runner.teardown_databases(databases)


def _make_business() -> Business:
    """With a quota agreed so high that no bench reaches it."""
    business = factories.make_business(country="IN", plan="enterprise")
    ends_at = timezone.now() + timedelta(days=1)
    QuotaOverride.objects.create(
        business=business, per_minute=FAR_AWAY, per_day=FAR_AWAY, ends_at=ends_at
    )
    return business


# --- Reading -------------------------------------------------------------------------------------


def _fill(business: Business, count: int) -> None:
    customers = Customer.objects.bulk_create(
        Customer(business=business, name=f"Customer {number}", phone=f"+91970{number:07d}")
        for number in range(1_000)
    )
    ids = [customer.pk for customer in customers]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        again = _drop_indexes(cursor)
        with cursor.copy(f"COPY calls_call ({COLUMNS}) FROM STDIN") as copy:
            for number, row in enumerate(rows(count, business_id=business.pk, customers=ids), 1):
                copy.write_row(row)
                if number % 2_000 == 0 or number == count:
                    show_progress("calls", number, count)
        for number, statement in enumerate(again, 1):
            cursor.execute(statement)
            show_progress("indexes", number, len(again))
        cursor.execute("VACUUM ANALYZE calls_call")


def _drop_indexes(cursor) -> list[str]:  # type: ignore[no-untyped-def]
    """Drops those that are no constraint's, and returns what makes them again."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'calls_call' AND indexname "
        "NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'calls_call'::regclass)"
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]


def _queries(business: Business) -> dict[str, dict[str, str]]:
    one = Call.objects.for_business(business).order_by("-started_at")[1000]
    day = one.started_at.astimezone(business.zone).date()
    ago = (timezone.now() - timedelta(days=2)).isoformat()
    return {
        "the list": {},
        "by cursor": {"cursor": ""},
        "sentiment=negative": {"sentiment": "negative"},
        "sentiment=positive,neutral": {"sentiment": "positive,neutral"},
        "status=missed": {"status": "missed"},
        "status=failed": {"status": "failed"},
        "direction=outbound": {"direction": "outbound"},
        "customer_id": {"customer_id": str(one.customer_id)},
        "phone": {"phone": one.from_number},
        "date": {"date": day.isoformat()},
        "date_from, date_to (30 days)": {
            "date_from": (day - timedelta(days=30)).isoformat(),
            "date_to": day.isoformat(),
        },
        "min_duration=30": {"min_duration": "30"},
        "min_duration=600": {"min_duration": "600"},
        "updated_since, cursor": {"updated_since": ago, "ordering": "updated_at", "cursor": ""},
        "ordering=-duration_seconds": {"ordering": "-duration_seconds"},
        "search: in most calls": {"search": "appointment"},
        "search: in one of ten": {"search": "incisor"},
        "search: in few": {"search": one.words.split()[-1]},
        "search: two words": {"search": "whitening jaw"},
        "search: in none": {"search": "xylophone"},
        "search, status, sentiment": {
            "search": "molar",
            "status": "completed",
            "sentiment": "negative",
        },
    }


def _measure_lists(business: Business) -> int:
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=factories.make_key(business))
    print(f"\n{'':32} {'total':>9} {'p50 ms':>7} {'cursor':>7}")
    slow = 0
    for name, query in _queries(business).items():
        total, with_total = _time(client, query)
        _, without = _time(client, {"cursor": "", **query})
        slow += with_total > MOST_MS
        mark = "  <-- slow" if with_total > MOST_MS else ""
        print(f"{name:32} {total:>9} {with_total:7.1f} {without:7.1f}{mark}")
    print(f"{slow} slower than {MOST_MS} ms." if slow else f"All within {MOST_MS} ms.")
    return 1 if slow else 0


def _time(client: APIClient, query: dict[str, str]) -> tuple[str, float]:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        response = client.get("/api/v1/calls", query)
        taken.append(1000 * (time.perf_counter() - began))
        assert response.status_code == 200, response.content
    total = response.json()["meta"]["total"]
    return "-" if total is None else f"{total:,}", statistics.median(taken)


# --- Taking in -----------------------------------------------------------------------------------


def _measure_intake(business: Business) -> int:
    """Two processes, as on two cores; each message signed, its call, event and payload written."""
    ProviderAccount.objects.create(business=business, provider="kaivox", secret=SECRET)
    before = Call.objects.count()
    name = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    command = [
        sys.executable,
        "-m",
        "tests.bench.call_intake",
        business.slug,
        str(CALLS_TAKEN // 2),
    ]
    takers = [
        subprocess.Popen(
            [*command, str(number)],
            env={**os.environ, "DATABASE_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(2)
    ]
    for taker in takers:
        taker.stdout.readline()  # it has made its messages
    began = time.perf_counter()
    for taker in takers:
        taker.stdin.write(b"go\n")
        taker.stdin.flush()
    for taker in takers:
        taker.communicate()
    rate = CALLS_TAKEN / (time.perf_counter() - began)
    assert Call.objects.count() == before + CALLS_TAKEN
    print(f"\n{rate:,.0f} calls of 40 turns taken in a second, one in five from a new caller")
    return 1 if rate < LEAST_CALLS_A_SECOND else 0


if __name__ == "__main__":
    sys.exit(main())
