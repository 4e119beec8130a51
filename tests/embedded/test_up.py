"""`manage.py up` end to end: real processes, an empty data folder, a free port."""

from __future__ import annotations

import html
import json
import os
import re
import secrets
import shlex
import signal
import socket
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
from django.utils.html import strip_tags

from tests.own_servers import free_port
from tests.stack import empty_database

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_SECONDS = 120
# Starts several processes several times, on machines with other load.
pytestmark = [pytest.mark.timeout(400), pytest.mark.once]


class Up:
    """One run of the command; `output` is all that it has printed."""

    def __init__(self, var, port, log, **variables):
        self.var, self.log = var, log
        environment = {**os.environ, "KAIVOX_VAR": str(var), "PORT": str(port), **variables}
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}"

    @property
    def output(self):
        return self.log.read_text()

    def wait_for(self, words, seconds=TIMEOUT_SECONDS):
        deadline = time.monotonic() + seconds
        while words not in self.output:
            assert self.process.poll() is None, f"it ended:\n{self.output}"
            assert time.monotonic() < deadline, f"{words!r} was not printed:\n{self.output}"
            time.sleep(0.05)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(timeout=TIMEOUT_SECONDS)

    def children(self):
        """Its child processes, with their command lines."""
        running = psutil.Process(self.process.pid).children()
        return {process: " ".join(process.cmdline()) for process in running}

    def responds_in_time(self):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not self.responds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def responds(self):
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False


def run_to_end(var, port, log, **variables):
    up = Up(var, port, log, **variables)
    up.process.wait(timeout=TIMEOUT_SECONDS)
    return up


@pytest.fixture(scope="module")
def database():
    """Environment of an empty database: nothing where embedded, else a new PostgreSQL database."""
    if settings.EMBEDDED:
        yield {}
        return
    with empty_database(f"up_{secrets.token_hex(4)}") as url:
        yield {"DATABASE_URL": url}


@dataclass
class Results:
    """Results of one sequence of starts, which the tests then assert on separately."""

    url: str
    first: str = ""
    booking: tuple[int, int, str] = (0, 0, "")
    readme: str = ""
    developers_page: str = ""
    quickstart: str = ""
    commands: tuple[str, ...] = ()
    responded_again: bool = False
    same_folder: str = ""
    same_port: str = ""
    first_status: int | None = None
    survivors: tuple[psutil.Process, ...] = ()
    readable_by_others: tuple[Path, ...] = ()
    second: str = ""
    second_status: int | None = None


@pytest.fixture(scope="module")
def results(tmp_path_factory, database):
    """A first start, the steps of three pages, a killed web server, Ctrl-C, and a second start ended by SIGTERM."""
    folder, port = tmp_path_factory.mktemp("up"), free_port()
    results = Results(f"http://127.0.0.1:{port}")
    with running(Up(folder / "var", port, folder / "first", **database)) as up:
        up.wait_for("-d '")
        reader = Reader(up, folder / "clone", database)
        results.readme, results.booking = follow_readme(reader)
        results.developers_page = follow_developers_page(reader)
        results.quickstart = follow_quickstart(reader)
        children = up.children()
        results.commands = tuple(children.values())
        next(one for one, command in children.items() if "kaivox.server.waitress" in command).kill()
        up.wait_for("web stopped (SIGKILL); it restarts in 1 s.")
        results.responded_again = up.responds_in_time()
        other = folder / "other"
        results.same_folder = run_to_end(up.var, free_port(), folder / "log", **database).output
        results.same_port = run_to_end(other, port, folder / "log", **database).output
        children = up.children()
        results.first_status = up.stop()
        results.survivors = tuple(one for one in children if one.is_running())
        results.first = up.output
        files = (up.var, *up.var.rglob("*"))
        results.readable_by_others = tuple(one for one in files if one.stat().st_mode & 0o077)
    with running(Up(folder / "var", port, folder / "second", **database)) as up:
        up.wait_for("-d '")
        results.second_status = up.stop(signal.SIGTERM)
        results.second = up.output
    return results


@contextmanager
def running(up):
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.stop(signal.SIGTERM)


def printed_curl(output):
    """The words of the curl that books."""
    command = output[output.index("curl -X POST") :].split("\n\n")[0]
    return shlex.split(command.replace("\\\n", " "))


