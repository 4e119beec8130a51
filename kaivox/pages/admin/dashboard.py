"""Dashboard on the admin's index page: charts of thirty days, and what needs attention.

Limited to the businesses of the logged-in user. Cached for a minute per set of businesses, as
counting a month of a large table is expensive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from appointments.models import Appointment
from appointments.outside_hours import outside_hours
from calls.models import Call, CallStatus, ProviderMessage
from kaivox.admin.base import roles_of
from kaivox.admin.charts import Bar, bar_chart
from kaivox.admin.columns import local_time
from kaivox.businesses.models import Business
from ratelimits.models import DailyUsage
from ratelimits.throttling import quota_of
from staff.models import BusyCalendar
from webhooks.models import DISABLED_AUTOMATICALLY, Delivery, DeliveryStatus, Endpoint

DAYS: Final = 30
AHEAD_DAYS: Final = 14
MAX_LINES: Final = 8
MAX_BUSINESSES: Final = 50
NEAR_LIMIT: Final = 0.8
_CACHE_SECONDS: Final = 60


@dataclass(frozen=True)
class DashboardChart:
    """A chart, its total in words, and the URL of the list of its rows."""

    title: str
    total: str
    chart: SafeString
    url: str


@dataclass(frozen=True)
class AttentionItem:
    """A problem to look at; `url` is the page where it can be fixed."""

    kind: str
    text: str
    url: str


def dashboard(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """`charts` and `attention_items` of the businesses of the logged-in user."""
    businesses = _seen(request)
    key = _cache_key(businesses)
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        found = {
            "charts": _charts(businesses, now),
            "attention_items": list(_attention_items(businesses, now)),
        }
        cache.set(key, found, _CACHE_SECONDS)
    return found


def _cache_key(businesses: set[int] | None) -> str:
    """The cache key of exactly these businesses. A digest: a truncated list of ids would be shared
    by users with the same first businesses, who would see each other's other ones."""
    if businesses is None:
        return "dashboard:all"
    ids = ",".join(map(str, sorted(businesses)))
    return f"dashboard:{hashlib.sha256(ids.encode()).hexdigest()}"


def _seen(request: HttpRequest) -> set[int] | None:
    """Ids of the businesses of the logged-in user; None: all."""
    return None if request.user.is_superuser else set(roles_of(request))


def _page(name: str, *args: int) -> str:
    return reverse(f"admin:{name}", args=args)


def _of(rows: QuerySet[Any], businesses: set[int] | None) -> QuerySet[Any]:
    return rows if businesses is None else rows.filter(business__in=businesses)


# --- Charts ----------------------------------------------------------------------------------


