"""Throughput of logged webhook deliveries, beside a plain Celery task, and latency when idle.

    python -m tests.servers python -m tests.bench.deliveries [--events N]

Two worker processes, the receiver, PostgreSQL and Redis share the machine. Both sign each
request and store an attempt row; the time is from the first task to the last row.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import django

from tests.stack import ROOT, empty_database
from tests.webhooks.receivers import running_receiver

ENDPOINTS = 40
WORKERS = 2
AT_REST = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=6000)
    events = parser.parse_args().events
    with empty_database(f"bench_{secrets.token_hex(4)}") as url, sink() as port:
        prepare(url)
        plain = measure(port, events, publish_plain, "tests.bench.plain_webhooks", "plain")
        ours = measure(port, events, wake, "kaivox", "webhooks")
        say(f"plain: a task per delivery, requests.post  {plain:7.0f} deliveries/s")
        say(f"ours:  outbox to attempt row               {ours:7.0f} deliveries/s")
        say(f"ratio                                      {ours / plain:7.1f}")
        waits = sorted(latencies())
        say(
            f"event to first byte, at rest: p50 {statistics.median(waits) * 1000:.0f} ms, "
            f"p95 {waits[int(len(waits) * 0.95)] * 1000:.0f} ms"
        )


def prepare(url: str) -> None:
    """Migrates the database at `url`, which this process and its workers use from now on."""
    os.environ |= {"DATABASE_URL": url, "WEBHOOK_ALLOW_PRIVATE": "1", "LOG_LEVEL": "WARNING"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "kaivox.settings"
    django.setup()
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)


def measure(
    port: int,
    events: int,
    start: Callable[[int], None],
    app: str,
    queue: str,
    *,
    count: int = WORKERS,
) -> float:
    """Deliveries a second of `events` events by `count` workers of `app`."""
    from webhooks.models import Attempt

    fill(port, events)
    with workers(app, queue, count):
        begun = time.monotonic()
        start(count)
        # Counts the finished deliveries that have an attempt.
        while Attempt.objects.filter(finished_at__isnull=False).count() < events:
            time.sleep(0.1)
            if time.monotonic() - begun > 180:
                raise SystemExit(f"{app}: not done within 180 s")
        return events / (time.monotonic() - begun)


def fill(port: int, events: int) -> None:
    """Creates due deliveries and nothing else, spread over ENDPOINTS endpoints."""
    from django.utils import timezone

    from tests.factories import make_business, make_endpoint
    from webhooks.event_bodies import new_event
    from webhooks.event_types import EVENT_TYPES
    from webhooks.models import Attempt, Delivery, Endpoint, Event

    for model in (Attempt, Delivery, Event, Endpoint):
        model.objects.all().delete()
    business, now = make_business(), timezone.now()
    url = f"http://127.0.0.1:{port}/"
    endpoints = [make_endpoint(business, url=url) for _ in range(ENDPOINTS)]
    example = EVENT_TYPES["appointment.booked"].example
    made = Event.objects.bulk_create(
        [new_event(business, "appointment.booked", example, now) for _ in range(events)],
        batch_size=1_000,
    )
    Delivery.objects.bulk_create(
        Delivery(
            business=business, event=event, endpoint=endpoints[n % ENDPOINTS], next_attempt_at=now
        )
        for n, event in enumerate(made)
    )


def publish_plain(_: int) -> None:
    from tests.bench.plain_webhooks import deliver
    from webhooks.models import Delivery

    for delivery_id in Delivery.objects.values_list("pk", flat=True):
        deliver.delay(delivery_id)


def wake(workers: int) -> None:
    from webhooks.wakeups import publish_wakeup

    for _ in range(workers):
        publish_wakeup()


def latencies() -> Iterator[float]:
    """Seconds from the commit of an event to its request, one event at a time."""
    from django.utils import timezone

    from tests.factories import make_business, make_endpoint
    from webhooks.event_types import EVENT_TYPES
    from webhooks.operations import record_event

    business = make_business()
    with running_receiver() as receiver, workers("kaivox", "webhooks"):
        make_endpoint(business, url=receiver.url)
        for count in range(1, AT_REST + 1):
            data: Any = EVENT_TYPES["customer.created"].example
            begun = time.monotonic()
            record_event(business=business, type="customer.created", data=data, now=timezone.now())
            yield receiver.wait_for(count)[-1].at - begun
            time.sleep(0.05)


@contextmanager
def workers(app: str, queue: str, count: int = WORKERS) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "--quiet", "-A", app, "worker", "-P", "threads"]
    command += ["-c", "8", "-Q", queue, "--without-gossip", "--without-mingle", "-l", "WARNING"]
    with ExitStack() as stack:
        for number in range(count):
            process = subprocess.Popen([*command, "-n", f"w{number}@%h"], cwd=ROOT)
            stack.callback(_end, process)
        _wait_until_ready(count)
        yield


def _wait_until_ready(count: int) -> None:
    from kaivox.celery import app

    deadline = time.monotonic() + 30
    while len(app.control.ping(timeout=0.5)) < count:
        if time.monotonic() > deadline:
            raise SystemExit("The workers do not start.")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def sink() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
