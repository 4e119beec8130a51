"""What `manage.py up` makes at the first start, once: the demo, an administrator, two API keys."""

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

from kaivox.businesses import keys
from kaivox.businesses.models import ApiKey, Business
from kaivox.businesses.operations import issue_api_key
from kaivox.demo.catalogue import PEAK_GYMS, SMILE_DENTAL, STUDIO_NINE
from kaivox.demo.fill import fill_demo

ADMINISTRATOR: Final = "admin"
KEY_NAME: Final = "make up"
_SHOWN: Final = (SMILE_DENTAL.slug, STUDIO_NINE.slug, PEAK_GYMS.slug)


def fill_demo_once(*, now: datetime) -> None:
    """Fills a database without any business; one that has businesses is nobody's playground."""
    if not Business.objects.exists():
        fill_demo(now=now)


def make_administrator() -> str | None:
    """The password of the new administrator; None where there is one already."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(username=ADMINISTRATOR, email="", password=password)
    return password


def demo_keys(*, now: datetime) -> dict[str, str]:
    """A working key of each demo business that exists, by slug.

    Only digests are in the database; these keys of made-up businesses are kept readable beside it,
    for this user alone, so that every start can show them.
    """
    path = settings.VAR / "up-keys.json"
    kept = _read(path)
    businesses = Business.objects.filter(slug__in=_SHOWN)
    found = {one.slug: _kept_or_new(one, kept.get(one.slug, ""), now) for one in businesses}
    if found != kept:
        _write(path, found)
    return found


def _kept_or_new(business: Business, kept: str, now: datetime) -> str:
    known = ApiKey.objects.live(now).for_business(business).filter(digest=keys.digest_of(kept))
    if known.exists():
        return kept
    return issue_api_key(business_id=business.pk, name=KEY_NAME, now=now).secret


def _read(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    pairs = kept.items() if isinstance(kept, dict) else ()
    return {slug: key for slug, key in pairs if isinstance(key, str)}


def _write(path: Path, found: Mapping[str, str]) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(found, file)
