"""A connection of the pool that the server has ended is not handed to a request."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from kaivox.postgresql import base

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no pool"),
]


@pytest.fixture
def asked(monkeypatch):
    """The connections that were asked whether they live."""
    asked, ask = [], ConnectionPool.check_connection

    def check(one):
        asked.append(one)
        ask(one)

    monkeypatch.setattr(ConnectionPool, "check_connection", staticmethod(check))
    return asked


def take_all():
    """The server's processes behind the connections of the pool, each taken at least once."""
    return {_take() for _ in range(2 * connection.pool.max_size)}


def _take():
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    connection.close()
    return process


def test_one_used_a_moment_ago_is_not_asked(asked):
    take_all()
    asked.clear()
    take_all()
    assert not asked


def test_one_that_lay_idle_is_asked(asked, monkeypatch):
    take_all()
    monkeypatch.setattr(base, "ASKED_AFTER_SECONDS", 0.0)
    asked.clear()
    take_all()
    assert asked


def test_one_that_the_server_ended_is_replaced():
    ended = take_all()
    with psycopg.connect(**_other_connection(), autocommit=True) as other:
        for process in ended:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
    assert not take_all() & ended


def _other_connection():
    parameters = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    return {name: parameters[name] for name in names if name in parameters}
