"""The supervisor: restarts with back-off, stopping, and orphaned children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from kaivox.embedded.supervisor import (
    MAX_BACKOFF_SECONDS,
    STABLE_UPTIME_SECONDS,
    ManagedProcess,
    Supervisor,
)

pytestmark = pytest.mark.once

FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]
ENDS_AT_ONCE = [sys.executable, "-c", "raise SystemExit(3)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " open(os.environ['READY'], 'w').close(); time.sleep(60)",
]


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def supervisor_of(*programs, timer=time.monotonic, environment=os.environ):
    lines = []
    return Supervisor(programs, environment, lines.append, timer), lines


class TestWatching:
    def test_restarts_with_exponential_backoff(self):
        clock, program = Clock(), ManagedProcess("web", ENDS_AT_ONCE)
        supervisor, lines = supervisor_of(program, timer=clock)
        supervisor.start()
        for backoff in (1, 2, 4):
            wait_until(lambda: program.exit_status is not None)
            supervisor.check(program)
            assert lines[-1] == f"web stopped (exit status 3); it restarts in {backoff} s."
            clock.now += backoff - 0.1
            supervisor.check(program)
            assert program.exit_status == 3
            clock.now += 0.2
            supervisor.check(program)
            assert program.restarts_at is None
        supervisor.stop()

    def test_limits_the_backoff(self):
        clock, program = Clock(), ManagedProcess("web", ENDS_AT_ONCE)
        program.backoff = MAX_BACKOFF_SECONDS
        supervisor, _ = supervisor_of(program, timer=clock)
        supervisor.start()
        wait_until(lambda: program.exit_status is not None)
        supervisor.check(program)
        assert program.backoff == MAX_BACKOFF_SECONDS

    def test_resets_the_backoff_after_a_long_run(self):
        clock, program = Clock(), ManagedProcess("web", ENDS_AT_ONCE)
        program.backoff = MAX_BACKOFF_SECONDS
        supervisor, lines = supervisor_of(program, timer=clock)
        supervisor.start()
        wait_until(lambda: program.exit_status is not None)
        clock.now += STABLE_UPTIME_SECONDS
        supervisor.check(program)
        assert lines == ["web stopped (exit status 3); it restarts in 1 s."]

    def test_names_the_signal(self):
        program = ManagedProcess("worker", FOREVER)
        supervisor, lines = supervisor_of(program)
        supervisor.start()
        program.kill()
        supervisor.check(program)
        assert lines == ["worker stopped (SIGKILL); it restarts in 1 s."]


class TestStopping:
    def test_terminates_all(self):
        programs = [ManagedProcess("web", FOREVER), ManagedProcess("beat", FOREVER)]
        supervisor, lines = supervisor_of(*programs)
        supervisor.start()
        supervisor.stop()
        assert [program.exit_status for program in programs] == [-signal.SIGTERM] * 2
        assert lines == []

    def test_kills_a_process_that_ignores_sigterm(self, tmp_path, monkeypatch):
        monkeypatch.setattr("kaivox.embedded.supervisor.STOP_TIMEOUT_SECONDS", 0.2)
        ready = tmp_path / "ready"
        program = ManagedProcess("worker", STUBBORN)
        supervisor, lines = supervisor_of(program, environment={**os.environ, "READY": str(ready)})
        supervisor.start()
        wait_until(ready.exists)
        supervisor.stop()
        assert program.exit_status == -signal.SIGKILL
        assert lines == ["worker does not stop: killing it."]

    def test_does_not_restart_while_stopping(self):
        program = ManagedProcess("web", FOREVER)
        supervisor, lines = supervisor_of(program)
        supervisor.start()
        supervisor.request_stop()
        supervisor.watch()
        supervisor.stop()
        assert lines == []


class TestOrphans:
    def test_are_terminated_when_the_parent_is_killed(self):
        script = (
            "import subprocess, sys, time, signal\n"
            "from kaivox.embedded.supervisor import die_with_parent\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
            " preexec_fn=die_with_parent(signal.SIGTERM))\n"
            "print(child.pid, flush=True)\n"
            "time.sleep(60)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        wait_until(lambda: not runs(child))


def runs(pid):
    """Whether the process exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
