"""Definitions of the SQL views that a BI login reads: names, columns and their descriptions.

Every view names the business by its id, so that no other row passes it, and belongs to the owner of
the tables, on which the login itself has no privilege. Instants have two columns: UTC, and the wall
time of the business in `…_local`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Column:
    name: str
    expression: str
    comment: str


@dataclass(frozen=True)
class View:
    """One view. `tables` is its FROM clause; the alias `t` is the table whose rows it shows."""

    name: str
    comment: str
    tables: str
    columns: tuple[Column, ...]

    def query(self, business_id: int) -> str:
        columns = ", ".join(f'{one.expression} AS "{one.name}"' for one in self.columns)
        return (
            f"SELECT {columns} FROM {self.tables}"  # noqa: S608 - our own names and an integer
            " JOIN businesses_business b ON b.id = t.business_id"
            f" WHERE t.business_id = {int(business_id)} AND b.suspended_at IS NULL"
        )


def _plain(comments: dict[str, str]) -> tuple[Column, ...]:
    """Columns of `t` under their own names."""
    return tuple(Column(name, f't."{name}"', comment) for name, comment in comments.items())


def _instant(name: str, comment: str, expression: str = "") -> tuple[Column, Column]:
    """An instant in UTC, and the same as wall time of the business."""
    value = expression or f't."{name}"'
    return (
        Column(name, value, f"{comment} In UTC."),
        Column(f"{name}_local", f"({value} AT TIME ZONE b.timezone)", f"{comment} Local time."),
    )


_TIME_ZONE: Final = Column(
    "time_zone", "b.timezone", "IANA time zone of the business, in which …_local columns are."
)


def _joined(table: str, alias: str, key: str) -> str:
    """A LEFT JOIN to a row of the same business."""
    return f" LEFT JOIN {table} {alias} ON {alias}.id = t.{key} AND {alias}.business_id = t.business_id"


_APPOINTMENTS: Final = View(
    "appointments",
    "Appointments of every status.",
    "appointments_appointment t"
    + _joined("services_service", "s", "service_id")
    + _joined("staff_staffmember", "m", "staff_id"),
    (
        *_plain({"id": "Id in the API."}),
        *_instant("start_time", "Start."),
        *_instant("end_time", "End, exclusive."),
        _TIME_ZONE,
        *_plain(
            {
                "duration_minutes": "Length when it was booked, without buffers.",
                "status": "scheduled, completed, cancelled or no_show.",
                "confirmation": "none, requested, confirmed or declined.",
                "party_size": "People who come: the seats of a class, the guests at a table.",
                "service_id": "Id of the service.",
            }
        ),
        Column("service", "s.name", "Name of the service."),
        *_plain({"staff_id": "Id of the member of staff; empty where the service needs none."}),
        Column("staff_name", "m.name", "Name of the member of staff."),
        *_plain(
            {
                "customer_id": "Id of the customer.",
                "series_id": "Id of the series to which it belongs; empty: none.",
                "visit_id": "Id of the visit to which it belongs; empty: none.",
                "price": "Price when it was booked.",
                "currency": "ISO 4217 code of the price.",
                "source": "Where it was booked: voice, website, api and others.",
                "call_id": "Id of the phone call in which it was booked.",
                "cancellation_reason": "Why it was cancelled; empty where no one said.",
            }
        ),
        *_instant("created_at", "When it was booked."),
        *_instant("updated_at", "Last change."),
    ),
)

_RESOURCE_BOOKINGS: Final = View(
    "resource_bookings",
    "Which resources each appointment reserves: a row for each.",
    "appointments_resourcebooking t"
    + _joined("appointments_appointment", "a", "appointment_id")
    + _joined("resources_resource", "r", "resource_id"),
    (
        *_plain({"appointment_id": "Id of the appointment.", "resource_id": "Id of the resource."}),
        Column("resource", "r.name", "Name of the resource."),
        Column("kind", "r.kind", "Kind of the resource, such as table."),
        Column("capacity", "r.capacity", "People whom the resource takes."),
        Column("party_size", "a.party_size", "People who come."),
        *_instant("start_time", "Start of the appointment."),
        *_instant("end_time", "End of the appointment, exclusive.", "a.end_time"),
        _TIME_ZONE,
        *_plain({"status": "Status of the appointment; a cancelled one frees the resource."}),
    ),
)

_RESOURCES: Final = View(
    "resources",
    "Studios, chairs, tables and machines that services require.",
    "resources_resource t",
    (
        *_plain(
            {
                "id": "Id in the API.",
                "name": "Name.",
                "kind": "What services ask for, such as table.",
                "capacity": "People whom it takes.",
                "is_active": "Whether it can be booked.",
            }
        ),
        _TIME_ZONE,
        *_instant("created_at", "When the resource was added."),
        *_instant("updated_at", "Last change."),
    ),
)

_WAITLIST: Final = View(
    "waitlist",
    "Customers who wait for a time, or waited.",
    "appointments_waitlistentry t"
    + _joined("services_service", "s", "service_id")
    + _joined("staff_staffmember", "m", "staff_id"),
    (
        *_plain(
            {
                "id": "Id in the API.",
                "status": "waiting, offered, booked, expired or cancelled.",
                "customer_id": "Id of the customer.",
                "service_id": "Id of the service.",
            }
        ),
        Column("service", "s.name", "Name of the service."),
        *_plain({"staff_id": "Id of the member of staff; empty: anyone."}),
        Column("staff_name", "m.name", "Name of the member of staff."),
        *_plain(
            {
                "date_from": "First day, in local time.",
                "date_to": "Last day, included.",
                "part_of_day": "morning, afternoon or evening; empty: at any time.",
                "party_size": "People who wait together.",
                "unanswered_offers": "Offers that expired.",
            }
        ),
        *_instant("offered_start_time", "Start of the time that was offered last."),
        _TIME_ZONE,
        *_instant("created_at", "Since when the customer waits."),
        *_instant("updated_at", "Last change."),
    ),
)

_CALLS: Final = View(
    "calls",
    "Phone calls with their sentiment; transcripts are in the API alone.",
    "calls_call t",
    (
        *_plain({"id": "Id in the API."}),
        *_instant("started_at", "Start."),
        *_instant("ended_at", "End; empty while the call lasts."),
        _TIME_ZONE,
        *_plain(
            {
                "duration_seconds": "Length in seconds.",
                "provider": "Voice provider that reported it.",
                "direction": "inbound or outbound.",
                "status": "in_progress, completed, missed or failed.",
                "outcome": "booked, rescheduled, cancelled, information, missed, voicemail or "
                "other; empty: not known.",
                "end_reason": "Why it ended, in the provider's words.",
                "sentiment": "positive, neutral or negative; empty: not analysed.",
                "sentiment_score": "From -1 (negative) to 1 (positive).",
                "summary": "Summary of the conversation.",
                "from_number": "Caller's number; empty: withheld.",
                "to_number": "Number that was called.",
                "customer_id": "Id of the customer.",
                "appointment_id": "Appointment last booked in the call; else last moved or "
                "cancelled.",
            }
        ),
        *_instant("created_at", "When it was reported first."),
        *_instant("updated_at", "Last change."),
    ),
)

_CUSTOMERS: Final = View(
    "customers",
    "Customers with their booking statistics.",
    "customers_customer t",
    (
        *_plain(
            {
                "id": "Id in the API.",
                "name": "Name.",
                "phone": "Number in E.164, such as +919876543210.",
                "email": "E-mail address.",
                "segment": "lead, active, inactive or vip.",
                "pipeline_stage": "new_lead, contacted, appointment_set, converted or lost.",
                "source": "Where the customer came from.",
                "total_appointments": "Appointments that are not cancelled.",
                "total_spent": "Sum of the prices of completed appointments.",
            }
        ),
        Column("currency", "b.currency", "ISO 4217 code of total_spent."),
        *_instant("last_visit_at", "Last completed appointment."),
        *_instant("last_booked_at", "Last booking."),
        _TIME_ZONE,
        *_instant("created_at", "When the customer was added."),
        *_instant("updated_at", "Last change."),
    ),
)

_STAFF: Final = View(
    "staff",
    "Members of staff, and things that are booked as they are.",
    "staff_staffmember t",
    (
        *_plain(
            {
                "id": "Id in the API.",
                "name": "Name.",
                "specialty": "Specialty.",
                "is_active": "Whether the member of staff can be booked.",
            }
        ),
        _TIME_ZONE,
        *_instant("created_at", "When the member of staff was added."),
        *_instant("updated_at", "Last change."),
    ),
)

_SERVICES: Final = View(
    "services",
    "Services that can be booked.",
    "services_service t",
    (
        *_plain(
            {
                "id": "Id in the API.",
                "name": "Name.",
                "description": "Description.",
                "duration_minutes": "Length, without buffers.",
                "buffer_before_minutes": "Time to prepare.",
                "buffer_after_minutes": "Time to clean.",
                "price": "Price today.",
            }
        ),
        Column("currency", "b.currency", "ISO 4217 code of the price."),
        *_plain({"capacity": "Seats of a class; 1: no class."}),
        Column(
            "resource_kinds",
            "(SELECT string_agg(k.kind, ', ' ORDER BY k.position) FROM"
            " jsonb_array_elements_text(t.resource_kinds) WITH ORDINALITY AS k(kind, position))",
            "Kinds of resources that it requires, such as table; empty: none.",
        ),
        *_plain(
            {
                "minimum_notice_minutes": "Time before the start until which it can be booked; "
                "empty: as set for the business.",
                "horizon_days": "How many days ahead it can be booked; empty: as set for the "
                "business.",
                "daily_cap": "Maximum appointments per day; empty: no limit.",
                "cancellation_window_minutes": "Time before the start until which it can be "
                "cancelled; empty: at any time.",
                "reschedule_window_minutes": "Time before the start until which it can be moved; "
                "empty: at any time.",
                "needs_staff": "Whether a member of staff performs it, or its resources alone are "
                "booked.",
                "is_active": "Whether it can be booked.",
            }
        ),
        _TIME_ZONE,
        *_instant("created_at", "When the service was added."),
        *_instant("updated_at", "Last change."),
    ),
)

_DELIVERIES: Final = View(
    "deliveries",
    "Webhook deliveries: one event to one endpoint, with its latest result.",
    "webhooks_delivery t"
    + _joined("webhooks_event", "e", "event_id")
    + _joined("webhooks_endpoint", "p", "endpoint_id"),
    (
        *_plain({"id": "Id in the API."}),
        Column("event_id", "e.uid", "Id of the event."),
        Column("event_type", "e.type", "Such as appointment.booked."),
        Column("is_test", "e.is_test", "Whether it is a test event."),
        *_plain({"endpoint_id": "Id of the endpoint."}),
        Column("endpoint_description", "p.description", "Description of the endpoint."),
        *_plain(
            {
                "status": "pending, in_flight, succeeded, exhausted or cancelled.",
                "attempt_count": "Requests that were sent.",
                "last_http_status": "HTTP status of the latest response.",
                "last_error": "Error class of the latest attempt.",
            }
        ),
        *_instant("occurred_at", "When the event happened.", "e.occurred_at"),
        *_instant("delivered_at", "When the receiver accepted it."),
        _TIME_ZONE,
        *_instant("created_at", "When the delivery was created."),
    ),
)

VIEWS: Final = (
    _APPOINTMENTS,
    _RESOURCE_BOOKINGS,
    _WAITLIST,
    _CALLS,
    _CUSTOMERS,
    _STAFF,
    _SERVICES,
    _RESOURCES,
    _DELIVERIES,
)