def send(words):
    """Sends the request of a curl; returns the HTTP status, and the id and status of the appointment."""
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1].encode()
    request = urllib.request.Request(words[3], body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        data = json.load(response)["data"]
        return response.status, data["id"], data["status"]


def blocks_of(text):
    """The code blocks of a page, as a reader copies them."""
    return [
        html.unescape(strip_tags(raw)).strip()
        for raw in re.findall(r"<pre>(.*?)</pre>", text, re.S)
    ]


class Reader:
    """A person who follows the steps of a page in a folder that looks like the clone, in one shell. Only the
    receiver's port is another one."""

    def __init__(self, up, folder, variables):
        self.up, self.folder, self.port = up, folder, str(free_port())
        self.environment = {**os.environ, "KAIVOX_VAR": str(up.var), **variables}
        (folder / ".venv" / "bin").mkdir(parents=True)
        python = folder / ".venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o700)
        (folder / "manage.py").symlink_to(ROOT / "manage.py")

    def page(self, path):
        with urllib.request.urlopen(f"{self.up.url}{path}", timeout=30) as response:
            return response.read().decode()

    def save(self, name, program):
        (self.folder / name).write_text(program.replace("9000", self.port))

    def run(self, *commands, until, meanwhile=None):
        """Runs `commands` until `until` is printed; calls `meanwhile` when the receiver listens. Returns the output."""
        printed = self.folder / "printed"
        script = "\n".join(commands).replace("9000", self.port)
        with printed.open("w") as file:
            shell = subprocess.Popen(
                ["sh", "-ec", script],
                cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            while until not in printed.read_text() and time.monotonic() < deadline:
                if shell.poll() is not None:
                    break
                if meanwhile and listens(self.port):
                    meanwhile()
                    meanwhile = None
                time.sleep(0.1)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        return printed.read_text()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def follow_readme(reader):
    """README: the receiver is started with the secret that `add_webhook` prints; then the curl that `make up` prints books."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    _, call, receiver, subscribe, *_ = blocks
    shown = shlex.split(call[2:].partition("\n{")[0].replace("\\\n", " "))
    printed = printed_curl(reader.up.output)
    assert [word.split(":")[0] for word in shown[:-1]] == [
        word.split(":")[0] for word in printed[:-1]
    ]
    assert json.loads(shown[-1]).keys() == json.loads(printed[-1]).keys()
    reader.save("receiver.py", receiver)
    booking = []
    output = reader.run(
        f"secret=$({subscribe.strip()})",
        '.venv/bin/python -u receiver.py "$secret"',
        until="appointment.booked",
        meanwhile=lambda: booking.append(send(printed)),
    )
    return output, booking[0]


def follow_developers_page(reader):
    key, check, receiver, subscribe, book, *_ = blocks_of(reader.page("/"))
    reader.save("receiver.py", receiver)
    reader.save("book.py", book)
    # The receiver has a terminal of its own: the booking waits until it listens.
    return reader.run(
        f"export KAIVOX_URL={reader.up.url}",
        key,
        f"{check} -sS -o checked",
        f"{{ {subscribe}\n}} &",
        "until [ -e listens ]; do sleep 0.1; done",
        ".venv/bin/python book.py; wait",
        until="verified:",
        meanwhile=(reader.folder / "listens").touch,
    )


def follow_quickstart(reader):
    make_up, setup, receiver, start, book, run_book = blocks_of(reader.page("/docs/quickstart"))
    assert make_up == "make up"
    reader.save("receiver.py", receiver)
    reader.save("book.py", book)
    return reader.run(setup, start, run_book, "wait", until="verified:")


class TestFirstStart:
    def test_prints_urls_login_and_keys(self, results):
        assert f"Developers   {results.url}/" in results.first
        login = rf"Admin        {results.url}/admin/   user admin, password \S{{16}} "
        assert re.search(login, results.first)
        assert re.search(r"Starter key  kv_live_\w{38} ", results.first)
        assert re.search(r"Pro key      kv_live_\w{38} ", results.first)

    def test_the_readme_runs_as_printed(self, results):
        status, booked, state = results.booking
        assert (status, state) == (201, "scheduled")
        assert f"appointment.booked {booked}\n" in results.readme

    @pytest.mark.parametrize("page", ("developers_page", "quickstart"))
    def test_the_steps_of_a_page_run_as_printed(self, results, page):
        lines = getattr(results, page).splitlines()
        booked, verified = (line.split()[-1] for line in lines)
        assert lines[0].startswith("booked: "), lines
        assert lines[1].startswith("verified: appointment.booked ")
        assert booked == verified

    def test_runs_web_worker_and_beat(self, results):
        commands = " ".join(results.commands)
        assert all(part in commands for part in ("kaivox.server.waitress", "worker", "beat"))

    def test_restarts_a_killed_process(self, results):
        assert results.responded_again

    def test_locks_the_data_folder(self, results):
        assert "KaiVox already runs with the folder" in results.same_folder
        assert len(results.same_folder.splitlines()) == 1

    def test_names_a_port_in_use(self, results):
        assert f"Port {results.url.rpartition(':')[2]} on 127.0.0.1 is in use" in results.same_port
        assert len(results.same_port.splitlines()) == 1

    @pytest.mark.skipif(not settings.EMBEDDED, reason="a folder of the embedded profile")
    def test_keeps_its_folder_for_its_user(self, results):
        assert results.readable_by_others == ()

    def test_stops_cleanly(self, results):
        assert results.first_status == 0
        assert results.first.rstrip().endswith("Stopped.")
        assert "Traceback" not in results.first
        assert results.survivors == ()


class TestSecondStart:
    def test_prints_no_password(self, results):
        assert "password" in results.second
        assert "user admin, password" not in results.second

    def test_prints_the_same_keys(self, results):
        keys = re.compile(r"(?:Starter|Pro) key +(\S+)")
        assert keys.findall(results.second) == keys.findall(results.first)

    def test_stops_on_sigterm(self, results):
        assert results.second_status == 0
        assert results.second.rstrip().endswith("Stopped.")


class TestStartErrors:
    """Each error is one sentence with its fix; always in the embedded profile."""

    EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""}

    def error(self, tmp_path, var, port=None, **variables):
        up = run_to_end(var, port or free_port(), tmp_path / "log", **self.EMBEDDED, **variables)
        assert up.process.returncode == 1
        assert len(up.output.splitlines()) == 1, up.output
        return up.output

    def test_a_broken_database(self, tmp_path):
        var = tmp_path / "var"
        var.mkdir()
        (var / "kaivox.sqlite3").write_bytes(b"This is no database. " * 100)
        assert "move it away to start with a new one" in self.error(tmp_path, var)

    def test_a_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "var").touch()
        assert "set KAIVOX_VAR to a folder" in self.error(tmp_path, tmp_path / "var")

    def test_an_address_of_another_machine(self, tmp_path):
        error = self.error(tmp_path, tmp_path / "var", HOST="192.0.2.1")
        assert "HOST=192.0.2.1 is not an address of this machine" in error
