"""The admin's front page: thirty days in charts, and what needs somebody's attention.

Of the businesses that the person sees. Figures may be a minute old: they are the same for everyone
who sees the same businesses, and counting a month of a large table is not free.
"""

from __future__ import annotations

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
from calls.models import Call, Message
from calls.models import Status as CallStatus
from kaivox.businesses.admin_base import roles_of
from kaivox.businesses.models import Business
from ratelimits.charts import Bar, bar_chart
from ratelimits.models import DailyUsage
from ratelimits.throttling import quota_of
from webhooks.models import Delivery, DeliveryStatus, DisabledReason, Endpoint

DAYS: Final = 30
AHEAD_DAYS: Final = 14
MOST_LINES: Final = 8
MOST_BUSINESSES: Final = 50
NEAR_LIMIT: Final = 0.8
_CACHE_SECONDS: Final = 60


@dataclass(frozen=True)
class Figure:
    """A chart with its total and where to see the rows."""

    title: str
    total: str
    chart: SafeString
    url: str


@dataclass(frozen=True)
class Matter:
    """Something that somebody should look at; `url` leads to the fix."""

    kind: str
    text: str
    url: str


def overview(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """`figures` and `matters` of the businesses that the person who asks sees."""
    businesses = _seen(request)
    key = "overview:" + ("all" if businesses is None else ",".join(map(str, sorted(businesses))))
    found: dict[str, Any] | None = cache.get(key[:200])
    if found is None:
        found = {"figures": _figures(businesses, now), "matters": list(_matters(businesses, now))}
        cache.set(key[:200], found, _CACHE_SECONDS)
    return found


def _seen(request: HttpRequest) -> set[int] | None:
    """Ids of the businesses that the person sees; None: all."""
    return None if request.user.is_superuser else set(roles_of(request))


def _page(name: str, *args: int) -> str:
    return reverse(f"admin:{name}", args=args)


def _of(rows: QuerySet[Any], businesses: set[int] | None) -> QuerySet[Any]:
    return rows if businesses is None else rows.filter(business__in=businesses)


# --- Charts ----------------------------------------------------------------------------------


def _figures(businesses: set[int] | None, now: datetime) -> list[Figure]:
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
        _figure("Calls", "missed", days, call_rows, "calls_call"),
        _figure("Bookings", "cancelled since", days, booked_rows, "appointments_appointment"),
        _figure("Webhook deliveries", "given up", days, sent_rows, "webhooks_delivery"),
        _figure("API requests", "refused", days, used_rows, "ratelimits_businessusage", apart=True),
    ]


def _by_day(rows: QuerySet[Any], column: str, bad: Count) -> dict[date, tuple[int, int]]:
    counted = rows.values(day=TruncDate(column)).annotate(every=Count("pk"), bad=bad).order_by()
    return {row["day"]: (row["every"] - row["bad"], row["bad"]) for row in counted}


def _figure(
    title: str,
    bad_word: str,
    days: list[date],
    rows: dict[date, tuple[int, int]],
    model: str,
    *,
    apart: bool = False,
) -> Figure:
    """`apart`: the bad ones are no part of the total, as a refused request is none that was served."""
    found = [(day, *rows.get(day, (0, 0))) for day in days]
    bars = [
        Bar(f"{day:%-d %b}", good, bad, f"{day:%-d %B}: {good:,} and {bad:,} {bad_word}")
        for day, good, bad in found
    ]
    good, bad = sum(row[1] for row in found), sum(row[2] for row in found)
    total = good if apart else good + bad
    words = f"{total:,} in {DAYS} days, {bad:,} {bad_word}"
    url = _page(f"{model}_changelist")
    return Figure(title, words, bar_chart(bars, title=f"{title}: {words}"), url)


# --- What needs attention --------------------------------------------------------------------


