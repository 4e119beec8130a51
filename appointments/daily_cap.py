"""Daily caps: the local days on which no more appointments may begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date, datetime

from appointments.models import Appointment, Hold
from kaivox.db.transactions import advisory_lock
from staff.intervals import Range
from staff.local_time import LocalDays


def full_days(starts: Iterable[int], cap: int, days: LocalDays) -> list[Range]:
    """The local days on which `cap` or more of `starts` are, sorted; in Unix seconds."""
    per_day = Counter(map(days.day_of, starts))
    return sorted(days.bounds(day) for day, number in per_day.items() if number >= cap)


def starts_of_service(
    business_id: int,
    service_id: int,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    moved: Collection[int],
    used: int | None,
    shares_starts: bool,
) -> list[int]:
    """The starts in [start, end) of the service's appointments and open holds, in Unix seconds,
    except those of the appointments `moved` and the hold `used`; one query. The bookings of one class
    begin together, and count once (`shares_starts`, see BookingRules)."""
    appointments = Appointment.objects.for_business(business_id).not_cancelled()
    holds = Hold.objects.for_business(business_id).live(now)
    if moved:
        appointments = appointments.exclude(pk__in=moved)
    if used is not None:
        holds = holds.exclude(pk=used)
    within = {"service_id": service_id, "start_time__gte": start, "start_time__lt": end}
    names = ("staff_id", "start_time")
    rows = appointments.filter(**within).values_list(*names)
    rows = rows.union(holds.filter(**within).values_list(*names), all=not shares_starts)
    return [int(instant.timestamp()) for _, instant in rows]


def lock_capped_day(service_id: int, day: date) -> None:
    """Makes bookings of a capped service on the local day `day` wait for each other until the
    transaction ends: the lock of one member of staff does not stop those with another."""
    advisory_lock("daily cap", service_id, day.isoformat())
