"""Runs gunicorn as in production, uvicorn for comparison, and wrk against either."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stack import ROOT

PROCESSES = 2
THREADS = 4


@dataclass(frozen=True)
class Load:
    """The measurements of wrk; times in milliseconds."""

    per_second: float
    p50: float
    p99: float


@contextmanager
def gunicorn(
    port: int, settings: str = "kaivox.settings", *, processes: int = PROCESSES
) -> Iterator[str]:
    """Worker processes on `port`, all features and the access log on; yields their URL."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "HTTPS_ONLY": "0",
        "WEB_PROCESSES": str(processes),
        "WEB_THREADS": str(THREADS),
        "LOG_LEVEL": "WARNING",
    }
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "kaivox/server/gunicorn.py",
        "kaivox.wsgi",
    ]
    with _serving(command, port, environment) as url:
        yield url


@contextmanager
def uvicorn(port: int, application: str) -> Iterator[str]:
    """Two worker processes of an ASGI application, on uvloop and httptools; yields their URL."""
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    command += ["--workers", str(PROCESSES), "--loop", "uvloop", "--http", "httptools"]
    with _serving(command, port, dict(os.environ)) as url:
        yield url


@contextmanager
def _serving(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[str]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_until_it_listens(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=40)


def wrk(
    url: str,
    keys: Sequence[str],
    *,
    seconds: int,
    connections: int = 16,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Loads `url` with each key in turn. Raises SystemExit where a response is an error."""
    if shutil.which("wrk") is None:
        sys.exit("make bench needs wrk: sudo apt install wrk.")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "keys.lua"
        more = "".join(f', ["{name}"] = "{value}"' for name, value in (headers or {}).items())
        quoted = ", ".join(f'"{key}"' for key in keys)
        script.write_text(_SCRIPT.replace("KEYS", quoted).replace("MORE", more))
        done = subprocess.run(
            [
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{seconds}s",
                "--timeout",
                "10s",
                "-s",
                str(script),
                url,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    figures = re.search(r"BENCH ([\d.]+) ([\d.]+) ([\d.]+) (\d+)", done.stdout)
    if figures is None or int(figures[4]):
        sys.exit(f"Not every response was a 2xx:\n{done.stdout}")
    return Load(*(float(figures[number]) for number in (1, 2, 3)))


_SCRIPT = """
local keys = {KEYS}
local turn = 0
function request()
  turn = turn % #keys + 1
  return wrk.format("GET", nil, {["X-API-Key"] = keys[turn]MORE})
end
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.timeout
  print(string.format("BENCH %.1f %.2f %.2f %d", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
"""


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], log: object) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/appointments", timeout=5)
        except urllib.error.HTTPError:
            return  # it is up: 401 or 403
        except OSError:
            time.sleep(0.1)
    log.seek(0)  # type: ignore[attr-defined]
    sys.exit(f"The server does not start:\n{log.read().decode()[-3000:]}")  # type: ignore[attr-defined]
