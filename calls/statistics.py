"""Statistics of one business's calls over thirty days: number, missed share, sentiment, busy hours.

Days and hours are those of the business's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.db.models import Avg, Count, Q
from django.db.models.functions import ExtractHour, TruncDate

from calls.models import Call, CallStatus
from kaivox.admin.charts import Bar
from kaivox.businesses.models import Business

DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Charts:
    """Days and moods have a bar for each day, the first one first; hours one for each hour of the day.
    The second colour is of missed calls, and of days with a negative mood."""

    calls: int
    missed: int
    days: list[Bar]
    moods: list[Bar]
    hours: list[Bar]


def charts_of(business: Business, *, now: datetime) -> Charts:
    """The thirty local days that end with that of `now`."""
    today = now.astimezone(business.zone).date()
    first = today - timedelta(days=DAYS - 1)
    begin = datetime.combine(first, time(), business.zone)
    calls = Call.objects.for_business(business).filter(started_at__gte=begin, started_at__lte=now)
    zone = business.zone
    by_day = _by(
        calls.annotate(key=TruncDate("started_at", tzinfo=zone)),
        total=Count("pk"),
        missed=Count("pk", filter=Q(status=CallStatus.MISSED)),
        mood=Avg("sentiment_score"),
    )
    by_hour = _by(calls.annotate(key=ExtractHour("started_at", tzinfo=zone)), total=Count("pk"))
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return Charts(
        calls=sum(row["total"] for row in by_day.values()),
        missed=sum(row["missed"] for row in by_day.values()),
        days=[_day_bar(day, by_day.get(day)) for day in days],
        moods=[_mood_bar(day, by_day.get(day)) for day in days],
        hours=[_hour_bar(hour, by_hour.get(hour)) for hour in range(24)],
    )


def _by(calls: Any, **figures: Any) -> dict[Any, dict[str, Any]]:
    rows = calls.values("key").annotate(**figures).order_by("key")
    return {row["key"]: row for row in rows}


def _day_bar(day: date, row: dict[str, Any] | None) -> Bar:
    total, missed = (row["total"], row["missed"]) if row else (0, 0)
    description = f"{day:%a %d %b}: {total} calls, {missed} missed"
    return Bar(f"{day:%d}", total - missed, missed, description)


def _mood_bar(day: date, row: dict[str, Any] | None) -> Bar:
    """The distance of the mean score from zero, in hundredths."""
    mood = row["mood"] if row else None
    if mood is None:
        return Bar(f"{day:%d}", 0, description=f"{day:%a %d %b}: no sentiment known")
    distance, description = round(abs(mood) * 100), f"{day:%a %d %b}: {mood:+.2f}"
    if mood < 0:
        return Bar(f"{day:%d}", 0, distance, description)
    return Bar(f"{day:%d}", distance, description=description)


def _hour_bar(hour: int, row: dict[str, Any] | None) -> Bar:
    total = row["total"] if row else 0
    return Bar(f"{hour}", total, description=f"{hour}:00–{hour + 1}:00: {total} calls")
