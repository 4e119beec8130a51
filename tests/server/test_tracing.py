"""Spans of requests, SQL, Redis, tasks and webhooks, as they are exported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from celery.app.trace import build_tracer
from django.conf import settings as django_settings
from django.db import connection, transaction
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from redis import Redis

from kaivox import tracing
from kaivox.celery import app
from kaivox.server.error_reporting import without_personal_data
from tests import factories
from webhooks import tasks, wakeups
from webhooks.models import Attempt, Event

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CUSTOMER = {"name": "Asha Rao", "phone": "+919876543210"}
ROUTE = "api/v1/customers/?$"
TRACE = int(PARENT.split("-")[1], 16)

pytestmark = pytest.mark.django_db


def named(spans, name):
    return [span for span in spans.get_finished_spans() if span.name == name]


def run_task(name, **headers):
    """Runs a task as a worker does for a message with these headers."""
    tracer = build_tracer(name, app.tasks[name], app=app)
    return tracer("11111111-2222", (), {}, {"id": "11111111-2222", "task": name, **headers})


class TestRequestSpan:
    def test_has_route_status_and_request_id(self, client, spans):
        client.get("/api/v1/customers?search=Asha", headers={"X-Request-ID": "mine-1"})
        [span] = [one for one in spans.get_finished_spans() if one.kind is trace.SpanKind.SERVER]
        assert span.name == f"GET {ROUTE}"
        assert span.attributes == {
            "http.request.method": "GET",
            "http.route": ROUTE,
            "http.response.status_code": 200,
            "kaivox.request_id": "mine-1",
        }
        assert span.resource.attributes["service.name"] == "kaivox"

    def test_continues_the_trace_of_the_caller(self, client, spans):
        client.get("/api/v1/customers", headers={"traceparent": PARENT})
        [span] = named(spans, f"GET {ROUTE}")
        assert span.context.trace_id == TRACE
        assert span.parent.span_id == int(PARENT.split("-")[2], 16)

    @pytest.mark.parametrize("header", ("nonsense", "00-0-0-01", "\x00", PARENT * 9))
    def test_begins_a_trace_where_the_header_is_invalid(self, client, spans, header):
        assert client.get("/api/v1/customers", headers={"traceparent": header}).status_code == 200
        [span] = named(spans, f"GET {ROUTE}")
        assert span.parent is None

    def test_of_a_health_check_has_no_route(self, client, spans):
        client.get("/healthz")
        [span] = named(spans, "GET")
        assert "http.route" not in span.attributes

    def test_does_not_have_the_path(self, client, spans):
        client.get("/api/v1/planted-in-the-path")
        assert "planted" not in str([span.to_json() for span in spans.get_finished_spans()])

    def test_of_a_crash_is_an_error(self, client, spans, monkeypatch):
        monkeypatch.setattr("customers.operations.create_customer", lambda **_: 1 / 0)
        client.raise_request_exception = False
        assert client.post("/api/v1/customers", CUSTOMER).status_code == 500
        [span] = named(spans, f"POST {ROUTE}")
        assert span.status.status_code is trace.StatusCode.ERROR
        assert span.attributes["error.type"] == "500"


class TestSampling:
    @pytest.fixture
    def drawn(self, monkeypatch, spans):
        """Half of all traces are recorded, and the id of the next is set here."""
        provider = trace.get_tracer_provider()
        # A tracer is made with the sampler that its provider has at that time.
        for owner in (provider.get_tracer("kaivox"), provider):
            monkeypatch.setattr(owner, "sampler", TraceIdRatioBased(0.5))
        return lambda trace_id: monkeypatch.setattr(
            "kaivox.server.tracing.getrandbits", lambda _: trace_id
        )

    def test_records_a_trace_by_its_id(self, client, spans, drawn):
        drawn(2**100 + 7)
        client.post("/api/v1/customers", CUSTOMER)
        [span] = named(spans, f"POST {ROUTE}")
        assert (span.context.trace_id, span.parent) == (2**100 + 7, None)
        assert Event.objects.get().traceparent.split("-")[1] == f"{2**100 + 7:032x}"

    def test_makes_no_span_otherwise_and_events_carry_the_decision(self, client, spans, drawn):
        trace_id = 2**100 + 2**64 - 1
        drawn(trace_id)
        client.post("/api/v1/customers", CUSTOMER)
        assert spans.get_finished_spans() == ()
        assert Event.objects.get().traceparent == f"00-{trace_id:032x}-{2**64 - 1:016x}-00"
        assert tracing.traceparent() == ""

    @pytest.mark.parametrize(("trace_id", "recorded"), ((2**100 + 7, 1), (2**100 + 2**64 - 1, 0)))
    def test_of_a_caller_is_decided_by_its_id_too(self, client, spans, drawn, trace_id, recorded):
        drawn(2**64 - 1)
        parent = f"00-{trace_id:032x}-00f067aa0ba902b7-01"
        client.get("/api/v1/customers", headers={"traceparent": parent})
        found = [
            (one.context.trace_id, one.parent.is_remote) for one in named(spans, f"GET {ROUTE}")
        ]
        assert found == [(trace_id, True)] * recorded


class TestStatementSpan:
    def test_is_part_of_the_request_and_has_no_values(self, client, spans):
        client.get("/api/v1/customers?search=Plantedname")
        [request] = named(spans, f"GET {ROUTE}")
        statements = named(spans, "SELECT")
        assert {span.parent.span_id for span in statements} == {request.context.span_id}
        assert any("customers_customer" in span.attributes["db.query.text"] for span in statements)
        assert "plantedname" not in str([span.attributes for span in statements]).lower()

    def test_of_an_error_has_its_type_and_not_its_message(self, spans):
        with (
            tracing.consumer_span("a task", parent=""),
            connection.cursor() as cursor,
            pytest.raises(Exception, match="nothing_there"),
            transaction.atomic(),
        ):
            cursor.execute("SELECT nothing_there")
        [span] = named(spans, "SELECT")
        assert span.attributes["error.type"] in {"OperationalError", "ProgrammingError"}
        assert (span.status.description, span.events) == (None, ())

    def test_is_not_made_outside_of_a_trace(self, business, spans):
        assert spans.get_finished_spans() == ()


@pytest.mark.skipif(django_settings.EMBEDDED, reason="Redis is of the production profile")
class TestRedisSpan:
    def test_is_part_of_the_request(self, client, spans):
        client.get("/api/v1/customers")
        [request] = named(spans, f"GET {ROUTE}")
        found = [
            span
            for span in spans.get_finished_spans()
            if span.attributes.get("db.system.name") == "redis"
        ]
        assert found
        assert {span.parent.span_id for span in found} == {request.context.span_id}
        assert all(
            set(span.attributes) <= {"db.system.name", "db.operation.name"} for span in found
        )

    def test_of_a_pipeline_is_one(self, spans, settings):
        with tracing.consumer_span("a task", parent=""):
            Redis.from_url(settings.REDIS_URL).pipeline().get("a").get("b").execute()
        [span] = named(spans, "PIPELINE")
        assert span.attributes["db.operation.batch.size"] == 2
        assert named(spans, "GET") == []


class TestTaskSpan:
    @pytest.fixture(autouse=True)
    def dispatcher(self, monkeypatch):
        monkeypatch.setattr("webhooks.tasks.dispatcher.run", lambda: None)

    def test_continues_the_trace_of_the_request(self, spans):
        run_task("webhooks.deliver_due", traceparent=PARENT)
        [span] = named(spans, "webhooks.deliver_due")
        assert (span.context.trace_id, span.kind) == (TRACE, trace.SpanKind.CONSUMER)
        assert not trace.get_current_span().get_span_context().is_valid

    def test_is_a_trace_of_its_own_where_no_request_caused_it(self, spans):
        run_task("webhooks.deliver_due")
        [span] = named(spans, "webhooks.deliver_due")
        assert span.parent is None

    def test_of_a_failed_task_is_an_error(self, spans, monkeypatch):
        monkeypatch.setattr("webhooks.tasks.dispatcher.run", lambda: 1 / 0)
        run_task("webhooks.deliver_due")
        [span] = named(spans, "webhooks.deliver_due")
        assert span.attributes["error.type"] == "ZeroDivisionError"

    def test_is_not_made_without_tracing(self, spans, settings):
        settings.TRACING = False
        run_task("webhooks.deliver_due", traceparent=PARENT)
        assert spans.get_finished_spans() == ()


class TestWakeup:
    def test_carries_the_trace_of_the_request(self, spans, monkeypatch):
        sent = []
        monkeypatch.setattr(wakeups, "publish_wakeup", lambda: sent.append(tracing.traceparent()))
        with tracing.consumer_span("a request", parent=PARENT):
            expected = tracing.traceparent()
            wakeups.wake_workers()
        for _ in range(1000):
            if sent:
                break
            wakeups.time.sleep(0.01)
        assert sent == [expected]

    def test_publishes_it_as_a_header(self, spans):
        with app.connection_for_read() as broker:
            app.amqp.queues["webhooks"](broker.default_channel).declare()
            while broker.default_channel.basic_get("webhooks", no_ack=True):
                pass  # of other tests
            with tracing.consumer_span("a request", parent=PARENT):
                wakeups.publish_wakeup()
            headers = broker.default_channel.basic_get("webhooks", no_ack=True).headers
        assert headers["traceparent"].startswith(PARENT[:36])


class TestWebhookSpan:
    @pytest.fixture
    def webhook(self, client, business, receiver, spans):
        """The header `traceparent` of the webhook of a request in the trace of PARENT."""
        factories.make_endpoint(business, url=receiver.url)
        response = client.post("/api/v1/customers", CUSTOMER, headers={"traceparent": PARENT})
        assert response.status_code == 201

        def send(status):
            receiver.respond_with(status)
            tasks.sweep()
            [request] = receiver.requests
            return request.headers["traceparent"]

        return send

    def test_is_in_the_trace_of_the_request_and_has_the_id_of_its_header(self, webhook, spans):
        header = webhook(200)
        [request] = named(spans, f"POST {ROUTE}")
        [span] = named(spans, "POST customer.created")
        _, trace_id, span_id, flags = header.split("-")
        assert (span.context.trace_id, span.context.span_id) == (TRACE, int(span_id, 16))
        assert (int(trace_id, 16), flags) == (TRACE, "01")
        assert span.parent.span_id == request.context.span_id
        assert span.kind is trace.SpanKind.CLIENT
        assert span.attributes["http.response.status_code"] == 200
        assert Attempt.objects.get().request_headers["traceparent"] == header

    def test_of_a_failed_attempt_is_an_error(self, webhook, spans):
        webhook(500)
        [span] = named(spans, "POST customer.created")
        assert span.attributes["error.type"] == "http_error"
        assert span.status.status_code is trace.StatusCode.ERROR

    def test_is_not_exported_where_the_caller_is_not_sampled(
        self, client, business, receiver, spans
    ):
        factories.make_endpoint(business, url=receiver.url)
        client.post("/api/v1/customers", CUSTOMER, headers={"traceparent": PARENT[:-1] + "0"})
        spans.clear()
        tasks.sweep()
        assert receiver.requests[0].headers["traceparent"].endswith("-00")
        assert spans.get_finished_spans() == ()

    def test_of_an_event_without_a_trace_is_in_one_of_the_event(self, business, receiver, spans):
        factories.make_endpoint(business, url=receiver.url)
        factories.make_event(business)
        tasks.sweep()
        [span] = named(spans, "POST customer.created")
        assert span.context.span_id == int(receiver.requests[0].headers["traceparent"][36:52], 16)

    def test_without_tracing_no_trace_is_stored(self, client, settings):
        assert client.post("/api/v1/customers", CUSTOMER).status_code == 201
        assert Event.objects.get().traceparent == ""


@pytest.mark.once
class TestSettings:
    def started(self, tmp_path, code, **variables):
        return subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\n{code}"],
            cwd=django_settings.BASE_DIR, capture_output=True, text=True, check=False,
            env={**os.environ, "KAIVOX_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "kaivox.settings", **variables},
        )  # fmt: skip

    @pytest.mark.parametrize(
        "variables",
        (
            {},
            {"OTEL_SERVICE_NAME": "kaivox"},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        ),
    )
    def test_off_imports_nothing(self, tmp_path, variables):
        # redis-py imports a part of the SDK, that of metrics, where it is installed.
        code = (
            "import sys; from django.conf import settings; import kaivox.wsgi, kaivox.celery\n"
            "ours = {'kaivox.server.tracing', 'opentelemetry.sdk.trace', 'opentelemetry.exporter', 'sentry_sdk'}\n"
            "print(settings.TRACING, sorted(ours & sys.modules.keys()))"
        )
        done = self.started(tmp_path, code, **variables)
        assert done.stdout.strip() == "False []", done.stderr

    def test_names_the_file_of_requirements_where_it_is_not_installed(self, tmp_path):
        (tmp_path / "opentelemetry.py").write_text("raise ImportError")
        done = subprocess.run(
            [sys.executable, "manage.py", "check"],
            cwd=django_settings.BASE_DIR, capture_output=True, text=True, check=False,
            env={
                **os.environ, "KAIVOX_VAR": str(tmp_path), "PYTHONPATH": str(tmp_path),
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            },
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == (
            "kaivox: OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: "
            ".venv/bin/python -m pip install -r requirements-telemetry.txt.\n"
        )

    def test_a_collector_that_is_away_is_logged_once_and_delays_no_exit(self, tmp_path):
        code = (
            "import atexit, time; from kaivox.tracing import consumer_span; from opentelemetry import trace\n"
            "for _ in range(3):\n"
            "    with consumer_span('a task', parent=''): pass\n"
            "    trace.get_tracer_provider().force_flush()\n"
            "with consumer_span('a task', parent=''): pass\n"
            "began = time.monotonic(); atexit._run_exitfuncs(); print(time.monotonic() - began < 5)"
        )
        done = self.started(
            tmp_path, code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_TIMEOUT="0.3", OTEL_TRACES_SAMPLER="always_on",
        )  # fmt: skip
        assert done.stdout.strip() == "True", done.stderr
        [line] = done.stderr.splitlines()
        assert line.endswith("The OpenTelemetry collector accepts no spans; they are dropped.")


@pytest.mark.once
class TestWithoutPersonalData:
    @pytest.mark.parametrize(
        ("text", "expected"),
        (
            ("no asha@example.com here", "no … here"),
            ("call +91 98765-43210 now", "call … now"),
            ("took 1234 ms", "took 1234 ms"),
            ("duplicate key\nDETAIL:  Key (name)=(Asha Rao) already exists.", "duplicate key"),
        ),
    )
    def test_removes_addresses_numbers_and_details(self, text, expected):
        assert without_personal_data(text) == expected
