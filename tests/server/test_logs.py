"""Log lines: the request id, the cause of a 503, and no lines of idle tasks."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
from celery.app.trace import build_tracer
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from appointments.reservations import translate_database_errors
from kaivox.api.exceptions import exception_handler
from kaivox.api.logging import NO_REQUEST, RequestIdFilter, current_request_id
from kaivox.celery import app
from kaivox.errors import Unavailable
from webhooks import wakeups


@pytest.fixture
def lines():
    """Records of the root logger, as (request id, level, text)."""
    found = []

    class Handler(logging.Handler):
        def emit(self, record):
            found.append((record.request_id, record.levelname, self.format(record)))

    handler = Handler()
    handler.addFilter(RequestIdFilter())
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


def run(name, error=None, **headers):
    """Runs a task as a worker does for a message with these headers."""
    task = app.tasks[name]
    tracer = build_tracer(name, task, app=app)
    return tracer("11111111-2222", (), {}, {"id": "11111111-2222", "task": name, **headers})


class TestRequestId:
    def test_is_in_the_line_that_django_logs_for_a_5xx(self, db, lines, monkeypatch):
        def fails():
            raise OperationalError("connection refused")

        monkeypatch.setattr("kaivox.health.check_database", fails)
        Client().get("/readyz", headers={"X-Request-ID": "mine-1"})
        assert ("mine-1", "ERROR", "Service Unavailable: /readyz") in lines

    def test_is_reset_after_the_request(self, db):
        Client().get("/healthz", headers={"X-Request-ID": "mine-1"})
        assert current_request_id.get() == NO_REQUEST

    def test_is_sent_to_the_worker(self, lines, monkeypatch):
        message = {}
        monkeypatch.setattr(
            wakeups, "publish_wakeup", lambda: message.update(id=current_request_id.get())
        )
        token = current_request_id.set("mine-1")
        wakeups.wake_workers()
        current_request_id.reset(token)
        for _ in range(500):
            if message:
                break
            wakeups.time.sleep(0.01)
        assert message == {"id": "mine-1"}


class TestTaskMessage:
    def sent(self):
        with app.connection_for_read() as broker:
            # A worker declares it otherwise, and none has run on this broker.
            app.amqp.queues["webhooks"](broker.default_channel).declare()
            while broker.default_channel.basic_get("webhooks", no_ack=True):
                pass  # of other tests
            wakeups.publish_wakeup()
            return broker.default_channel.basic_get("webhooks", no_ack=True).headers

    def test_carries_the_id_of_the_request(self):
        token = current_request_id.set("mine-1")
        try:
            assert self.sent()["kaivox_request_id"] == "mine-1"
        finally:
            current_request_id.reset(token)

    def test_carries_none_where_there_is_no_request(self):
        assert "kaivox_request_id" not in self.sent()


class TestTaskLog:
    @pytest.fixture(autouse=True)
    def dispatcher(self, monkeypatch):
        self.log = logging.getLogger("webhooks.dispatcher")
        monkeypatch.setattr("webhooks.tasks.dispatcher.run", lambda: self.log.warning("sending"))

    def test_has_the_id_of_the_request_that_caused_it(self, lines):
        run("webhooks.deliver_due", kaivox_request_id="mine-1")
        assert ("mine-1", "WARNING", "sending") in lines
        assert current_request_id.get() == NO_REQUEST

    def test_has_the_id_of_the_task_where_no_request_did(self, lines):
        run("webhooks.deliver_due")
        assert ("task_11111111-2222", "WARNING", "sending") in lines

    @pytest.mark.parametrize("name", ("webhooks.deliver_due", "calls.tasks.finish_due_calls"))
    def test_has_one_line_for_an_unavailable_database(self, lines, monkeypatch, name):
        def fails(*args, **kwargs):
            raise OperationalError("connection refused\nIs the server running?")

        monkeypatch.setattr("webhooks.tasks.dispatcher.run", fails)
        monkeypatch.setattr("calls.operations.finish_due_calls", fails)
        monkeypatch.setattr("calls.tasks.database_now", fails)
        run(name)
        warnings = [text for _, level, text in lines if level in {"WARNING", "ERROR"}]
        assert warnings == [f"{name} waits for the database: connection refused"]


class TestUnavailable:
    def test_is_logged_with_its_cause(self, caplog):
        with pytest.raises(Unavailable) as raised, translate_database_errors():
            raise OperationalError("canceling statement due to lock timeout")
        assert exception_handler(raised.value, {}).status_code == 503
        assert caplog.messages == ["Unavailable: canceling statement due to lock timeout"]


@pytest.mark.once
class TestLevels:
    @pytest.mark.parametrize(("level", "shown"), (("INFO", False), ("DEBUG", True)))
    def test_a_line_for_each_task_is_shown_at_debug_only(self, level, shown):
        names = ["celery.beat", "celery.worker.strategy", "celery.app.trace"]
        code = (
            "import logging; from kaivox.celery import app; app.log.setup(loglevel='INFO');"
            f"print([logging.getLogger(n).isEnabledFor(logging.INFO) for n in {names}])"
        )
        environment = {**os.environ, "LOG_LEVEL": level, "KAIVOX_VAR": str(settings.DATA_DIR)}
        printed = subprocess.check_output(
            [sys.executable, "-c", code], env=environment, text=True, cwd=settings.BASE_DIR
        )
        assert printed.strip() == str([shown] * 3)
