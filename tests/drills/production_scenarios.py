"""What fails in `tests.drills.production`. A scenario disturbs, and returns when the part is started again or
free."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests.drills.production_stack import START_SECONDS, SUPERVISOR_SECONDS, Production, Skipped
from tests.drills.rig import wait_until
from tests.stack import ROOT


def nothing(it: Production) -> None:
    """Nothing fails."""
    it.wait(8)


def kill_web(it: Production) -> None:
    """SIGKILL of one gunicorn with its processes."""
    it.kill_and_restart(it.webs[0])


def kill_web_process(it: Production) -> None:
    """SIGKILL of one process of each gunicorn; gunicorn replaces it."""
    for web in it.webs:
        children = Path(f"/proc/{web.child.pid}/task/{web.child.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)


def kill_workers(it: Production) -> None:
    """SIGKILL of both workers."""
    it.kill_and_restart(*it.workers)


def kill_beats(it: Production) -> None:
    """SIGKILL of both beats."""
    it.kill_and_restart(*it.beats)


def kill_redis(it: Production) -> None:
    """SIGKILL of Redis, away for six seconds."""
    it.redis.kill()
    it.wait(6)
    it.redis.start()


def kill_rabbitmq(it: Production) -> None:
    """SIGKILL of RabbitMQ, away for six seconds."""
    it.rabbit().kill()
    it.wait(6)
    it.rabbit().start()


def kill_postgres(it: Production) -> None:
    """SIGKILL of all processes of PostgreSQL, then crash recovery."""
    it.postgres.kill()
    time.sleep(SUPERVISOR_SECONDS)
    it.postgres.start()


def kill_nginx(it: Production) -> None:
    """SIGKILL of nginx."""
    it.nginx_process.kill()
    it.nginx_process.wait()
    time.sleep(SUPERVISOR_SECONDS)
    it.restart_nginx()


def kill_everything(it: Production) -> None:
    """SIGKILL of everything, as in a power failure of the machine."""
    processes = [*it.webs, *it.workers, *it.beats]
    it.nginx_process.kill()
    for process in processes:
        process.kill()
    it.redis.kill()
    it.postgres.kill()
    if it.rabbitmq is not None:
        it.rabbitmq.kill()
    it.nginx_process.wait()
    it.postgres.start()
    it.redis.start()
    if it.rabbitmq is not None:
        it.rabbitmq.start()
    for process in processes:
        process.start()
    it.restart_nginx()


def restart_postgres(it: Production) -> None:
    """Fast shutdown and start of PostgreSQL, as in a minor upgrade."""
    it.postgres.shut_down()
    it.postgres.start()


def stop_redis(it: Production) -> None:
    """SIGSTOP of Redis for six seconds."""
    it.redis.stop()
    it.wait(6)
    it.redis.resume()


def stop_rabbitmq(it: Production) -> None:
    """SIGSTOP of RabbitMQ for ten seconds."""
    it.rabbit().stop()
    it.wait(10)
    it.rabbit().resume()


def stop_postgres(it: Production) -> None:
    """SIGSTOP of PostgreSQL for 24 seconds: longer than a request waits for a statement."""
    it.postgres.stop()
    it.wait(24)
    it.postgres.resume()


def stop_worker(it: Production) -> None:
    """SIGSTOP of one worker for twelve seconds: longer than its leases."""
    it.workers[0].child.send_signal(signal.SIGSTOP)
    it.wait(12)
    it.workers[0].child.send_signal(signal.SIGCONT)


def alarm_of_rabbitmq(it: Production) -> None:
    """RabbitMQ's alarm of a full disk: it accepts connections and reads no message."""
    it.rabbit().block_publishers(True)
    it.wait(8)
    it.rabbit().block_publishers(False)


def clock_ahead(it: Production) -> None:
    """One gunicorn, one worker and one beat with clocks an hour ahead."""
    _with_clock(it, "+3600")


def clock_behind(it: Production) -> None:
    """One gunicorn, one worker and one beat with clocks an hour behind."""
    _with_clock(it, "-3600")


def _with_clock(it: Production, offset: str) -> None:
    jumped = (it.webs[0], it.workers[0], it.beats[0])
    fake = {"PYTHONPATH": str(ROOT / "tests/drills/clock"), "DRILL_CLOCK_OFFSET": offset}
    for process in jumped:
        process.stop()
        process.start(**fake)
    wait_until(lambda: it.ready(it.ports[0]), seconds=START_SECONDS, what="gunicorn starts")
    it.wait(10)
    for process in jumped:
        process.stop()
        process.start()
    wait_until(lambda: it.ready(it.ports[0]), seconds=START_SECONDS, what="gunicorn starts")


def full_disk(it: Production) -> None:
    """The disk of PostgreSQL is full for eight seconds."""
    if it.disk is None:
        raise Skipped("only root can mount a file system of limited size")
    filler = it.disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 1_048_576)
    it.wait(8)
    filler.unlink()
    it.postgres.start()  # it exits where it cannot write its log


def no_connections(it: Production) -> None:
    """All connections of PostgreSQL are in use for eight seconds, while gunicorn needs new ones."""
    held = []
    kill_web_process(it)
    with suppress(psycopg.OperationalError):
        while len(held) < 200:
            held.append(psycopg.connect(it.postgres.url, connect_timeout=3))
    it.wait(8)
    for connection in held:
        connection.close()


def rolling_restart(it: Production) -> None:
    """Workers, beats and gunicorns restarted with SIGTERM, one after the other, as in an upgrade."""
    for process in (*it.beats, *it.workers):
        process.stop()
        process.start()
    for port, web in zip(it.ports, it.webs, strict=True):
        web.stop()
        web.start()
        wait_until(lambda port=port: it.ready(port), seconds=START_SECONDS, what="gunicorn starts")  # type: ignore[misc]


def migrate(it: Production) -> None:
    """`migrate` adds an index, a column and a constraint to the table that clients write to, and removes
    them."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.drills.pending.settings"}
    for target in ("0001", "zero"):
        manage = [sys.executable, "manage.py", "migrate", "pending", target, "--verbosity", "0"]
        subprocess.run(manage, cwd=ROOT, env=environment, check=True)


@dataclass(frozen=True)
class Scenario:
    disturb: Callable[[Production], None]
    may_fail: bool = False  # whether requests may fail meanwhile

    @property
    def name(self) -> str:
        return self.disturb.__name__


SCENARIOS: Final = (
    Scenario(nothing),
    Scenario(rolling_restart),
    Scenario(migrate),
    Scenario(kill_redis),
    Scenario(stop_redis),
    Scenario(kill_rabbitmq),
    Scenario(stop_rabbitmq),
    Scenario(alarm_of_rabbitmq),
    Scenario(kill_workers),
    Scenario(stop_worker),
    Scenario(kill_beats),
    Scenario(clock_ahead),
    Scenario(clock_behind),
    Scenario(kill_web, may_fail=True),
    Scenario(kill_web_process, may_fail=True),
    Scenario(kill_nginx, may_fail=True),
    Scenario(restart_postgres, may_fail=True),
    Scenario(kill_postgres, may_fail=True),
    Scenario(stop_postgres, may_fail=True),
    Scenario(no_connections, may_fail=True),
    Scenario(full_disk, may_fail=True),
    Scenario(kill_everything, may_fail=True),
)
