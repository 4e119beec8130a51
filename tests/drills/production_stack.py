"""The whole production stack for a drill: nginx as shipped, two gunicorns, two workers, two beats, and a
PostgreSQL, a Redis and a RabbitMQ of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from tests.drills.postgres_server import PostgresServer
from tests.drills.rabbitmq_server import PROGRAM as RABBITMQ
from tests.drills.rabbitmq_server import RabbitmqServer
from tests.drills.redis_server import RedisServer
from tests.drills.rig import Process, Rig, rig, wait_until
from tests.drills.traffic import Clinic, make_clinic
from tests.nginx import HOST, Nginx, configure
from tests.own_servers import free_port
from tests.servers import SECRET_KEY

START_SECONDS: Final = 120
SUPERVISOR_SECONDS: Final = 1.0
_DISK_MIB: Final = 600


class Skipped(Exception):
    """This machine cannot run the scenario; the message is the reason."""


@dataclass
class Production:
    rig: Rig
    clinic: Clinic
    receiver: Any
    postgres: PostgresServer
    redis: RedisServer
    rabbitmq: RabbitmqServer | None
    nginx: Nginx
    nginx_process: subprocess.Popen[bytes]
    ports: list[int]
    webs: list[Process]
    workers: list[Process]
    beats: list[Process]
    disk: Path | None
    divide: int

    def restart_nginx(self) -> None:
        self.nginx_process = self.nginx.start()

    def ready(self, port: int) -> bool:
        """Whether the gunicorn on `port` serves requests."""
        with suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
        return False

    def wait(self, seconds: float) -> None:
        """Lets traffic continue for `seconds`, or less with --divide."""
        time.sleep(max(2.0, seconds / self.divide))

    def kill_and_restart(self, *processes: Process) -> None:
        for process in processes:
            process.kill()
        time.sleep(SUPERVISOR_SECONDS)
        for process in processes:
            process.start()

    def rabbit(self) -> RabbitmqServer:
        """Raises Skipped where Redis is the broker."""
        if self.rabbitmq is None:
            raise Skipped("rabbitmq-server is not installed")
        return self.rabbitmq


@contextmanager
def production(divide: int) -> Iterator[Production]:
    from tests.webhooks.receivers import running_receiver

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaivox-production-")))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        for name in ("redis", "postgres"):
            (folder / name).mkdir()
        disk = (
            folder / "postgres" if stack.enter_context(_small_disk(folder / "postgres")) else None
        )
        postgres = stack.enter_context(PostgresServer.running(folder / "postgres"))
        redis = stack.enter_context(RedisServer.running(folder / "redis"))
        rabbitmq = None
        if RABBITMQ.exists():
            rabbitmq = stack.enter_context(RabbitmqServer.running(folder / "rabbitmq"))
        os.environ |= {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
            "CELERY_BROKER_URL": rabbitmq.url if rabbitmq else redis.url,
            "SECRET_KEY": SECRET_KEY,
            "ALLOWED_HOSTS": HOST,
            "PUBLIC_URL": f"https://{HOST}",
            "TRUSTED_PROXIES": "1",
        }
        it = stack.enter_context(
            rig(
                LOG_LEVEL="WARNING",
                HTTPS_ONLY="1",
                WEBHOOK_TIMEOUT_SECONDS="3",
                WEBHOOK_LEASE_SECONDS="8",
                WEBHOOK_RETRY_SCHEDULE="1,2,4",
            )
        )
        receiver = stack.enter_context(running_receiver())
        ports = [free_port(), free_port()]
        nginx = configure(folder / "nginx", *ports)
        clinic = make_clinic(receiver.url)
        running = Production(
            rig=it, clinic=clinic, receiver=receiver, postgres=postgres, redis=redis,
            rabbitmq=rabbitmq, nginx=nginx, nginx_process=nginx.start(), ports=ports,
            webs=[it.web(port) for port in ports], workers=[it.worker(), it.worker()],
            beats=[it.beat(), it.beat()], disk=disk, divide=divide,
        )  # fmt: skip
        stack.callback(lambda: running.nginx_process.kill())
        for port in ports:
            wait_until(lambda port=port: running.ready(port), seconds=120, what="gunicorn starts")  # type: ignore[misc]
        instant = time.time()
        wait_until(lambda: it.tasks.sweeps_since(instant) > 0, seconds=120, what="a sweep runs")
        yield running


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """Mounts a file system of limited size; False where this user may not."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m,mode=755", "tmpfs", str(folder)]
    mounted = (
        os.geteuid() == 0 and not subprocess.run(mount, capture_output=True, check=False).returncode
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
