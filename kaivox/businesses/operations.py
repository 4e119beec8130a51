"""State changes of businesses and API keys. Each writes an audit entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from kaivox.api.values import problem_of_name
from kaivox.businesses.audit import record_audit
from kaivox.businesses.auth import key_format
from kaivox.businesses.auth.scopes import ALL_SCOPES
from kaivox.businesses.denormalized_names import touch_later
from kaivox.businesses.key_changes import key_changed, key_replaced
from kaivox.businesses.key_settings import check_key_settings
from kaivox.businesses.models import ApiKey, Business, Membership, Role
from kaivox.businesses.security_notices import notify_owners
from kaivox.db.transactions import atomic_write
from kaivox.errors import Conflict, Invalid, NotFound
from kaivox.registry import Registry

# Functions `(*, business, now)` that fill a new sandbox with demo data.
sandbox_seeders: Final[Registry[Callable[..., object]]] = Registry("demo data of sandboxes")
# Functions `(*, business, now)` that delete the data of a sandbox.
sandbox_wipers: Final[Registry[Callable[..., object]]] = Registry("deletion of sandboxes' data")
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
    "reminder_hours",
    "transcript_retention_days",
    "mask_transcripts",
)
KEY_SETTINGS: Final = ("name", "scopes", "allowed_cidrs", "query_allowed", "expires_at")


class KeyAlreadyRevoked(Conflict):
    code = "key_revoked"
    message = "This key has already been revoked or rotated."


class KeyAlreadyExpired(Conflict):
    message = "This key has expired, and a new one would expire with it. Issue another key."


class SandboxExists(Conflict):
    code = "sandbox_exists"
    message = "This business already has a sandbox."


class IssuedKey(NamedTuple):
    """A new key. `secret` is not stored, so it can be shown only now."""

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
    """Creates a business with the settings `values`; `owner` becomes its owner. Raises Invalid."""
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
        if {"timezone", "currency"} & set(changes):
            touch_later(business)
        _audit(business, actor, "business.changed", business, changes, now=now)
    if "contact_email" in changes:
        former, address = changes["contact_email"]
        notify_owners(
            business=business,
            subject="The contact address for notices from KaiVox has changed",
            text=f"Address before: {former or 'none'}\nAddress now: {address or 'none'}",
            now=now,
            also=former,
        )
    return business


@atomic_write
def change_plan(
    *, business_id: int, plan: str, actor: User | None = None, now: datetime
) -> Business:
    """Changes the plan; its quota applies from the next request on. Raises Invalid."""
    business = _lock_business(business_id)
    changes = _apply(business, {"plan": plan}, allowed=("plan",))
    if changes:
        _save_clean(business)
        _audit(business, actor, "business.plan_changed", business, changes, now=now)
    return business


@atomic_write
def suspend_business(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """Requests with its keys get 403 from now on. Idempotent."""
    business = _lock_business(business_id)
    if not business.is_suspended:
        business.suspended_at = now
        business.save(update_fields=["suspended_at", "updated_at"])
        _audit(business, actor, "business.suspended", business, now=now)
    return business


@atomic_write
def reopen_business(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """Ends a suspension. Idempotent."""
    business = _lock_business(business_id)
    if business.is_suspended:
        business.suspended_at = None
        business.save(update_fields=["suspended_at", "updated_at"])
        _audit(business, actor, "business.reopened", business, now=now)
    return business


@atomic_write
def create_sandbox(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """Creates a sandbox: a business with the same settings and members, demo data, `kv_test_` keys
    and webhooks with `"livemode": false`. Raises SandboxExists; Invalid for a sandbox."""
    business = _lock_business(business_id)
    if business.sandbox_of_id is not None:
        raise Invalid("A sandbox cannot have a sandbox.")
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
    for seed in sandbox_seeders.all():
        seed(business=sandbox, now=now)
    _audit(business, actor, "business.sandbox_created", sandbox, now=now)
    return sandbox


@atomic_write
def reset_sandbox(*, business_id: int, actor: User | None = None, now: datetime) -> Business:
    """Replaces the data of the sandbox of the business `business_id` by new demo data; its API keys,
    endpoints and members stay. Raises NotFound without a sandbox."""
    sandbox = Business.objects.select_for_update(no_key=True).filter(sandbox_of=business_id).first()
    if sandbox is None:
        raise NotFound
    for wipe in sandbox_wipers.all():
        wipe(business=sandbox, now=now)
    for seed in sandbox_seeders.all():
        seed(business=sandbox, now=now)
    _audit(sandbox, actor, "business.sandbox_reset", sandbox, now=now)
    return sandbox


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
    """Issues a key: `kv_live_…`, or `kv_test_…` for a sandbox. Raises Invalid."""
    business = _lock_business(business_id)
    key = ApiKey(
        business=business,
        name=name.strip(),
        scopes=list(scopes),
        allowed_cidrs=list(allowed_cidrs),
        query_allowed=query_allowed,
        expires_at=expires_at,
    )
    check_key_settings(key, now)
    issued = _issue(key, actor)
    _audit(business, actor, "api_key.issued", key, {"scopes": key.scopes}, now=now)
    notify_owners(
        business=business,
        subject="A new KaiVox API key was issued",
        text=f"API key: {key}\nScopes: {', '.join(key.scopes)}",
        now=now,
    )
    return issued


@atomic_write
def rotate_api_key(
    *,
    key_id: int,
    grace: timedelta = DEFAULT_GRACE,
    actor: User | None = None,
    now: datetime,
) -> IssuedKey:
    """Issues a new key with the same settings; the old one stays active for `grace` (0 to 7 days).
    Raises Invalid, KeyAlreadyRevoked, KeyAlreadyExpired."""
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise Invalid(errors={"grace": ["Between 0 and 7 days."]})
    old = _lock_key(key_id)
    if old.revoked_at is not None:
        raise KeyAlreadyRevoked
    if old.is_expired(now):
        raise KeyAlreadyExpired
    new = ApiKey(business=old.business, **{field: getattr(old, field) for field in KEY_SETTINGS})
    issued = _issue(new, actor)
    old.revoked_at = now + grace
    old.save(update_fields=["revoked_at", "updated_at"])
    key_replaced(old, new=new)
    changes = {"replaced": str(old), "old_valid_until": old.revoked_at.isoformat()}
    _audit(old.business, actor, "api_key.rotated", new, changes, now=now)
    notify_owners(
        business=old.business,
        subject="A KaiVox API key was replaced",
        text=f"New API key: {new}\nIt replaces: {old}",
        now=now,
    )
    return issued


@atomic_write
def revoke_api_key(*, key_id: int, actor: User | None = None, now: datetime) -> ApiKey:
    """Revokes a key for the next request, also during its grace period. Idempotent."""
    key = _lock_key(key_id)
    if not key.is_revoked(now):
        key.revoked_at = now
        key.save(update_fields=["revoked_at", "updated_at"])
        key_changed(key, now=now)
        _audit(key.business, actor, "api_key.revoked", key, now=now)
    return key


@atomic_write
def change_api_key(
    *, key_id: int, actor: User | None = None, now: datetime, **values: Any
) -> ApiKey:
    """Changes settings of a key (`KEY_SETTINGS`). Raises Invalid, KeyAlreadyRevoked."""
    key = _lock_key(key_id)
    if key.is_revoked(now):
        raise KeyAlreadyRevoked
    changes = _apply(key, values, allowed=KEY_SETTINGS)
    if changes:
        check_key_settings(key, now, expiry="expires_at" in changes)
        key.save()
        key_changed(key, now=now)
        _audit(key.business, actor, "api_key.changed", key, changes, now=now)
    return key


def record_key_use(*, key: ApiKey, address: str, now: datetime) -> bool:
    """Records when and from where a key was used, at most once a minute. Returns whether it wrote."""
    minute_ago = now - timedelta(minutes=1)
    # Not the default manager, whose `update` sets `updated_at`: the key itself did not change.
    stale = ApiKey._base_manager.filter(pk=key.pk).exclude(last_used_at__gt=minute_ago)
    return stale.update(last_used_at=now, last_used_address=address) == 1


# --- Parts -----------------------------------------------------------------------------------


def _lock_business(business_id: int) -> Business:
    """Locks the business row: changes to it and to its keys are serialized."""
    rows = Business.objects.select_for_update(no_key=True)
    locked: Business | None = rows.filter(pk=business_id).first()
    if locked is None:
        raise NotFound
    return locked


def _lock_key(key_id: int) -> ApiKey:
    """Locks the key row: of two rotations at once the second fails."""
    rows = ApiKey.objects.select_for_update(no_key=True, of=("self",))
    locked: ApiKey | None = rows.select_related("business").filter(pk=key_id).first()
    if locked is None:
        raise NotFound
    return locked


def _issue(key: ApiKey, actor: User | None) -> IssuedKey:
    while True:
        secret = key_format.make_key(livemode=key.business.livemode)
        key.prefix = secret[: key_format.PREFIX_LENGTH]
        if not ApiKey.objects.filter(prefix=key.prefix).exists():
            break
    key.last_four = secret[-4:]
    key.digest = key_format.digest_of(secret)
    key.issued_by = actor
    key.save()
    return IssuedKey(key, secret)


def _apply(row: Any, values: dict[str, Any], *, allowed: Iterable[str]) -> dict[str, Any]:
    """Sets `values`. Returns the changes as {name: [before, after]}, for the audit."""
    unknown = set(values) - set(allowed)
    if unknown:
        raise TypeError(f"Cannot be changed here: {', '.join(sorted(unknown))}")
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
    if row.name and (problem := problem_of_name(row.name)):
        raise Invalid(errors={"name": [problem]})
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
