"""Strict parsers of the URLs of PostgreSQL, Redis and the broker.

Each raises ValueError with a clause that states the problem and never quotes the password. With an
unescaped `@` or `/` in the password the usual parsers read a part of the password as the host, so such
URLs are rejected.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from redis import ConnectionPool

from kaivox.redis import is_group, parse_group

POSTGRES_EXAMPLE: Final = "postgres://user:password@host:5432/name"
REDIS_EXAMPLE: Final = "redis://127.0.0.1:6379/0"
BROKER_EXAMPLE: Final = "amqp://user:password@host:5672/vhost"

_ESCAPE: Final = "write @ in a name or password as %40, / as %2F and : as %3A"
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_BROKERS: Final = ("amqp", "amqps", "pyamqp", "redis", "rediss")
_WITHOUT_HOST: Final = ("filesystem", "memory")

# libpq's parameter names, and Django's names of the same settings.
_DJANGO_NAMES: Final = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}


def parse_postgres_url(url: str) -> dict[str, Any]:
    """An entry of Django's DATABASES; parameters that have no setting of their own (`sslmode` …) are in
    `OPTIONS`, by libpq's names. Raises ValueError."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise ValueError(f"it must begin with postgres:// (like {POSTGRES_EXAMPLE})")
    try:
        found = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # libpq's own message can quote a part of the password.
        raise ValueError(f"libpq cannot parse it (like {POSTGRES_EXAMPLE}); {_ESCAPE}") from None
    port = str(found.get("port") or "")
    if port and not all(_is_number(part) and int(part) < 65_536 for part in port.split(",")):
        raise ValueError(f"its port is not a number from 0 to 65535: {_ESCAPE}")
    if not found.get("host") or not found.get("dbname"):
        raise ValueError(f"it must name a host and a database (like {POSTGRES_EXAMPLE})")
    # After an unescaped password libpq reads the rest of it as the host or the database.
    if "@" in str(found["host"]) or any(sign in str(found["dbname"]) for sign in "@/"):
        raise ValueError(f"there is an @ or / in its host or database: {_ESCAPE}")
    if found.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"its sslmode must be one of {', '.join(_SSL_MODES)}")
    options = {name: value for name, value in found.items() if name not in _DJANGO_NAMES}
    named = {theirs: found.get(ours, "") for ours, theirs in _DJANGO_NAMES.items()}
    return {**named, "PORT": int(port) if _is_number(port) else port, "OPTIONS": options}


def _is_number(text: str) -> bool:
    # `str.isdigit` is true of `²`, which `int` rejects.
    return text.isascii() and text.isdigit()


def check_redis_url(url: str) -> None:
    """Raises ValueError unless redis-py, or `kaivox.redis`, uses every part of `url`."""
    if is_group(url):
        parse_group(url)
        return
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(
            "it must begin with redis://, rediss://, redis+sentinel:// or redis+cluster:// "
            f"(like {REDIS_EXAMPLE})"
        )
    parts = _split(url, REDIS_EXAMPLE)
    if parts.scheme != "unix":
        _check_host(parts, REDIS_EXAMPLE)
        number = parts.path.strip("/")
        if number and not _is_number(number):
            # redis-py would silently use database 0.
            raise ValueError(f"its path must be the number of a database (like {REDIS_EXAMPLE})")
    try:
        ConnectionPool.from_url(url).make_connection()  # builds the object, without connecting
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            f"it has a parameter that redis-py does not know ({REDIS_EXAMPLE})"
        ) from None


def check_broker_url(url: str) -> None:
    """Raises ValueError unless `url` is one of RabbitMQ, Redis or, embedded, the file system."""
    if is_group(url):
        kombu_url(url)
        return
    parts = _split(url, BROKER_EXAMPLE)
    if parts.scheme in _WITHOUT_HOST:
        return
    if parts.scheme not in _BROKERS:
        raise ValueError(f"it must begin with amqp:// or redis:// (like {BROKER_EXAMPLE})")
    if parts.scheme in ("redis", "rediss"):
        check_redis_url(url)
    else:
        _check_host(parts, BROKER_EXAMPLE)


def kombu_url(url: str) -> tuple[str, dict[str, Any]]:
    """The URL of a broker and its transport options as kombu has them: a Sentinel is a list of URLs.

    Raises ValueError for a Redis Cluster, and for TLS, which kombu's Sentinel takes from elsewhere.
    """
    if not is_group(url):
        return url, {}
    group = parse_group(url)
    if group.kind == "cluster":
        raise ValueError("Celery has no broker for a Redis Cluster; use RabbitMQ or one Redis")
    if "ssl" in group.credentials:
        raise ValueError("Celery has no broker for a Sentinel with TLS; use amqps:// or rediss://")
    user, password = (group.credentials.get(name, "") for name in ("username", "password"))
    account = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
    urls = [f"sentinel://{account}{host}:{port}/{group.database}" for host, port in group.nodes]
    options = {"master_name": group.service, "sentinel_kwargs": group.sentinel_credentials or {}}
    return ";".join(urls), options


def _split(url: str, example: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(f"it is not a URL (like {example})") from None


def _check_host(parts: SplitResult, example: str) -> None:
    if parts.netloc.count("@") > 1 or "@" in parts.path:
        raise ValueError(f"there is an @ or / in its password: {_ESCAPE}")
    if not parts.hostname:
        raise ValueError(f"it must name a host (like {example})")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"its port is not a number from 0 to 65535: {_ESCAPE}") from None
