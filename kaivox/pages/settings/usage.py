"""Quota usage of a business: current windows and the last thirty days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from kaivox.admin.charts import Bar, bar_chart, is_line_drawn
from kaivox.businesses.models import Business
from ratelimits.backends import current_limiter, of_business
from ratelimits.models import DailyUsage
from ratelimits.throttling import quota_of

DAYS: Final = 30


def usage_chart(business: Business, now: datetime) -> dict[str, Any]:
    """Current usage of both windows (costs no quota), and a chart of the last thirty days."""
    quota = quota_of(business, now)
    window = current_limiter().take(of_business(business.pk), quota, cost=0)
    first = now.date() - timedelta(days=DAYS - 1)
    rows = {
        row.day: row for row in DailyUsage.objects.for_business(business).filter(day__gte=first)
    }
    bars = []
    for day in (first + timedelta(days=at) for at in range(DAYS)):
        row = rows.get(day)
        admitted, rejected = (row.admitted, row.refused) if row else (0, 0)
        if day == now.date():
            admitted = max(admitted, window.day_used or 0)
        description = f"{day:%-d %B}: {admitted:,} requests, {rejected:,} rejected"
        bars.append(Bar(f"{day:%-d %b}", admitted, rejected, description))
    title = "Requests per day, last 30 days; rejected ones in another colour"
    return {
        "quota": quota,
        "window": window,
        "shows_quota": is_line_drawn(bars, quota.per_day),
        "chart": bar_chart(bars, title=title, line_at=quota.per_day),
    }
