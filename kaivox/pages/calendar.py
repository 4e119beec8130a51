"""The admin's week calendar: of a business, or of one member of its staff."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from kaivox.api.fields import parse_id
from kaivox.businesses.admin_base import roles_of
from kaivox.businesses.models import Business
from kaivox.pages.week import DAY_MINUTES, MOST_STAFF, Week, week_of
from staff.models import StaffMember


def calendar(request: HttpRequest) -> HttpResponse:
    """`?business=&staff=&week=2026-11-23`: any day of the week. Only what the person may see."""
    businesses = _businesses(request)
    business = _chosen(businesses, request.GET.get("business"))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Week calendar",
        "businesses": businesses,
        "business": business,
    }
    if business is not None:
        everyone = list(
            StaffMember.objects.for_business(business).active().order_by("name", "pk")[:MOST_STAFF]
        )
        person = _chosen(everyone, request.GET.get("staff"))
        if not request.GET.get("staff"):
            person = None
        today = timezone.now().astimezone(business.zone).date()
        monday = _monday(request.GET.get("week"), today)
        week = week_of(business, [person] if person else everyone, monday)
        context |= {
            "everyone": everyone,
            "person": person,
            "today": today,
            "monday": monday,
            "before": monday - timedelta(days=7),
            "after": monday + timedelta(days=7),
            "last_day": monday + timedelta(days=6),
            "week": week,
            "hours": range(week.first_hour, week.last_hour),
            "grid": _grid(week) if person else None,
        }
    return TemplateResponse(request, "admin/calendar.html", context)


def _businesses(request: HttpRequest) -> list[Business]:
    rows = Business.objects.order_by("name", "pk")
    if not request.user.is_superuser:
        rows = rows.filter(pk__in=roles_of(request))
    return list(rows[:500])


def _chosen(rows: list[Any], text: str | None) -> Any:
    """The row with the id `text`, the first one without; 404 for what is not among them."""
    if not text:
        return rows[0] if rows else None
    row_id = parse_id(text)
    found = next((row for row in rows if row.pk == row_id), None)
    if found is None:
        raise Http404("There is no such row among yours.")
    return found


def _monday(text: str | None, today: date) -> date:
    try:
        day = date.fromisoformat(text or "")
        if not 1970 < day.year < 2199:
            day = today
    except ValueError:
        day = today
    return day - timedelta(days=day.weekday())


def _grid(week: Week) -> list[dict[str, Any]]:
    """The days of one person, each block with its place in per cent of the hours shown."""
    first, last = week.first_hour * 60, week.last_hour * 60
    (row,) = week.rows

    def place(block: Any) -> dict[str, Any]:
        start, end = max(first, block.start), min(last, block.end)
        share = 100 / (last - first)
        return {
            "block": block,
            "top": round((start - first) * share, 2),
            "height": round(max(0, end - start) * share, 2),
            "whole_day": block.start == 0 and block.end == DAY_MINUTES,
        }

    return [
        {
            "day": cell.day,
            "open": [
                place(block) for block in cell.open if block.end > first and block.start < last
            ],
            "blocks": [
                place(block) for block in cell.blocks if block.end > first and block.start < last
            ],
        }
        for cell in row.cells
    ]
