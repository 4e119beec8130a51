"""A Redis Sentinel and a Redis Cluster on loopback, of which a test can kill the primary."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from kaivox.embedded.supervisor import die_with_parent
from tests.own_servers import free_port

PROGRAM: Final = shutil.which("redis-server")
SERVICE: Final = "kaivox"
_START_SECONDS: Final = 60


class Group:
    """Processes of redis-server, by port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.url = ""

    def add(self, port: int, *arguments: str) -> Redis:
        """Starts a server; returns when it responds."""
        folder = self._folder / str(port)
        folder.mkdir()
        command = [str(PROGRAM), *arguments, "--port", str(port), "--bind", "127.0.0.1",
                   "--dir", str(folder)]  # fmt: skip
        with (folder / "log").open("wb") as log:
            self._processes[port] = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=die_with_parent(signal.SIGKILL)
            )
        client = Redis(port=port, decode_responses=True)
        wait_until(client.ping)
        return client

    def kill(self, port: int) -> None:
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def end(self) -> None:
        for port in list(self._processes):
            self.kill(port)


@contextmanager
def sentinel(folder: Path) -> Iterator[tuple[Group, int]]:
    """One primary, one replica and three Sentinels; also the port of the primary."""
    group, ports = Group(folder), [free_port() for _ in range(5)]
    primary, replica, *sentinels = ports
    try:
        group.add(primary, "--save", "")
        copy = group.add(replica, "--save", "", "--replicaof", f"127.0.0.1 {primary}")
        for port in sentinels:
            configuration = folder / f"sentinel-{port}.conf"
            configuration.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} 1000\n"
                f"sentinel failover-timeout {SERVICE} 5000\n"
            )
            found = group.add(port, str(configuration), "--sentinel")
        wait_until(lambda: copy.info("replication")["master_link_status"] == "up")
        wait_until(lambda: _knows_all(found))
        nodes = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        group.url = f"redis+sentinel://{nodes}/{SERVICE}/0"
        yield group, primary
    finally:
        group.end()


def _knows_all(one: Redis) -> bool:
    state: dict[str, Any] = one.sentinel_master(SERVICE)  # type: ignore[assignment]
    return state["num-slaves"] == 1 and state["num-other-sentinels"] == 2


@contextmanager
def cluster(folder: Path) -> Iterator[Group]:
    """Three primaries, each with a third of the hash slots."""
    group, ports = Group(folder), [free_port() for _ in range(3)]
    try:
        nodes = [
            group.add(port, "--save", "", "--cluster-enabled", "yes", "--cluster-port", str(free_port()),
                      "--cluster-node-timeout", "2000")
            for port in ports
        ]  # fmt: skip
        bounds = [0, 5461, 10923, 16384]
        for node, first, end in zip(nodes, bounds, bounds[1:], strict=False):
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        for port in ports[1:]:
            bus = nodes[ports.index(port)].config_get("cluster-port")["cluster-port"]
            nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
        for node in nodes:
            wait_until(lambda node=node: _is_whole(node))  # type: ignore[misc]
        group.url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)
        yield group
    finally:
        group.end()


def _is_whole(node: Redis) -> bool:
    state: dict[str, str] = node.execute_command("CLUSTER INFO")
    return (state["cluster_state"], state["cluster_known_nodes"]) == ("ok", "3")


def wait_until(condition: Callable[[], object]) -> None:
    """Raises AssertionError where `condition` is not true, or raises RedisError, for a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if condition():
                return
        except RedisError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)
