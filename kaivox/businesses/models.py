"""The tenant (Business), its people (Membership), its keys (ApiKey), and who changed what.

Whatever decides about a call — a business, a key — leaves a mark when it is saved, deleted or
updated in bulk (`marks`), so that web processes may remember keys.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from kaivox.businesses.marking import MarkingModel, MarkingQuerySet
from kaivox.businesses.marks import leave_rows_mark
from kaivox.businesses.scopes import ALL_SCOPES

# As browsers send it: lower case, without a path.
ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")


class Plan(models.TextChoices):
    STARTER = "starter"
    PRO = "pro"
    ENTERPRISE = "enterprise"


def check_timezone(name: str) -> None:
    """Raises ValidationError where `name` is no IANA time zone."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            "%(name)s is not an IANA time zone such as Asia/Kolkata.", params={"name": name}
        )


def check_origins(origins: object) -> None:
    """Raises ValidationError where one of `origins` is no origin (RFC 6454: scheme, host, port)."""
    if not isinstance(origins, list):
        raise ValidationError("Write a list of origins.")
    for origin in origins:
        if not isinstance(origin, str) or not ORIGIN.fullmatch(origin):
            raise ValidationError(
                "%(origin)s is no origin such as https://book.example.com.",
                params={"origin": origin},
            )


class Business(MarkingModel):
    """A tenant: one clinic, salon, gym or restaurant. Everything else belongs to one."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    timezone = models.CharField(max_length=60, validators=[check_timezone])
    country = models.CharField(
        max_length=2,
        validators=[RegexValidator(r"^[A-Z]{2}$", "Two capital letters (ISO 3166), such as IN.")],
        help_text="Phone numbers without a country code are read as of this country.",
    )
    currency = models.CharField(
        max_length=3,
        validators=[
            RegexValidator(r"^[A-Z]{3}$", "Three capital letters (ISO 4217), such as INR.")
        ],
    )
    contact_email = models.EmailField(blank=True, help_text="Gets notices of quotas and webhooks.")
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
        default=0, validators=[MaxValueValidator(525_600)]
    )
    horizon_days = models.PositiveSmallIntegerField(
        default=365, validators=[MinValueValidator(1), MaxValueValidator(1825)]
    )
    daily_cap_per_staff = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="At most so many appointments a day for one member of staff.",
    )

    transcript_retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Empty: transcripts are kept.",
    )
    mask_transcripts = models.BooleanField(
        default=True, help_text="Mask card numbers and e-mail addresses in transcripts."
    )

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MarkingQuerySet.as_manager()

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
                {"horizon_days": "Shorter than the minimum notice: nothing could be booked."}
            )

    def marked_business_id(self) -> int:
        return self.pk

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class BusinessQuerySet(models.QuerySet[Any]):
    """Of every model that belongs to a business."""

    def for_business(self, business: Business | int) -> Self:
        """Only the rows of `business` (or of the business with that id)."""
        return self.filter(business_id=business if isinstance(business, int) else business.pk)

    def update(self, **values: Any) -> int:
        """Moves `updated_at` along, as `save` does: whoever follows `updated_since` must see it.
        Taken here and not handed in, for it must not be older than the transaction."""
        if "updated_at" not in values and _has_updated_at(self.model):
            values["updated_at"] = timezone.now()
        return super().update(**values)


def _has_updated_at(model: type[models.Model]) -> bool:
    return any(field.name == "updated_at" for field in model._meta.concrete_fields)


class BusinessOwned(models.Model):
    """Base of every row that belongs to one business."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class ShownQuerySet(BusinessQuerySet):
    """Bulk changes of the rows that `ShownRow` watches one by one."""

    def update(self, **values: Any) -> int:
        changed = self._businesses()
        count = super().update(**values)
        _rows_changed(changed)
        return count

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        made = super().bulk_create(objs, *args, **kwargs)
        _rows_changed({row.business_id for row in made})
        return made

    def delete(self) -> tuple[int, dict[str, int]]:
        changed = self._businesses()
        deleted = super().delete()
        _rows_changed(changed)
        return deleted

    def _businesses(self) -> set[int]:
        if not settings.REDIS_URL:
            return set()
        return set(self.order_by().values_list("business_id", flat=True).distinct())


class ShownRow(BusinessOwned):
    """A row from which answers are made that may be spared (`kaivox.api.unchanged`): each change of
    it leaves a mark for all processes."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        leave_rows_mark(self.business_id)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        deleted = super().delete(*args, **kwargs)
        leave_rows_mark(self.business_id)
        return deleted


def _rows_changed(business_ids: Iterable[int]) -> None:
    for business_id in business_ids:
        leave_rows_mark(business_id)


class Role(models.TextChoices):
    OWNER = "owner"
    STAFF = "staff"
    ANALYST = "analyst", "analyst (reads only)"


class Membership(models.Model):
    """Which businesses a person of the admin sees. An agency's people have several."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=8, choices=Role, default=Role.STAFF)
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


def all_scopes() -> list[str]:
    return list(ALL_SCOPES)


class MarkingOwnedQuerySet(MarkingQuerySet, BusinessQuerySet):  # type: ignore[override]
    """Of rows that belong to a business and decide about its calls."""

    business_column = "business_id"


class ApiKeyQuerySet(MarkingOwnedQuerySet):  # type: ignore[override]
    def live(self, now: datetime) -> Self:
        """Keys that open the door at `now`: neither revoked nor expired."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            Q(revoked_at__isnull=True) | Q(revoked_at__gt=now),
        )


class ApiKey(MarkingModel, BusinessOwned):
    """A secret that speaks for a business. Only its SHA-256 is kept; see `keys`."""

    name = models.CharField(max_length=120)
    # By which it is looked up. No secret: 47 of its 190 bits of chance.
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=all_scopes)
    allowed_cidrs = models.JSONField(
        default=list, blank=True, help_text='Empty: from anywhere. Else like ["203.0.113.0/24"].'
    )
    query_allowed = models.BooleanField(
        "accepted as ?api_key=", default=True, help_text="Off: only in a header."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    # In the future while a rotated key lives out its grace.
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

    def marked_business_id(self) -> int:
        return self.business_id

    def is_revoked(self, now: datetime) -> bool:
        return self.revoked_at is not None and self.revoked_at <= now

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class AuditQuerySet(BusinessQuerySet):
    def update(self, **values: Any) -> int:
        raise TypeError("Audit entries are written once.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit entries are kept.")


class AuditEntry(models.Model):
    """Who changed what, and when. Written once, by `audit.record_audit`; outlives what it tells of,
    so its references are not enforced and names are copied."""

    business = models.ForeignKey(
        Business, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
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
            raise TypeError("Audit entries are written once.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("Audit entries are kept.")
