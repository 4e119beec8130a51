from __future__ import annotations

import math
import threading

import pytest

from kaivox.db.batch_writer import BatchWriter

pytestmark = pytest.mark.once


class Store:
    """Collects batches; `wrote` is set after each."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.dropped = 0
        self.error: Exception | None = None
        self.wrote = threading.Event()

    def write(self, batch) -> None:
        if self.error:
            raise self.error
        self.batches.append(list(batch))
        self.wrote.set()

    def drop(self, count: int) -> None:
        self.dropped += count


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def make(store):
    def make(interval: float = math.inf, max_items: int = 10) -> BatchWriter[int]:
        return BatchWriter(
            "test",
            store.write,
            interval=lambda: interval,
            max_items=max_items,
            batch_size=3,
            on_drop=store.drop,
        )

    return make


class TestBatchWriter:
    def test_writes_in_batches(self, make, store):
        writer = make()
        for number in range(7):
            writer.put(number)
        assert store.batches == []
        assert writer.flush() == 7
        assert store.batches == [[0, 1, 2], [3, 4, 5], [6]]
        assert writer.flush() == 0

    def test_drops_and_counts_when_full(self, make, store):
        writer = make(max_items=2)
        for number in range(5):
            writer.put(number)
        assert (writer.flush(), store.dropped) == (2, 3)

    def test_drops_what_cannot_be_written_and_goes_on(self, make, store):
        writer = make()
        writer.put(1)
        store.error = RuntimeError("the database is unavailable")
        assert (writer.flush(), store.dropped) == (0, 1)
        store.error = None
        writer.put(2)
        assert writer.flush() == 1

    def test_a_thread_writes_by_itself(self, make, store):
        writer = make(interval=0.01)
        for number in (1, 2):
            store.wrote.clear()
            writer.put(number)
            assert store.wrote.wait(30)
        assert [number for batch in store.batches for number in batch] == [1, 2]
