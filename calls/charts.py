"""Thirty days of calls of one business in figures: how many, how many missed, how did callers feel,
when is it busy? In the business's own days and hours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.db.models import Avg, Count, Q
from django.db.models.functions import ExtractHour, TruncDate

from calls.models import Call, Status
from kaivox.businesses.models import Business

DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """`height` is percent of the tallest bar; `extra` percent of this one: its part of bad news."""

    label: str
    title: str
    height: float
    extra: float = 0.0
    is_negative: bool = False


@dataclass(frozen=True, slots=True)
class Charts:
    calls: int
    missed: int
    days: list[Bar]
    moods: list[Bar]
    hours: list[Bar]

    @property
    def missed_share(self) -> float:
        return self.missed / self.calls if self.calls else 0.0


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
        missed=Count("pk", filter=Q(status=Status.MISSED)),
        mood=Avg("sentiment_score"),
    )
    by_hour = _by(calls.annotate(key=ExtractHour("started_at", tzinfo=zone)), total=Count("pk"))
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return Charts(
        calls=sum(row["total"] for row in by_day.values()),
        missed=sum(row["missed"] for row in by_day.values()),
        days=_day_bars(days, by_day),
        moods=[_mood_bar(day, by_day.get(day)) for day in days],
        hours=_hour_bars(by_hour),
    )


def _by(calls: Any, **figures: Any) -> dict[Any, dict[str, Any]]:
    rows = calls.values("key").annotate(**figures).order_by("key")
    return {row["key"]: row for row in rows}


def _day_bars(days: Iterable[date], by_day: dict[Any, dict[str, Any]]) -> list[Bar]:
    most = max((row["total"] for row in by_day.values()), default=1)
    bars = []
    for day in days:
        row = by_day.get(day, {"total": 0, "missed": 0})
        title = f"{day:%a %d %b}: {row['total']} calls, {row['missed']} missed"
        extra = 100 * row["missed"] / (row["total"] or 1)
        bars.append(Bar(f"{day:%d}", title, 100 * row["total"] / most, extra))
    return bars


def _mood_bar(day: date, row: dict[str, Any] | None) -> Bar:
    mood = row["mood"] if row else None
    if mood is None:
        return Bar(f"{day:%d}", f"{day:%a %d %b}: no sentiment known", 0)
    return Bar(f"{day:%d}", f"{day:%a %d %b}: {mood:+.2f}", abs(mood) * 100, is_negative=mood < 0)


def _hour_bars(by_hour: dict[Any, dict[str, Any]]) -> list[Bar]:
    most = max((row["total"] for row in by_hour.values()), default=1)
    totals = [by_hour.get(hour, {"total": 0})["total"] for hour in range(24)]
    return [
        Bar(f"{hour}", f"{hour}:00–{hour + 1}:00: {total} calls", 100 * total / most)
        for hour, total in enumerate(totals)
    ]
