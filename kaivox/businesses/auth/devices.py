"""Authenticator apps and recovery codes, stored so that a copy of the database reveals neither.

The TOTP seed must be readable to verify a code, so it is encrypted, unlike in django-otp's own model.
A recovery code is only compared: it has 80 random bits, and its digest is stored as django-otp's token.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.db import models, transaction
from django_otp import devices_for_user, user_has_device
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex

from kaivox.db.encrypted_fields import EncryptedTextField
from kaivox.db.transactions import advisory_lock, atomic_write

if TYPE_CHECKING:  # django-otp has no types

    class _BaseDevice(models.Model):
        user = models.ForeignKey("auth.User", on_delete=models.CASCADE)
        name = models.CharField()
        confirmed = models.BooleanField()
        objects: ClassVar[models.Manager[Any]]

        class Meta:
            abstract = True

else:

    class _BaseDevice(TimestampMixin, ThrottlingMixin, Device):
        class Meta:
            abstract = True


RECOVERY_CODES: Final = 10
_CODE_BYTES: Final = 10
# The longest that a StaticToken stores; 80 bits of the digest.
_TOKEN_LENGTH: Final = 16
_APP_CODE: Final = re.compile(r"[0-9]{6}")


class AuthenticatorDevice(_BaseDevice):
    """An authenticator app of a user (RFC 6238): django-otp's TOTPDevice with an encrypted seed."""

    seed = EncryptedTextField(default=random_hex, editable=False)
    drift = models.SmallIntegerField(default=0, editable=False)
    # The time step of the last accepted code: each code is accepted once.
    last_t = models.BigIntegerField(default=-1, editable=False)

    # What every authenticator app assumes.
    step: ClassVar[int] = 30
    t0: ClassVar[int] = 0
    digits: ClassVar[int] = 6
    tolerance: ClassVar[int] = 1

    # The algorithm is django-otp's; only where the seed comes from differs.
    verify_token = TOTPDevice.verify_token
    get_throttle_factor = TOTPDevice.get_throttle_factor
    config_url = TOTPDevice.config_url
    _read_str_from_settings = TOTPDevice._read_str_from_settings

    class Meta:
        verbose_name = "authenticator app"

    @property
    def bin_key(self) -> bytes:
        """The seed. Raises DecryptionError."""
        return bytes.fromhex(str(self.seed))


@atomic_write
def device_to_set_up(user: Any) -> AuthenticatorDevice:
    """The authenticator app that `user` has not confirmed yet: the same one on every page that is open."""
    advisory_lock("authenticator", user.pk)
    device, _ = AuthenticatorDevice.objects.get_or_create(
        user=user, confirmed=False, defaults={"name": "Authenticator app"}
    )
    return device


class AlreadySetUp(Exception):
    """The user has a confirmed device."""


@atomic_write
def confirm_device(user: Any, code: str) -> tuple[AuthenticatorDevice, list[str]] | None:
    """Confirms the authenticator app that `user` sets up: the device and new recovery codes, or None where
    `code` is not its own. Raises AlreadySetUp, so that of two requests only one makes recovery codes, and
    DecryptionError."""
    advisory_lock("authenticator", user.pk)
    if user_has_device(user):
        raise AlreadySetUp
    device = device_to_set_up(user)
    if not device.verify_token(code.replace(" ", "")):
        return None
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    return device, new_recovery_codes(user)


def new_recovery_codes(user: Any) -> list[str]:
    """Replaces the recovery codes of `user`. The codes are returned and not stored."""
    device, _ = StaticDevice.objects.get_or_create(user=user, name="Recovery codes")
    device.token_set.all().delete()
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    device.token_set.bulk_create(
        StaticToken(device=device, token=recovery_token(code)) for code in codes
    )
    return codes


@transaction.atomic
def verify_code(user: Any, code: str) -> Any:
    """The confirmed device of `user` that accepts `code`, of an app or for recovery; None if none does.

    Raises DecryptionError. Unlike django-otp's `match_token` it tries only devices of the kind of the
    code: a device counts every code that it rejects as a guess, and slows down the next one.
    """
    # Apps show their codes with a space in the middle.
    typed = re.sub(r"[\s-]", "", code).lower()
    is_app_code = _APP_CODE.fullmatch(typed) is not None
    token = typed if is_app_code else recovery_token(typed)
    for device in devices_for_user(user, for_verify=True):
        if isinstance(device, StaticDevice) != is_app_code and device.verify_token(token):
            return device
    return None


def recovery_token(code: str) -> str:
    """The digest of a recovery code, without its hyphens, as it is stored."""
    digest = hashlib.sha256(code.replace("-", "").encode()).digest()
    return base64.b32encode(digest).decode()[:_TOKEN_LENGTH].lower()


def _new_code() -> str:
    """16 base32 characters in four groups."""
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
