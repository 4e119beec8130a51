"""Drill of broker outages: beat and workers must reconnect.

    make drill-broker                                PostgreSQL, RabbitMQ and Redis as brokers
    python -m tests.drills.broker [--reconnects N] [--only rabbitmq|redis]

Two workers and beat run under load behind a proxy. Their connections are closed N times, then the broker
hangs, then it is killed and restarted. The drill counts sweeps, which only beat orders: deliveries continue
without beat, because requests wake the workers.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from celery import Celery

from tests.drills.proxy import Proxy
from tests.drills.rabbitmq_server import PROGRAM, RabbitmqServer
from tests.drills.redis_server import RedisServer
from tests.drills.rig import Process, Rig, rig, wait_until

WORKERS: Final = 2
# A worker that runs no task for so long, while messages are queued, counts as hung.
HUNG_SECONDS: Final = 20
RESUME_SECONDS: Final = 5
# After a longer outage both wait 2, 4, 6 … 30 s between connection attempts.
RESUME_AFTER_OUTAGE_SECONDS: Final = 35
STOP_SECONDS: Final = 20


class Server(Protocol):
    url: str

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...
    def resume(self) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reconnects", type=int, default=50, metavar="N")
    parser.add_argument("--outage", type=float, default=30, metavar="SECONDS")
    parser.add_argument("--only", choices=("rabbitmq", "redis"))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="kaivox-brokers-") as folder,
        rig(LOG_LEVEL="WARNING") as it,
    ):
        if options.only in (None, "rabbitmq"):
            if PROGRAM.exists():
                with RabbitmqServer.running(Path(folder) / "rabbitmq") as server:
                    run_drill("RabbitMQ", it, server, options.reconnects, options.outage)
            else:
                say(f"— RabbitMQ: skipped, {PROGRAM} is missing (apt install rabbitmq-server)")
        if options.only in (None, "redis"):
            with RedisServer.running(Path(folder)) as server:
                run_drill("Redis", it, server, options.reconnects, options.outage)
    say("All checks passed.")


def run_drill(name: str, it: Rig, server: Server, reconnects: int, outage: float) -> None:
    """Raises AssertionError where a worker hangs or sweeps do not resume."""
    say(f"— {name} as the broker")
    proxy = Proxy(server.url)
    os.environ["CELERY_BROKER_URL"] = proxy.url
    log_before = it.log.read_text() if it.log.exists() else ""
    with ExitStack() as stack:
        workers = [it.worker() for _ in range(WORKERS)]
        beat = it.beat()
        for process in (*workers, beat):
            stack.callback(process.kill)
        stack.enter_context(load(server.url))
        seconds_until_sweep(it, within=60)
        all_work(it, workers)

        waits, hung = [], 0
        for _ in range(reconnects):
            proxy.set("closed")
            time.sleep(random.uniform(0, 0.2))
            proxy.set("open")
            waits.append(seconds_until_sweep(it, within=RESUME_AFTER_OUTAGE_SECONDS))
            hung += not all_work(it, workers)
        say(
            f"  {reconnects} times closed: sweeps resumed after {sum(waits) / len(waits):.1f} s on "
            f"average, {max(waits):.1f} s at most; {hung} times a worker hung"
        )

        server.stop()
        time.sleep(outage / 3)
        server.resume()
        hang = seconds_until_sweep(it, within=RESUME_AFTER_OUTAGE_SECONDS)
        hung += not all_work(it, workers)
        say(f"  hung for {outage / 3:.0f} s: sweeps resumed after {hang:.1f} s")

        server.kill()
        time.sleep(outage)
        server.start()
        restart = seconds_until_sweep(it, within=RESUME_AFTER_OUTAGE_SECONDS)
        hung += not all_work(it, workers)
        say(f"  killed, down for {outage:.0f} s: sweeps resumed after {restart:.1f} s")

        instant = time.time()
        time.sleep(10)
        rate = it.tasks.sweeps_since(instant)
        stops = [stop_seconds(process) for process in (*workers, beat)]
        log = it.log.read_text().removeprefix(log_before)
        say(
            f"  then {rate} sweeps in 10 s; stopped within "
            + ", ".join("killed!" if took is None else f"{took:.1f} s" for took in stops)
            + f"; {log.count('Trying again')} attempts to connect failed"
        )
        assert hung == 0, "a worker hung"
        assert max(waits) <= RESUME_SECONDS, "sweeps resumed too late after a reconnect"
        assert rate >= 3, "beat sends less than every two seconds"
        assert all(took is not None and took < STOP_SECONDS for took in stops), "SIGTERM is ignored"


def seconds_until_sweep(it: Rig, *, within: float) -> float:
    """Seconds from now until the next sweep has run."""
    instant = time.time()
    return wait_until(
        lambda: it.tasks.sweeps_since(instant) > 0, seconds=within, what="sweeps resume"
    )


def all_work(it: Rig, workers: list[Process]) -> bool:
    """Whether every worker runs a task within HUNG_SECONDS; hung ones are restarted."""
    instant = time.time()
    pids = {worker.child.pid for worker in workers}
    with suppress(AssertionError):
        wait_until(
            lambda: pids <= {run.pid for run in it.tasks.since(instant)},
            seconds=HUNG_SECONDS,
            what="every worker runs a task",
        )
        return True
    working = {run.pid for run in it.tasks.since(instant)}
    for worker in workers:
        if worker.child.pid not in working:
            worker.kill()
            worker.start()
    return False


def stop_seconds(process: Process) -> float | None:
    """Seconds from SIGTERM to the exit; None where it had to be killed."""
    started = time.monotonic()
    return time.monotonic() - started if process.stop() else None


@contextmanager
def load(url: str) -> Iterator[None]:
    """Publishes tasks as requests do, fifty a second; errors of the broker are ignored."""
    app = Celery("load", broker=url, set_as_current=False)
    app.conf.broker_transport_options = {"socket_timeout": 1, "read_timeout": 1, "max_retries": 0}
    ended = threading.Event()

    def publish() -> None:
        while not ended.wait(0.02):
            with suppress(Exception):
                app.send_task("webhooks.deliver_due", queue="webhooks", expires=10, retry=False)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5)


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
