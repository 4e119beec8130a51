"""Prometheus metrics: `/metrics` of the web server, and a separate port in a worker.

Web processes count in files of one folder (set by kaivox/server/gunicorn.py), so that any of them can
render the sum. Gauges of the database are queried at each scrape and are the same on every machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from kaivox.businesses.auth.client_ip import client_address, in_networks
from kaivox.db.clock import database_now
from kaivox.metrics import REQUESTS

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class Metrics:
    """Measures each request, and serves `/metrics`: 404 unless the address is in METRICS_ALLOWED."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in ("/metrics", "/metrics/"):
            return _respond(request)
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        REQUESTS.labels(
            request.method if request.method in _METHODS else "other",
            # The route, not the path: clients choose paths, and each label value is a new series.
            match.route if match is not None else "none",
            response.status_code,
        ).observe(time.perf_counter() - started)
        return response


def render() -> bytes:
    """All metrics, in Prometheus's text format."""
    processes: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        processes = CollectorRegistry()
        MultiProcessCollector(processes)  # type: ignore[no-untyped-call]
    gauges = CollectorRegistry()
    gauges.register(DatabaseCollector())
    return generate_latest(processes) + generate_latest(gauges)


class DatabaseCollector(Collector):
    """Gauges of the database; only `kaivox_database_up` 0 where it is unavailable."""

    def collect(self) -> Iterator[Metric]:
        try:
            yield from self._gauges()
            up = 1.0
        except Error:
            connection.close()
            up = 0.0
        yield _gauge("kaivox_database_up", "Whether the database can be queried.", up)

    def _gauges(self) -> list[Metric]:
        from kaivox import heartbeats  # models: after the apps are loaded
        from webhooks.backlog import oldest_due_seconds, open_breakers

        now = database_now()
        seen = GaugeMetricFamily(
            "kaivox_heartbeat_age_seconds", "Age of the newest heartbeat.", labels=["process"]
        )
        for kind in (heartbeats.WORKER, heartbeats.BEAT):
            if (seconds := heartbeats.seconds_since(kind)) is not None:
                seen.add_metric([kind], seconds)
        return [
            seen,
            _gauge(
                "kaivox_webhook_oldest_due_seconds",
                "Age of the oldest due delivery whose endpoint accepts deliveries.",
                oldest_due_seconds(now),
            ),
            _gauge(
                "kaivox_webhook_breakers_open",
                "Active endpoints with an open circuit breaker.",
                open_breakers(now),
            ),
        ]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _respond(request: HttpRequest) -> HttpResponse:
    # Behind a proxy that TRUSTED_PROXIES does not count, every client has the proxy's address.
    hidden = not settings.TRUSTED_PROXIES and "HTTP_X_FORWARDED_FOR" in request.META
    address = client_address(request.META, settings.TRUSTED_PROXIES)
    if hidden or not in_networks(address, settings.METRICS_ALLOWED):
        return HttpResponse("Not found\n", status=404, content_type="text/plain")
    return HttpResponse(render(), content_type=CONTENT_TYPE_LATEST)
