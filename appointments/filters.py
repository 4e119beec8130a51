from __future__ import annotations

from appointments.models import Status
from customers.models import Customer
from kaivox.api.filters import (
    ChoicesFilter,
    OwnedFilter,
    StrictFilterSet,
    TextFilter,
    UpdatedSinceFilter,
    day_filters,
)
from services.models import Service
from staff.models import StaffMember


class AppointmentFilters(StrictFilterSet):
    status = ChoicesFilter(Status.values, field_name="status")
    date, date_from, date_to = day_filters("start_time")
    staff_id = OwnedFilter(
        StaffMember.objects.all, noun="member of staff", field_name="staff", lookup_expr="exact"
    )
    customer_id = OwnedFilter(
        Customer.objects.all, noun="customer", field_name="customer", lookup_expr="exact"
    )
    service_id = OwnedFilter(
        Service.objects.all, noun="service", field_name="service", lookup_expr="exact"
    )
    source = TextFilter(field_name="source", lookup_expr="exact")
    updated_since = UpdatedSinceFilter()
