"""Calendar page of the admin: a week of everyone or of one person, or a day of everyone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from kaivox.admin.base import WRITERS, roles_of
from kaivox.api.values import parse_date, parse_id
from kaivox.businesses.models import Business
from kaivox.pages.admin.calendar_grid import columns_of_day, columns_of_person, columns_of_week
from kaivox.pages.admin.week_calendar import MAX_STAFF, week_of
from staff.models import BusyCalendar, StaffMember

_MAX_STALE: Final = 10


def calendar(request: HttpRequest) -> HttpResponse:
    """`?business=&staff=&week=2026-11-23`, where `week` is any day of it; `?day=` shows everyone on that
    day. Businesses of the user only."""
    businesses = _businesses(request)
    business = _chosen(businesses, request.GET.get("business"))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Calendar",
        "businesses": businesses,
        "business": business,
    }
    if business is not None:
        context |= _week_context(request, business)
    return TemplateResponse(request, "pages/week_calendar.html", context)


def _week_context(request: HttpRequest, business: Business) -> dict[str, Any]:
    active = StaffMember.objects.for_business(business).active()
    everyone = list(active.order_by("name", "pk")[:MAX_STAFF])
    wanted = request.GET.get("staff")
    person = _chosen(everyone, wanted) if wanted else None
    shown_staff = [person] if person else everyone
    now = timezone.now().astimezone(business.zone)
    day = _day(request.GET.get("day")) if person is None else None
    shown = day or _day(request.GET.get("week")) or now.date()
    monday = shown - timedelta(days=shown.weekday())
    week = week_of(business, shown_staff, monday, with_alone=person is None)
    may_book = now if _may_book(request, business) else None
    if person is not None:
        grid = columns_of_person(week, now.date(), may_book)
    elif day is not None:
        grid = columns_of_day(week, day, may_book)
    else:
        grid = columns_of_week(week, now.date(), may_book)
    return {
        "everyone": everyone,
        "person": person,
        "today": now.date(),
        "monday": monday,
        "before": monday - timedelta(days=7),
        "after": monday + timedelta(days=7),
        "last_day": monday + timedelta(days=6),
        "week": week,
        "hours": range(week.first_hour, week.last_hour),
        "shown_day": day,
        "day_before": day - timedelta(days=1) if day else None,
        "day_after": day + timedelta(days=1) if day else None,
        "grid": grid,
        "may_book": may_book,
        "stale": _failing_calendars(business, shown_staff),
    }


def _failing_calendars(business: Business, people: list[StaffMember]) -> QuerySet[BusyCalendar]:
    """Calendars elsewhere of `people` that cannot be read: what they block may be out of date."""
    failing = BusyCalendar.objects.for_business(business).filter(failing_since__isnull=False)
    rows = failing.filter(staff__in=people).select_related("staff").defer("ics_url")
    return rows.order_by("staff__name", "pk")[:_MAX_STALE]


def _businesses(request: HttpRequest) -> list[Business]:
    rows = Business.objects.order_by("name", "pk")
    if not request.user.is_superuser:
        rows = rows.filter(pk__in=roles_of(request))
    return list(rows[:500])


def _chosen(rows: list[Any], text: str | None) -> Any:
    """The row with the id `text`, or the first row without one. Raises Http404 for other ids."""
    if not text:
        return rows[0] if rows else None
    row_id = parse_id(text)
    found = next((row for row in rows if row.pk == row_id), None)
    if found is None:
        raise Http404("No such row.")
    return found


def _day(text: str | None) -> date | None:
    """The day `text`; None if it is no day between 1971 and 2198."""
    try:
        day = parse_date(text or "")
    except ValueError:
        return None
    return day if 1970 < day.year < 2199 else None


def _may_book(request: HttpRequest, business: Business) -> bool:
    return request.user.is_superuser or roles_of(request).get(business.pk) in WRITERS
