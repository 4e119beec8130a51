"""Typed settings from environment variables. A value that cannot be parsed raises
ImproperlyConfigured with one sentence: the variable, its value, and an accepted value."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from kaivox.service_urls import check_broker_url, check_redis_url, parse_postgres_url

_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_NAME: Final = rf"({_LABEL}\.)*{_LABEL}|\[[0-9a-f:.]+\]"
_HOST: Final = re.compile(rf"\.?({_NAME})\.?", re.ASCII | re.IGNORECASE)
_ORIGIN: Final = re.compile(rf"https?://(\*\.)?({_NAME})(:\d{{1,5}})?", re.ASCII | re.IGNORECASE)
_WEB_ADDRESS: Final = re.compile(
    rf"https?://({_NAME})(:\d{{1,5}})?(/[^\s?#]*)?", re.ASCII | re.IGNORECASE
)
_MAIL_PORTS: Final = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off"}


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """An SMTP server, as Django's EMAIL_* settings need it."""

    host: str
    port: int
    user: str
    password: str
    starttls: bool
    ssl: bool


def make_folder(path: Path) -> None:
    """Creates `path` with mode 0700 where it is missing. Raises ImproperlyConfigured where this process
    cannot write to it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (path / "secret_key").exists():
            path.chmod(0o700)  # version 1.0.0 created it readable by others
        allowed = os.access(path, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        raise ImproperlyConfigured(_no_folder(path, error.strerror or str(error))) from error
    if not allowed:
        raise ImproperlyConfigured(_no_folder(path, "no permission to write to it"))


def _no_folder(path: Path, reason: str) -> str:
    return (
        f"The folder {path} cannot be used ({reason}): "
        "set KAIVOX_VAR to a folder that this user may write to."
    )


class Environment:
    """Typed look-ups in `variables`; each raises ImproperlyConfigured."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def text(self, name: str, default: str) -> str:
        """The value, or `default` where it is unset or empty."""
        return self.variables.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name, "1" if default else "0").lower()
        if value in _YES:
            return True
        if value in _NO:
            return False
        raise ImproperlyConfigured(f"{name} is {value!r}: write 1 or 0.")

    def integer(
        self, name: str, default: int, *, minimum: int = 1, maximum: int = 2**31 - 1
    ) -> int:
        value = self.text(name, str(default))
        readable = value.isascii() and value.isdigit() and len(value) <= 10
        if not readable or not minimum <= int(value) <= maximum:
            raise ImproperlyConfigured(
                f"{name} is {value!r}: write a whole number from {minimum} to {maximum}."
            )
        return int(value)

    def items(self, name: str, *, default: list[str] | None = None) -> list[str]:
        """A list separated by commas."""
        found = [item.strip() for item in self.text(name, "").split(",") if item.strip()]
        return found or list(default or [])

    def seconds(self, name: str, default: list[float], *, at_most: int) -> list[float]:
        """Durations in seconds, 0 to 86,400, separated by commas: `30,300,3600`."""
        raw = self.text(name, "")
        if not raw:
            return default
        try:
            waits = [float(item) for item in raw.split(",")]
        except ValueError:
            waits = []
        if not 1 <= len(waits) <= at_most or not all(0 <= wait <= 86_400 for wait in waits):
            raise ImproperlyConfigured(
                f"{name} is {raw!r}: write one to {at_most} numbers of seconds separated by commas, "
                "like 30,300,3600."
            )
        return waits

    def ports(self, name: str, default: list[int]) -> list[int]:
        """TCP ports, separated by commas: `443,8443`."""
        raw = self.items(name)
        if not all(item.isascii() and item.isdigit() and 0 < int(item) < 65_536 for item in raw):
            raise ImproperlyConfigured(
                f"{name} is {self.variables[name]!r}: write ports separated by commas, like 443,8443."
            )
        return [int(item) for item in raw] or default

    def networks(self, name: str, default: list[str]) -> list[str]:
        """CIDR blocks, separated by commas: `10.0.0.0/8,203.0.113.7`."""
        found = self.items(name, default=default)
        for item in found:
            try:
                ipaddress.ip_network(item)
            except ValueError as error:
                raise ImproperlyConfigured(
                    f"{name} has {item!r}: write addresses or CIDR blocks separated by commas, "
                    "like 10.0.0.0/8."
                ) from error
        return found

    def secret_key(self, file: Path | None) -> str:
        """`SECRET_KEY`. Where it is unset and `file` is passed, a key is generated into `file` once."""
        value = self.text("SECRET_KEY", "")
        if value:
            if file is None and len(value) < 50:
                raise ImproperlyConfigured(
                    "SECRET_KEY is shorter than 50 characters. Generate one: "
                    'python -c "import secrets; print(secrets.token_urlsafe(64))"'
                )
            return value
        if file is None:
            raise ImproperlyConfigured(
                "SECRET_KEY is required when DATABASE_URL is set. Generate one: "
                'python -c "import secrets; print(secrets.token_urlsafe(64))"'
            )
        if not file.exists():
            # Web, worker and beat start at the same time: link() is atomic, so all read the first key,
            # and none reads a partially written one.
            with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="ascii") as temporary:
                temporary.write(secrets.token_urlsafe(64))
                temporary.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(temporary.name, file)
        return file.read_text(encoding="ascii")

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        """One of `choices`, compared without regard to case, in upper case."""
        value = self.text(name, default).upper()
        if value not in choices:
            raise ImproperlyConfigured(
                f"{name} is {self.variables[name]!r}: write one of {', '.join(choices)}."
            )
        return value

    def address(self, name: str, default: str) -> str:
        """The address that a server binds to: an IP address, or localhost."""
        value = self.text(name, default)
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]")))
        if value != "localhost":
            raise ImproperlyConfigured(
                f"{name} is {value!r}: write the IP address to listen on, like 127.0.0.1 or "
                "0.0.0.0 for all."
            )
        return value

    def hosts(self, name: str, *, default: list[str]) -> list[str]:
        """Host names without scheme, port or path; `.example.com` includes subdomains, `*` is any."""
        found = self.items(name, default=default)
        for host in found:
            if host != "*" and not _HOST.fullmatch(host):
                raise ImproperlyConfigured(
                    f"{name} has {host!r}: write host names without scheme, port or path, "
                    "separated by commas, like api.example.com."
                )
        return found

    def origins(self, name: str) -> list[str]:
        """Origins: scheme, host and port."""
        found = self.items(name)
        for origin in found:
            if not _ORIGIN.fullmatch(origin):
                raise ImproperlyConfigured(
                    f"{name} has {origin!r}: write origins with their scheme and without a path, "
                    "separated by commas, like https://admin.example.com."
                )
        return found

    def web_address(self, name: str, default: str) -> str:
        """An http or https URL, without a trailing slash."""
        value = self.text(name, default).rstrip("/")
        if not _WEB_ADDRESS.fullmatch(value):
            raise ImproperlyConfigured(
                f"{name} is {value!r}: write a URL like https://api.example.com."
            )
        return value

    def optional_web_address(self, name: str) -> str:
        """An http or https URL; empty where it is unset."""
        return self.web_address(name, "") if self.text(name, "") else ""

    def file(self, name: str) -> str:
        """The path of a readable file; empty where it is unset."""
        value = self.text(name, "")
        if value and not os.access(value, os.R_OK):
            raise ImproperlyConfigured(f"{name} is {value!r}: there is no such file to read.")
        return value

    def database(self, name: str) -> dict[str, Any]:
        """A PostgreSQL URL as an entry of Django's DATABASES. SQLite is for the embedded profile only."""
        try:
            return parse_postgres_url(self.text(name, ""))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} cannot be parsed: {error}; leave it unset for the embedded SQLite."
            ) from error

    def redis(self, name: str) -> str:
        """A URL of Redis; empty where it is unset."""
        return self._checked(name, check_redis_url)

    def broker(self, name: str) -> str:
        """A URL of RabbitMQ or Redis; empty where it is unset."""
        return self._checked(name, check_broker_url)

    def _checked(self, name: str, check: Callable[[str], None]) -> str:
        url = self.text(name, "")
        try:
            if url:
                check(url)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} cannot be parsed: {error}.") from error
        return url

    def mail_server(self, name: str) -> MailServer | None:
        """`smtp://`, `smtp+tls://` (STARTTLS) or `smtp+ssl://user:password@host:port`; None where it is
        unset. Without a port it is the registered one of the scheme: 25, 587 or 465."""
        url = self.text(name, "")
        if not url:
            return None
        # The URL is not quoted: it contains a password.
        error = ImproperlyConfigured(
            f"{name} cannot be parsed: write a URL like smtp+tls://user:password@host:587, with @ in "
            "the password as %40 and / as %2F."
        )
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise error from None
        if parts.scheme not in _MAIL_PORTS or not parts.hostname or "@" in parts.path:
            raise error
        return MailServer(
            host=parts.hostname,
            port=port or _MAIL_PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            starttls=parts.scheme == "smtp+tls",
            ssl=parts.scheme == "smtp+ssl",
        )
