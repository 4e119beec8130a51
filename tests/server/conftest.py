from __future__ import annotations

import pytest
from django.db import connection
from redis import Redis
from redis.client import Pipeline

from tests.webhooks.conftest import receiver  # noqa: F401 - a fixture of the tests here too


@pytest.fixture
def sentry():
    """Error reports switched on: a list of what Sentry would be sent."""
    pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed")
    from tests.server.sentry import reporting

    with reporting() as sent:
        yield sent


@pytest.fixture
def spans(settings, monkeypatch):
    """Tracing switched on, with the SDK's exporter in memory: a list of the spans as exported."""
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry's SDK is not installed")
    from kaivox.server import tracing
    from tests.server import spans as in_memory

    settings.TRACING = True
    settings.MIDDLEWARE = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE.insert(1, "kaivox.server.tracing.Tracing")
    for owner, name in ((Redis, "execute_command"), (Pipeline, "execute")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    exporter = in_memory.installed()
    tracing.trace_redis()
    with connection.execute_wrapper(tracing.in_span_of_statement):
        exporter.clear()
        yield exporter
