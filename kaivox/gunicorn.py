"""gunicorn's settings: `gunicorn --config kaivox/gunicorn.py kaivox.wsgi`, behind nginx.

Alone it is stopped dead by forty slow clients; nginx reads their requests first
(deploy/nginx.conf).
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from kaivox.api.logs import MaskKeys
from kaivox.server_refusals import MAX_LINE, refusal

try:
    _host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    bind = f"{_host}:{settings.PORT}"
except ImproperlyConfigured as error:
    sys.exit(f"kaivox: {error}")

workers = settings.WEB_PROCESSES
threads = settings.WEB_THREADS
timeout = 30
graceful_timeout = 25
keepalive = 75  # longer than nginx keeps an idle connection to us
# Whatever leaks is gone after a while; the jitter keeps processes from restarting together.
max_requests = 200_000
max_requests_jitter = 50_000
limit_request_line = MAX_LINE
if Path("/dev/shm").is_dir():  # noqa: S108 - the heartbeat file: a slow disk must not look like a hang
    worker_tmp_dir = "/dev/shm"  # noqa: S108

accesslog = "-"
# The path without its query: ?api_key= never reaches a log. Nor the referrer, for the same reason.
access_log_format = '%(t)s %(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms %({x-request-id}o)s "%(a)s"'


class logger_class(Logger):  # type: ignore[misc]
    """gunicorn quotes a request line that it cannot read; the key in it goes no further."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.addFilter(MaskKeys())


class worker_class(ThreadWorker):  # type: ignore[misc]
    """Takes a connection while it has a thread free for it, and one for each request it finishes.

    gunicorn's own takes all that come at once, and the other processes, and their cores, stay idle.
    """

    in_hand = 0
    takes_more = True

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled and self.takes_more)

    def enqueue_req(self, conn: Any) -> None:
        self.in_hand += 1
        super().enqueue_req(conn)
        self.takes_more = self.in_hand < self.cfg.threads
        if not self.takes_more:
            self.set_accept_enabled(False)

    def finish_request(self, conn: Any, fs: Any) -> None:
        self.in_hand -= 1
        self.takes_more = True  # and gunicorn's loop goes on accepting
        super().finish_request(conn, fs)


def post_worker_init(worker: Any) -> None:
    # gunicorn tells what it refuses in HTML, and has no hook for it but the function itself.
    util.write_error = _write_envelope


def _write_envelope(sock: Any, status: int, reason: str, message: str) -> None:
    headers, body = refusal(status)
    lines = [f"HTTP/1.1 {status} {reason}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    util.write_nonblock(sock, "\r\n".join([*lines, "", ""]).encode("latin-1") + body)
