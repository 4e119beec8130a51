"""Drill of an upgrade: pending migrations on large tables while the previous release serves requests.

    make drill-migration                                   a million rows in each large table
    python -m tests.drills.migration [--rows N]            PostgreSQL, from DATABASE_URL

A database is migrated to the released state (tests/released_migrations.txt) and filled. Then clients write and
read with the columns of that state, with the time limits of the application, while `migrate` runs. The drill
fails where a statement waits for longer than a second or fails, or where a deadlock occurs: a migration must
work with the code of the previous release.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import django
import psycopg
from psycopg import sql

from tests.migration_steps import migrate_by_steps
from tests.released_migrations import released
from tests.stack import ROOT, empty_database

ROWS: Final = 1_000_000
CLIENTS: Final = 3
STALL_SECONDS: Final = 1.0
_BASELINE_SECONDS: Final = 5
# A lock that is not free within three seconds ends `migrate`, and the operator repeats it.
_TRIES: Final = 5
_LIMITS: Final = "-c statement_timeout=15s -c lock_timeout=3s"

# Columns that must differ between the rows of a table; {n} is the number of a row.
_LARGE: Final[Mapping[str, Mapping[str, str]]] = {
    "customers_customer": {"phone": "'+9190' || lpad({n}::text, 8, '0')"},
    "appointments_appointment": {
        column: f"{column} + {{n}} * interval '1 hour'"
        for column in ("start_time", "end_time", "busy_start", "busy_end")
    },
    "calls_call": {"provider_call_id": "'drill-' || {n}"},
    "webhooks_event": {"uid": "'evt_drill' || {n}"},
    "webhooks_delivery": {"event_id": "event_id + {n}"},
    "webhooks_attempt": {"delivery_id": "delivery_id + {n}"},
}
# For the rows that clients add: the ids of what they refer to do not follow from the number.
_OF_CLIENTS: Final[Mapping[str, Mapping[str, str]]] = {
    **_LARGE,
    "webhooks_delivery": {
        "event_id": "(SELECT id FROM webhooks_event WHERE uid = 'evt_drill' || {n})"
    },
    "webhooks_attempt": {
        "delivery_id": "(SELECT d.id FROM webhooks_delivery d JOIN webhooks_event e"
        " ON e.id = d.event_id WHERE e.uid = 'evt_drill' || {n})"
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N")
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL"):
        sys.exit(
            "The drill needs PostgreSQL: python -m tests.servers python -m tests.drills.migration"
        )
    with empty_database(f"drill_{secrets.token_hex(4)}") as url:
        os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
        django.setup()
        pending = migrate_to_released()
        fill(url, options.rows)
        say(f"{options.rows:,} rows in each of {len(_LARGE)} tables; {pending} migrations pending")
        with clients(url) as before:
            time.sleep(_BASELINE_SECONDS)
        say(f"  before: {before}")
        with clients(url) as during:
            started = time.monotonic()
            applied, tries = migrate()
            took = time.monotonic() - started
        deadlocks = number(
            url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        say(f"  during: {during}")
        say(f"  migrate: {took:.1f} s, run {tries} times; {deadlocks} deadlocks")
        say(
            f"    longest: {', '.join(f'{one.name} {one.seconds:.1f} s' for one in longest(applied))}"
        )
        for name, at, seconds in during.stalls:
            running = next((one.name for one in applied if one.started <= at < one.ended), "none")
            say(f"    {name}: {seconds:.2f} s, during {running}")
        assert deadlocks == 0, "deadlocks"
        assert not during.failed, f"statements of the previous release failed: {during.failed}"
        assert during.longest <= STALL_SECONDS, (
            f"stalled: {during.longest:.2f} s ({during.slowest})"
        )
    say("No stall and no deadlock.")


# --- The database of the previous release ----------------------------------------------------------


def migrate_to_released() -> int:
    """Migrates to the released state; returns how many migrations are pending then."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    migrate_by_steps(connection)
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    last = {}
    for path in sorted(released()):
        folder, _, name = path.partition("/migrations/")
        last[Path(folder).name] = name.removesuffix(".py")
    ours = {label for label, name in graph.nodes if _is_ours(label)}
    targets = [(label, name) for label, name in graph.leaf_nodes() if label not in ours]
    # A replaced one is no node, and has run.
    executor.migrate(targets + [node for node in last.items() if node in graph.nodes])
    plan = MigrationExecutor(connection).migration_plan(graph.leaf_nodes())
    connection.close()
    return len(plan)