def _charts(businesses: set[int] | None, now: datetime) -> list[DashboardChart]:
    since = (now - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [(since + timedelta(days=at)).date() for at in range(DAYS)]
    calls = _of(Call.objects.filter(started_at__gte=since), businesses)
    missed = Count("pk", filter=Q(status=CallStatus.MISSED))
    call_rows = _by_day(calls, "started_at", missed)
    booked_rows = _by_day(
        _of(Appointment.objects.filter(created_at__gte=since), businesses),
        "created_at",
        Count("pk", filter=Q(status="cancelled")),
    )
    sent_rows = _by_day(
        _of(Delivery.objects.filter(created_at__gte=since), businesses),
        "created_at",
        Count("pk", filter=Q(status=DeliveryStatus.EXHAUSTED)),
    )
    used_rows = {
        row["day"]: (row["good"], row["bad"])
        for row in _of(DailyUsage.objects.filter(day__gte=days[0]), businesses)
        .values("day")
        .annotate(good=Sum("admitted"), bad=Sum("refused"))
    }
    return [
        _chart("Calls", "missed", days, call_rows, "calls_call"),
        _chart("Bookings", "cancelled since", days, booked_rows, "appointments_appointment"),
        _chart("Webhook deliveries", "failed", days, sent_rows, "webhooks_delivery"),
        _chart("API requests", "rejected", days, used_rows, "ratelimits_businessusage", apart=True),
    ]


def _by_day(rows: QuerySet[Any], column: str, bad: Count) -> dict[date, tuple[int, int]]:
    counted = rows.values(day=TruncDate(column)).annotate(total=Count("pk"), bad=bad).order_by()
    return {row["day"]: (row["total"] - row["bad"], row["bad"]) for row in counted}


def _chart(
    title: str,
    bad_word: str,
    days: list[date],
    rows: dict[date, tuple[int, int]],
    model: str,
    *,
    apart: bool = False,
) -> DashboardChart:
    """`apart`: failures are not part of the total, as a rejected request was not served."""
    found = [(day, *rows.get(day, (0, 0))) for day in days]
    bars = [
        Bar(f"{day:%-d %b}", good, bad, f"{day:%-d %B}: {good:,} and {bad:,} {bad_word}")
        for day, good, bad in found
    ]
    good, bad = sum(row[1] for row in found), sum(row[2] for row in found)
    total = good if apart else good + bad
    words = f"{total:,} in {DAYS} days, {bad:,} {bad_word}"
    url = _page(f"{model}_changelist")
    return DashboardChart(title, words, bar_chart(bars, title=f"{title}: {words}"), url)


# --- What needs attention --------------------------------------------------------------------


def _attention_items(businesses: set[int] | None, now: datetime) -> Iterable[AttentionItem]:
    yield from _endpoints(businesses)
    yield from _failed_deliveries(businesses, now)
    yield from _near_limits(businesses, now)
    yield from _unreadable(businesses, now)
    yield from _calendars(businesses)
    yield from _outside_hours(businesses, now)


def _endpoints(businesses: set[int] | None) -> Iterable[AttentionItem]:
    bad = Q(is_active=False, disabled_reason__in=DISABLED_AUTOMATICALLY)
    rows = Endpoint.objects.not_deleted().filter(
        bad | Q(is_active=True, failing_since__isnull=False)
    )
    for endpoint in _of(rows, businesses).select_related("business").order_by("pk")[:MAX_LINES]:
        state = (
            f"has been failing since {local_time(endpoint.failing_since, endpoint.business.zone)}"
            if endpoint.is_active
            else f"is off: {endpoint.get_disabled_reason_display()}"
        )
        url = _page("webhooks_endpoint_change", endpoint.pk)
        yield AttentionItem("Webhook", f"{endpoint.business}: {endpoint.url[:80]} {state}", url)


def _failed_deliveries(businesses: set[int] | None, now: datetime) -> Iterable[AttentionItem]:
    rows = Delivery.objects.filter(
        status=DeliveryStatus.EXHAUSTED, created_at__gte=now - timedelta(days=1)
    )
    count = _of(rows, businesses).count()
    if count:
        url = _page("webhooks_delivery_changelist") + "?status__exact=exhausted"
        words = "delivery" if count == 1 else "deliveries"
        yield AttentionItem(
            "Webhook", f"{count:,} {words} failed in the last 24 hours. Redeliver from here", url
        )


def _near_limits(businesses: set[int] | None, now: datetime) -> Iterable[AttentionItem]:
    used = DailyUsage.objects.filter(day=now.date(), admitted__gt=0)
    rows = _of(used, businesses).select_related("business__quota_override").order_by("-admitted")
    shown = 0
    for row in rows[: 10 * MAX_LINES]:
        quota = quota_of(row.business, now).per_day
        if shown < MAX_LINES and (row.refused or (quota and row.admitted >= NEAR_LIMIT * quota)):
            shown += 1
            share = f"{row.admitted / quota:.0%} of the day's quota used" if quota else ""
            rejected = f"{row.refused:,} requests rejected today" if row.refused else ""
            url = _page("ratelimits_businessusage_change", row.business_id)
            words = ", ".join(part for part in (share, rejected) if part)
            yield AttentionItem("Quota", f"{row.business}: {words}", url)


def _unreadable(businesses: set[int] | None, now: datetime) -> Iterable[AttentionItem]:
    rows = ProviderMessage.objects.filter(
        state=ProviderMessage.State.UNREADABLE, created_at__gte=now - timedelta(days=7)
    )
    count = _of(rows, businesses).count()
    if count:
        url = _page("calls_providermessage_changelist") + "?state__exact=unreadable"
        words = (
            "message of a voice provider was" if count == 1 else "messages of voice providers were"
        )
        yield AttentionItem("Calls", f"{count:,} {words} unreadable in the last 7 days", url)


def _calendars(businesses: set[int] | None) -> Iterable[AttentionItem]:
    failing = BusyCalendar.objects.filter(failing_since__isnull=False, staff__is_active=True)
    rows = _of(failing, businesses).select_related("business", "staff")
    for calendar in rows.order_by("failing_since", "pk")[:MAX_LINES]:
        since = local_time(calendar.failing_since, calendar.business.zone)
        url = _page("staff_staffmember_change", calendar.staff_id) + "#busy_calendars-group"
        yield AttentionItem(
            "Calendar",
            f"{calendar.business}: {calendar} of {calendar.staff} cannot be read since {since}",
            url,
        )


def _outside_hours(businesses: set[int] | None, now: datetime) -> Iterable[AttentionItem]:
    coming = Appointment.objects.filter(
        status="scheduled", start_time__gte=now, start_time__lt=now + timedelta(days=AHEAD_DAYS)
    )
    ids = _of(coming, businesses).values_list("business", flat=True).distinct()[:MAX_BUSINESSES]
    found: list[int] = []
    for business in Business.objects.filter(pk__in=list(ids)).order_by("pk"):
        found += outside_hours(business, now=now, look_ahead=timedelta(days=AHEAD_DAYS))
    rows = Appointment.objects.filter(pk__in=found[:MAX_LINES]).with_related()
    for appointment in rows.order_by("start_time", "pk"):
        when = local_time(appointment.start_time, appointment.business.zone)
        url = _page("appointments_appointment_change", appointment.pk)
        yield AttentionItem(
            "Appointment",
            f"{appointment.business}: {appointment.customer} with {appointment.staff}, "
            f"{when}, is now outside working hours",
            url,
        )
