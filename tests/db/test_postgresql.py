"""Persistent connections to PostgreSQL: one that the server has closed fails no request."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import DataError, connection

from kaivox.db.postgresql.base import Connection, InstantLoader
from tests import factories
from tests.own_servers import free_port
from tests.stack import ROOT
from tests.webhooks.receivers import stop_accepting

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


def test_a_connection_is_persistent(client):
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


class Relay:
    """A TCP relay to PostgreSQL that can fall silent while its connections stay open."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._ends: list[socket.socket] = []
        self._speaks = threading.Event()
        self._speaks.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def fall_silent(self) -> None:
        self._speaks.clear()

    def close(self) -> None:
        stop_accepting(self._listener, self._thread)
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._speaks.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._ends += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._speaks.wait()
                target.sendall(data)
            target.close()


@pytest.fixture
def relay():
    parts = urlsplit(os.environ["DATABASE_URL"])
    relay = Relay(parts.hostname, parts.port or 5432)
    yield relay
    relay.close()


def test_one_that_falls_silent_is_left(relay, monkeypatch):
    monkeypatch.setattr(Connection, "patience", 1.0)
    there = {**connection.get_connection_params(), "host": "127.0.0.1", "port": relay.port}
    with Connection.connect(**there, autocommit=True) as connected:
        assert connected.execute("SELECT pg_sleep(0.5), 1").fetchone()[1] == 1
        relay.fall_silent()
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError, match="did not answer within 1 s"):
            connected.execute("SELECT 1")
        assert time.monotonic() - began < 10
        assert connected.closed


@pytest.mark.parametrize("when", ("from the beginning", "later"))
def test_a_server_that_is_silent_is_a_503(relay, tmp_path, when):
    key = factories.make_key(factories.make_business())
    port = free_port()
    database = urlsplit(os.environ["DATABASE_URL"])
    user = database.netloc.rpartition("@")[0]
    netloc = f"{user}@127.0.0.1:{relay.port}"
    name = connection.settings_dict["NAME"]
    environment = {
        **os.environ,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "WEB_PROCESSES": "1",
        "HTTPS_ONLY": "0",
        "DATABASE_URL": urlunsplit(database._replace(netloc=netloc, path=f"/{name}")),
    }
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "kaivox/server/gunicorn.py",
        "kaivox.wsgi",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def ask(path: str) -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"X-API-Key": key}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    try:
        until = time.monotonic() + 40
        while True:
            try:
                assert ask("/healthz") == 200
                break
            except urllib.error.URLError:
                assert time.monotonic() < until
                time.sleep(0.1)
        if when == "later":
            assert ask("/api/v1/customers") == 200
        relay.fall_silent()
        began = time.monotonic()
        assert ask("/api/v1/customers") == 503
        assert time.monotonic() - began < 30
    finally:
        process.kill()
        process.wait()


class TestInstants:
    """Read as Django's own loader reads them."""

    @pytest.mark.parametrize(
        "text",
        (
            "2026-11-30 05:02:06+00",
            "2026-11-30 05:02:06.1+00",
            "2026-11-30 05:02:06.123456+00",
            "1970-01-01 00:00:00+00",
            "9999-12-31 23:59:59.999999+00",
            "0001-01-01 00:00:00+00",
            "2026-03-29 03:30:00+02",
        ),
    )
    def test_are_those_of_django_in_utc(self, text):
        with psycopg.connect(**connection.get_connection_params()) as django:
            django.execute("SET TIME ZONE 'UTC'")
            [expected] = django.execute("SELECT %s::text::timestamptz", [text]).fetchone()
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::text::timestamptz", [text])
            [found] = cursor.fetchone()
            reader = cursor.connection.adapters.get_loader(
                psycopg.adapters.types["timestamptz"].oid, 0
            )
        assert (found, found.tzinfo, reader) == (expected, UTC, InstantLoader)

    @pytest.mark.parametrize("text", ("infinity", "-infinity", "10000-01-01 00:00:00+00"))
    def test_that_python_has_not_are_errors(self, text):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::text::timestamptz", [text])
            with pytest.raises(DataError):
                cursor.fetchone()

    def test_of_another_date_style_are_rejected_not_mistaken(self):
        with connection.cursor() as cursor:
            cursor.execute("SET DateStyle = 'SQL, DMY'")
            try:
                cursor.execute("SELECT '2026-11-30 05:02:06+00'::timestamptz")
                with pytest.raises(NotImplementedError):
                    cursor.fetchone()
            finally:
                cursor.execute("SET DateStyle = 'ISO'")
