"""The filesystem broker with concurrent writers and a polling reader."""

from __future__ import annotations

import threading
import time
from queue import Empty

import pytest
from kombu import Connection

import kaivox.celery  # noqa: F401 - registers the transport of `filesystem://`
from kaivox.embedded import filesystem_broker

pytestmark = pytest.mark.once


@pytest.fixture
def connect(tmp_path):
    folders = {name: str(tmp_path / name) for name in ("queue", "control")}
    for folder in folders.values():
        (tmp_path / folder).mkdir()
    options = {
        "data_folder_in": folders["queue"],
        "data_folder_out": folders["queue"],
        "control_folder": folders["control"],
        "polling_interval": 0.01,
    }
    return lambda: Connection("filesystem://", transport_options=options)


def test_no_message_is_read_partially(connect):
    messages, writers, got = 200, 3, []

    def write() -> None:
        with connect() as connection:
            queue = connection.SimpleQueue("hints")
            for number in range(messages):
                queue.put({"number": number, "filling": "x" * 5000})

    threads = [threading.Thread(target=write) for _ in range(writers)]
    with connect() as connection:
        queue = connection.SimpleQueue("hints")  # bound before anyone writes to it
        for thread in threads:
            thread.start()
        while len(got) < messages * writers:
            message = queue.get(timeout=10)
            got.append(message.payload["number"])
            message.ack()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(list(range(messages)) * writers)


def test_the_table_of_bindings_is_never_read_partially(connect):
    queues, seen = [f"queue-{number}" for number in range(100)], []

    def bind() -> None:
        with connect() as connection:
            for queue in queues:
                connection.default_channel._queue_bind("shared", "", "", queue)

    with connect() as connection:
        binders = [threading.Thread(target=bind) for _ in range(2)]
        for binder in binders:
            binder.start()
        while any(binder.is_alive() for binder in binders):
            seen.append(len(connection.default_channel.get_table("shared")))
        assert seen == sorted(seen)
        table = connection.default_channel.get_table("shared")
    assert sorted(binding.queue for binding in table) == sorted(queues)


def test_a_truncated_message_is_skipped(connect, tmp_path):
    (tmp_path / "queue" / "1_broken.others.msg").write_bytes(b"")
    with connect() as connection:
        queue = connection.SimpleQueue("others")
        queue.put({"number": 1})
        assert queue.get(timeout=10).payload == {"number": 1}
        with pytest.raises(Empty):
            queue.get(block=False)


def test_a_worker_that_shuts_down_does_not_wait_for_messages(connect):
    with connect() as connection:
        # kombu shares bindings among all connections of a process: a queue name per test.
        connection.SimpleQueue("idle")
        shut_down = threading.Timer(0.2, filesystem_broker.shutting_down.set)
        started = time.monotonic()
        shut_down.start()
        try:
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=60)
        finally:
            shut_down.join()
            filesystem_broker.shutting_down.clear()
        assert time.monotonic() - started < 30
