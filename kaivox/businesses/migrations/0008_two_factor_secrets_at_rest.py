"""Moves TOTP seeds to an encrypted column and replaces recovery codes by their digests."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from django.db import migrations

# What AuthenticatorDevice assumes. Others, which only an administrator can have added, stay with
# django-otp.
STANDARD = {"step": 30, "t0": 0, "digits": 6}
OLD_CODE_LENGTH = 8
COPIED = (
    "user_id",
    "name",
    "confirmed",
    "drift",
    "last_t",
    "created_at",
    "last_used_at",
    "throttling_failure_timestamp",
    "throttling_failure_count",
)


def protect(apps: Any, editor: Any) -> None:
    old, new = _device_models(apps)
    for device in old.objects.filter(**STANDARD):
        _copy(device, new, seed=device.key)
        device.delete()
    for token in apps.get_model("otp_static", "StaticToken").objects.all():
        if len(token.token) == OLD_CODE_LENGTH:
            digest = hashlib.sha256(token.token.encode()).digest()
            token.token = base64.b32encode(digest).decode()[:16].lower()
            token.save()


def restore(apps: Any, editor: Any) -> None:
    """Moves the seeds back. Recovery codes cannot be restored from their digests."""
    old, new = _device_models(apps)
    for device in new.objects.all():
        _copy(device, old, key=device.seed)
        device.delete()


def _device_models(apps: Any) -> tuple[Any, Any]:
    return (
        apps.get_model("otp_totp", "TOTPDevice"),
        apps.get_model("businesses", "AuthenticatorDevice"),
    )


def _copy(device: Any, model: Any, **secret: str) -> None:
    model.objects.create(**{name: getattr(device, name) for name in COPIED}, **secret)


class Migration(migrations.Migration):
    dependencies = [
        ("businesses", "0007_two_factor_devices"),
        ("otp_totp", "0003_add_timestamps"),
        ("otp_static", "0003_add_timestamps"),
    ]

    operations = [migrations.RunPython(protect, restore)]
