"""The tenant (Business), its members (Membership, Invitation), its API keys (ApiKey) and the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from kaivox.businesses.auth.devices import AuthenticatorDevice as AuthenticatorDevice
from kaivox.businesses.auth.scopes import ALL_SCOPES, has_scope
from kaivox.businesses.setting_rules import (
    LONGEST_HORIZON_DAYS,
    LONGEST_NOTICE_MINUTES,
    LONGEST_REMINDER_HOURS,
)

# Migrations import these two from here.
from kaivox.businesses.setting_rules import check_origins as check_origins
from kaivox.businesses.setting_rules import check_timezone as check_timezone
from kaivox.db import change_counters


class Plan(models.TextChoices):
    STARTER = "starter"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Business(models.Model):
    """A tenant: one clinic, salon, gym or restaurant. All other rows belong to one."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    timezone = models.CharField("time zone", max_length=60, validators=[check_timezone])
    country = models.CharField(
        max_length=2,
        validators=[RegexValidator(r"^[A-Z]{2}$", "Two capital letters (ISO 3166), such as IN.")],
        help_text="Phone numbers without a country code are read as numbers of this country.",
    )
    currency = models.CharField(
        max_length=3,
        validators=[
            RegexValidator(r"^[A-Z]{3}$", "Three capital letters (ISO 4217), such as INR.")
        ],
    )
    contact_email = models.EmailField(
        "contact e-mail", blank=True, help_text="Receives notices of quotas, webhooks and API keys."
    )
    plan = models.CharField(max_length=12, choices=Plan, default=Plan.STARTER)
    suspended_at = models.DateTimeField(null=True, blank=True)
    livemode = models.BooleanField(default=True, help_text="Off: a sandbox, with kv_test_ keys.")
    sandbox_of = models.OneToOneField(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="sandbox"
    )
    cors_origins = models.JSONField(
        default=list,
        blank=True,
        validators=[check_origins],
        help_text='Web pages that may call the API: ["https://book.example.com"].',
    )

    slot_interval_minutes = models.PositiveSmallIntegerField(
        default=15, validators=[MinValueValidator(1), MaxValueValidator(1440)]
    )
    minimum_notice_minutes = models.PositiveIntegerField(
        default=0, validators=[MaxValueValidator(LONGEST_NOTICE_MINUTES)]
    )
    horizon_days = models.PositiveSmallIntegerField(
        default=365, validators=[MinValueValidator(1), MaxValueValidator(LONGEST_HORIZON_DAYS)]
    )
    daily_cap_per_staff = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Maximum appointments per day for one staff member. Empty: no limit.",
    )
    reminder_hours = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_REMINDER_HOURS)],
        help_text="So many hours before an appointment the event appointment.reminder_due is sent to "
        "webhooks. Empty: never.",
    )

    transcript_retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Transcripts are deleted after this many days. Empty: never.",
    )
    mask_transcripts = models.BooleanField(
        default=True, help_text="Mask card numbers and e-mail addresses in transcripts."
    )

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "businesses"
        constraints = [
            models.CheckConstraint(name="business_plan_known", condition=Q(plan__in=Plan.values)),
            models.CheckConstraint(
                name="business_sandbox_is_not_live",
                condition=Q(sandbox_of__isnull=True) | Q(livemode=False),
                violation_error_message="A sandbox cannot be live.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.horizon_days * 1440 <= self.minimum_notice_minutes:
            raise ValidationError(
                {
                    "horizon_days": "Must be longer than the minimum notice, or nothing could be booked."
                }
            )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class BusinessQuerySet(models.QuerySet[Any]):
    """Base of the query sets of every model that belongs to a business."""

    def for_business(self, business: Business | int) -> Self:
        """Only the rows of `business` (or of the business with that id)."""
        return self.filter(business_id=business if isinstance(business, int) else business.pk)

    def update(self, **values: Any) -> int:
        """Also sets `updated_at`, as `save` does, so that clients polling with `updated_since` see
        the change. Not passed in: it must not be older than the transaction."""
        if "updated_at" not in values and _has_updated_at(self.model):
            values["updated_at"] = timezone.now()
        return super().update(**values)


def _has_updated_at(model: type[models.Model]) -> bool:
    return any(field.name == "updated_at" for field in model._meta.concrete_fields)


class BusinessOwned(models.Model):
    """Base of every row that belongs to one business."""

    # Without an index of its own: every table has another one that begins with it.
    business = models.ForeignKey(
        Business, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class ChangeCounter(models.Model):
    """Number of changes to the rows of one table and business: the sum over these rows. Written only
    by triggers (`kaivox.db.change_counters`)."""

    # Not a foreign key: the deletion of a business counts the deletion of its rows, too.
    business_id = models.BigIntegerField()
    table_name = models.CharField(max_length=63)
    changes = models.BigIntegerField()

    class Meta:
        db_table = change_counters.TABLE
        indexes = [models.Index("business_id", "table_name", name="changecounter_business")]

    def __str__(self) -> str:
        return f"{self.table_name} of business {self.business_id}: {self.changes:,}"


class Role(models.TextChoices):
    OWNER = "owner"
    DEVELOPER = "developer"
    STAFF = "staff", "Front desk"
    ANALYST = "analyst", "Analyst (reads only)"


class Membership(models.Model):
    """Gives a user access to a business, with a role. A user may be a member of several."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
        db_index=False,  # membership_once begins with it
    )
    role = models.CharField(max_length=12, choices=Role, default=Role.STAFF)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "business"],
                name="membership_once",
                violation_error_message="This person is a member already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.business}"


class InvitationQuerySet(BusinessQuerySet):
    def open(self, now: datetime) -> Self:
        """Invitations whose link works at `now`."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)


class Invitation(models.Model):
    """Invites the owner of an e-mail address to a business. See `kaivox.businesses.members`."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField()
    role = models.CharField(max_length=12, choices=Role)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.email} to {self.business}"

    def is_open(self, now: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at


def all_scopes() -> list[str]:
    return list(ALL_SCOPES)


class ApiKeyQuerySet(BusinessQuerySet):
    def live(self, now: datetime) -> Self:
        """Keys that are valid at `now`: neither revoked nor expired."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            Q(revoked_at__isnull=True) | Q(revoked_at__gt=now),
        )

    def for_authentication(self) -> Self:
        """With all that authentication reads: the business, its plan and its quota override."""
        return self.select_related("business__quota_override")


class ApiKey(BusinessOwned):
    """Credentials of a business. Only the SHA-256 of the key is stored; see `auth.key_format`."""

    name = models.CharField(max_length=120)
    # The look-up column. Not secret: 47 of the 190 random bits.
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=all_scopes)
    allowed_cidrs = models.JSONField(
        default=list,
        blank=True,
        help_text='Empty: any address. Otherwise such as ["203.0.113.0/24"].',
    )
    query_allowed = models.BooleanField(
        "accepted as ?api_key=", default=True, help_text="Off: accepted in a header only."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    # In the future during the grace period of a rotated key.
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_address = models.GenericIPAddressField(null=True, blank=True, editable=False)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        indexes = [models.Index("business", F("created_at").desc(), name="apikey_business")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…{self.last_four})"

    def has_scope(self, wanted: str) -> bool:
        return has_scope(self.scopes, wanted)

    @property
    def has_all_scopes(self) -> bool:
        return set(self.scopes) >= set(ALL_SCOPES)

    def is_revoked(self, now: datetime) -> bool:
        return self.revoked_at is not None and self.revoked_at <= now

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class AuditQuerySet(BusinessQuerySet):
    def update(self, **values: Any) -> int:
        raise TypeError("Audit entries cannot be changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit entries cannot be deleted.")


class AuditEntry(models.Model):
    """Who changed what, and when. Immutable, written by `audit.record_audit`. It outlives its
    subject, so its references are not enforced and names are copied."""

    business = models.ForeignKey(
        Business,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # audit_business begins with it
        related_name="+",
    )
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
    )
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    # The row whose History shows the entry; the label and id, as the row may be deleted.
    subject_type = models.CharField(max_length=100, blank=True, default="", db_default="")
    subject_id = models.BigIntegerField(null=True, blank=True)
    changes = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index("business", F("at").desc(), name="audit_business")]

    def __str__(self) -> str:
        return f"{self.action}: {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("Audit entries cannot be changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit entries cannot be deleted.")


class SecurityNotice(models.Model):
    """A queued e-mail about a security-relevant change (`security_notices`)."""

    recipient = models.EmailField()
    subject = models.CharField(max_length=300)
    body = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.subject


class PendingTouch(models.Model):
    """A change of a row whose values other rows show: see `kaivox.businesses.denormalized_names`."""

    label = models.CharField("model", max_length=100)
    object_id = models.BigIntegerField()
    # The `updated_at` of rows that were touched in the transaction of the change.
    touched_at = models.DateTimeField(null=True)
    # When the task started: rows changed since then are done.
    begun_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "pending touches"

    def __str__(self) -> str:
        return f"{self.label} {self.object_id}"