def _is_ours(label: str) -> bool:
    from django.apps import apps

    return Path(apps.get_app_config(label).path).is_relative_to(ROOT) and (
        "site-packages" not in apps.get_app_config(label).path
    )


def fill(url: str, rows: int) -> None:
    """One row of everything through the models of the released state, then copies of it."""
    _first_rows()
    with psycopg.connect(url, autocommit=True) as connection:
        # Copies of a valid row are valid: neither foreign keys nor triggers are checked.
        connection.execute("SET session_replication_role = replica")
        for table, distinct in _LARGE.items():
            started = time.monotonic()
            columns = _columns(connection, table)
            values = [distinct.get(one, f'"{one}"').format(n="n") for one in columns]
            names = ", ".join(f'"{one}"' for one in columns)
            connection.execute(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(values)}"  # noqa: S608 - ours
                f" FROM (SELECT * FROM {table} ORDER BY id LIMIT 1) AS one,"
                f" generate_series(1, {rows - 1}) AS n"
            )
            connection.execute(f"ANALYZE {table}")
            say(f"  {table}: filled within {time.monotonic() - started:.0f} s")


def _columns(connection: psycopg.Connection[Any], table: str) -> list[str]:
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " AND table_schema = current_schema() AND column_name <> 'id' AND is_generated = 'NEVER'",
        [table],
    )
    return [name for (name,) in found]


def _first_rows() -> None:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor
    from django.utils import timezone

    loader = MigrationExecutor(connection).loader
    applied = [node for node in loader.applied_migrations if node in loader.graph.nodes]
    old = loader.project_state(applied).apps
    now = timezone.now()

    def make(label: str, model: str, **values: Any) -> Any:
        return old.get_model(label, model).objects.create(**values)

    business = make("businesses", "Business", name="Drill", slug="drill", timezone="UTC",
                    country="IN", currency="INR", plan="enterprise")  # fmt: skip
    service = make(
        "services", "Service", business=business, name="Cut", duration_minutes=30, price=1
    )
    staff = make("staff", "StaffMember", business=business, name="Asha")
    customer = make("customers", "Customer", business=business, name="Ravi", phone="+919800000000")
    half_hour = timedelta(minutes=30)
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=40_000)
    make("appointments", "Appointment", business=business, service=service, staff=staff,
         customer=customer, start_time=start, end_time=start + half_hour, busy_start=start,
         busy_end=start + half_hour, duration_minutes=30, price=1, currency="INR")  # fmt: skip
    make("calls", "Call", business=business, provider="kaivox", provider_call_id="drill",
         status="completed", started_at=now, words="words of a call")  # fmt: skip
    endpoint = make("webhooks", "Endpoint", business=business, url="https://example.com/hook",
                    secret="whsec_")  # fmt: skip
    event = make("webhooks", "Event", business=business, uid="evt_drill", type="customer.created",
                 occurred_at=now, body=b"{}")  # fmt: skip
    delivery = make("webhooks", "Delivery", business=business, endpoint=endpoint, event=event,
                    status="succeeded", next_attempt_at=now, delivered_at=now)  # fmt: skip
    make("webhooks", "Attempt", business=business, delivery=delivery, endpoint=endpoint, number=1,
         trigger="auto", url=endpoint.url, outcome="succeeded", started_at=now, request_headers={})  # fmt: skip
    connection.close()


def number(url: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement).fetchone()  # type: ignore[arg-type]
        assert found is not None
        return int(found[0])


@dataclass(frozen=True)
class Applied:
    """A migration that ran, with its times in seconds of the monotonic clock."""

    name: str
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.started


