"""Export and erasure of one person's data, in calls and in the layers below."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.db import transaction

from appointments.models import Appointment
from appointments.serializers import AppointmentSerializer
from appointments.waitlist.models import WaitlistEntry
from appointments.waitlist.operations import entries as waitlist_entries
from appointments.waitlist.operations import leave_waitlist
from appointments.waitlist.serializers import WaitlistEntrySerializer
from calls import ingestion
from calls.models import Call, ProviderMessage, ToolCall
from calls.personal_data import KnownValues, personal_data_of
from calls.serializers import CallWithTranscript
from calls.tool_calls import empty_tool_calls
from customers import operations as customers
from customers.models import Customer
from customers.serializers import CustomerSerializer
from kaivox.api.fields import format_instant
from kaivox.businesses.audit import Actor, record_audit
from kaivox.businesses.models import Business
from kaivox.db.encrypted_fields import DecryptionError, UndecryptableValue
from kaivox.db.transactions import advisory_lock, atomic_write
from kaivox.db.write_ahead_log import truncate_wal
from kaivox.errors import NotFound
from kaivox.idempotency.models import IdempotencyRecord
from kaivox.request_log.operations import redact_entries
from webhooks.models import Event
from webhooks.redaction import redact_events

# What erasure writes into the `data` of stored events, by the part of the type before the dot.
REDACTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "customer": {
        "name": customers.ERASED_NAME,
        "phone": None,
        "email": None,
        "notes": "",
        "metadata": {},
    },
    "appointment": {
        "customer_name": customers.ERASED_NAME,
        "notes": "",
        "cancellation_reason": "",
        "metadata": {},
    },
    "call": {
        "customer_name": customers.ERASED_NAME,
        "summary": "",
        "recording_url": None,
        "transcript": [],
    },
    "waitlist": {"customer_name": customers.ERASED_NAME},
}


@atomic_write
def erase_customer(
    *, business: Business, customer_id: int, now: datetime, actor: Actor = None
) -> Customer:
    """Erases name, phone, e-mail and everything said or noted about one person; rows, times, prices
    and counts stay. Raises NotFound.

    Also in stored events, provider messages, idempotency records, the request log and the admin's log, and under the
    person's former names and numbers. Receivers of webhooks are notified by `customer.erased`.
    """
    person = _lock(business, customer_id, now)
    found = personal_data_of(person)
    erased = customers.erase_customer(business=business, customer_id=person.pk, now=now)
    Appointment.objects.filter(pk__in=found.objects["appointment"]).update(
        notes="", cancellation_reason="", metadata={}
    )
    _erase_calls(Call.objects.filter(pk__in=found.objects["call"]), found.known)
    for entry_id in found.objects["waitlist"]:
        leave_waitlist(business=business, entry_id=entry_id, now=now)
    messages = [*found.messages, *found.undecryptable_messages]
    ProviderMessage.objects.filter(pk__in=messages).delete()
    empty_tool_calls(ToolCall.objects.filter(pk__in=found.tool_calls))
    for kind, ids in found.objects.items():
        redact = _redaction_of(kind, found.known)
        redact_events(business=business, kind=kind, object_ids=ids, redact=redact)
    _erase_idempotency_records(person, found.known)
    redact_entries(business=business, mentions=found.known.occur_in)
    LogEntry.objects.filter(pk__in=found.log_entries).update(
        object_repr=customers.ERASED_NAME, change_message=""
    )
    _audit(business, actor, "customer.erased", person, now)
    transaction.on_commit(truncate_wal, robust=True)
    return erased


def export_customer(
    *, business: Business, customer_id: int, now: datetime, actor: Actor = None
) -> dict[str, Any]:
    """Everything stored about one person, ready for JSON. Raises NotFound."""
    person = _find(business, customer_id)
    _audit(business, actor, "customer.exported", person, now)
    found = personal_data_of(person)
    appointments = Appointment.objects.filter(pk__in=found.objects["appointment"]).with_related()
    calls = Call.objects.filter(pk__in=found.objects["call"]).with_related()
    waits = waitlist_entries().filter(pk__in=found.objects["waitlist"])
    return {
        "customer": CustomerSerializer.render(person),
        "appointments": [
            AppointmentSerializer.render(row) for row in appointments.order_by("start_time", "pk")
        ],
        "calls": [CallWithTranscript.render(row) for row in calls.order_by("started_at", "pk")],
        "waitlist": [WaitlistEntrySerializer.render(row) for row in waits.order_by("pk")],
        "events": [
            json.loads(bytes(event.body))
            for event in Event.objects.filter(pk__in=found.events).order_by("pk")
        ],
        "voice_messages": [
            {"provider": row.provider, "body": _body_of(row)}
            for row in ProviderMessage.objects.filter(pk__in=found.messages).order_by("pk")
        ],
        "tool_calls": [
            {"tool": row.tool, "arguments": row.arguments, "result": row.result}
            for row in ToolCall.objects.filter(pk__in=found.tool_calls).order_by("pk")
        ],
        "admin_log": [
            {
                "at": format_instant(row.action_time),
                "text": f"{row.object_repr}: {row.get_change_message()}",
            }
            for row in LogEntry.objects.filter(pk__in=found.log_entries).order_by("pk")
        ],
    }


def _audit(business: Business, actor: Actor, action: str, person: Customer, now: datetime) -> None:
    # By id: the audit log is permanent, and must not contain the name.
    subject = f"customer {person.pk}"
    record_audit(
        business=business, actor=actor, action=action, subject=subject, about=person, now=now
    )


def _lock(business: Business, customer_id: int, now: datetime) -> Customer:
    """The person, locked: a booking or new call in progress has committed then and is found, and none
    follows.

    In the order of all operations (docs/decisions/0041): appointments, holds with their entries of the
    waiting list, the customer. Raises NotFound.
    """
    # First: a new call locks it before its appointments.
    advisory_lock("caller", business.pk, _find(business, customer_id).phone)
    appointments = Appointment.objects.for_business(business).filter(customer=customer_id)
    list(appointments.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    waits = WaitlistEntry.objects.for_business(business).filter(customer=customer_id)
    for entry_id in list(waits.order_by("pk").values_list("pk", flat=True)):
        leave_waitlist(business=business, entry_id=entry_id, now=now)
    rows = Customer.objects.for_business(business).select_for_update(no_key=True)
    person: Customer | None = rows.filter(pk=customer_id).first()
    if person is None:
        raise NotFound
    return person


def _find(business: Business, customer_id: int) -> Customer:
    person: Customer | None = Customer.objects.for_business(business).filter(pk=customer_id).first()
    if person is None:
        raise NotFound
    return person


def _erase_calls(calls: Any, known: KnownValues) -> None:
    calls.update(transcript=[], words="", summary="", recording_url="", reported={})
    # The number of the person, not that of the business, which is the other one.
    calls.filter(direction="inbound").update(from_number="")
    calls.filter(direction="outbound").update(to_number="")
    # Also where a provider reported the direction wrongly.
    calls.filter(from_number__in=known.phones).update(from_number="")
    calls.filter(to_number__in=known.phones).update(to_number="")


def _body_of(message: ProviderMessage) -> str | None:
    try:
        return ingestion.body_of(message).decode(errors="replace")
    except DecryptionError:
        return None


def _redaction_of(kind: str, known: KnownValues) -> Any:
    """The function that `redact_events` applies to the data of one event; it adds no keys."""

    def redact(data: dict[str, Any]) -> None:
        erased = dict(REDACTIONS[kind])
        if kind == "call":
            # The number of the person, whichever they had then; not that of the business.
            outbound = data.get("direction") == "outbound"
            erased["to_number" if outbound else "from_number"] = None
            erased |= {
                name: None
                for name in ("from_number", "to_number")
                if data.get(name) in known.phones
            }
        data.update({name: value for name, value in erased.items() if name in data})

    return redact


def _erase_idempotency_records(person: Customer, known: KnownValues) -> None:
    """Deletes idempotency records whose key or response is about the person, or cannot be read."""
    records = IdempotencyRecord.objects.filter(business=person.business_id)
    about = [row.pk for row in records.iterator() if _is_about(row, person, known)]
    IdempotencyRecord.objects.filter(pk__in=about).delete()


def _is_about(record: IdempotencyRecord, person: Customer, known: KnownValues) -> bool:
    if isinstance(record.answer, UndecryptableValue) or known.occur_in(record.key):
        return True
    if record.answer is None:  # its request is running: nothing is stored yet
        return False
    # A response without the name may still show what was noted about the person.
    data = json.loads(record.answer)["data"]
    is_theirs = isinstance(data, dict) and data.get("customer_id") == person.pk
    return is_theirs or known.occur_in(record.answer) or bool(known.all & set(_texts(data)))


def _texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
