"""The queries that lock a member of staff for a booking, compiled once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db.models import Case, Exists, OuterRef, QuerySet, When

from appointments.models import Appointment, AppointmentQuerySet
from kaivox.db.compiled_query import CompiledQuery
from staff.models import StaffMember, StaffQuerySet


def _locked(business_id: int, staff_id: int, service_id: int) -> QuerySet[Any]:
    return _with_offers(business_id, service_id).filter(pk=staff_id).locked()


def _first(
    business_id: int, people: tuple[int, ...], service_id: int, **busy: Any
) -> QuerySet[Any]:
    in_order = Case(*(When(pk=staff_id, then=index) for index, staff_id in enumerate(people)))
    overlapping = _busy_ranges(business_id, **busy).filter(staff_id=OuterRef("pk"))
    rows = _with_offers(business_id, service_id).filter(~Exists(overlapping), pk__in=people)
    return rows.order_by(in_order).locked(wait=False)[:1]


def _with_offers(business_id: int, service_id: int) -> StaffQuerySet:
    """Members of staff, annotated with whether each offers the service."""
    offers = StaffMember.services.through.objects.filter(
        staffmember_id=OuterRef("pk"), service_id=service_id
    )
    return StaffMember.objects.for_business(business_id).annotate(offers=Exists(offers))


LOCKED_STAFF: Final = CompiledQuery(_locked)
FIRST_FREE_STAFF: Final = CompiledQuery(_first)


def _busy_time_of(business_id: int, staff_id: int, **busy: Any) -> QuerySet[Any]:
    return _busy_ranges(business_id, **busy).for_staff(staff_id).values_list("pk")[:1]


def _busy_ranges(
    business_id: int, start: datetime, at_least: datetime, end: datetime, appointment: int | None
) -> AppointmentQuerySet:
    """The appointments, of any member of staff, that overlap the blocked range [start, end)."""
    rows = Appointment.objects.for_business(business_id).not_cancelled()
    rows = rows.overlapping(start, end, at_least=at_least)
    return rows if appointment is None else rows.exclude(pk=appointment)


BUSY_RANGES: Final = CompiledQuery(_busy_time_of)
