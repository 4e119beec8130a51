"""What is kept of quotas: daily totals, other quotas agreed with a business, and letters."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.template.loader import render_to_string

from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write, write_transaction
from kaivox.errors import Invalid, NotFound
from ratelimits.models import DailyUsage, QuotaOverride
from ratelimits.stores import current_window, date_of, number_of, of_business
from ratelimits.throttling import quota_of
from ratelimits.window import DayUsage, Window

logger = logging.getLogger(__name__)

# Months of daily totals that are kept: this one of last year can be compared.
KEPT_DAYS: Final = 13 * 31
WARN_AT_PERCENT: Final = (80, 100)

_AT_ONCE: Final = 500


# --- Daily totals ----------------------------------------------------------------------------


def write_down_usage(*, now: datetime, window: Window | None = None) -> int:
    """Copies what the store counts into `DailyUsage`; returns how many rows changed.

    May run at any time and twice at once: totals only grow. Figures of days that are over are
    then dropped from the store.
    """
    window = window or current_window()
    changed = 0
    business_ids = list(Business.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(business_ids), _AT_ONCE):
        chunk = business_ids[start : start + _AT_ONCE]
        usage = window.usage([of_business(business_id) for business_id in chunk])
        by_id = {business_id: usage[of_business(business_id)] for business_id in chunk}
        changed += _write_down({key: days for key, days in by_id.items() if days})
        window.forget_days(
            [subject for subject, days in usage.items() if days], before=number_of(now.date()) - 1
        )
    return changed


def _write_down(usage: Mapping[int, Sequence[DayUsage]]) -> int:
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
    """The row as it should be, or None where it is so already. Never less than before: a store
    that lost its memory starts again from nothing."""
    if row is None:
        row = DailyUsage(business_id=business_id, day=date_of(day.day))
    before = (row.admitted, row.refused, row.peak_minute)
    row.admitted = max(row.admitted, day.admitted)
    row.refused = max(row.refused, day.refused)
    row.peak_minute = max(row.peak_minute, day.peak_minute)
    return None if before == (row.admitted, row.refused, row.peak_minute) else row


def prune_usage(*, now: datetime) -> int:
    """Drops totals older than 13 months."""
    oldest = now.date() - timedelta(days=KEPT_DAYS)
    return DailyUsage.objects.filter(day__lt=oldest).delete()[0]


# --- Letters ---------------------------------------------------------------------------------


def warn_businesses(*, now: datetime) -> int:
    """Writes to those whose day is used up to 80 % or 100 %, once each a day; how many letters."""
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
    # Whoever sets the figure writes the letter: of two tasks at once only one does.
    unwarned = DailyUsage.objects.filter(pk=row.pk, warned_at_percent=row.warned_at_percent)
    if not row.business.contact_email or not unwarned.update(warned_at_percent=percent):
        return False
    context = {"business": row.business, "usage": row, "percent": percent}
    context |= {"quota": quota_of(row.business, now), "public_url": settings.PUBLIC_URL}
    try:
        send_mail(
            f"{row.business}: {percent} % of today's API quota is used",
            render_to_string("ratelimits/quota_letter.txt", context),
            settings.DEFAULT_FROM_EMAIL,
            [row.business.contact_email],
        )
    except OSError:  # of which all errors of smtplib are
        logger.warning("The letter to business %s was not sent", row.business_id, exc_info=True)
        DailyUsage.objects.filter(pk=row.pk).update(warned_at_percent=row.warned_at_percent)
        return False
    return True


# --- Other quotas ----------------------------------------------------------------------------


@atomic_write
def agree_quota(
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
def end_agreed_quota(*, business_id: int, actor: User | None = None, now: datetime) -> None:
    """The plan's quota holds again. Again: nothing happens."""
    override = QuotaOverride.objects.select_related("business").filter(business=business_id).first()
    if override is not None:
        business = override.business
        override.delete()
        record_audit(
            business=business, actor=actor, action="quota.ended", subject=business, now=now
        )
