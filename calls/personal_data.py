"""The rows about one person: found by id, and by every value that identifies them, current or former."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote_plus

import phonenumbers
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from appointments.models import Appointment
from appointments.waitlist.models import WaitlistEntry
from calls import ingestion
from calls.models import Call, Direction, ProviderMessage, ToolCall
from customers.models import Customer
from customers.operations import ERASED_NAME
from kaivox.db.encrypted_fields import DecryptionError
from webhooks.models import Event

_SEPARATORS = re.compile(r"[\s().+/-]")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SHORTEST: Final = 5  # a shorter name occurs inside other words


@dataclass(frozen=True)
class KnownValues:
    """Names, phone numbers and e-mail addresses of one person."""

    names: frozenset[str]
    phones: frozenset[str]
    emails: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.names | self.phones | self.emails

    @cached_property
    def _digits(self) -> frozenset[str]:
        return frozenset(map(_national, self.phones)) - {""}

    @cached_property
    def _words(self) -> frozenset[str]:
        names = {name for name in self.names if len(name) >= _SHORTEST}
        return frozenset(word.casefold() for word in names | self.emails)

    def occur_in(self, raw: str) -> bool:
        """Whether `raw`, of any format, contains a number of the person, however it is written and in
        national form too, or their e-mail address or whole name."""
        text = unquote_plus(raw)
        if "\\u" in text:
            text += _UNICODE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        digits = _SEPARATORS.sub("", text)
        if any(number in digits for number in self._digits):
            return True
        folded = text.casefold()
        return any(word in folded for word in self._words)


def known_values(person: Customer) -> KnownValues:
    """From the customer, their events, and the calls linked to them."""
    values: dict[str, set[str]] = {
        "name": {person.name},
        "phone": {person.phone},
        "email": {person.email},
    }
    events = Event.objects.for_business(person.business_id).filter(
        type__startswith="customer.", object_id=person.pk
    )
    for event in events.iterator():
        data = json.loads(bytes(event.body))["data"]
        for name, found in values.items():
            found.add(data.get(name) or "")
    values["phone"].update(_caller_numbers(person))
    names, phones, emails = (frozenset(found - {""}) for found in values.values())
    return KnownValues(names - {ERASED_NAME}, phones, emails)


@dataclass(frozen=True)
class PersonalData:
    """Primary keys of the rows about one person. `objects` are those that events are about, by the
    part of an event's type before the dot. Text is searched in Python: it is encrypted, or a number
    in it may be written in any way."""

    known: KnownValues
    objects: Mapping[str, Collection[int]]
    events: Collection[int]
    messages: Collection[int]
    undecryptable_messages: Collection[int]
    tool_calls: Collection[int]
    log_entries: Collection[int]


def personal_data_of(person: Customer) -> PersonalData:
    """Everything that is stored about `person`."""
    known = known_values(person)
    calls = list(_calls_of(person, known.phones).values_list("pk", "provider_call_id"))
    call_ids = [pk for pk, _ in calls]
    objects = {
        "customer": [person.pk],
        "appointment": _ids(_owned(Appointment, person)),
        "call": call_ids,
        "waitlist": _ids(_owned(WaitlistEntry, person)),
    }
    messages, undecryptable = _messages_of(person, call_ids, known)
    return PersonalData(
        known=known,
        objects=objects,
        events=_ids(_events_of(person, objects)),
        messages=messages,
        undecryptable_messages=undecryptable,
        tool_calls=list(_tool_calls_of(person, [name for _, name in calls], known)),
        log_entries=_ids(
            LogEntry.objects.filter(
                content_type=ContentType.objects.get_for_model(Customer), object_id=str(person.pk)
            )
        ),
    )


def _owned(model: Any, person: Customer) -> Any:
    return model.objects.for_business(person.business_id).filter(customer=person)


def _ids(rows: Any) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _calls_of(person: Customer, phones: Collection[str]) -> Any:
    """Calls linked to the person, and those of their numbers that are linked to no one else."""
    of_number = Q(from_number__in=phones) | Q(to_number__in=phones)
    of_person = Q(customer=person) | (of_number & Q(customer__isnull=True))
    return Call.objects.for_business(person.business_id).filter(of_person)


def _events_of(person: Customer, objects: Mapping[str, Collection[int]]) -> Any:
    about = Q()
    for kind, ids in objects.items():
        about |= Q(type__startswith=f"{kind}.", object_id__in=ids)
    return Event.objects.for_business(person.business_id).filter(about)


def _messages_of(
    person: Customer, calls: Collection[int], known: KnownValues
) -> tuple[list[int], list[int]]:
    """Messages about the person's calls or, where they are about no call, that name them; and those
    about no call that no key decrypts, which may name them."""
    found = _ids(ProviderMessage.objects.filter(call__in=calls))
    undecryptable = []
    loose = ProviderMessage.objects.for_business(person.business_id).filter(call__isnull=True)
    for message in loose.iterator():
        try:
            if known.occur_in(ingestion.body_of(message).decode(errors="replace")):
                found.append(message.pk)
        except DecryptionError:
            undecryptable.append(message.pk)
    return found, undecryptable


def _tool_calls_of(
    person: Customer, provider_call_ids: Collection[str], known: KnownValues
) -> Iterator[int]:
    """Those that serve the person, were made in their calls, or name them."""
    linked = {name for name in provider_call_ids if name}
    rows = ToolCall.objects.for_business(person.business_id).values_list(
        "pk", "customer_id", "provider_call_id", "arguments", "result"
    )
    for pk, customer_id, provider_call_id, arguments, result in rows.order_by("pk").iterator():
        if (
            customer_id == person.pk
            or provider_call_id in linked
            or known.occur_in(f"{arguments}\n{result}")
        ):
            yield pk


def _caller_numbers(person: Customer) -> set[str]:
    """Numbers from which the person called or was called, and which are none of the business: with
    one of those all its calls would count as the person's."""
    calls = Call.objects.for_business(person.business_id)
    numbers = {call.caller_number for call in calls.filter(customer=person)}
    inbound = Q(direction=Direction.INBOUND, to_number__in=numbers)
    outbound = Q(direction=Direction.OUTBOUND, from_number__in=numbers)
    sides = calls.filter(inbound | outbound).values_list("direction", "from_number", "to_number")
    return numbers - {
        to_number if direction == Direction.INBOUND else from_number
        for direction, from_number, to_number in sides.distinct()
    }


def _national(phone: str) -> str:
    """The number without its country code: every way to write it ends so. What is no phone number (a
    SIP user) is only stripped of separators."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(phone))
    except phonenumbers.NumberParseException:
        return _SEPARATORS.sub("", phone)
