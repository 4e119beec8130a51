"""`/metrics`, JSON logs and error reports."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
import urllib.request
from datetime import timedelta

import pytest
from celery.app.trace import build_tracer
from django.conf import settings as django_settings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from calls import tasks as call_tasks
from kaivox import heartbeats
from kaivox.api.logging import JsonFormatter
from kaivox.celery import app
from kaivox.server import metrics as metrics_endpoint
from ratelimits.throttling import EnterpriseThrottle
from tests import factories
from tests.own_servers import free_port
from webhooks.dispatcher import Dispatcher

KEY = "kv_live_" + "a" * 38


def values(name=""):
    """Samples by name and labels; those called `name`, or all: there are thousands, of every route."""
    text = metrics_endpoint.render().decode()
    if name:
        lines = re.findall(rf"^{re.escape(name)}[{{ ].*$", text, re.MULTILINE)
        text = "\n".join([*lines, ""])
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name, **labels):
    return values(name).get((name, frozenset(labels.items())), 0.0)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


class TestAccess:
    @pytest.mark.parametrize(
        ("allowed", "proxies", "headers", "status"),
        (
            ([], 0, {}, 404),
            (["127.0.0.0/8"], 0, {}, 200),
            (["10.0.0.0/8"], 0, {}, 404),
            (["127.0.0.0/8"], 0, {"X-Forwarded-For": "203.0.113.9"}, 404),
            (["10.0.0.0/8"], 1, {"X-Forwarded-For": "10.1.2.3"}, 200),
            (["127.0.0.0/8"], 1, {"X-Forwarded-For": "203.0.113.9"}, 404),
        ),
    )
    def test_is_by_address(self, db, settings, allowed, proxies, headers, status):
        settings.METRICS_ALLOWED, settings.TRUSTED_PROXIES = allowed, proxies
        assert Client().get("/metrics", headers=headers).status_code == status


@pytest.mark.django_db
class TestRequests:
    def test_are_counted_by_route_not_by_path(self, client, business):
        customer = factories.make_customer(business)
        before = values("kaivox_http_request_duration_seconds_count")
        client.get(f"/api/v1/customers/{customer.pk}")
        client.get("/api/v1/nothing-of-this-name")
        found = [
            dict(series[1])
            for series, count in values("kaivox_http_request_duration_seconds_count").items()
            if count > before.get(series, 0)
        ]
        assert not any("nothing-of-this-name" in one["route"] for one in found)
        assert not any(f"customers/{customer.pk}" in one["route"] for one in found)
        assert any("customers" in one["route"] and one["status"] == "200" for one in found)

    def test_of_unknown_methods_are_one_series(self, client):
        client.generic("BREW", "/api/v1/customers")
        methods = {dict(labels).get("method") for _, labels in values()}
        assert "BREW" not in methods

    def test_over_quota_are_counted(self, client, monkeypatch):
        monkeypatch.setattr(EnterpriseThrottle, "per_minute", 1)
        before = value("kaivox_quota_rejections_total", plan="enterprise")
        statuses = [client.get("/api/v1/customers").status_code for _ in range(3)]
        assert statuses == [200, 429, 429]
        assert value("kaivox_quota_rejections_total", plan="enterprise") == before + 2


@pytest.mark.django_db
class TestWork:
    def test_counts_attempts_by_outcome(self, business):
        factories.make_endpoint(business, url="http://127.0.0.1:1/")
        factories.make_event(business)
        # The outcome depends on the profile: private addresses are not allowed in production.
        outcomes = ("connect_error", "blocked_destination")
        before = [value("kaivox_webhook_attempts_total", outcome=one) for one in outcomes]
        Dispatcher().run()
        after = [value("kaivox_webhook_attempts_total", outcome=one) for one in outcomes]
        assert sum(after) == sum(before) + 1

    def test_measures_tasks(self):
        labels = {"task": "calls.tasks.finish_due_calls", "state": "SUCCESS"}
        before = value("kaivox_task_duration_seconds_count", **labels)
        name = call_tasks.finish_due_calls.name
        tracer = build_tracer(name, app.tasks[name], app=app)
        tracer("1111", (), {}, {"id": "1111", "task": name})
        assert value("kaivox_task_duration_seconds_count", **labels) == before + 1


@pytest.mark.django_db
class TestDatabaseGauges:
    def test_report_late_webhooks_and_heartbeats(self, business):
        factories.make_endpoint(business)
        factories.make_event(business, now=timezone.now() - timedelta(seconds=500))
        in_an_hour = timezone.now() + timedelta(hours=1)
        factories.make_endpoint(factories.make_business(), breaker_until=in_an_hour)
        heartbeats.write(heartbeats.BEAT)
        assert 500 <= value("kaivox_webhook_oldest_due_seconds") < 600
        assert value("kaivox_webhook_breakers_open") == 1
        assert 0 <= value("kaivox_heartbeat_age_seconds", process="beat") < 60
        assert value("kaivox_database_up") == 1

    def test_report_an_unavailable_database(self, monkeypatch):
        def away():
            raise OperationalError("connection refused")

        monkeypatch.setattr(metrics_endpoint, "database_now", away)
        monkeypatch.setattr(metrics_endpoint.connection, "close", lambda: None)
        assert value("kaivox_database_up") == 0


@pytest.mark.skipif(django_settings.EMBEDDED, reason="gunicorn runs in the production profile")
@pytest.mark.django_db(transaction=True)
def test_any_process_of_gunicorn_renders_the_sum(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    database = django_settings.DATABASE_URL.rpartition("/")[0]
    environment = {
        **os.environ, "PORT": str(port), "HTTPS_ONLY": "0", "METRICS_ALLOWED": "127.0.0.1/32",
        "DATABASE_URL": f"{database}/{metrics_endpoint.connection.settings_dict['NAME']}",
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "kaivox/server/gunicorn.py",
        "kaivox.wsgi",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, cwd=django_settings.BASE_DIR
        )

    def get(path):
        with urllib.request.urlopen(f"{url}{path}", timeout=30) as response:
            return response.read().decode()

    try:
        deadline = time.monotonic() + 60
        while "listening" not in (tmp_path / "log").read_text().lower():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for _ in range(20):
            get("/healthz")
        counts = set()
        for _ in range(6):
            families = text_string_to_metric_families(get("/metrics"))
            samples = [sample for family in families for sample in family.samples]
            counts.add(
                sum(
                    sample.value
                    for sample in samples
                    if sample.name == "kaivox_http_request_duration_seconds_count"
                )
            )
        assert counts == {20.0}
    finally:
        process.terminate()
        process.wait(30)


class TestDeployFiles:
    @pytest.mark.django_db
    def test_use_only_metrics_that_exist(self):
        shown = set(re.findall(r"^# TYPE (\w+)", metrics_endpoint.render().decode(), re.MULTILINE))
        shown |= {f"{family}_{part}" for family in shown for part in ("bucket", "count")}
        for name in (
            "deploy/alerts.yml", "deploy/grafana-dashboard.json", "docs/operations/alerts.md",
            "docs/operations/incidents.md", "docs/operations/scaling.md",
        ):  # fmt: skip
            text = (django_settings.BASE_DIR / name).read_text()
            named = set(re.findall(r"kaivox_[a-z_]+", text))
            assert named
            assert named <= shown, name


@pytest.mark.once
class TestJsonLogs:
    def test_are_one_object_a_line_without_keys(self):
        try:
            raise ValueError(f"bad {KEY}\nsecond line")
        except ValueError:
            record = logging.getLogger("here").makeRecord(
                "here", logging.ERROR, "file", 1, "message %s", (KEY,), sys.exc_info()
            )
        record.request_id = "mine-1"
        line = JsonFormatter().format(record)
        assert KEY not in line
        assert "\n" not in line
        found = json.loads(line)
        assert found.keys() == {"time", "level", "logger", "request_id", "message", "traceback"}
        assert (found["level"], found["request_id"]) == ("ERROR", "mine-1")

    @pytest.mark.parametrize(
        ("variables", "sentence"),
        (
            ({"LOG_FORMAT": "xml"}, "LOG_FORMAT is 'xml': write text or json."),
            ({"SENTRY_DSN": "nonsense"}, "SENTRY_DSN cannot be parsed"),
        ),
    )
    def test_invalid_settings_stop_the_start(self, variables, sentence, tmp_path):
        done = subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=django_settings.BASE_DIR, capture_output=True, text=True, check=False,
            env={**os.environ, "KAIVOX_VAR": str(tmp_path), **variables},
        )  # fmt: skip
        assert done.returncode == 1
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
