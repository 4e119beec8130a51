"""What metrics, error reports and traces add to the CPU time of GET /appointments?per_page=20.

    make bench ARGS=telemetry, or  python -m tests.servers python -m tests.bench.telemetry [--rounds N]

Each is measured in a process of its own, which calls the WSGI application with it and without it in turns, so that
other load of the machine affects both. CPU time is that of the whole process: the thread that exports spans counts.
The collector is a server of this program, which reads spans and drops them.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.stack import ROOT, empty_database

APPOINTMENTS = 2_000
REQUESTS = 20  # of each turn
_TRACES = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://COLLECTOR"}
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "nothing": {},
    "metrics": {},
    "error reports": {"SENTRY_DSN": "http://public@COLLECTOR/1"},
    "traces, none sampled": {**_TRACES, "OTEL_TRACES_SAMPLER": "always_off"},
    "traces, 1 in 20 (default)": _TRACES,
    "traces, all": {**_TRACES, "OTEL_TRACES_SAMPLER": "always_on"},
}
_MIDDLEWARE = {
    "metrics": "kaivox.server.metrics.Metrics",
    "traces": "kaivox.server.tracing.Tracing",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    with empty_database(f"bench_{secrets.token_hex(4)}") as url, _collector() as collector:
        key = _prepare(url)
        print(f"\nGET /appointments?per_page=20; medians of {rounds} pairs of {REQUESTS} requests")
        print(f"{'':30}{'CPU µs without':>16}{'with':>8}{'more':>8}")
        for name, more in VARIANTS.items():
            variables = {one: text.replace("COLLECTOR", collector) for one, text in more.items()}
            call = f"from tests.bench.telemetry import compare; compare({name!r}, {rounds})"
            environment = {
                **os.environ, "BENCH_KEY": key, "LOG_LEVEL": "WARNING", "HTTPS_ONLY": "0", **variables,
            }  # fmt: skip
            command = [sys.executable, "-W", "ignore", "-c", call]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)


def compare(name: str, rounds: int) -> None:
    """The child: prints the line of one variant."""
    import gc

    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    django.setup()
    everything = settings.MIDDLEWARE
    applications = {True: get_wsgi_application()}
    if (middleware := _MIDDLEWARE.get(name.partition(",")[0])) is not None:
        settings.MIDDLEWARE = [one for one in everything if one != middleware]
    applications[False] = get_wsgi_application()
    for _ in range(3):
        for application in applications.values():
            _measure(application)
    gc.collect()
    gc.freeze()
    pairs = []
    for number in range(rounds):
        pair = {}
        for with_it in (True, False) if number % 2 else (False, True):
            if name == "error reports":
                _report(with_it)
            pair[with_it] = _measure(applications[with_it])
        pairs.append(pair)
    without, with_it = (statistics.median(pair[which] for pair in pairs) for which in (False, True))
    more = statistics.median(pair[True] / pair[False] for pair in pairs) - 1
    print(f"{name:30}{without:16.0f}{with_it:8.0f}{more:+8.1%}", flush=True)


@cache
def _sentry_client() -> Any:
    import sentry_sdk

    return sentry_sdk.get_client()


def _report(active: bool) -> None:
    import sentry_sdk

    client = _sentry_client()
    sentry_sdk.get_global_scope().set_client(client if active else None)


def _measure(application: Any) -> float:
    """CPU microseconds of a request."""
    import io
    import time

    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/appointments", "QUERY_STRING": "per_page=20",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost",
        "HTTP_X_API_KEY": os.environ["BENCH_KEY"], "wsgi.url_scheme": "http",
    }  # fmt: skip
    statuses: set[str] = set()
    began = time.process_time()
    for _ in range(REQUESTS):
        request = {**environ, "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        response = application(request, lambda status, headers: statuses.add(status))
        for _ in response:
            pass
        response.close()
    microseconds = (time.process_time() - began) / REQUESTS * 1e6
    assert statuses == {"200 OK"}, statuses
    return microseconds


def _prepare(url: str) -> str:
    os.environ |= {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "kaivox.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, check=True)
    import django

    django.setup()
    from django.db import connection

    from tests.bench.data import make_businesses

    [made] = make_businesses(1, APPOINTMENTS)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()
    return made.key


@contextmanager
def _collector() -> Iterator[str]:
    """A server that reads every POST and responds 200; yields host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


if __name__ == "__main__":
    main()
