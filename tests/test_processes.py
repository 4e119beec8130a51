"""Several processes under one command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from kaivox.processes import LONGEST_PAUSE_SECONDS, SETTLED_SECONDS, Program, Supervisor

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
    told = []
    return Supervisor(programs, environment, told.append, timer), told


class TestWatching:
    def test_starts_again_what_dies_after_growing_pauses(self):
        clock, program = Clock(), Program("web", ENDS_AT_ONCE)
        supervisor, told = supervisor_of(program, timer=clock)
        supervisor.start()
        for pause in (1, 2, 4):
            wait_until(lambda: program.exit_status is not None)
            supervisor.look_at(program)
            assert told[-1] == f"web stopped (exit status 3); it starts again in {pause} s."
            clock.now += pause - 0.1
            supervisor.look_at(program)
            assert program.exit_status == 3
            clock.now += 0.2
            supervisor.look_at(program)
            assert program.starts_again_at is None
        supervisor.stop()

    def test_never_pauses_longer_than_half_a_minute(self):
        clock, program = Clock(), Program("web", ENDS_AT_ONCE)
        program.pause = LONGEST_PAUSE_SECONDS
        supervisor, _ = supervisor_of(program, timer=clock)
        supervisor.start()
        wait_until(lambda: program.exit_status is not None)
        supervisor.look_at(program)
        assert program.pause == LONGEST_PAUSE_SECONDS

    def test_forgives_who_has_run_for_long(self):
        clock, program = Clock(), Program("web", ENDS_AT_ONCE)
        program.pause = LONGEST_PAUSE_SECONDS
        supervisor, told = supervisor_of(program, timer=clock)
        supervisor.start()
        wait_until(lambda: program.exit_status is not None)
        clock.now += SETTLED_SECONDS
        supervisor.look_at(program)
        assert told == ["web stopped (exit status 3); it starts again in 1 s."]

    def test_tells_which_signal_ended_it(self):
        program = Program("worker", FOREVER)
        supervisor, told = supervisor_of(program)
        supervisor.start()
        program.kill()
        supervisor.look_at(program)
        assert told == ["worker stopped (SIGKILL); it starts again in 1 s."]


class TestStopping:
    def test_ends_all(self):
        programs = [Program("web", FOREVER), Program("beat", FOREVER)]
        supervisor, told = supervisor_of(*programs)
        supervisor.start()
        supervisor.stop()
        assert [program.exit_status for program in programs] == [-signal.SIGTERM] * 2
        assert told == []

    def test_kills_what_does_not_listen(self, tmp_path, monkeypatch):
        monkeypatch.setattr("kaivox.processes.PATIENCE_SECONDS", 0.2)
        ready = tmp_path / "ready"
        program = Program("worker", STUBBORN)
        supervisor, told = supervisor_of(program, environment={**os.environ, "READY": str(ready)})
        supervisor.start()
        wait_until(ready.exists)
        supervisor.stop()
        assert program.exit_status == -signal.SIGKILL
        assert told == ["worker does not stop: killing it."]

    def test_does_not_restart_what_it_stops(self):
        program = Program("web", FOREVER)
        supervisor, told = supervisor_of(program)
        supervisor.start()
        supervisor.ask_to_stop()
        supervisor.watch()
        supervisor.stop()
        assert told == []


class TestOrphans:
    def test_end_with_a_parent_that_was_killed(self):
        script = (
            "import subprocess, sys, time, signal\n"
            "from kaivox.processes import die_with_parent\n"
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
    """Whether the process is there and no zombie that nobody has buried yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
