"""`manage.py up` as a newcomer meets it: real processes, an empty folder, a free port."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tests.own_servers import free_port
from tests.stack import empty_database

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120
# Several starts of several processes, on machines that do other things as well.
pytestmark = pytest.mark.timeout(400)


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

    def answers_in_time(self):
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

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
def database():
    """Variables that name an empty database: none embedded, one of its own on PostgreSQL."""
    if settings.EMBEDDED:
        yield {}
        return
    with empty_database(f"up_{secrets.token_hex(4)}") as url:
        yield {"DATABASE_URL": url}


@dataclass
class Story:
    """What happened, in order; the tests ask about it in any."""

    url: str
    first: str = ""
    booking: tuple[int, str] = (0, "")
    commands: tuple[str, ...] = ()
    answered_again: bool = False
    same_folder: str = ""
    same_port: str = ""
    first_status: int | None = None
    survivors: tuple[psutil.Process, ...] = ()
    second: str = ""
    second_status: int | None = None


@pytest.fixture(scope="module")
def story(tmp_path_factory, database):
    """A first start, what one does with it, Ctrl-C, and a second start, stopped by SIGTERM."""
    folder, port = tmp_path_factory.mktemp("up"), free_port()
    story = Story(f"http://127.0.0.1:{port}")
    with running(Up(folder / "var", port, folder / "first", **database)) as up:
        up.wait_for("-d '")
        story.booking = book_as_told(up.said)
        children = up.children()
        story.commands = tuple(children.values())
        next(one for one, command in children.items() if "kaivox.web" in command).kill()
        up.wait_for("web stopped (SIGKILL); it starts again in 1 s.")
        story.answered_again = up.answers_in_time()
        other = folder / "other"
        story.same_folder = run_to_end(up.var, free_port(), folder / "log", **database).said
        story.same_port = run_to_end(other, port, folder / "log", **database).said
        children = up.children()
        story.first_status = up.stop()
        story.survivors = tuple(one for one in children if one.is_running())
        story.first = up.said
    with running(Up(folder / "var", port, folder / "second", **database)) as up:
        up.wait_for("-d '")
        story.second_status = up.stop(signal.SIGTERM)
        story.second = up.said
    return story


@contextmanager
def running(up):
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.stop(signal.SIGTERM)


def book_as_told(said):
    """Does what the printed curl would; the answer's HTTP status and the appointment's."""
    command = said[said.index("curl -X POST") :].split("\n\n")[0]
    words = shlex.split(command.replace("\\\n", " "))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1].encode()
    request = urllib.request.Request(words[3], body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, json.load(response)["data"]["status"]


class TestFirstStart:
    def test_shows_all_that_a_newcomer_needs(self, story):
        assert f"Developers   {story.url}/" in story.first
        login = rf"Admin        {story.url}/admin/   user admin, password \S{{16}} "
        assert re.search(login, story.first)
        assert re.search(r"Starter key  kv_live_\w{38} ", story.first)
        assert re.search(r"Pro key      kv_live_\w{38} ", story.first)

    def test_prints_a_curl_that_books(self, story):
        assert story.booking == (201, "scheduled")

    def test_runs_web_worker_and_beat(self, story):
        commands = " ".join(story.commands)
        assert all(part in commands for part in ("kaivox.web", "worker", "beat"))

    def test_starts_again_what_dies(self, story):
        assert story.answered_again

    def test_keeps_the_folder_for_itself(self, story):
        assert "KaiVox already runs with the folder" in story.same_folder
        assert len(story.same_folder.splitlines()) == 1

    def test_keeps_its_port(self, story):
        assert f"Port {story.url.rpartition(':')[2]} on 127.0.0.1 is in use" in story.same_port
        assert len(story.same_port.splitlines()) == 1

    def test_stops_cleanly(self, story):
        assert story.first_status == 0
        assert story.first.rstrip().endswith("Stopped.")
        assert "Traceback" not in story.first
        assert story.survivors == ()


class TestSecondStart:
    def test_shows_no_new_password(self, story):
        assert "password" in story.second
        assert "user admin, password" not in story.second

    def test_shows_the_same_keys(self, story):
        keys = re.compile(r"(?:Starter|Pro) key +(\S+)")
        assert keys.findall(story.second) == keys.findall(story.first)

    def test_is_stopped_by_sigterm_too(self, story):
        assert story.second_status == 0
        assert story.second.rstrip().endswith("Stopped.")


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
