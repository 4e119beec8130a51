"""Uses running PostgreSQL, Redis and RabbitMQ servers without touching anyone's data.

PostgreSQL: a new database. Redis: an empty one of its sixteen databases. RabbitMQ: a new virtual
host. Each is reserved under the id of the run, so that concurrent runs, or one after a crash, never
share any. Where a server is missing or does not permit this, the function yields None.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from kombu import Connection
from psycopg import sql
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

HOST: Final = "127.0.0.1"
_OURS: Final = re.compile(r"(?:test_)?kaivox_([0-9a-f]{8})(?:_gw\d+)?")
_CLAIM_SECONDS: Final = 30 * 60


class Unreachable(Exception):
    """A server named by the environment cannot be reached; the message is shown to the user."""


def check_postgres(url: str) -> None:
    """Raises Unreachable unless the server of `url` accepts connections; its database may not exist."""
    try:
        psycopg.connect(re.sub(r"/[^/]*$", "/postgres", url), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise Unreachable(
            f"the PostgreSQL that DATABASE_URL names does not let the tests in ({reason}): "
            "start it, or unset the variable to let the tests find or start one."
        ) from error


def check_redis(url: str) -> None:
    """Raises Unreachable unless the Redis at `url` answers a PING."""
    try:
        _client(url).ping()
    except (RedisError, OSError, ValueError) as error:
        raise Unreachable(
            f"the Redis that REDIS_URL names does not answer ({error}): "
            "start it, or unset the variable to let the tests find or start one."
        ) from error


@contextmanager
def postgres(run: str) -> Iterator[str | None]:
    """The URL of a database for `run` on the local PostgreSQL, or None."""
    connection = _administrator(run)
    if connection is None:
        yield None
        return
    with connection:
        _drop_databases(connection, keep=_runs_alive(connection))
        user, port = connection.info.user, connection.info.port
        try:
            yield f"postgres://{user}@{HOST}:{port}/kaivox_{run}"
        finally:
            _drop_databases(connection, keep=_runs_alive(connection) - {run})


def _administrator(run: str) -> psycopg.Connection[Any] | None:
    """A session that may create databases with btree_gist. While it is open, `run` is alive."""
    for user in ("postgres", None):  # None: the operating system's user
        with suppress(psycopg.OperationalError):
            connection = psycopg.connect(
                host=HOST,
                dbname="postgres",
                user=user,
                connect_timeout=2,
                application_name=f"kaivox tests {run}",
                autocommit=True,
            )
            allowed = connection.execute(
                "SELECT (rolsuper OR rolcreatedb) AND EXISTS"
                " (SELECT FROM pg_available_extensions WHERE name = 'btree_gist')"
                " FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
            if allowed and allowed[0]:
                return connection
            connection.close()
    return None


def _runs_alive(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute(
        "SELECT right(application_name, 8) FROM pg_stat_activity"
        " WHERE application_name LIKE 'kaivox tests %'"
    ).fetchall()
    return {run for (run,) in rows}


def _drop_databases(connection: psycopg.Connection[Any], *, keep: set[str]) -> None:
    """Drops the databases of runs that have ended."""
    for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall():
        ours = _OURS.fullmatch(name)
        if ours and ours[1] not in keep:
            with suppress(psycopg.Error):  # not ours to drop, in spite of its name
                connection.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                )


@contextmanager
def redis(run: str) -> Iterator[str | None]:
    """The URL of an empty database on the local Redis, reserved for `run`, or None."""
    server = _client(f"redis://{HOST}:6379/0")
    try:
        number = _reserve_number(server, run)
    except (RedisError, OSError):
        number = None
    if number is None:
        yield None
        return
    try:
        yield f"redis://{HOST}:6379/{number}"
    finally:
        with suppress(RedisError, OSError):
            _client(f"redis://{HOST}:6379/{number}").flushdb()
            server.srem("kaivox-tests:used", number)
            server.delete(f"kaivox-tests:{number}")


def _reserve_number(server: Redis, run: str) -> int | None:
    used = {int(number) for number in server.smembers("kaivox-tests:used")}
    for number in range(15, 0, -1):
        if not server.set(f"kaivox-tests:{number}", run, nx=True, ex=_CLAIM_SECONDS):
            continue
        database = _client(f"redis://{HOST}:6379/{number}")
        if number in used:
            database.flushdb()  # of a killed run, whose claim has expired
        if database.dbsize() == 0:
            server.sadd("kaivox-tests:used", number)
            return number
        server.delete(f"kaivox-tests:{number}")
    return None


def _client(url: str) -> Redis:
    return Redis.from_url(
        url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )


@contextmanager
def rabbitmq(run: str) -> Iterator[str | None]:
    """The URL of a virtual host for `run` on the local RabbitMQ, or None.

    In a shared virtual host, the worker of another run would consume our messages.
    """
    name = f"kaivox_{run}"
    if not (_rabbitmq_is_running() and _rabbitmqctl("add_vhost", name)):
        yield None
        return
    try:
        allowed = _rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield f"amqp://guest:guest@{HOST}:5672/{name}" if allowed else None
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmq_is_running() -> bool:
    try:
        with Connection(f"amqp://guest:guest@{HOST}:5672//", connect_timeout=2) as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception:  # noqa: BLE001 - for any reason: Redis is the broker then
        return False
    return True


def _rabbitmqctl(*arguments: str) -> bool:
    try:
        return not subprocess.run(
            ["rabbitmqctl", "--quiet", *arguments], capture_output=True, timeout=20, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
