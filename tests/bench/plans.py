"""Plans of the queries of all lists, rows, bookings, reports and periodic tasks, on tables of full size.

    make bench ARGS="plans"
    python -m tests.servers python -m tests.bench.plans [--rows N]

Requests are sent to every route that reads, with its filters, to those that book, and each periodic task runs
once; the statements that they execute are then run by EXPLAIN ANALYZE and rolled back. Prints the forty that
take longest, and the indexes of growing tables that another index makes redundant. Fails where a statement takes
over 100 ms in each of three runs, or over a second if it is a nightly task's, which reads whole tables.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

import django
from celery.schedules import crontab

os.environ |= {
    "DJANGO_SETTINGS_MODULE": "kaivox.settings",
    "HTTPS_ONLY": "0",
    "REQUEST_LOG_DAYS": "0",
}
django.setup()

from django.db import IntegrityError, connection, transaction  # noqa: E402 - after the set-up
from django.utils import timezone  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from kaivox.celery import BEAT_SCHEDULE, app  # noqa: E402
from tests import factories  # noqa: E402
from tests.bench.call_table import bench_database  # noqa: E402
from tests.bench.full_size import GROWING, make_worlds  # noqa: E402
from tests.object_graph import API, World, routes  # noqa: E402
from tests.test_isolation import IN_PATH, IN_QUERY  # noqa: E402

ROWS: Final = 1_000_000
MAX_MS: Final = 100
NIGHTLY_MAX_MS: Final = 1_000
_SHOWN: Final = 40
_RUNS: Final = 3
# Indexes whose columns are the first ones of another index of the table, without a condition of their own.
_REDUNDANT: Final = """
SELECT small.indexrelid::regclass::text, large.indexrelid::regclass::text
FROM pg_index small JOIN pg_index large
  ON large.indrelid = small.indrelid AND large.indexrelid <> small.indexrelid
JOIN pg_class c ON c.oid = small.indrelid AND c.relnamespace = current_schema()::regnamespace
JOIN pg_class si ON si.oid = small.indexrelid JOIN pg_class li ON li.oid = large.indexrelid
WHERE c.relname = ANY(%s) AND NOT small.indisunique AND si.relam = li.relam AND large.indisvalid
  AND small.indpred IS NULL AND large.indpred IS NULL
  AND small.indexprs IS NULL AND large.indexprs IS NULL
  AND si.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')
  AND (large.indkey::text || ' ') LIKE (small.indkey::text || ' %%')
  AND (large.indclass::text || ' ') LIKE (small.indclass::text || ' %%')
