"""How much of its quota a business has used: now, and day by day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from kaivox.businesses.models import Business
from ratelimits.charts import Bar, bar_chart
from ratelimits.models import DailyUsage
from ratelimits.stores import current_window, of_business
from ratelimits.throttling import quota_of

DAYS: Final = 30


def usage_chart(business: Business, now: datetime) -> dict[str, Any]:
    """Both windows as they stand (looking costs nothing), and the last thirty days as a chart."""
    quota = quota_of(business, now)
    window = current_window().take(of_business(business.pk), quota, cost=0)
    first = now.date() - timedelta(days=DAYS - 1)
    rows = {
        row.day: row for row in DailyUsage.objects.for_business(business).filter(day__gte=first)
    }
    bars = []
    for day in (first + timedelta(days=at) for at in range(DAYS)):
        row = rows.get(day)
        admitted, refused = (row.admitted, row.refused) if row else (0, 0)
        if day == now.date():
            admitted = max(admitted, window.day_used or 0)
        tells = f"{day:%-d %B}: {admitted:,} requests, {refused:,} refused"
        bars.append(Bar(f"{day:%-d %b}", admitted, refused, tells))
    title = "Requests a day, the last 30 days; refused ones in another colour"
    return {
        "quota": quota,
        "window": window,
        "chart": bar_chart(bars, title=title, line_at=quota.per_day),
    }
