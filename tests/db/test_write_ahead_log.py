"""Emptying SQLite's write-ahead log."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from kaivox.db.write_ahead_log import truncate_wal
from tests.factories import make_business

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's log")


def size_of_log():
    return Path(f"{connection.settings_dict['NAME']}-wal").stat().st_size


@pytest.mark.django_db(transaction=True)
class TestTruncateWal:
    def test_empties_it(self):
        make_business()
        assert size_of_log()
        assert truncate_wal()
        assert size_of_log() == 0

    def test_does_not_wait_long_for_a_reader(self):
        make_business()
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM businesses_business").fetchone()
            make_business()
            started = time.monotonic()
            assert not truncate_wal()
            assert (
                time.monotonic() - started < 10
            )  # half a second; the connection's own limit is 20
        assert truncate_wal()
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA busy_timeout").fetchone()[0] == 20_000


@pytest.mark.django_db
def test_does_nothing_in_a_transaction():
    assert not truncate_wal()
