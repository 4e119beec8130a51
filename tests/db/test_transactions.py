"""Write transactions: how writers queue on both databases."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from django.db import connection, transaction

from kaivox.businesses.models import Business
from kaivox.db import transactions
from kaivox.db.transactions import atomic_join, atomic_write, write_transaction
from kaivox.errors import Unavailable
from tests.factories import make_business


@atomic_write
def make_and_fail():
    make_business()
    raise ZeroDivisionError


class TestWriteTransaction:
    def test_is_a_transaction(self, db):
        with pytest.raises(ZeroDivisionError):
            make_and_fail()

        assert not Business.objects.exists()

    def test_is_a_savepoint_inside_another(self, db):
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError):
                make_and_fail()
            make_business()

        assert Business.objects.count() == 1

    def test_runs_hooks_after_the_commit_and_after_the_lock(self, transactional_db):
        seen = []

        def look():
            with write_transaction():
                seen.append(connection.in_atomic_block)

        with write_transaction():
            transaction.on_commit(look)
            assert seen == []

        assert seen == [True]

    def test_threads_lose_no_update(self, transactional_db):
        business = make_business(horizon_days=1)

        @atomic_write
        def add_a_day():
            row = Business.objects.select_for_update().get(pk=business.pk)
            row.horizon_days += 1
            row.save(update_fields=["horizon_days"])

        def work():
            try:
                for _ in range(5):
                    add_a_day()
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        business.refresh_from_db()
        assert business.horizon_days == 41


class TestAtomicPart:
    def test_is_a_transaction(self, transactional_db):
        with pytest.raises(ZeroDivisionError):
            atomic_join(make_and_fail)()

        assert not Business.objects.exists()

    def test_undoes_all_of_the_one_that_it_is_a_part_of(self, transactional_db):
        @atomic_join
        def fail():
            raise ZeroDivisionError

        with transaction.atomic():
            make_business()
            with pytest.raises(ZeroDivisionError):
                fail()

        assert not Business.objects.exists()

    def test_costs_no_statement(self, db, django_assert_num_queries):
        with transaction.atomic(), django_assert_num_queries(0):
            atomic_join(lambda: None)()


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    """Of a database whose lock is held by another process, `holder`."""
    return str(tmp_path / "db")


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, f"{path}.lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


class TestLockFile:
    def test_holds_off_others_until_it_is_let_go(self, path, holder):
        threading.Timer(0.2, holder.stdin.close).start()
        began = time.monotonic()
        with transactions._write_lock(path):
            waited = time.monotonic() - began

        assert waited > 0.15

    def test_is_let_go_by_a_process_that_is_killed(self, path, holder):
        holder.kill()

        with transactions._write_lock(path):
            pass

    def test_patience_ends(self, path, holder, monkeypatch):
        monkeypatch.setattr(transactions, "LOCK_TIMEOUT_SECONDS", 0.05)

        with pytest.raises(Unavailable), transactions._write_lock(path):
            pass

    def test_patience_with_other_threads_ends_too(self, path, monkeypatch):
        monkeypatch.setattr(transactions, "LOCK_TIMEOUT_SECONDS", 0.05)
        rejected = []

        def write():
            try:
                with transactions._write_lock(path):
                    pass
            except Unavailable as error:
                rejected.append(error.retry_after)

        with transactions._write_lock(path):
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()

        assert rejected == [1]
