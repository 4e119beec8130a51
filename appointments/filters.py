"""Filters of the lists of appointments and of the waiting list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from appointments.call_links import reject_unknown_call
from appointments.groups.models import AppointmentSeries, Visit
from appointments.models import Appointment, AppointmentStatus, Confirmation
from appointments.waitlist.models import WaitlistStatus
from customers.models import Customer
from kaivox.api.filters import (
    ChoicesFilter,
    StrictFilterSet,
    TenantRelatedFilter,
    TextFilter,
    UpdatedSinceFilter,
    day_filters,
)
from services.models import Service
from staff.models import StaffMember


class CallFilter(TenantRelatedFilter):
    """Appointments booked in a call, whose model is in a higher layer (`appointments.call_links`)."""

    def __init__(self) -> None:
        super().__init__(Appointment.objects.none, noun="call", field_name="call_id")

    def narrow(self, qs: QuerySet[Any], value: int) -> QuerySet[Any]:
        reject_unknown_call(self.parent.business, value)
        return qs.filter(call_id=value)


class AppointmentFilters(StrictFilterSet):
    status = ChoicesFilter(AppointmentStatus.values, field_name="status")
    confirmation = ChoicesFilter(Confirmation.values, field_name="confirmation")
    date, date_from, date_to = day_filters("start_time")
    staff_id = TenantRelatedFilter(
        StaffMember.objects.all, noun="member of staff", field_name="staff", lookup_expr="exact"
    )
    customer_id = TenantRelatedFilter(
        Customer.objects.all, noun="customer", field_name="customer", lookup_expr="exact"
    )
    service_id = TenantRelatedFilter(
        Service.objects.all, noun="service", field_name="service", lookup_expr="exact"
    )
    call_id = CallFilter()
    series_id = TenantRelatedFilter(
        AppointmentSeries.objects.all, noun="series", field_name="series", lookup_expr="exact"
    )
    visit_id = TenantRelatedFilter(
        Visit.objects.all, noun="visit", field_name="visit", lookup_expr="exact"
    )
    source = TextFilter(field_name="source", lookup_expr="exact")
    updated_since = UpdatedSinceFilter()


class GroupFilters(StrictFilterSet):
    """Filters of the lists of series and visits."""

    customer_id = TenantRelatedFilter(
        Customer.objects.all, noun="customer", field_name="customer", lookup_expr="exact"
    )


class WaitlistFilters(StrictFilterSet):
    status = ChoicesFilter(WaitlistStatus.values, field_name="status")
    customer_id = TenantRelatedFilter(
        Customer.objects.all, noun="customer", field_name="customer", lookup_expr="exact"
    )
    service_id = TenantRelatedFilter(
        Service.objects.all, noun="service", field_name="service", lookup_expr="exact"
    )
    updated_since = UpdatedSinceFilter()
