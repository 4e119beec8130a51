"""Drill of webhook deliveries: killed workers, broker outages, and slow or hostile receivers.

    make drill-webhooks                              PostgreSQL and Redis, at full size
    python -m tests.drills.webhooks [--divide N] [--only NAME]   embedded, or the environment's profile

Each scenario runs real processes, prints its measurements and fails by an assertion.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.drills.proxy import Proxy
from tests.drills.rig import Rig, rig, wait_until
from tests.webhooks.receivers import Reply, Request, raw_receiver, running_receiver

Scenario = Callable[[Rig, int], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="an Nth of the size")
    parser.add_argument("--only", choices=[scenario.__name__ for scenario in SCENARIOS])
    options = parser.parse_args()
    small = options.divide > 1
    with rig(
        WEBHOOK_RETRY_SCHEDULE="0.2,0.4,0.8",
        WEBHOOK_TIMEOUT_SECONDS="2" if small else "15",
        WEBHOOK_LEASE_SECONDS="4" if small else "20",
        LOG_LEVEL="WARNING",
    ) as it:
        for scenario in SCENARIOS:
            if options.only in (None, scenario.__name__):
                say(f"— {scenario.__name__}: {(scenario.__doc__ or '').splitlines()[0]}")
                empty_outbox()
                scenario(it, options.divide)
    say("All scenarios passed.")


def killed_workers(it: Rig, divisor: int) -> None:
    """SIGKILL of a worker three times, while a receiver takes 50 ms and fails one request in ten."""
    from webhooks.models import Attempt, Delivery

    events = 3000 // divisor
    with failing_receiver(delay=0.05, rate=0.1) as receiver:
        add_events(receiver.url, events=events, endpoints=4)
        count, kills = (2, 3) if divisor == 1 else (1, 1)
        workers, beat = [it.worker() for _ in range(count)], it.beat()
        for kill in range(kills):
            wait_until(
                lambda n=kill: len(receiver.requests) > events * (n + 1) // 5,  # type: ignore[misc]
                seconds=60,
                what="the worker sends",
            )
            workers[kill % count].kill()
            workers[kill % count].start()
        took = wait_until(all_ended, seconds=180, what="every delivery has ended")
        for process in (*workers, beat):
            process.stop()

        requests = Counter(request.headers["webhook-id"] for request in receiver.requests)
        outcomes = Counter(Attempt.objects.values_list("outcome", flat=True))
        say(f"  {events} events, {sum(requests.values())} requests, rest took {took:.0f} s")
        say(f"  attempts: {dict(outcomes)}")
        assert len(requests) == events, "an event was lost"
        rows = Delivery.objects.values_list("event__uid", "attempt_count")
        assert all(requests[uid] <= count for uid, count in rows), "a request without attempt row"
        assert Attempt.objects.count() == sum(count for _, count in rows)
        succeeded = Delivery.objects.filter(status="succeeded")
        proven = succeeded.filter(attempts__http_status=200).distinct()
        assert succeeded.count() == proven.count(), "succeeded without a 2xx row"
        assert outcomes["in_flight"] == 0
        assert outcomes["worker_lost"] > 0, (
            "no worker was killed while it was sending: the drill proves nothing"
        )


def exactly_once(it: Rig, divisor: int) -> None:
    """Two workers and two beats: each event is sent once while nothing fails."""
    events = 1000 // divisor
    with running_receiver() as receiver:
        add_events(receiver.url, events=events, endpoints=10)
        processes = [it.worker(), it.worker(), it.beat(), it.beat()]
        took = wait_until(all_ended, seconds=60, what="everything is delivered")
        time.sleep(5)  # two more sweeps
        for process in processes:
            process.stop()
        seen = Counter(request.headers["webhook-id"] for request in receiver.requests)
        say(f"  {events} events, {sum(seen.values())} requests, {took:.0f} s with the start")
        assert (len(seen), sum(seen.values())) == (events, events)


def broker_outage(it: Rig, divisor: int) -> None:
    """The broker closes its connections, then accepts everything and never responds: the API is unaffected."""
    from django.conf import settings

    if settings.EMBEDDED:
        say("  skipped: the filesystem broker has no outages")
        return
    proxy = Proxy(settings.CELERY_BROKER_URL)
    os.environ["CELERY_BROKER_URL"] = proxy.url
    port = free_port()
    with running_receiver() as receiver:
        (business,) = add_events(receiver.url, events=0, endpoints=1)
        processes = [it.web(port), it.worker(), it.beat()]
        post = poster(port, business)
        wait_until(lambda: post() is not None, seconds=60, what="the API responds")
        usual = [post() or 9 for _ in range(10)]
        slowest: dict[str, float] = {}
        sent = len(usual) + 1
        for state in ("closed", "silent"):
            proxy.set(state)
            times = [post() or 99 for _ in range(10)]
            sent += len(times)
            slowest[state] = max(times)
            time.sleep(20 // divisor)  # longer than any timeout of a broker operation
        proxy.set("open")
        open_again = time.time()
        took = wait_until(
            lambda: len({r.headers["webhook-id"] for r in receiver.requests}) >= sent,
            seconds=90,
            what="everything is delivered after the outage",
        )
        say(
            f"  POST usually {statistics.median(usual) * 1000:.0f} ms; slowest with the broker "
            + ", ".join(f"{state} {worst * 1000:.0f} ms" for state, worst in slowest.items())
        )
        # Requests wake the workers, so deliveries alone do not prove that beat works.
        swept = wait_until(
            lambda: it.tasks.sweeps_since(open_again) >= 3,
            seconds=45,
            what="beat orders sweeps again",
        )
        say(f"  back: {sent} events delivered within {took:.0f} s, sweeps {swept:.0f} s later")
        for process in processes:
            process.stop()
        assert max(slowest.values()) < statistics.median(usual) + 1


def hostile_receivers(it: Rig, divisor: int) -> None:
    """Receivers that hang, drip and flood: one correct attempt row each; a healthy one is not delayed."""
    from django.conf import settings

    from webhooks.models import Attempt

    with ExitStack() as stack, running_receiver() as healthy:
        expected: dict[str, tuple[str, int | None]] = {}
        for talk, outcome, status in HOSTILE:
            expected[stack.enter_context(raw_receiver(talk))] = (outcome, status)
        (business,) = add_events(healthy.url, events=0, endpoints=1)
        worker, beat = it.worker(), it.beat()
        stack.callback(beat.stop)
        stack.callback(worker.stop)
        record(business)
        healthy.wait_for(1, seconds=60)
        before = worker.resident_mib

        hostile = add_hostile(expected)
        started = time.monotonic()
        waits, peak = [], before
        for count in range(2, 2 + 200 // divisor):
            event_at = time.monotonic()
            record(business)
            waits.append(healthy.wait_for(count, seconds=30)[-1].at - event_at)
            peak = max(peak, worker.resident_mib)
            time.sleep(0.05)
        limit = settings.WEBHOOK_TIMEOUT_SECONDS + 1
        firsts = Attempt.objects.filter(endpoint__in=hostile, number=1).exclude(outcome="in_flight")
        wait_until(
            lambda: firsts.count() == len(expected),
            seconds=max(0.1, limit + 2.5 - (time.monotonic() - started)),
            what="each hostile receiver has an attempt row",
        )
        p95 = sorted(waits)[int(len(waits) * 0.95)]
        say(
            f"  healthy endpoint: p50 {statistics.median(waits) * 1000:.0f} ms, "
            f"p95 {p95 * 1000:.0f} ms; worker {before} → {peak} MiB"
        )
        for attempt in firsts:
            found = (attempt.outcome, attempt.http_status)
            assert found == expected[attempt.url], f"{attempt.url}: {found}"
            assert (attempt.duration_ms or 0) <= limit * 1000
        assert p95 < 1
        assert peak - before <= 50


def hung_endpoints(it: Rig, divisor: int) -> None:
    """Forty hanging endpoints of forty businesses do not delay other endpoints."""
    with raw_receiver(lambda connection: time.sleep(60)) as hanging, running_receiver() as healthy:
        add_events(hanging, events=400, endpoints=40)
        (business,) = add_events(healthy.url, events=0, endpoints=1)
        worker, beat = it.worker(), it.beat()
        from webhooks.models import Endpoint

        failing = Endpoint.objects.filter(failing_since__isnull=False)
        wait_until(
            lambda: failing.count() == 40, seconds=120, what="every endpoint has timed out once"
        )
        waits = []
        for count in range(1, 1 + 100 // divisor):
            event_at = time.monotonic()
            record(business)
            waits.append(healthy.wait_for(count, seconds=30)[-1].at - event_at)
        for process in (worker, beat):
            process.kill()
        p95 = sorted(waits)[int(len(waits) * 0.95)]
        say(
            f"  healthy endpoint: p50 {statistics.median(waits) * 1000:.0f} ms, "
            f"p95 {p95 * 1000:.0f} ms"
        )
        assert p95 < 1


SCENARIOS: tuple[Scenario, ...] = (
    killed_workers,
    exactly_once,
    broker_outage,
    hostile_receivers,
    hung_endpoints,
)


# --- Receivers -----------------------------------------------------------------------------------


@contextmanager
def failing_receiver(*, delay: float, rate: float) -> Iterator[Any]:
    """Responds after `delay`, at `rate` with 500."""
    chance = random.Random(7)
    with running_receiver() as receiver:
        default = receiver.take

        def take(request: Request) -> Reply:
            default(request)
            return Reply(500 if chance.random() < rate else 200, delay=delay)

        receiver.take = take  # type: ignore[method-assign]
        yield receiver


def drip_header(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.2)


def continue_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.001)


def flood(head: bytes, mebibytes: int) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(mebibytes):
            connection.sendall(b"x" * 1_048_576)

    return talk


HOSTILE: tuple[tuple[Callable[[socket.socket], None], str, int | None], ...] = (
    (lambda connection: time.sleep(60), "timeout", None),
    (drip_header, "timeout", None),
    (continue_for_ever, "timeout", None),
    (flood(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", 1024), "succeeded", 200),
    (
        flood(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 419430400\r\n\r\n", 400),
        "http_error",
        302,
    ),
    (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Le"), "protocol_error", None),
    (
        lambda c: c.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n\x00<script>"),
        "http_error",
        500,
    ),
)


# --- The outbox ----------------------------------------------------------------------------------


def empty_outbox() -> None:
    from webhooks.models import Attempt, Delivery, Endpoint, Event

    for model in (Attempt, Delivery, Event, Endpoint):
        model.objects.all().delete()


def add_events(url: str, *, events: int, endpoints: int) -> list[Any]:
    """Creates `endpoints` businesses with one endpoint each, and spreads the events over them."""
    from tests.factories import make_business, make_endpoint

    owners = [make_business() for _ in range(endpoints)]
    for owner in owners:
        make_endpoint(owner, url=url, max_in_flight=16)
    for number in range(events):
        record(owners[number % endpoints])
    return owners


def add_hostile(expected: dict[str, Any]) -> list[int]:
    from tests.factories import make_business, make_endpoint

    made = []
    for url in expected:
        business = make_business()
        made.append(make_endpoint(business, url=url).pk)
        record(business)
    return made


def record(business: Any) -> None:
    from django.utils import timezone

    from webhooks.event_types import EVENT_TYPES
    from webhooks.operations import record_event

    example = EVENT_TYPES["appointment.booked"].example
    record_event(business=business, type="appointment.booked", data=example, now=timezone.now())


def all_ended() -> bool:
    from webhooks.models import Delivery

    return not Delivery.objects.filter(status__in=("pending", "in_flight")).exists()


# --- The API -------------------------------------------------------------------------------------


def poster(port: int, business: Any) -> Callable[[], float | None]:
    """A function that creates a customer and returns the duration in seconds; None without a response."""
    import requests

    from tests.factories import make_key

    session = requests.Session()
    session.headers["X-API-Key"] = make_key(business)
    numbers = iter(range(9_000_000_000, 9_999_999_999))

    def post() -> float | None:
        started = time.monotonic()
        try:
            response = session.post(
                f"http://127.0.0.1:{port}/api/v1/customers",
                json={"name": "Drill", "phone": f"+91{next(numbers)}"},
                timeout=20,
            )
        except requests.RequestException:
            return None
        assert response.status_code == 201, response.text
        return time.monotonic() - started

    return post


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
