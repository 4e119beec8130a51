"""Connections to PostgreSQL outlive requests; one that the server has ended must fail nobody."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server"),
]

URL = "/api/v1/appointments"


def pid() -> int:
    return int(connection.connection.info.backend_pid)


def a_request_begins() -> None:
    """Django's test client leaves this out."""
    connection.close_if_unusable_or_obsolete()


def test_a_connection_is_kept(client):
    client.get(URL)
    first = pid()
    a_request_begins()
    client.get(URL)
    assert pid() == first


def test_one_that_the_server_ended_is_made_anew(client):
    client.get(URL)
    ended = pid()
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    a_request_begins()
    assert client.get(URL).status_code == 200
    assert pid() != ended


def test_one_that_lives_is_asked_nothing(client, monkeypatch):
    client.get(URL)
    monkeypatch.setattr(connection.connection, "cursor", None)
    assert connection.is_usable()
    monkeypatch.undo()
    connection.close()
    assert not connection.is_usable()
