"""A separate PostgreSQL server that a drill can kill, suspend, and starve of disk space."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from kaivox.embedded.supervisor import die_with_parent
from tests.own_servers import as_other_user, free_port, programs_for_postgres

_START_TIMEOUT_SECONDS: Final = 60


class PostgresServer:
    """Durable as in production. The superuser `postgres` needs no password; only loopback is served."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Creates the cluster in `folder`, which exists and is empty."""
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.data = folder / "data"
        self.programs = _newest_of_debian() or programs_for_postgres(folder)
        self.owner = as_other_user(folder)
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--auth=trust",
                 "--no-locale")  # fmt: skip

    @classmethod
    @contextmanager
    def running(cls, folder: Path, **settings: str) -> Iterator[PostgresServer]:
        server = cls(folder, **settings)
        server.start()
        try:
            yield server
        finally:
            server.resume()
            server.shut_down()

    def run(self, program: str, *arguments: str) -> str:
        """What one of PostgreSQL's programs prints, as the user of the server."""
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=300,
            **self.owner,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Starts it, with crash recovery where needed; returns when it accepts connections."""
        self.launch()
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self.responds():
            assert time.monotonic() < deadline, f"PostgreSQL does not start:\n{self.log[-2000:]}"
            self.launch()
            time.sleep(0.1)

    def launch(self) -> None:
        """Starts it unless it runs; does not wait. It exits at once while processes of a killed one
        still use the data."""
        if self._process is not None and self._process.poll() is None:
            return
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "logging_collector": "off",
            **self._settings,
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        with (self.data.parent / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # so that a signal reaches all its processes
                preexec_fn=die_with_parent(signal.SIGINT),
                **self.owner,
            )  # fmt: skip

    def responds(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        self._signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Suspends it: connections are accepted, nothing is answered."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_group(signal.SIGCONT)

    def shut_down(self) -> None:
        """Fast shutdown: sessions are ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)

    @property
    def log(self) -> str:
        return (self.data.parent / "postgres.log").read_text(errors="replace")

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)


def _newest_of_debian() -> Path | None:
    """Debian's programs, which include those for backups; the wheel has only the server's."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in found), default=None, key=lambda path: int(path.parts[-2]))
