"""`/readyz`: hard and soft components; heartbeats of worker and beat."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from kaivox import health, heartbeats, redis
from kaivox.models import Heartbeat
from kaivox.redis import CircuitBreaker
from tests.factories import make_business, make_endpoint, make_event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alive(tmp_path, settings):
    """Fresh heartbeats of a worker and beat, and no state logged yet."""
    settings.DATA_DIR = tmp_path
    health._logged.clear()
    for kind in (heartbeats.WORKER, heartbeats.BEAT):
        heartbeats.write(kind)


def readyz():
    response = Client().get("/readyz")
    return response.status_code, response.json()


@pytest.mark.parametrize("path", ("healthz", "readyz", "metrics"))
def test_a_trailing_slash_makes_no_difference(settings, path):
    settings.METRICS_ALLOWED = ["127.0.0.0/8"]
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get(f"/{path}").status_code == 200
    assert Client().get(f"/{path}/").status_code == 200


class TestReadyz:
    def test_is_200_where_everything_works(self):
        status, body = readyz()
        assert (status, body["status"]) == (200, "ok")
        assert set(body["parts"].values()) == {"ok"}
        assert list(body["parts"]) == [
            "database", "limiter_store", "broker", "worker", "beat", "webhooks",
        ]  # fmt: skip

    def test_is_503_without_the_database(self, monkeypatch):
        def fails():
            raise OperationalError("connection refused")

        monkeypatch.setattr(health, "check_database", fails)
        status, body = readyz()
        assert (status, body["status"]) == (503, "unavailable")
        assert body["parts"]["database"] == "unavailable"

    @pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis")
    def test_is_degraded_without_redis(self, settings, monkeypatch):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(redis, "breaker", CircuitBreaker())
        redis.client.cache_clear()
        try:
            self.check("limiter_store")
        finally:
            redis.client.cache_clear()

    def test_is_degraded_without_the_broker(self, settings, monkeypatch):
        def fails(*args, **kwargs):
            raise ConnectionRefusedError

        monkeypatch.setattr("kombu.Connection.ensure_connection", fails)
        self.check("broker")

    @pytest.mark.parametrize("kind", ("worker", "beat"))
    def test_is_degraded_with_an_old_heartbeat(self, kind):
        Heartbeat.objects.filter(process__startswith=kind).update(
            seen_at=timezone.now() - timedelta(seconds=61)
        )
        self.check(kind)

    @pytest.mark.parametrize("kind", ("worker", "beat"))
    def test_is_degraded_without_a_heartbeat(self, kind):
        Heartbeat.objects.filter(process__startswith=kind).delete()
        self.check(kind)

    def test_is_degraded_with_late_webhooks(self, business):
        make_endpoint(business)
        make_event(business, now=timezone.now() - timedelta(seconds=61))
        self.check("webhooks")

    def test_ignores_deliveries_of_endpoints_that_accept_none(self, business):
        in_an_hour = timezone.now() + timedelta(hours=1)
        paused = make_business()
        endpoints = make_endpoint(business, breaker_until=in_an_hour), make_endpoint(paused)
        for owner in (business, paused):
            make_event(owner, now=timezone.now() - timedelta(seconds=61))
        endpoints[1].is_active, endpoints[1].disabled_reason = False, "paused"
        endpoints[1].save()
        assert readyz()[1]["status"] == "ok"

    def check(self, part):
        status, body = readyz()
        assert (status, body["status"]) == (200, "degraded")
        assert [name for name, state in body["parts"].items() if state != "ok"] == [part]


class TestLog:
    def test_has_one_line_per_change_not_per_probe(self, caplog):
        Heartbeat.objects.all().delete()
        for _ in range(3):
            readyz()
        for kind in (heartbeats.WORKER, heartbeats.BEAT):
            heartbeats.write(kind)
        for _ in range(3):
            readyz()
        lines = [record for record in caplog.records if record.name == "kaivox.health"]
        assert [line.getMessage() for line in lines] == [
            "worker does not work: no heartbeat yet",
            "beat does not work: no heartbeat yet",
            "worker works again",
            "beat works again",
        ]
        assert not any(line.exc_info for line in lines)


class TestHeartbeats:
    def test_delete_rows_of_ended_processes(self):
        long_ago = timezone.now() - timedelta(days=1, seconds=1)
        Heartbeat.objects.create(process="worker:ended", seen_at=long_ago)
        heartbeats.write(heartbeats.WORKER)
        assert not Heartbeat.objects.filter(process="worker:ended").exists()

    @pytest.mark.django_db(transaction=True)
    def test_are_written_to_file_and_database(self):
        Heartbeat.objects.all().delete()
        heartbeats.record(heartbeats.WORKER)
        deadline = time.monotonic() + 30
        while heartbeats.seconds_since(heartbeats.WORKER) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert heartbeats.seconds_since_file(heartbeats.WORKER) < 60


class TestHealthcheckCommand:
    @pytest.mark.parametrize("kind", ("worker", "beat"))
    def test_reads_the_file(self, kind, capsys):
        with pytest.raises(CommandError, match=f"No heartbeat of {kind} yet"):
            call_command("healthcheck", kind)
        path = heartbeats.file_of(kind)
        path.parent.mkdir()
        path.touch()
        call_command("healthcheck", kind)
        assert f"The last heartbeat of {kind} was" in capsys.readouterr().out
        long_ago = time.time() - 61
        os.utime(path, (long_ago, long_ago))
        with pytest.raises(CommandError, match="was 61 s ago"):
            call_command("healthcheck", kind)
