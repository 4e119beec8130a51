"""A separate RabbitMQ node that a drill can kill and suspend.

Debian's package, started as a node with its own name, ports, folders, cookie and epmd, so that it is
independent of the node that the machine runs as a service.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kombu import Connection

from kaivox.embedded.supervisor import die_with_parent
from tests.own_servers import free_port

PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_TIMEOUT_SECONDS: Final = 90


class RabbitmqServer:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._folder = folder
        self._epmd_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        cookie = folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
        (folder / "enabled_plugins").write_text("[].")

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[RabbitmqServer]:
        server = cls(folder)
        server.start()
        try:
            yield server
        finally:
            server.resume()
            server.kill()
            subprocess.run(
                ["epmd", "-port", str(server._epmd_port), "-kill"], capture_output=True, check=False
            )

    def start(self) -> None:
        """Starts it with its stored data; returns when it accepts connections."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(PROGRAM)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self._responds():
            assert self._process.poll() is None, (self._folder / "output").read_text()
            assert time.monotonic() < deadline, "RabbitMQ does not start"
            time.sleep(0.2)

    def kill(self) -> None:
        self._send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Suspends it: connections stay open, new ones are accepted, nothing is answered."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def block_publishers(self, blocked: bool) -> None:
        """Sets or clears the alarm of a full disk: published messages are not read while it is set."""
        limit = str(10**15) if blocked else "50000000"
        subprocess.run(
            [str(PROGRAM.with_name("rabbitmqctl")), "--quiet", "set_disk_free_limit", limit],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=60,
        )

    def _responds(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except Exception:  # noqa: BLE001 - any error means that it is not up
            return False
        return True

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Makes the script exec Erlang, so that signals reach it and not the shell.
            "RUNNING_UNDER_SYSTEMD": "1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"kaivox-drill-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            # Without busy-waiting schedulers, which would take CPU time from the workers.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
        }
