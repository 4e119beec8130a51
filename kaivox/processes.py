"""Several processes under one command: started together, restarted when they die, stopped together."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
# Who has run so long starts with a short pause again.
SETTLED_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.2
_PR_SET_PDEATHSIG: Final = 1


class Program:
    """One command to keep running."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.command = command
        self.pause = FIRST_PAUSE_SECONDS
        self.started_at = 0.0
        self.starts_again_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exit_status(self) -> int | None:
        """None while it runs, or before it ever did; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, environment: Mapping[str, str], now: float) -> None:
        self.started_at = now
        self.starts_again_at = None
        self._process = subprocess.Popen(
            self.command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # logs go to stderr
            # Ctrl-C in the terminal is for the supervisor alone; it passes SIGTERM on, once.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    def ask_to_stop(self) -> None:
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
    """Keeps `programs` running from `start` until `stop`.

    `tell` gets a sentence for every death; the clock is an argument for the tests.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.programs = programs
        self.is_stopping = False
        self._environment = environment
        self._tell = tell
        self._timer = timer

    def start(self) -> None:
        for program in self.programs:
            program.start(self._environment, self._timer())

    def watch(self) -> None:
        """Restarts what dies, until `ask_to_stop`."""
        while not self.is_stopping:
            for program in self.programs:
                self.look_at(program)
            time.sleep(_POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Makes `watch` return. Safe in a signal handler."""
        self.is_stopping = True

    def look_at(self, program: Program) -> None:
        """Tells that `program` died, or starts it again when its pause is over."""
        status = program.exit_status
        if status is None:
            return
        now = self._timer()
        if program.starts_again_at is None:
            self._plan_restart(program, status, now)
        elif now >= program.starts_again_at:
            program.start(self._environment, now)

    def stop(self) -> None:
        """Asks all to stop, waits, and kills what does not. Nothing runs when it returns."""
        self.is_stopping = True
        for program in self.programs:
            program.ask_to_stop()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for program in self.programs:
            if not program.has_stopped_by(deadline):
                self._tell(f"{program.name} does not stop: killing it.")
                program.kill()

    def _plan_restart(self, program: Program, status: int, now: float) -> None:
        if now - program.started_at >= SETTLED_SECONDS:
            program.pause = FIRST_PAUSE_SECONDS
        program.starts_again_at = now + program.pause
        self._tell(
            f"{program.name} stopped ({_how(status)}); it starts again in {program.pause:.0f} s."
        )
        program.pause = min(program.pause * 2, LONGEST_PAUSE_SECONDS)


def die_with_parent(number: int) -> Callable[[], None] | None:
    """A `preexec_fn` by which the child gets signal `number` when its parent dies, even by kill -9.

    Linux only: elsewhere None, and a killed parent leaves its children.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)

    return ask_kernel


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
