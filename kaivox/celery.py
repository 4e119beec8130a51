"""The Celery app: queues and the beat schedule. Messages are hints; what is due stands in the
database, so a lost one costs only time."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaivox.settings")

app = Celery("kaivox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.task_routes = {"webhooks.*": {"queue": "webhooks"}}

# Every periodic task may run twice, or on two machines at once, and do no harm.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "forget-old-idempotency-keys": {
        "task": "kaivox.idempotency.tasks.prune",
        "schedule": crontab(minute=17),
    },
}
app.conf.beat_schedule = BEAT_SCHEDULE
