"""Celery configuration: beat and workers after broker outages, node names, the beat schedule."""

from __future__ import annotations

import os
import time

import pytest
from celery.beat import Scheduler
from django.conf import settings
from kombu import Connection
from kombu.utils.imports import symbol_by_name

from kaivox.celery import BEAT_SCHEDULE, app
from tests.drills.proxy import Proxy

IN_FILES = settings.CELERY_BROKER_URL.startswith("filesystem")


@pytest.fixture
def proxy(monkeypatch):
    """A TCP proxy in front of the broker, which beat connects to."""
    proxy = Proxy(settings.CELERY_BROKER_URL)
    connect = app.connection_for_write
    monkeypatch.setattr(app, "connection_for_write", lambda: connect(proxy.url))
    return proxy


@pytest.mark.skipif(IN_FILES, reason="a broker in files closes no connection")
class TestBeatReconnects:
    @pytest.fixture(autouse=True)
    def queue_without_workers(self):
        self.queue = f"beat-test-{os.getpid()}-{time.monotonic_ns()}"
        yield
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(self.queue)

    def publish(self, scheduler, entry):
        options = {**entry.options, "queue": self.queue, "headers": {}}
        entry = scheduler.Entry(
            name=entry.name, task=entry.task, schedule=entry.schedule, options=options, app=app
        )
        scheduler.apply_async(entry, producer=scheduler.producer, advance=False)

    def arrived(self):
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            return sum(
                channel.basic_get(self.queue, no_ack=True) is not None for _ in BEAT_SCHEDULE
            )

    def test_publishes_every_entry_after_the_broker_closed_its_connection(self, proxy):
        scheduler = Scheduler(app=app)
        for entry in scheduler.schedule.values():
            proxy.set("closed")
            proxy.set("open")
            self.publish(scheduler, entry)
        assert self.arrived() == len(BEAT_SCHEDULE)

    def test_publishes_again_after_an_outage_that_outlasted_its_retries(self, proxy):
        scheduler = Scheduler(app=app)
        entry = scheduler.schedule["deliver-due-webhooks"]
        self.publish(scheduler, entry)
        proxy.set("closed")
        with pytest.raises(Exception, match="Couldn't apply scheduled task"):
            self.publish(scheduler, entry)
        proxy.set("open")
        self.publish(scheduler, entry)
        assert self.arrived() == 2


class TestWorkerReconnects:
    def test_no_thread_of_the_pool_writes_to_the_connection_of_the_main_thread(self):
        """Restoring the prefetch count after a reconnect did, and the worker then spun; `make drill-broker`
        counts hung workers."""
        assert app.conf.worker_enable_prefetch_count_reduction is False


@pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis")
class TestRedisAsTheBroker:
    def test_an_acknowledgement_after_the_connection_was_closed_does_not_end_the_worker(self):
        """Celery handles ConnectionError; kombu's own AttributeError ends the worker."""
        with Connection(settings.REDIS_URL) as connection:
            channel = connection.default_channel
        with pytest.raises(ConnectionError):
            channel._connparams()


class TestSeveralWorkersOnOneHost:
    def test_each_has_a_node_name_of_its_own(self):
        """Workers of one name share an exclusive queue, which RabbitMQ refuses to the second."""
        makefile = (settings.BASE_DIR / "Makefile").read_text()
        recipe = makefile.partition("\nworker:")[2].partition("\n\n")[0]
        assert "--hostname worker-$$$$@%h" in recipe  # $$ is the process id of the shell


class TestBeatSchedule:
    def test_needs_no_writable_folder(self, tmp_path):
        """A fresh production checkout has no `var/`."""
        scheduler = symbol_by_name(app.conf.beat_scheduler)
        unusable = tmp_path / "missing" / "schedule"
        entries = scheduler(app=app, schedule_filename=str(unusable)).schedule
        assert entries.keys() >= BEAT_SCHEDULE.keys()
