"""`/healthz`: this process is alive. `/readyz`: what it needs answers too, or 503 with which not.

A middleware in front of the host check: a load balancer asks by address, not by name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)


class HealthChecks:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path_info == "/readyz":
            return _readiness()
        return self.get_response(request)


def parts() -> dict[str, bool]:
    """What this server needs, and whether it answers."""
    checks = {"database": _database, "limiter_store": _limiter_store, "broker": _broker}
    return {name: _answers(name, check) for name, check in checks.items()}


def _readiness() -> HttpResponse:
    found = parts()
    ready = all(found.values())
    return JsonResponse(
        {
            "status": "ok" if ready else "unavailable",
            "parts": {name: "ok" if fine else "unavailable" for name, fine in found.items()},
        },
        status=200 if ready else 503,
    )


def _answers(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:
        logger.warning("Not ready: %s", name, exc_info=True)
        return False
    return True


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _limiter_store() -> None:
    if settings.REDIS_URL:
        store = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
            retry=Retry(NoBackoff(), 0),
        )
        with store:
            store.ping()


def _broker() -> None:
    app = import_string(settings.TASK_APP)
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=1)
