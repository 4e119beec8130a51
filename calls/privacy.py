"""A person asks what is kept about them, or to be forgotten. Calls stand above customers and
appointments, so this is the place that sees all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from appointments.models import Appointment
from appointments.serializers import AppointmentSerializer
from calls import inbox
from calls.models import Call, Message
from calls.serializers import CallWithTranscript
from customers import operations as customers
from customers.models import Customer
from customers.serializers import CustomerSerializer
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from kaivox.errors import NotFound
from kaivox.idempotency.models import Answered
from webhooks.models import Event
from webhooks.redaction import redact_events

_OF_CUSTOMER: Final[dict[str, Any]] = {"phone": None, "email": None, "notes": "", "metadata": {}}
_OF_APPOINTMENT: Final[dict[str, Any]] = {"notes": "", "cancellation_reason": "", "metadata": {}}
_OF_CALL: Final[dict[str, Any]] = {"summary": "", "recording_url": None, "transcript": []}


@atomic_write
def erase_customer(*, business: Business, customer_id: int, now: datetime) -> Customer:
    """Takes name, phone, e-mail and everything said or noted out of all that is kept about one
    person; rows, times, prices and counts stay. Raises NotFound.

    Also in frozen events, kept provider messages, remembered answers and the admin's log. What
    receivers of webhooks got is out of our hands.
    """
    person = _find(business, customer_id)
    calls, appointments = _calls_of(person), _appointments_of(person)
    call_ids = list(calls.values_list("pk", flat=True))
    appointment_ids = list(appointments.values_list("pk", flat=True))

    erased = customers.erase_customer(business=business, customer_id=person.pk, now=now)
    appointments.update(notes="", cancellation_reason="", metadata={})
    _erase_calls(Call.objects.filter(pk__in=call_ids))
    _erase_messages(business, call_ids, person)
    for kind, ids in (
        ("customer", [person.pk]),
        ("appointment", appointment_ids),
        ("call", call_ids),
    ):
        redact_events(business=business, kind=kind, object_ids=ids, redact=_forget(kind, person))
    _erase_answers(business, person)
    LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Customer), object_id=str(person.pk)
    ).update(object_repr=customers.ERASED_NAME, change_message="")
    return erased


def export_customer(*, business: Business, customer_id: int) -> dict[str, Any]:
    """All that is kept about one person, ready for JSON. Raises NotFound."""
    person = _find(business, customer_id)
    calls = list(_calls_of(person).with_names().order_by("started_at", "pk"))
    appointments = list(_appointments_of(person).with_names().order_by("start_time", "pk"))
    of_person = Q(type__startswith="customer.", object_id=person.pk)
    of_person |= Q(type__startswith="appointment.", object_id__in=[row.pk for row in appointments])
    of_person |= Q(type__startswith="call.", object_id__in=[row.pk for row in calls])
    events = Event.objects.for_business(business).filter(of_person).order_by("pk")
    messages = Message.objects.filter(call__in=calls).order_by("pk")
    return {
        "customer": CustomerSerializer.render(person),
        "appointments": [AppointmentSerializer.render(row) for row in appointments],
        "calls": [CallWithTranscript.render(row) for row in calls],
        "events": [json.loads(bytes(event.body)) for event in events],
        "voice_messages": [
            {"provider": row.provider, "body": inbox.body_of(row).decode(errors="replace")}
            for row in messages
        ],
    }


def _find(business: Business, customer_id: int) -> Customer:
    person: Customer | None = Customer.objects.for_business(business).filter(pk=customer_id).first()
    if person is None:
        raise NotFound
    return person


def _calls_of(person: Customer) -> Any:
    """Those linked to the person, and those of their number that never were."""
    of_person = Q(customer=person)
    if person.phone:
        of_person |= Q(from_number=person.phone) | Q(to_number=person.phone)
    return Call.objects.for_business(person.business_id).filter(of_person)


def _appointments_of(person: Customer) -> Any:
    return Appointment.objects.for_business(person.business_id).filter(customer=person)


def _erase_calls(calls: Any) -> None:
    calls.update(transcript=[], words="", summary="", recording_url="")
    inbound, outbound = calls.filter(direction="inbound"), calls.filter(direction="outbound")
    # The number of the person, not that of the business.
    inbound.update(from_number="")
    outbound.update(to_number="")


def _erase_messages(business: Business, call_ids: Iterable[int], person: Customer) -> None:
    """Messages about the person's calls, and those about none in which their number stands."""
    Message.objects.filter(call__in=call_ids).delete()
    digits = person.phone.removeprefix("+").encode()
    loose = Message.objects.for_business(business).filter(call__isnull=True)
    told = [row.pk for row in loose.iterator() if digits and digits in inbox.body_of(row)]
    Message.objects.filter(pk__in=told).delete()


def _forget(kind: str, person: Customer) -> Any:
    """What `redact_events` does to the data of one event."""

    def forget(data: dict[str, Any]) -> None:
        if kind == "customer":
            data.update(_OF_CUSTOMER, name=customers.ERASED_NAME)
            return
        data["customer_name"] = customers.ERASED_NAME
        data.update(_OF_APPOINTMENT if kind == "appointment" else _OF_CALL)
        for name in ("from_number", "to_number"):
            if data.get(name) == person.phone:
                data[name] = None

    return forget


def _erase_answers(business: Business, person: Customer) -> None:
    """Remembered answers (24 hours) in which name, phone or e-mail stand as a value."""
    marks = {mark for mark in (person.name, person.phone, person.email) if mark}
    answers = Answered.objects.filter(business=business, answer__isnull=False)
    told = [
        row.pk for row in answers.iterator() if marks & set(_texts(json.loads(row.answer or "")))
    ]
    Answered.objects.filter(pk__in=told).delete()


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