def migrate() -> tuple[list[Applied], int]:
    """Runs `manage.py migrate` until it succeeds; the migrations, and how many times it ran."""
    applied: list[Applied] = []
    manage = [sys.executable, "-u", "manage.py", "migrate", "--no-color"]
    for attempt in range(1, _TRIES + 1):
        with subprocess.Popen(
            manage, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            previous = time.monotonic()
            for line in process.stdout:
                now = time.monotonic()
                if line.strip().startswith("Applying"):
                    applied.append(Applied(line.split()[1].rstrip("."), previous, now))
                previous = now
            problem = process.stderr.read()
        if process.returncode == 0:
            return applied, attempt
        assert "stayed locked for 3 seconds" in problem, problem[-2000:]
    raise AssertionError(f"migrate found a table locked {_TRIES} times")


def longest(applied: list[Applied]) -> list[Applied]:
    return sorted(applied, key=lambda one: -one.seconds)[:4]


# --- Clients ---------------------------------------------------------------------------------------


@dataclass
class Statements:
    """What the clients executed: how many statements, the longest in seconds, and those that failed."""

    count: int = 0
    longest: float = 0.0
    slowest: str = ""
    failed: Counter[str] = field(default_factory=Counter)
    # Name, end on the monotonic clock, and duration of those over STALL_SECONDS.
    stalls: list[tuple[str, float, float]] = field(default_factory=list)

    def add(self, name: str, seconds: float, error: str = "") -> None:
        self.count += 1
        if seconds > self.longest:
            self.longest, self.slowest = seconds, name
        if seconds > STALL_SECONDS:
            self.stalls.append((name, time.monotonic(), seconds))
        if error:
            self.failed[f"{name}: {error}"] += 1

    def __str__(self) -> str:
        return (
            f"{self.count:,} statements, longest {self.longest:.2f} s ({self.slowest}), "
            f"{self.failed.total()} failed"
        )


@contextmanager
def clients(url: str) -> Iterator[Statements]:
    """Clients that write to and read from each large table until the block ends."""
    seen, ended = Statements(), threading.Event()
    with psycopg.connect(url, autocommit=True) as connection:
        columns = {table: _columns(connection, table) for table in _LARGE}
    threads = [
        threading.Thread(target=_use_tables, args=(url, columns, place, seen, ended))
        for place in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


# Each client writes rows of numbers of its own, beyond those of `fill`.
_numbers: dict[int, int] = {}


def _use_tables(
    url: str,
    columns: Mapping[str, list[str]],
    place: int,
    seen: Statements,
    ended: threading.Event,
) -> None:
    with psycopg.connect(url, autocommit=True, options=_LIMITS) as connection:
        newest = {
            table: _first(connection, f"SELECT min(id) FROM {table}")  # noqa: S608 - ours
            for table in _LARGE
        }
        while not ended.is_set():
            n = _numbers[place] = _numbers.get(place, 2_000_000 + place * 400_000) + 1
            for table, distinct in _OF_CLIENTS.items():
                values = [distinct.get(one, f'"{one}"').format(n=n) for one in columns[table]]
                names = ", ".join(f'"{one}"' for one in columns[table])
                _timed(connection, seen, f"INSERT {table}", (
                    f"INSERT INTO {table} ({names}) SELECT {', '.join(values)}"  # noqa: S608 - ours
                    f" FROM {table} WHERE id = {newest[table]}"
                ))  # fmt: skip
                _timed(connection, seen, f"UPDATE {table}", (
                    f"UPDATE {table} SET business_id = business_id"  # noqa: S608 - ours
                    f" WHERE id = {newest[table]} + {n % 1000} * {CLIENTS} + {place}"
                ))  # fmt: skip
                _timed(connection, seen, f"SELECT {table}", (
                    f"SELECT {names} FROM {table} ORDER BY id DESC LIMIT 20"  # noqa: S608 - ours
                ))  # fmt: skip
            time.sleep(0.01)


def _first(connection: psycopg.Connection[Any], statement: str) -> int:
    found = connection.execute(sql.SQL(statement)).fetchone()  # type: ignore[arg-type]
    assert found is not None
    return int(found[0])


def _timed(
    connection: psycopg.Connection[Any], seen: Statements, name: str, statement: str
) -> None:
    started, error = time.monotonic(), ""
    try:
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]
    except psycopg.Error as raised:
        error = str(raised).partition("\n")[0]
    seen.add(name, time.monotonic() - started, error)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
