"""Reads settings from the environment. A value that cannot be read is told in one sentence that
names the variable, what stands there and what would be right."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off"}


def make_folder(path: Path) -> None:
    """Makes `path` where it is missing. Raises ImproperlyConfigured where we cannot write into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        allowed = os.access(path, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        raise ImproperlyConfigured(_no_folder(path, error.strerror or str(error))) from error
    if not allowed:
        raise ImproperlyConfigured(_no_folder(path, "no permission to write there"))


def _no_folder(path: Path, reason: str) -> str:
    return (
        f"The folder {path} cannot be used ({reason}): "
        "set KAIVOX_VAR to a folder that this user may write to."
    )


class Environment:
    """Typed look-ups in `variables`; each raises ImproperlyConfigured with the sentence."""

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

    def seconds(self, name: str, default: list[float]) -> list[float]:
        """Waits in seconds, separated by commas: `30,300,3600`."""
        raw = self.items(name)
        if not raw:
            return default
        try:
            waits = [float(item) for item in raw]
        except ValueError:
            waits = []
        if not waits or not all(0 <= wait <= 86_400 for wait in waits):
            raise ImproperlyConfigured(
                f"{name} is {self.variables[name]!r}: write seconds separated by commas, "
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

    def secret_key(self, keep_in: Path | None) -> str:
        """`SECRET_KEY`; where `keep_in` is given and it is unset, one is made there at first use."""
        value = self.text("SECRET_KEY", "")
        if value:
            if keep_in is None and len(value) < 50:
                raise ImproperlyConfigured(
                    "SECRET_KEY is shorter than 50 characters. Make one with: "
                    'python -c "import secrets; print(secrets.token_urlsafe(64))"'
                )
            return value
        if keep_in is None:
            raise ImproperlyConfigured(
                "SECRET_KEY is required when DATABASE_URL is set. Make one with: "
                'python -c "import secrets; print(secrets.token_urlsafe(64))"'
            )
        if not keep_in.exists():
            # Web, worker and beat may start at once: the first link wins, and no one reads half a key.
            with tempfile.NamedTemporaryFile("w", dir=keep_in.parent, encoding="ascii") as file:
                file.write(secrets.token_urlsafe(64))
                file.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, keep_in)
        return keep_in.read_text(encoding="ascii")

    def database(self, name: str) -> dict[str, Any]:
        """A PostgreSQL URL as Django's settings. SQLite is the embedded profile's alone."""
        url = self.text(name, "")
        if not url.startswith(("postgres://", "postgresql://")):
            raise ImproperlyConfigured(
                f"{name} must begin with postgres:// (like postgres://user:password@host:5432/name); "
                "leave it unset for the embedded SQLite."
            )
        try:
            return dict(environ.Env.db_url_config(url))
        except (ValueError, ImproperlyConfigured) as error:
            raise ImproperlyConfigured(f"{name} cannot be read: {error}.") from error

    def email(self, url: str) -> dict[str, Any]:
        """`smtp+tls://user:password@host:587` as Django's EMAIL_* settings."""
        try:
            return dict(environ.Env.email_url_config(url))
        except (KeyError, ValueError, ImproperlyConfigured) as error:
            raise ImproperlyConfigured(f"EMAIL_URL cannot be read: {error}.") from error
