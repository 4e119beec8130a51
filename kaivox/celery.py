"""The Celery app: queues and the beat schedule. Messages are hints; what is due stands in the
database, so a lost one costs only time."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab

from kaivox import file_broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")

file_broker.take_over()
app = Celery("kaivox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Deliveries have a queue of their own; what is slow or rare about webhooks stays out of it.
app.conf.task_routes = {
    "webhooks.deliver_due": {"queue": "webhooks"},
    "webhooks.sweep": {"queue": "webhooks"},
}

# Every periodic task may run twice, or on two machines at once, and do no harm.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "deliver-due-webhooks": {
        "task": "webhooks.sweep",
        "schedule": 2.0,
        "options": {"expires": 10},  # late it is worthless: the next one is on its way
    },
    "tell-of-switched-off-endpoints": {"task": "webhooks.send_notices", "schedule": 60.0},
    "prune-webhook-log": {"task": "webhooks.prune", "schedule": crontab(minute=17)},
    "forget-old-idempotency-keys": {
        "task": "kaivox.idempotency.tasks.prune",
        "schedule": crontab(minute=17),
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
        "schedule": 2.0,
        "options": {"expires": 10},
    },
    "forget-old-voice-messages": {
        "task": "calls.tasks.forget_old_messages",
        "schedule": crontab(hour=3, minute=11),
    },
    "forget-old-transcripts": {
        "task": "calls.tasks.forget_old_transcripts",
        "schedule": crontab(hour=3, minute=23),
    },
    "refresh-segments": {
        "task": "customers.tasks.refresh_segments",
        "schedule": crontab(hour=2, minute=7),
    },
}
app.conf.beat_schedule = BEAT_SCHEDULE
