"""State of each component of an installation, for `/readyz` and the status page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from kaivox import heartbeats, redis
from kaivox.db.clock import database_now

logger = logging.getLogger(__name__)

# Deliveries due for longer are late: beat orders a sweep every two seconds.
LATE_SECONDS: Final = 60.0

# The state of each component that was logged last.
_logged: dict[str, bool] = {}


class CheckFailed(Exception):
    """A component does not work; the message is the reason."""


def parts() -> dict[str, bool]:
    """Each component of this installation, and whether it works."""
    found = {"database": _works("database", check_database)}
    soft: dict[str, Callable[[], None]] = {
        "limiter_store": check_limiter_store,
        "broker": check_broker,
    }
    if found["database"]:  # their state is stored in it
        soft |= {"worker": check_worker, "beat": check_beat, "webhooks": check_webhooks}
    return found | {name: _works(name, check) for name, check in soft.items()}


def _works(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - any error means that the component does not work
        works, reason = False, str(error).partition("\n")[0]
    else:
        works, reason = True, ""
    if _logged.get(name, True) is not works:  # per change, not per probe
        if works:
            logger.warning("%s works again", name)
        else:
            logger.warning("%s does not work: %s", name, reason)
    _logged[name] = works
    return works


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_limiter_store() -> None:
    if settings.REDIS_URL:
        redis.breaker.call(lambda: redis.client().ping())


def check_broker() -> None:
    app = import_string(settings.CELERY_APP)
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=1)


def check_worker() -> None:
    _check_heartbeat(heartbeats.WORKER)


def check_beat() -> None:
    _check_heartbeat(heartbeats.BEAT)


def _check_heartbeat(kind: str) -> None:
    seconds = heartbeats.seconds_since(kind)
    if seconds is None:
        raise CheckFailed("no heartbeat yet")
    if seconds > heartbeats.ALIVE_SECONDS:
        raise CheckFailed(f"last heartbeat {seconds:.0f} s ago")


def check_webhooks() -> None:
    from webhooks.backlog import oldest_due_seconds  # models: after the apps are loaded

    seconds = oldest_due_seconds(database_now())
    if seconds > LATE_SECONDS:
        raise CheckFailed(f"the oldest delivery has been due for {seconds:.0f} s")
