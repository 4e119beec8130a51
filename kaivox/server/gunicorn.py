"""Configuration of gunicorn: `gunicorn --config kaivox/server/gunicorn.py kaivox.wsgi`.

gunicorn must run behind a proxy that buffers requests (deploy/nginx.conf): forty slow clients occupy
all its threads.
"""

import logging
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

# The shared folder of its processes' counters. prometheus_client reads it at import, so it is set first;
# a new folder for each start, because files of dead processes would be added to the sums.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="kaivox-metrics-")

from typing import Any

from django.conf import settings
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker
from prometheus_client import multiprocess

from kaivox.api.logging import RedactSecretsFormatter, escape_control
from kaivox.embedded.supervisor import die_with_parent
from kaivox.server.error_bodies import MAX_LINE, error_for_status
from kaivox.startup import load_settings

load_settings()
try:  # gunicorn itself retries for five seconds, and its error does not name the setting
    _family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
    with socket.socket(_family) as _probe:
        _probe.bind((settings.HOST, 0))
except OSError:
    sys.exit(f"kaivox: HOST is {settings.HOST!r}: this machine has no such address.")
_host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind = f"{_host}:{settings.PORT}"

workers = settings.WEB_PROCESSES
threads = settings.WEB_THREADS
timeout = 30
graceful_timeout = 25
keepalive = 75  # longer than nginx's keepalive_timeout of 60 s, so that nginx closes first
# Bounds memory leaks; the jitter prevents simultaneous restarts.
max_requests = 200_000
max_requests_jitter = 50_000
limit_request_line = MAX_LINE
if Path("/dev/shm").is_dir():  # noqa: S108 - the heartbeat file: a slow disk must not look like a hang
    worker_tmp_dir = "/dev/shm"  # noqa: S108

# Two servers of one user would share its path; it is not used here.
control_socket_disable = True

accesslog = "-"
# Without query and referrer, which may contain ?api_key=.
access_log_format = '%(t)s %(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms %({x-request-id}o)s "%(a)s"'

_QUERY = re.compile(r"\?[^\s\"']+")


class logger_class(Logger):  # type: ignore[misc]
    """Escapes and redacts log lines: gunicorn quotes requests that it cannot parse, and decoded
    paths."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(_WithoutQueries(self.error_fmt, self.datefmt))
        for handler in self.access_log.handlers:
            handler.setFormatter(RedactSecretsFormatter(self.access_fmt))

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any
    ) -> dict[str, Any]:
        """What `access_log_format` names. gunicorn's own also has every header and WSGI variable, which
        made the line cost more than twice as much."""
        sent = {name.lower(): value for name, value in resp.headers}
        return {
            "t": self.now(),
            "h": environ.get("REMOTE_ADDR", "-"),
            "m": escape_control(environ.get("REQUEST_METHOD") or "-"),
            "U": escape_control(environ.get("PATH_INFO") or "-"),
            "s": str(resp.status).partition(" ")[0],
            "B": resp.sent,
            "M": int(request_time.total_seconds() * 1000),
            "{x-request-id}o": sent.get("x-request-id", "-"),
            "a": escape_control(environ.get("HTTP_USER_AGENT", "-")),
        }


class _WithoutQueries(RedactSecretsFormatter):
    """Removes the query strings of URLs, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return _QUERY.sub("?…", super().format(record))


class worker_class(ThreadWorker):  # type: ignore[misc]
    """Accepts a connection only while a thread is free, and one more per finished request.

    gunicorn's own class accepts all pending connections at once, which leaves the other processes, and
    their cores, idle (docs/decisions/0073). When it stops, it leaves the listening socket open for two
    seconds more: the kernel accepts connections that are never read and then resets them, and nginx sends
    no POST again. This class accepts what is pending and closes the socket at once.
    """

    in_flight = 0
    has_capacity = True

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled and self.has_capacity)
        if not self.alive:
            self._drain()

    def _drain(self) -> None:
        listeners: list[Any] = self.sockets
        self.sockets: list[Any] = []
        for listener in listeners:
            listener.setblocking(False)
            accepted = -1
            while accepted != self.nr_conns:
                accepted = self.nr_conns
                self.accept(listener)
            listener.close()

    def enqueue_req(self, conn: Any) -> None:
        self.in_flight += 1
        super().enqueue_req(conn)
        self.has_capacity = self.in_flight < self.cfg.threads
        if not self.has_capacity:
            self.set_accept_enabled(False)

    def finish_request(self, conn: Any, fs: Any) -> None:
        self.in_flight -= 1
        self.has_capacity = True  # gunicorn's loop then enables accepting
        super().finish_request(conn, fs)


def post_fork(server: Any, worker: Any) -> None:
    # Workers of a killed master would hold the port for graceful_timeout.
    die = die_with_parent(signal.SIGKILL)
    if die is not None:
        die()


def child_exit(server: Any, worker: Any) -> None:
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def post_worker_init(worker: Any) -> None:
    # gunicorn rejects requests with an HTML body; replacing the function is the only hook.
    util.write_error = _write_envelope


def _write_envelope(sock: Any, status: int, reason: str, message: str) -> None:
    headers, body = error_for_status(status)
    lines = [f"HTTP/1.1 {status} {reason}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    util.write_nonblock(sock, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)
