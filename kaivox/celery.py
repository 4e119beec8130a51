"""The Celery app: queues, the beat schedule, logs, metrics and heartbeats of worker and beat.

Messages are wake-ups. What is due is stored in the database, so a lost message only delays work.
"""

from __future__ import annotations

import logging
import logging.config
import time
from contextlib import AbstractContextManager
from typing import Any

from celery import Celery, Task
from celery.schedules import crontab
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings
from prometheus_client import start_http_server

from kaivox import redis_broker
from kaivox.api.logging import NO_REQUEST, current_request_id
from kaivox.db.outages import OUTAGES
from kaivox.embedded import filesystem_broker
from kaivox.metrics import TASKS
from kaivox.startup import load_settings
from kaivox.tracing import consumer_span, traceparent

load_settings()

logger = logging.getLogger(__name__)


class KaivoxTask(Task):
    """Logs a database outage in one line, not as a traceback every two seconds. The next run finds
    what is due."""

    throws = OUTAGES

    def on_failure(self, exc: Exception, *args: object, **kwargs: object) -> None:
        if isinstance(exc, OUTAGES):
            reason = str(exc).partition("\n")[0]
            logger.warning("%s waits for the database: %s", self.name, reason)


filesystem_broker.register_transport()
redis_broker.register_transport()
app = Celery("kaivox", task_cls=KaivoxTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_shutting_down.connect
def _end_waits(**_: object) -> None:
    filesystem_broker.shutting_down.set()


# Deliveries have a queue of their own, so that slow and rare tasks do not delay them.
app.conf.task_routes = {
    "webhooks.deliver_due": {"queue": "webhooks"},
    "webhooks.sweep": {"queue": "webhooks"},
}

# Every periodic task is idempotent: it may run twice, or on two machines at once.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "deliver-due-webhooks": {
        "task": "webhooks.sweep",
        "schedule": 2.0,
        "options": {"expires": 10},  # after an outage only the newest sweep is useful
    },
    "tell-of-switched-off-endpoints": {"task": "webhooks.send_notices", "schedule": 60.0},
    "send-security-notices": {
        "task": "kaivox.businesses.tasks.send_notices",
        "schedule": 60.0,
    },
    "prune-webhook-log": {"task": "webhooks.prune", "schedule": crontab(minute=17)},
    "forget-old-idempotency-keys": {
        "task": "kaivox.idempotency.tasks.prune",
        "schedule": crontab(minute=17),
    },
    "prune-request-log": {
        "task": "kaivox.request_log.tasks.prune",
        "schedule": crontab(minute=29),
    },
    "write-down-usage": {
        "task": "ratelimits.tasks.write_down_usage",
        "schedule": 60.0,
    },
    "prune-usage": {
        "task": "ratelimits.tasks.prune_usage",
        "schedule": crontab(hour=3, minute=41),
    },
    "finish-due-calls": {
        "task": "calls.tasks.finish_due_calls",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "offer-free-times": {
        "task": "appointments.tasks.offer_free_times",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "forget-old-voice-messages": {
        "task": "calls.tasks.forget_old_messages",
        "schedule": crontab(hour=3, minute=11),
    },
    "forget-old-transcripts": {
        "task": "calls.tasks.forget_old_transcripts",
        "schedule": crontab(hour=3, minute=23),
    },
    "record-due-reminders": {
        "task": "appointments.tasks.record_due_reminders",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "touch-pending": {
        "task": "kaivox.businesses.tasks.touch_pending",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "prune-records": {
        "task": "kaivox.businesses.tasks.prune_records",
        "schedule": crontab(hour=3, minute=53),
    },
    "read-busy-calendars": {
        "task": "staff.tasks.read_busy_calendars",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "refresh-segments": {
        "task": "customers.tasks.refresh_segments",
        "schedule": crontab(hour=2, minute=7),
    },
}
for _entry in BEAT_SCHEDULE.values():
    # CELERY_TASK_PUBLISH_RETRY is off so that web requests never wait for the broker. Beat uses one
    # producer for its lifetime, and only a publish with retries replaces a channel that the broker
    # closed.
    _entry["options"] = {**_entry.get("options", {}), "retry": True}
app.conf.beat_schedule = BEAT_SCHEDULE


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    """Replaces Celery's handlers with those of the settings; LOG_LEVEL overrides --loglevel."""
    logging.config.dictConfig(settings.LOGGING)


# --- Request ids: of the request that caused the task, else of the task itself ---------------------

_HEADER = "kaivox_request_id"


@before_task_publish.connect
def _send_request_id(headers: dict[str, Any], **_: object) -> None:
    if (request_id := current_request_id.get()) != NO_REQUEST:
        headers.setdefault(_HEADER, request_id)


@task_prerun.connect
def _log_with_request_id(task_id: str, task: Task, **_: object) -> None:
    current_request_id.set(getattr(task.request, _HEADER, None) or f"task_{task_id}")


@task_postrun.connect
def _log_without_request_id(**_: object) -> None:
    current_request_id.set(NO_REQUEST)


# --- Traces: the span of a task is part of the trace of the request that caused it ------------------

_TRACE_HEADER = "traceparent"
_spans: dict[str, AbstractContextManager[None]] = {}


@before_task_publish.connect
def _send_traceparent(headers: dict[str, Any], **_: object) -> None:
    if found := traceparent():
        headers.setdefault(_TRACE_HEADER, found)


@task_prerun.connect
def _start_span(task_id: str, task: Task, **_: object) -> None:
    if not settings.TRACING:
        return
    parent = getattr(task.request, _TRACE_HEADER, None) or ""
    span = _spans[task_id] = consumer_span(task.name, parent=parent)
    span.__enter__()


@task_postrun.connect
def _end_span(task_id: str, task: Task, retval: object, **_: object) -> None:
    if (span := _spans.pop(task_id, None)) is not None:
        error = retval if isinstance(retval, Exception) else None
        span.__exit__(type(error) if error else None, error, None)


# --- Metrics of the worker --------------------------------------------------------------------------

_started_at: dict[str, float] = {}


@worker_ready.connect
def _serve_metrics(**_: object) -> None:
    if settings.WORKER_METRICS_PORT:
        start_http_server(settings.WORKER_METRICS_PORT, settings.HOST)


@task_prerun.connect
def _start_clock(task_id: str, **_: object) -> None:
    _started_at[task_id] = time.perf_counter()


@task_postrun.connect
def _stop_clock(task_id: str, task: Task, state: str, **_: object) -> None:
    started = _started_at.pop(task_id, None)
    if started is not None:
        TASKS.labels(task.name, state).observe(time.perf_counter() - started)


# --- Heartbeats -------------------------------------------------------------------------------------


@heartbeat_sent.connect
def _record_worker_heartbeat(**_: object) -> None:
    """Called every two seconds by the worker's main loop while it is connected to the broker."""
    _record_heartbeat("worker")


@beat_init.connect
def _record_beat_heartbeats(**_: object) -> None:
    after_task_publish.connect(_record_beat_heartbeat)


def _record_beat_heartbeat(**_: object) -> None:
    _record_heartbeat("beat")


def _record_heartbeat(kind: str) -> None:
    from kaivox import heartbeats  # a model: after the apps are loaded

    heartbeats.record(kind)
