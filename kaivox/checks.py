"""System checks of the production profile, run by `manage.py check --deploy`."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

MIN_LENGTH: Final = 50
MIN_DISTINCT: Final = 10


@register(Tags.security, deploy=True)
def production_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Errors of the production profile. The embedded profile is for local use and has none."""
    if settings.EMBEDDED:
        return []
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(
            Error(
                "DEBUG is on: error pages show settings and data.",
                hint="Set DEBUG=0.",
                id="kaivox.E001",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error(
                "ALLOWED_HOSTS is *: links in mail and responses follow any Host header.",
                hint="List the host names of this installation.",
                id="kaivox.E002",
            )
        )
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if any(is_weak(key) for key in keys):
        found.append(
            Error(
                "SECRET_KEY, or one of SECRET_KEY_FALLBACKS, can be guessed: it encrypts stored "
                "secrets and signs sessions.",
                hint='Generate one: python -c "import secrets; print(secrets.token_urlsafe(64))"',
                id="kaivox.E003",
            )
        )
    return found


def is_weak(key: str) -> bool:
    """Whether `key` is short, has few distinct characters, or is one that startproject generated."""
    return (
        len(key) < MIN_LENGTH or len(set(key)) < MIN_DISTINCT or key.startswith("django-insecure-")
    )