ORDER BY 1, 2
"""


@dataclass
class Statement:
    """SQL that was executed, with the parameters and the origin of its first execution."""

    sql: str
    parameters: Any
    origin: str
    milliseconds: float = 0.0

    @property
    def limit(self) -> int:
        return NIGHTLY_MAX_MS if self.origin in _nightly_tasks() else MAX_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help="in each growing table")
    rows = parser.parse_args().rows
    with bench_database():
        world = make_worlds(rows)[0]
        statements = list(_collect(world))
        for one in statements:
            one.milliseconds = _fastest(one)
        redundant = _redundant_indexes()
    statements.sort(key=lambda one: -one.milliseconds)
    print(
        f"\n{len(statements)} statements, {rows:,} rows in each growing table; the slowest, in ms:"
    )
    for one in statements[:_SHOWN]:
        print(f"{one.milliseconds:8.1f}  {one.origin:55}  {one.sql[:90]}")
    slow = [one for one in statements if one.milliseconds > one.limit]
    for one in slow:
        print(f"\nOver {one.limit} ms: {one.origin}\n{one.sql}\n{one.parameters}")
    for small, large in redundant:
        print(f"Redundant: {small}, because of {large}")
    return 1 if slow else 0


@cache
def _nightly_tasks() -> set[str]:
    return {
        str(entry["task"])
        for entry in BEAT_SCHEDULE.values()
        if isinstance(entry["schedule"], crontab) and len(entry["schedule"].hour) == 1
    }


# --- Collecting ----------------------------------------------------------------------------------


def _collect(world: World) -> Iterator[Statement]:
    """Each statement that a request or a periodic task executes, once."""
    seen: dict[str, Statement] = {}
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=factories.make_key(world.business))
    for path, query in _reads(world):
        with _recorded(seen, f"GET {path} {' '.join(query)}"):
            response = client.get(path, query)
            for _ in getattr(response, "streaming_content", ()):
                break
        assert response.status_code < 400, (path, query, response.content)
    for name, write in _writes(client, world).items():
        with _recorded(seen, name):
            response = write()
        assert response.status_code < 400, (name, response.content)
    app.loader.import_default_modules()
    for task in sorted({str(entry["task"]) for entry in BEAT_SCHEDULE.values()}):
        with _recorded(seen, task), transaction.atomic():
            app.tasks[task].run()
            transaction.set_rollback(True)
    yield from seen.values()


def _reads(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    day = (timezone.now() + timedelta(days=3)).date()
    service = str(world.id_of("service"))
    days = {"date_from": day.isoformat(), "date_to": (day + timedelta(days=7)).isoformat()}
    needed = {
        "/appointments/slots": {"service_id": service, **days},
        "/visits/slots": {"service_ids": f"{service},{service}", **days},
        "/agents/tools": {"provider": "vapi"},
    }
    week_ago = (timezone.now() - timedelta(days=7)).isoformat().replace("+00:00", "Z")
    for route in (one for one in routes() if one.method == "GET"):
        short = route.path.removeprefix(API)
        kind = IN_PATH.get(short)
        if "{id}" in route.path and kind is None:
            continue
        path = route.url(world.id_of(kind)) if kind else route.path
        required = needed.get(short)
        yield path, required or {}
        if required:
            continue
        for (of, name), other in IN_QUERY.items():
            if of == f"GET {short}":
                yield path, {name: str(world.id_of(other))}
        for name, value in _FILTERS.get(short, ()):
            yield path, {name: value.replace("WEEK_AGO", week_ago)}


_FILTERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "/appointments": (
        ("status", "scheduled"), ("updated_since", "WEEK_AGO"), ("cursor", ""), ("page", "50"),
    ),
    "/customers": (
        ("search", "customer 77"), ("phone", "+919800000000"), ("updated_since", "WEEK_AGO"),
        ("cursor", ""), ("page", "50"), ("search", "nobody"),
    ),
    "/calls": (
        ("search", "hello"), ("search", "nothing"), ("updated_since", "WEEK_AGO"), ("cursor", ""),
        ("page", "50"), ("status", "completed"),
    ),
    "/webhooks/deliveries": (("status", "pending"), ("status", "succeeded"), ("cursor", "")),
    "/events": (("type", "customer.created"), ("cursor", "")),
}  # fmt: skip


def _writes(client: APIClient, world: World) -> dict[str, Callable[[], Any]]:
    start = world.objects["appointment"].start_time + timedelta(days=100, hours=1)
    booking = {
        "service_id": world.id_of("service"),
        "staff_id": world.id_of("staff"),
        "customer_id": world.id_of("customer"),
        "start_time": start.isoformat().replace("+00:00", "Z"),
    }
    appointment = f"{API}/appointments/{world.id_of('appointment')}"
    return {
        "POST /appointments": lambda: client.post(f"{API}/appointments", booking, format="json"),
        "PATCH /appointments": lambda: client.patch(appointment, {"notes": "x"}, format="json"),
        "DELETE /appointments": lambda: client.delete(appointment),
        "PATCH /customers": lambda: client.patch(
            f"{API}/customers/{world.id_of('customer')}", {"name": "Renamed"}, format="json"
        ),
    }


@contextmanager
def _recorded(seen: dict[str, Statement], origin: str) -> Iterator[None]:
    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb = sql.lstrip().partition(" ")[0].upper()
        if verb in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH") and not many:
            seen.setdefault(sql, Statement(sql, params, origin))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield


# --- Explaining ----------------------------------------------------------------------------------


def _fastest(statement: Statement) -> float:
    """Milliseconds of the fastest run: other load of the machine makes none faster."""
    best = float("inf")
    for _ in range(_RUNS):
        best = min(best, _explain(statement))
        if best <= statement.limit:
            break
    return best


def _explain(statement: Statement) -> float:
    with transaction.atomic(), connection.cursor() as cursor:
        # A statement that has been executed already may violate a unique constraint now.
        cursor.execute("SET LOCAL session_replication_role = replica")
        try:
            with transaction.atomic():
                cursor.execute(
                    f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.sql}",
                    statement.parameters,
                )
                [(plan,)] = cursor.fetchall()
        except IntegrityError:
            return 0.0
        transaction.set_rollback(True)
    found = plan if isinstance(plan, list) else json.loads(plan)
    return float(found[0]["Execution Time"])


def _redundant_indexes() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_REDUNDANT, [[model._meta.db_table for model in GROWING]])
        return cursor.fetchall()


if __name__ == "__main__":
    sys.exit(main())
