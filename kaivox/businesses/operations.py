"""All that changes a business, its people or its keys. Each leaves a row of audit."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.module_loading import import_string

from kaivox.businesses import keys
from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import ApiKey, Business, Membership, Role
from kaivox.businesses.scopes import ALL_SCOPES
from kaivox.businesses.write_lock import atomic_write
from kaivox.errors import Conflict, Invalid, NotFound

DEFAULT_GRACE: Final = timedelta(days=1)
LONGEST_GRACE: Final = timedelta(days=7)

# What `change_business` may change. Plan and suspension have operations of their own.
BUSINESS_SETTINGS: Final = (
    "name",
    "timezone",
    "country",
    "currency",
    "contact_email",
    "cors_origins",
    "slot_interval_minutes",
    "minimum_notice_minutes",
    "horizon_days",
    "daily_cap_per_staff",
    "transcript_retention_days",
    "mask_transcripts",
)
KEY_SETTINGS: Final = ("name", "scopes", "allowed_cidrs", "query_allowed", "expires_at")


class KeyAlreadyRevoked(Conflict):
    code = "key_revoked"
    message = "This key is revoked, or being replaced, already."


class SandboxExists(Conflict):
    code = "sandbox_exists"
    message = "This business has a sandbox already."


class IssuedKey(NamedTuple):
    """A new key; `secret` is in no table and can be shown this once."""

    key: ApiKey
    secret: str


# --- Businesses ------------------------------------------------------------------------------


@atomic_write
def create_business(
    *,
    owner: User | None = None,
    actor: User | None = None,
    now: datetime,
    **values: Any,
) -> Business:
    """A business with the settings `values`; `owner` becomes its member. Raises Invalid."""
    business = Business(**values)
    _save_clean(business)
    if owner is not None:
        Membership.objects.create(business=business, user=owner, role=Role.OWNER)
    _audit(business, actor, "business.created", business, now=now)
    return business


@atomic_write
def change_business(
    *, business_id: int, actor: User | None = None, now: datetime, **values: Any
) -> Business:
    """Changes settings (`BUSINESS_SETTINGS`). Raises Invalid."""
    business = _lock_business(business_id)
    changes = _apply(business, values, allowed=BUSINESS_SETTINGS)
    if changes:
        _save_clean(business)
        _audit(business, actor, "business.changed", business, changes, now=now)
    return business


@atomic_write
def change_plan(
    *, business_id: int, plan: str, actor: User | None = None, now: datetime
) -> Business:
    """Another plan, with its quota from the next request on. Raises Invalid."""
    business = _lock_business(business_id)
    changes = _apply(business, {"plan": plan}, allowed=("plan",))
    if changes:
        _save_clean(business)
        _audit(business, actor, "business.plan_changed", business, changes, now=now)
    return business


@atomic_write
def suspend_business(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """Its keys are answered 403 from the next request on. Again: nothing happens."""
    business = _lock_business(business_id)
    if not business.is_suspended:
        business.suspended_at = now
        business.save(update_fields=["suspended_at", "updated_at"])
        _audit(business, actor, "business.suspended", business, now=now)
    return business


@atomic_write
def reopen_business(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """Ends a suspension. Again: nothing happens."""
    business = _lock_business(business_id)
    if business.is_suspended:
        business.suspended_at = None
        business.save(update_fields=["suspended_at", "updated_at"])
        _audit(business, actor, "business.reopened", business, now=now)
    return business


@atomic_write
def create_sandbox(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """A twin with the same settings, people and demo data, for `kv_test_` keys and webhooks with
    `"livemode": false`. Raises SandboxExists; Invalid for the sandbox of a sandbox."""
    business = _lock_business(business_id)
    if business.sandbox_of_id is not None:
        raise Invalid("A sandbox has no sandbox of its own.")
    if Business.objects.filter(sandbox_of=business).exists():
        raise SandboxExists
    sandbox = Business(
        sandbox_of=business,
        livemode=False,
        plan=business.plan,
        slug=f"{business.slug[:52]}-sandbox",
        **{name: getattr(business, name) for name in BUSINESS_SETTINGS},
    )
    sandbox.name = f"{business.name[:110]} (sandbox)"
    _save_clean(sandbox)
    Membership.objects.bulk_create(
        Membership(business=sandbox, user_id=member.user_id, role=member.role)
        for member in business.memberships.all()
    )
    if settings.SANDBOX_FILLER:
        import_string(settings.SANDBOX_FILLER)(business=sandbox, now=now)
    _audit(business, actor, "business.sandbox_created", sandbox, now=now)
    return sandbox


# --- People ----------------------------------------------------------------------------------


@atomic_write
def set_membership(
    *,
    business_id: int,
    user: User,
    role: str,
    actor: User | None = None,
    now: datetime,
) -> Membership:
    """`user` sees the business in the admin, as `role`. Raises Invalid."""
    if role not in Role.values:
        raise Invalid(errors={"role": [f"There is no role {role}."]})
    business = _lock_business(business_id)
    membership, _ = Membership.objects.update_or_create(
        business=business, user=user, defaults={"role": role}
    )
    _audit(business, actor, "membership.set", user, {"role": role}, now=now)
    return membership


@atomic_write
def end_membership(*, membership_id: int, actor: User | None = None, now: datetime) -> None:
    """The person sees the business no more. Again: nothing happens."""
    membership = Membership.objects.select_related("business", "user").filter(pk=membership_id)
    for ended in membership:
        ended.delete()
        _audit(ended.business, actor, "membership.ended", ended.user, now=now)


# --- Keys ------------------------------------------------------------------------------------


@atomic_write
def issue_api_key(
    *,
    business_id: int,
    name: str,
    scopes: Sequence[str] = ALL_SCOPES,
    allowed_cidrs: Sequence[str] = (),
    query_allowed: bool = True,
    expires_at: datetime | None = None,
    actor: User | None = None,
    now: datetime,
) -> IssuedKey:
    """A new key of the business: `kv_live_…`, or `kv_test_…` for a sandbox. Raises Invalid."""
    business = _lock_business(business_id)
    key = ApiKey(
        business=business,
        name=name.strip(),
        scopes=list(scopes),
        allowed_cidrs=list(allowed_cidrs),
        query_allowed=query_allowed,
        expires_at=expires_at,
    )
    _check_key(key, now)
    issued = _issue(key, actor)
    _audit(business, actor, "api_key.issued", key, {"scopes": key.scopes}, now=now)
    return issued


@atomic_write
def rotate_api_key(
    *,
    key_id: int,
    grace: timedelta = DEFAULT_GRACE,
    actor: User | None = None,
    now: datetime,
) -> IssuedKey:
    """Another key in its place, with the same settings; the old one is valid for `grace` more
    (0 to 7 days). Raises Invalid, KeyAlreadyRevoked."""
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise Invalid(errors={"grace": ["Between 0 and 7 days."]})
    old = _lock_key(key_id)
    if old.revoked_at is not None:
        raise KeyAlreadyRevoked
    new = ApiKey(business=old.business, **{field: getattr(old, field) for field in KEY_SETTINGS})
    issued = _issue(new, actor)
    old.revoked_at = now + grace
    old.save(update_fields=["revoked_at", "updated_at"])
    changes = {"replaced": str(old), "old_valid_until": old.revoked_at.isoformat()}
    _audit(old.business, actor, "api_key.rotated", new, changes, now=now)
    return issued


@atomic_write
def revoke_api_key(*, key_id: int, actor: User | None = None, now: datetime) -> ApiKey:
    """The key is invalid from the next request on, in its grace too. Again: nothing happens."""
    key = _lock_key(key_id)
    if not key.is_revoked(now):
        key.revoked_at = now
        key.save(update_fields=["revoked_at", "updated_at"])
        _audit(key.business, actor, "api_key.revoked", key, now=now)
    return key


@atomic_write
def change_api_key(
    *, key_id: int, actor: User | None = None, now: datetime, **values: Any
) -> ApiKey:
    """Narrows or widens a key (`KEY_SETTINGS`). Raises Invalid, KeyAlreadyRevoked."""
    key = _lock_key(key_id)
    if key.is_revoked(now):
        raise KeyAlreadyRevoked
    changes = _apply(key, values, allowed=KEY_SETTINGS)
    if changes:
        _check_key(key, now, expiry="expires_at" in changes)
        key.save()
        _audit(key.business, actor, "api_key.changed", key, changes, now=now)
    return key


def note_use(*, key: ApiKey, address: str, now: datetime) -> bool:
    """Keeps when and from where a key was used, at most once a minute; whether it wrote.

    Leaves no mark: nothing that decides about calls has changed.
    """
    minute_ago = now - timedelta(minutes=1)
    stale = ApiKey._base_manager.filter(pk=key.pk).exclude(last_used_at__gt=minute_ago)
    return stale.update(last_used_at=now, last_used_address=address) == 1


# --- Parts -----------------------------------------------------------------------------------


def _lock_business(business_id: int) -> Business:
    """Locks the business: changes to it and to its keys queue here."""
    rows = Business.objects.select_for_update(no_key=True)
    locked: Business | None = rows.filter(pk=business_id).first()
    if locked is None:
        raise NotFound
    return locked


def _lock_key(key_id: int) -> ApiKey:
    """Locks the key, and with it its place: of two rotations at once one comes second."""
    rows = ApiKey.objects.select_for_update(no_key=True, of=("self",))
    locked: ApiKey | None = rows.select_related("business").filter(pk=key_id).first()
    if locked is None:
        raise NotFound
    return locked


def _issue(key: ApiKey, actor: User | None) -> IssuedKey:
    while True:
        secret = keys.make_key(livemode=key.business.livemode)
        key.prefix = secret[: keys.PREFIX_LENGTH]
        if not ApiKey.objects.filter(prefix=key.prefix).exists():
            break
    key.last_four = secret[-4:]
    key.digest = keys.digest_of(secret)
    key.issued_by = actor
    key.save()
    return IssuedKey(key, secret)


def _check_key(key: ApiKey, now: datetime, *, expiry: bool = True) -> None:
    errors: dict[str, list[str]] = {}
    if not key.name or len(key.name) > 120:
        errors["name"] = ["Between 1 and 120 characters."]
    unknown = [scope for scope in key.scopes if scope not in ALL_SCOPES]
    if unknown:
        errors["scopes"] = [f"There is no scope {scope}." for scope in unknown]
    elif not key.scopes:
        errors["scopes"] = ["At least one scope."]
    wrong = [cidr for cidr in key.allowed_cidrs if not _is_network(cidr)]
    if wrong:
        errors["allowed_cidrs"] = [f"{cidr} is no block such as 203.0.113.0/24." for cidr in wrong]
    if expiry and key.is_expired(now):
        errors["expires_at"] = ["This is in the past."]
    if errors:
        raise Invalid(errors=errors)


def _is_network(cidr: object) -> bool:
    try:
        ipaddress.ip_network(str(cidr))
    except ValueError:
        return False
    return isinstance(cidr, str)


def _apply(row: Any, values: dict[str, Any], *, allowed: Iterable[str]) -> dict[str, Any]:
    """Sets `values`; what changed, as the audit shows it."""
    unknown = set(values) - set(allowed)
    if unknown:
        raise TypeError(f"Not to be changed here: {', '.join(sorted(unknown))}")
    changes = {}
    for name, value in values.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            changes[name] = [_shown(before), _shown(value)]
    return changes


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _save_clean(row: Business) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise Invalid(errors=error.message_dict) from error
    row.save()


def _audit(
    business: Business,
    actor: User | None,
    action: str,
    subject: object,
    changes: dict[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    record_audit(
        business=business, actor=actor, action=action, subject=subject, changes=changes, now=now
    )
