"""Initial data of `manage.py up`: the demo businesses, an administrator, and API keys of the demo."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model

from kaivox.businesses.auth import key_format
from kaivox.businesses.models import ApiKey, Business
from kaivox.businesses.operations import issue_api_key
from kaivox.demo.catalogue import BUSINESSES
from kaivox.demo.seed import seed_demo

ADMINISTRATOR: Final = "admin"
KEY_NAME: Final = "Demo"


def seed_demo_once(*, now: datetime) -> None:
    """Seeds the demo into a database without any business, so that real data is never mixed with it."""
    if not Business.objects.exists():
        seed_demo(now=now)


def make_administrator() -> str | None:
    """Creates an administrator and returns the password; None where there is a superuser already."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(username=ADMINISTRATOR, email="", password=password)
    return password


def demo_keys(*, now: datetime) -> dict[str, str]:
    """A valid key of each demo business that exists, by slug.

    The database has only digests. The keys of the demo are stored in plain text beside it, with mode
    0600, so that every start can print them.
    """
    path = settings.DATA_DIR / "up-keys.json"
    stored = _read(path)
    businesses = Business.objects.filter(slug__in=[demo.slug for demo in BUSINESSES])
    keys = {one.slug: _valid_or_new(one, stored.get(one.slug, ""), now) for one in businesses}
    if keys != stored:
        _write(path, keys)
    return keys


def _valid_or_new(business: Business, stored: str, now: datetime) -> str:
    valid = (
        ApiKey.objects.live(now).for_business(business).filter(digest=key_format.digest_of(stored))
    )
    if valid.exists():
        return stored
    return issue_api_key(business_id=business.pk, name=KEY_NAME, now=now).secret


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    pairs = stored.items() if isinstance(stored, dict) else ()
    return {slug: key for slug, key in pairs if isinstance(key, str)}


def _write(path: Path, keys: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)  # open() applies the mode only to a new file
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(keys, file)
