"""Process supervisor: starts several commands, restarts those that exit, and stops all together."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

INITIAL_BACKOFF_SECONDS: Final = 1.0
MAX_BACKOFF_SECONDS: Final = 30.0
# The back-off is reset for a process that has run for so long.
STABLE_UPTIME_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.2
_PR_SET_PDEATHSIG: Final = 1


class ManagedProcess:
    """One command to keep running."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.command = command
        self.backoff = INITIAL_BACKOFF_SECONDS
        self.started_at = 0.0
        self.restarts_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exit_status(self) -> int | None:
        """None while it runs and before its start; a negative number is the signal that ended it."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, environment: Mapping[str, str], now: float) -> None:
        self.started_at = now
        self.restarts_at = None
        self._process = subprocess.Popen(
            self.command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # logs go to stderr
            # Ctrl-C must not reach the children directly: Celery treats a second signal as "stop now".
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    def terminate(self) -> None:
        if self._process:
            self._process.terminate()

    def has_stopped_by(self, deadline: float) -> bool:
        """Waits until it has stopped, or until `deadline` on the monotonic clock."""
        try:
            if self._process:
                self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


class Supervisor:
    """Runs `programs` from `start` until `stop`.

    `write` is called with a line for every exit; the clock is an argument for the tests.
    """

    def __init__(
        self,
        programs: Sequence[ManagedProcess],
        environment: Mapping[str, str],
        write: Callable[[str], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.programs = programs
        self.is_stopping = False
        self._environment = environment
        self._write = write
        self._timer = timer

    def start(self) -> None:
        for program in self.programs:
            program.start(self._environment, self._timer())

    def watch(self) -> None:
        """Restarts programs that exit, until `request_stop`."""
        while not self.is_stopping:
            for program in self.programs:
                self.check(program)
            time.sleep(_POLL_SECONDS)

    def request_stop(self) -> None:
        """Makes `watch` return. Safe in a signal handler."""
        self.is_stopping = True

    def check(self, program: ManagedProcess) -> None:
        """Schedules the restart of a program that has exited, or starts it when that is due."""
        status = program.exit_status
        if status is None:
            return
        now = self._timer()
        if program.restarts_at is None:
            self._schedule_restart(program, status, now)
        elif now >= program.restarts_at:
            program.start(self._environment, now)

    def stop(self) -> None:
        """Terminates all programs, and kills those that do not exit in time. None runs on return."""
        self.is_stopping = True
        for program in self.programs:
            program.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for program in self.programs:
            if not program.has_stopped_by(deadline):
                self._write(f"{program.name} does not stop: killing it.")
                program.kill()

    def _schedule_restart(self, program: ManagedProcess, status: int, now: float) -> None:
        if now - program.started_at >= STABLE_UPTIME_SECONDS:
            program.backoff = INITIAL_BACKOFF_SECONDS
        program.restarts_at = now + program.backoff
        self._write(
            f"{program.name} stopped ({_exit_description(status)}); "
            f"it restarts in {program.backoff:.0f} s."
        )
        program.backoff = min(program.backoff * 2, MAX_BACKOFF_SECONDS)


def die_with_parent(number: int) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send `number` to the child when its parent dies, even by
    SIGKILL (prctl(2), PR_SET_PDEATHSIG).

    Linux only: elsewhere None, and a killed parent leaves orphans.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def set_parent_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)

    return set_parent_death_signal


def _exit_description(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
