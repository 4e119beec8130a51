"""`manage.py up` as a newcomer meets it: real processes, an empty folder, a free port."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest
from django.conf import settings

from tests.own_servers import free_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60


class Up:
    """One run of the command; `said` is all that it has printed."""

    def __init__(self, var, port, log, **variables):
        self.var, self.log = var, log
        environment = {**os.environ, "KAIVOX_VAR": str(var), "PORT": str(port), **variables}
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}"

    @property
    def said(self):
        return self.log.read_text()

    def wait_for(self, words, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, f"it ended:\n{self.said}"
            assert time.monotonic() < deadline, f"never said {words!r}:\n{self.said}"
            time.sleep(0.05)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(timeout=15)

    def children(self):
        """The processes it runs: command lines by process."""
        running = psutil.Process(self.process.pid).children()
        return {process: " ".join(process.cmdline()) for process in running}

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False


def run_to_end(var, port, log, **variables):
    up = Up(var, port, log, **variables)
    up.process.wait(timeout=PATIENCE)
    return up


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Variables that name an empty database: none embedded, one of its own on PostgreSQL."""
    if settings.EMBEDDED:
        yield {}
        return
    name = f"{settings.DATABASES['default']['NAME']}_up"
    server = re.sub(r"/[^/?]*(\?|$)", r"/postgres\1", settings.DATABASE_URL)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
        yield {"DATABASE_URL": re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", settings.DATABASE_URL)}
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def first(tmp_path_factory, database):
    """The first start, which runs while this module's tests do."""
    folder = tmp_path_factory.mktemp("up")
    up = Up(folder / "var", free_port(), folder / "first.log", **database)
    try:
        up.wait_for("KaiVox runs.")
        up.wait_for("-d '")
        yield up
    finally:
        if up.process.poll() is None:
            up.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def second(first, tmp_path_factory, database):
    """The next start, in the same folder, after the first was stopped as Ctrl-C stops it."""
    children = first.children()
    status = first.stop()
    log = tmp_path_factory.mktemp("second") / "log"
    up = Up(first.var, int(first.url.rpartition(":")[2]), log, **database)
    up.status_of_first, up.children_of_first = status, children
    try:
        up.wait_for("-d '")
        yield up
    finally:
        if up.process.poll() is None:
            up.stop(signal.SIGTERM)


class TestFirstStart:
    def test_shows_all_that_a_newcomer_needs(self, first):
        assert f"Developers   {first.url}/" in first.said
        assert re.search(
            rf"Admin        {first.url}/admin/   user admin, password \S{{16}} ", first.said
        )
        assert re.search(r"Starter key  kv_live_\w{38} ", first.said)
        assert re.search(r"Pro key      kv_live_\w{38} ", first.said)

    def test_prints_a_curl_that_books(self, first):
        command = first.said[first.said.index("curl -X POST") :].split("\n\n")[0]
        words = shlex.split(command.replace("\\\n", " "))
        headers = dict(
            words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H"
        )
        body = words[words.index("-d") + 1].encode()
        request = urllib.request.Request(words[3], body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            booked = json.load(response)
        assert response.status == 201
        assert booked["data"]["status"] == "scheduled"

    def test_runs_web_worker_and_beat(self, first):
        commands = " ".join(first.children().values())
        assert all(part in commands for part in ("kaivox.web", "worker", "beat"))

    def test_starts_again_what_dies(self, first):
        web = next(one for one, command in first.children().items() if "kaivox.web" in command)
        web.kill()
        first.wait_for("web stopped (SIGKILL); it starts again in 1 s.")
        deadline = time.monotonic() + PATIENCE
        while not first.answers():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_keeps_the_folder_for_itself(self, first, tmp_path, database):
        second = run_to_end(first.var, free_port(), tmp_path / "log", **database)
        assert second.process.returncode == 1
        assert "KaiVox already runs with the folder" in second.said
        assert len(second.said.splitlines()) == 1

    def test_keeps_its_port(self, first, tmp_path, database):
        port = int(first.url.rpartition(":")[2])
        second = run_to_end(tmp_path / "var", port, tmp_path / "log", **database)
        assert second.process.returncode == 1
        assert f"Port {port} on 127.0.0.1 is in use" in second.said
        assert len(second.said.splitlines()) == 1


class TestSecondStart:
    def test_comes_after_a_clean_stop(self, first, second):
        assert second.status_of_first == 0
        assert first.said.rstrip().endswith("Stopped.")
        assert "Traceback" not in first.said
        assert not any(process.is_running() for process in second.children_of_first)

    def test_shows_no_new_password(self, second):
        assert "password" in second.said
        assert "user admin, password" not in second.said

    def test_shows_the_same_keys(self, first, second):
        keys = re.compile(r"(?:Starter|Pro) key +(\S+)")
        assert keys.findall(second.said) == keys.findall(first.said)

    def test_is_stopped_by_sigterm_too(self, second):
        assert second.stop(signal.SIGTERM) == 0
        assert second.said.rstrip().endswith("Stopped.")


class TestWhatStandsInTheWay:
    """One sentence each that says what to do; the embedded profile whatever runs the tests."""

    EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""}

    def told(self, tmp_path, var, port=None, **variables):
        up = run_to_end(var, port or free_port(), tmp_path / "log", **self.EMBEDDED, **variables)
        assert up.process.returncode == 1
        assert len(up.said.splitlines()) == 1, up.said
        return up.said

    def test_a_broken_database(self, tmp_path):
        var = tmp_path / "var"
        var.mkdir()
        (var / "kaivox.sqlite3").write_bytes(b"This is no database. " * 100)
        assert "move it away to start anew" in self.told(tmp_path, var)

    def test_a_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "var").touch()
        assert "set KAIVOX_VAR to a folder" in self.told(tmp_path, tmp_path / "var")

    def test_an_address_of_somebody_else(self, tmp_path):
        told = self.told(tmp_path, tmp_path / "var", HOST="192.0.2.1")
        assert "HOST=192.0.2.1 is no address of this machine" in told
