"""Prometheus metrics of requests, quotas, webhooks and tasks; `kaivox.server.metrics` exposes them."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

REQUESTS: Final = Histogram(
    "kaivox_http_request_duration_seconds",
    "Duration of requests until the response headers are ready.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
QUOTA_REJECTIONS: Final = Counter(
    "kaivox_quota_rejections_total", "Requests rejected with 429 by the business's quota.", ["plan"]
)
LOCAL_DECISIONS: Final = Counter(
    "kaivox_quota_local_decisions_total",
    "Requests whose quota was counted in one process, because Redis was unavailable.",
)
ATTEMPTS: Final = Counter(
    "kaivox_webhook_attempts_total", "Finished webhook requests, by outcome.", ["outcome"]
)
REQUEST_LOG_DROPPED: Final = Counter(
    "kaivox_request_log_dropped_total", "Requests that were not written to the request log."
)
TASKS: Final = Histogram(
    "kaivox_task_duration_seconds",
    "Duration of Celery tasks.",
    ["task", "state"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 60, 300),
)
