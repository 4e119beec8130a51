"""gunicorn for a drill: four processes, one trusted proxy, the log in a file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.drills.redis_server import RedisServer
from tests.stack import ROOT

PROCESSES = 4
THREADS = 8


@dataclass(frozen=True)
class Web:
    url: str
    redis: RedisServer
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def problems(self) -> list[str]:
        """The last warnings and errors of its log."""
        lines = self.log().splitlines()
        return [line for line in lines if " WARNING " in line or " ERROR " in line][-20:]


def manage(*arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=True)


@contextmanager
def web_server(folder: Path, redis: RedisServer) -> Iterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "HTTPS_ONLY": "0",
        "WEB_PROCESSES": str(PROCESSES),
        "WEB_THREADS": str(THREADS),
        "TRUSTED_PROXIES": "1",
    }
    web = Web(f"http://127.0.0.1:{port}", redis, folder / "gunicorn.log")
    with web.log_file.open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config",
                "kaivox/server/gunicorn.py",
                "kaivox.wsgi",
            ],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(web, process)
        yield web
    finally:
        process.terminate()
        process.wait(timeout=40)


def _wait(web: Web, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{web.url}/healthz", timeout=5)
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"gunicorn does not start:\n{web.log()[-3000:]}")