def _matters(businesses: set[int] | None, now: datetime) -> Iterable[Matter]:
    yield from _endpoints(businesses)
    yield from _given_up(businesses, now)
    yield from _near_limits(businesses, now)
    yield from _unreadable(businesses, now)
    yield from _outside_hours(businesses, now)


def _endpoints(businesses: set[int] | None) -> Iterable[Matter]:
    bad = Q(is_active=False, disabled_reason__in=[DisabledReason.FAILING, DisabledReason.GONE])
    rows = Endpoint.objects.kept().filter(bad | Q(is_active=True, failing_since__isnull=False))
    for endpoint in _of(rows, businesses).select_related("business").order_by("pk")[:MOST_LINES]:
        state = (
            f"fails since {endpoint.failing_since:%-d %B %H:%M} UTC"
            if endpoint.is_active
            else f"is off: {endpoint.get_disabled_reason_display()}"
        )
        url = _page("webhooks_endpoint_change", endpoint.pk)
        yield Matter("Webhook", f"{endpoint.business}: {endpoint.url[:80]} {state}", url)


def _given_up(businesses: set[int] | None, now: datetime) -> Iterable[Matter]:
    rows = Delivery.objects.filter(
        status=DeliveryStatus.EXHAUSTED, created_at__gte=now - timedelta(days=1)
    )
    count = _of(rows, businesses).count()
    if count:
        url = _page("webhooks_delivery_changelist") + "?status__exact=exhausted"
        words = "delivery was" if count == 1 else "deliveries were"
        yield Matter(
            "Webhook", f"{count:,} {words} given up in 24 hours; send again from here", url
        )


def _near_limits(businesses: set[int] | None, now: datetime) -> Iterable[Matter]:
    used = DailyUsage.objects.filter(day=now.date(), admitted__gt=0)
    rows = _of(used, businesses).select_related("business__quota_override").order_by("-admitted")
    shown = 0
    for row in rows[: 10 * MOST_LINES]:
        quota = quota_of(row.business, now).per_day
        if shown < MOST_LINES and (row.refused or (quota and row.admitted >= NEAR_LIMIT * quota)):
            shown += 1
            share = f"{row.admitted / quota:.0%} of the day's quota used" if quota else ""
            refused = f"{row.refused:,} requests refused today" if row.refused else ""
            url = _page("ratelimits_businessusage_change", row.business_id)
            words = ", ".join(part for part in (share, refused) if part)
            yield Matter("Quota", f"{row.business}: {words}", url)


def _unreadable(businesses: set[int] | None, now: datetime) -> Iterable[Matter]:
    rows = Message.objects.filter(
        state=Message.State.UNREADABLE, created_at__gte=now - timedelta(days=7)
    )
    count = _of(rows, businesses).count()
    if count:
        url = _page("calls_message_changelist") + "?state__exact=unreadable"
        words = (
            "message of a voice provider was" if count == 1 else "messages of voice providers were"
        )
        yield Matter("Calls", f"{count:,} {words} unreadable in 7 days", url)


def _outside_hours(businesses: set[int] | None, now: datetime) -> Iterable[Matter]:
    coming = Appointment.objects.filter(
        status="scheduled", start_time__gte=now, start_time__lt=now + timedelta(days=AHEAD_DAYS)
    )
    ids = _of(coming, businesses).values_list("business", flat=True).distinct()[:MOST_BUSINESSES]
    found: list[int] = []
    for business in Business.objects.filter(pk__in=list(ids)).order_by("pk"):
        found += outside_hours(business, now=now, look_ahead=timedelta(days=AHEAD_DAYS))
    rows = Appointment.objects.filter(pk__in=found[:MOST_LINES]).with_names()
    for appointment in rows.order_by("start_time", "pk"):
        when = appointment.start_time.astimezone(appointment.business.zone)
        url = _page("appointments_appointment_change", appointment.pk)
        yield Matter(
            "Appointment",
            f"{appointment.business}: {appointment.customer} with {appointment.staff}, "
            f"{when:%a %-d %b %H:%M}, is outside working hours by now",
            url,
        )
