"""Runs a command with the servers of the production profile: PostgreSQL, Redis and a broker.

    python -m tests.servers COMMAND …

sets DATABASE_URL, REDIS_URL, CELERY_BROKER_URL and SECRET_KEY for COMMAND. For each server the first
of these is used:

1. what the environment names (TEST_DATABASE_URL overrides DATABASE_URL);
2. a server on its standard port on this machine that permits it (`tests.found_servers`);
3. one started from the development wheels while COMMAND runs (`tests.own_servers`).

Everything created is removed again, also on Ctrl-C; the next run removes what a killed one left.
`TEST_SERVERS=own` skips step 2.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from tests import found_servers, own_servers

SECRET_KEY = "only-for-tests-" + "k" * 50


@contextmanager
def production_servers(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The variables of the production profile, valid until the block ends."""
    run = secrets.token_hex(4)
    look = environment.get("TEST_SERVERS", "") != "own"
    with ExitStack() as stack:
        redis_url = stack.enter_context(_redis(environment, run, look))
        yield {
            "DATABASE_URL": stack.enter_context(_postgres(environment, run, look)),
            "REDIS_URL": redis_url,
            "CELERY_BROKER_URL": stack.enter_context(_broker(environment, run, look)) or redis_url,
            "SECRET_KEY": environment.get("SECRET_KEY") or SECRET_KEY,
        }


@contextmanager
def _postgres(environment: Mapping[str, str], run: str, look: bool) -> Iterator[str]:
    named = environment.get("TEST_DATABASE_URL") or environment.get("DATABASE_URL")
    if named:
        found_servers.check_postgres(named)
        yield named
        return
    with ExitStack() as stack:
        url = stack.enter_context(found_servers.postgres(run)) if look else None
        yield url or stack.enter_context(own_servers.postgres())


@contextmanager
def _redis(environment: Mapping[str, str], run: str, look: bool) -> Iterator[str]:
    named = environment.get("REDIS_URL")
    if named:
        found_servers.check_redis(named)
        yield named
        return
    with ExitStack() as stack:
        url = stack.enter_context(found_servers.redis(run)) if look else None
        yield url or stack.enter_context(own_servers.valkey())


@contextmanager
def _broker(environment: Mapping[str, str], run: str, look: bool) -> Iterator[str | None]:
    """The URL of a RabbitMQ, or None: then Redis is the broker as well."""
    named = environment.get("CELERY_BROKER_URL")
    with ExitStack() as stack:
        found = stack.enter_context(found_servers.rabbitmq(run)) if look and not named else None
        yield named or found


def run_between_servers(command: list[str]) -> int:
    """Runs `command` with the servers' variables; returns its exit status."""
    # Ctrl-C reaches the command as well: it ends by itself, and the servers stop after it.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with production_servers(os.environ) as variables:
        print(f"==> Servers: {_addresses(variables)}", file=sys.stderr, flush=True)
        process = subprocess.Popen(command, env={**os.environ, **variables})
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


def _addresses(variables: Mapping[str, str]) -> str:
    urls = (variables["DATABASE_URL"], variables["REDIS_URL"], variables["CELERY_BROKER_URL"])
    parts = [urlsplit(url) for url in dict.fromkeys(urls)]
    return ", ".join(
        f"{part.scheme} {part.hostname}:{part.port or ''}{part.path}" for part in parts
    )


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.servers COMMAND …")
    try:
        sys.exit(run_between_servers(sys.argv[1:]))
    except (found_servers.Unreachable, own_servers.CannotStart) as error:
        sys.exit(f"kaivox: {error}")


if __name__ == "__main__":
    main()
