"""Operations on quotas: storing daily usage, quota warnings by e-mail, and quota overrides."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string

from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business
from kaivox.db.transactions import atomic_write, write_transaction
from kaivox.errors import Invalid, NotFound
from kaivox.mail import send_plain_mail
from ratelimits.backends import current_limiter, date_of, number_of, of_business
from ratelimits.limiter import DayUsage, RateLimiter
from ratelimits.models import DailyUsage, QuotaOverride
from ratelimits.throttling import quota_of

logger = logging.getLogger(__name__)

# Thirteen months of daily usage, so that a month can be compared with that of last year.
RETENTION_DAYS: Final = 13 * 31
WARN_AT_PERCENT: Final = (80, 100)

_BATCH_SIZE: Final = 500


# --- Daily totals ----------------------------------------------------------------------------


def flush_usage(*, now: datetime, limiter: RateLimiter | None = None) -> int:
    """Copies the limiter's counters into `DailyUsage`; returns how many rows changed.

    May run at any time and concurrently, because totals only grow. Counters of past days are then
    deleted from the limiter.
    """
    limiter = limiter or current_limiter()
    changed = 0
    business_ids = list(Business.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(business_ids), _BATCH_SIZE):
        chunk = business_ids[start : start + _BATCH_SIZE]
        usage = limiter.usage([of_business(business_id) for business_id in chunk])
        by_id = {business_id: usage[of_business(business_id)] for business_id in chunk}
        changed += _store({key: days for key, days in by_id.items() if days})
        limiter.discard_days(
            [subject for subject, days in usage.items() if days], before=number_of(now.date()) - 1
        )
    return changed


def _store(usage: Mapping[int, Sequence[DayUsage]]) -> int:
    if not usage:
        return 0
    first = min(date_of(days[0].day) for days in usage.values())
    with write_transaction():
        known = {
            (row.business_id, row.day): row
            for row in DailyUsage.objects.filter(business__in=usage, day__gte=first)
        }
        rows = [
            row
            for business_id, days in usage.items()
            for day in days
            if (row := _merge(known.get((business_id, date_of(day.day))), business_id, day))
        ]
        DailyUsage.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["business", "day"],
            update_fields=["admitted", "refused", "peak_minute", "updated_at"],
        )
    return len(rows)


def _merge(row: DailyUsage | None, business_id: int, day: DayUsage) -> DailyUsage | None:
    """The row with the larger of both figures, or None if nothing changes: a limiter that lost its
    state starts again from zero, and must not reduce stored totals."""
    if row is None:
        row = DailyUsage(business_id=business_id, day=date_of(day.day))
    before = (row.admitted, row.refused, row.peak_minute)
    row.admitted = max(row.admitted, day.admitted)
    row.refused = max(row.refused, day.refused)
    row.peak_minute = max(row.peak_minute, day.peak_minute)
    return None if before == (row.admitted, row.refused, row.peak_minute) else row


def prune_usage(*, now: datetime) -> int:
    """Deletes totals older than 13 months."""
    oldest = now.date() - timedelta(days=RETENTION_DAYS)
    return DailyUsage.objects.filter(day__lt=oldest).delete()[0]


# --- Warnings --------------------------------------------------------------------------------


def send_quota_warnings(*, now: datetime) -> int:
    """E-mails businesses that used 80 % or 100 % of the day, once each per day; returns how many."""
    busy = DailyUsage.objects.filter(
        day=now.date(), admitted__gt=0, warned_at_percent__lt=WARN_AT_PERCENT[-1]
    )
    reached = [
        (row, percent)
        for row in busy.select_related("business__quota_override")
        if (percent := _percent_reached(row, now)) > row.warned_at_percent
    ]
    return sum(_warn(row, percent, now) for row, percent in reached)


def _percent_reached(row: DailyUsage, now: datetime) -> int:
    quota = quota_of(row.business, now)
    used = 100 * row.admitted // (quota.per_day or row.admitted)
    return max((percent for percent in WARN_AT_PERCENT if used >= percent), default=0)


def _warn(row: DailyUsage, percent: int, now: datetime) -> bool:
    # A conditional update claims the warning, so that concurrent tasks send one e-mail.
    unwarned = DailyUsage.objects.filter(pk=row.pk, warned_at_percent=row.warned_at_percent)
    if not row.business.contact_email or not unwarned.update(warned_at_percent=percent):
        return False
    context = {"business": row.business, "usage": row, "percent": percent}
    context |= {"quota": quota_of(row.business, now), "public_url": settings.PUBLIC_URL}
    try:
        send_plain_mail(
            subject=f"{row.business}: {percent} % of today's API quota is used",
            body=render_to_string("ratelimits/quota_email.txt", context),
            recipients=[row.business.contact_email],
        )
    except OSError:  # the base of all errors of smtplib
        logger.warning(
            "The quota warning to business %s was not sent", row.business_id, exc_info=True
        )
        DailyUsage.objects.filter(pk=row.pk).update(warned_at_percent=row.warned_at_percent)
        return False
    return True


# --- Quota overrides -------------------------------------------------------------------------


@atomic_write
def set_quota_override(
    *,
    business_id: int,
    per_minute: int,
    per_day: int,
    ends_at: datetime,
    reason: str = "",
    actor: User | None = None,
    now: datetime,
) -> QuotaOverride:
    """Another quota than the plan's until `ends_at`, from the next request on; replaces the one
    before. Raises Invalid, NotFound."""
    business = Business.objects.select_for_update(no_key=True).filter(pk=business_id).first()
    if business is None:
        raise NotFound
    if ends_at <= now:
        raise Invalid(errors={"ends_at": ["This is in the past."]})
    override = QuotaOverride.objects.filter(business=business).first()
    override = override or QuotaOverride(business=business)
    override.per_minute, override.per_day = per_minute, per_day
    override.ends_at, override.reason = ends_at, reason
    try:
        override.full_clean()
    except ValidationError as error:
        raise Invalid(errors=error.message_dict) from error
    override.save()
    record_audit(
        business=business,
        actor=actor,
        action="quota.agreed",
        subject=business,
        changes={"quota": str(override), "ends_at": ends_at.isoformat(), "reason": reason},
        now=now,
    )
    return override


@atomic_write
def clear_quota_override(*, business_id: int, actor: User | None = None, now: datetime) -> None:
    """Makes the plan's quota apply again. Idempotent."""
    override = QuotaOverride.objects.select_related("business").filter(business=business_id).first()
    if override is not None:
        business = override.business
        override.delete()
        record_audit(
            business=business, actor=actor, action="quota.ended", subject=business, now=now
        )
