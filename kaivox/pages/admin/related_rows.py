"""Related rows on admin pages: appointments, calls and deliveries of customers and appointments."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q, QuerySet
from django.urls import reverse

from appointments.models import Appointment
from calls.models import Call
from customers.models import Customer
from kaivox.admin.columns import local_time
from kaivox.admin.related_lists import RelatedList, RelatedRow
from kaivox.pages.admin.history import EVENT_PREFIXES
from webhooks.models import Delivery

MAX_ROWS: Final = 10


def appointments_of_customer(customer: Customer) -> RelatedList:
    """The latest appointments, by start time."""
    rows = Appointment.objects.for_business(customer.business_id).filter(customer=customer)
    latest = rows.with_related().order_by("-start_time", "-pk")[:MAX_ROWS]
    return _appointments("Appointments", latest, f"customer__id__exact={customer.pk}")


def series_of_appointment(appointment: Appointment) -> RelatedList | None:
    """The appointments of its series, if it is part of one."""
    return _appointments_together(appointment, "series")


def visit_of_appointment(appointment: Appointment) -> RelatedList | None:
    """The appointments of its visit, if it is part of one."""
    return _appointments_together(appointment, "visit")


def _appointments_together(appointment: Appointment, group: str) -> RelatedList | None:
    group_id = getattr(appointment, f"{group}_id")
    if group_id is None:
        return None
    rows = Appointment.objects.for_business(appointment.business_id).filter(**{group: group_id})
    ordered = rows.with_related().order_by("start_time", "pk")
    return _appointments(f"Appointments of this {group}", ordered, f"{group}__id__exact={group_id}")


def _appointments(title: str, rows: QuerySet[Appointment], query: str) -> RelatedList:
    return RelatedList(
        title,
        ("Start", "Service", "Staff", "Status"),
        [
            RelatedRow(
                reverse("admin:appointments_appointment_change", args=[row.pk]),
                (
                    local_time(row.start_time, row.business.zone),
                    str(row.service),
                    str(row.staff or "-"),
                    row.get_status_display(),
                ),
            )
            for row in rows
        ],
        f"{reverse('admin:appointments_appointment_changelist')}?{query}",
    )


def calls_of_customer(customer: Customer) -> RelatedList:
    """The latest calls, by start time."""
    rows = Call.objects.for_business(customer.business_id).filter(customer=customer)
    url = f"{reverse('admin:calls_call_changelist')}?customer__id__exact={customer.pk}"
    return _calls(rows, customer, url)


def calls_of_appointment(appointment: Appointment) -> RelatedList:
    """The calls in which it was booked, moved or cancelled."""
    linked = Q(appointment=appointment.pk)
    if appointment.call_id is not None:
        linked |= Q(pk=appointment.call_id)
    rows = Call.objects.for_business(appointment.business_id).filter(linked)
    url = f"{reverse('admin:calls_call_changelist')}?appointment__id__exact={appointment.pk}"
    return _calls(rows, appointment, url)


def _calls(rows: QuerySet[Call], row: Any, url: str) -> RelatedList:
    zone = row.business.zone
    return RelatedList(
        "Calls",
        ("Start", "Direction", "Status", "Outcome"),
        [
            RelatedRow(
                reverse("admin:calls_call_change", args=[call.pk]),
                (
                    local_time(call.started_at, zone),
                    call.get_direction_display(),
                    call.get_status_display(),
                    call.get_outcome_display() or "–",
                ),
            )
            for call in rows.order_by("-started_at", "-pk")[:MAX_ROWS]
        ],
        url,
    )


def deliveries_about(row: Any) -> RelatedList:
    """The latest webhook deliveries of the events of `row`."""
    prefix = EVENT_PREFIXES[row._meta.label]
    rows = (
        Delivery.objects.for_business(row.business_id)
        .filter(event__object_id=row.pk, event__type__startswith=prefix)
        .select_related("event", "endpoint")
        .only("status", "created_at", "event__type", "endpoint__url", "last_http_status")
    )
    return RelatedList(
        "Webhook deliveries",
        ("Created", "Event", "Endpoint", "Status", "Response"),
        [
            RelatedRow(
                reverse("admin:webhooks_delivery_change", args=[delivery.pk]),
                (
                    local_time(delivery.created_at, row.business.zone),
                    delivery.event.type,
                    delivery.endpoint.url,
                    delivery.get_status_display(),
                    str(delivery.last_http_status or "–"),
                ),
            )
            for delivery in rows.order_by("-pk")[:MAX_ROWS]
        ],
        f"{reverse('admin:webhooks_delivery_changelist')}?q={row.pk}",
    )
