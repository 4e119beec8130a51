"""`hold_time` and `book`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from appointments.capacity_queries import PartyTooLarge
from appointments.holds import HoldExpired, place_hold
from appointments.models import Appointment, Hold
from appointments.operations import book_appointment
from appointments.reservations import (
    InThePast,
    OutsideWorkingHours,
    SlotUnavailable,
    StaffNotQualified,
    TooFarAhead,
    TooSoon,
)
from appointments.wall_time import NonexistentLocalTime
from customers.operations import CustomerErased
from kaivox.agents.arguments import Argument, Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolError, ToolResult
from kaivox.agents.speech import say, spoken, spoken_day
from kaivox.agents.tools.callers import SOURCE, find_caller, store_name
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.lookup import (
    find_party_size,
    find_service,
    find_staff,
    find_start,
    party_too_large,
)
from kaivox.agents.tools.times import alternatives, say_alternatives, show_times, utc
from kaivox.errors import DomainError
from services.models import Service
from staff.models import StaffMember

HOLD_FOR: Final = timedelta(minutes=5)
_LONGEST_NOTES: Final = 2000


def hold(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Reserves a time for five minutes. Raises ToolError."""
    service = find_service(context, arguments)
    staff = find_staff(context, arguments, service)
    people = find_party_size(arguments) or 1
    start = start_asked_for(context, arguments, service, staff, people)
    with explained(context, service, staff, start, people):
        held = place_hold(
            business=context.business,
            service=service,
            staff=staff,
            start=start,
            lasts=HOLD_FOR,
            now=context.now,
            party_size=people,
        )
    data = {
        "hold_id": held.pk,
        "start": held.start_time.astimezone(context.zone).isoformat(),
        "start_utc": utc(held.start_time),
        "staff": held.staff.name if held.staff else None,
        "party_size": held.party_size,
        "expires_at": utc(held.expires_at),
    }
    return ToolResult(
        say(context.language, "held", time=spoken(context, held.start_time)), data=data
    )


def book(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Books a time, or one that is on hold, for the customer with this phone number.

    Raises ToolError.
    """
    held = find_hold(context, arguments)
    if held is not None:
        service, staff, start = held.service, held.staff, held.start_time
        people = find_party_size(arguments) or held.party_size
    else:
        service = find_service(context, arguments)
        staff = find_staff(context, arguments, service)
        people = find_party_size(arguments) or 1
        start = start_asked_for(context, arguments, service, staff, people)
    notes = arguments.text("notes", limit=_LONGEST_NOTES)
    caller = find_caller(context, arguments)
    with explained(context, service, staff, start, people):
        appointment = book_appointment(
            business=context.business,
            customer=caller.customer,
            service=service,
            staff=staff,
            start=start,
            hold=held,
            party_size=people,
            notes=notes,
            source=SOURCE,
            now=context.now,
            call_id=context.provider_call_id or None,
        )
    store_name(context, caller)
    return ToolResult(
        say(
            context.language,
            sentence_about("booked", appointment, is_party=people > 1),
            service=service.name,
            staff=str(appointment.staff),
            people=people,
            time=spoken(context, appointment.start_time),
        ),
        data={"appointment": show_appointment(context, appointment)},
        customer_id=caller.customer.pk,
    )


def sentence_about(key: str, appointment: Appointment, *, is_party: bool) -> str:
    """The key of the sentence `key` for a party, and for an appointment without staff."""
    return key + ("_party" if is_party else "") + ("" if appointment.staff else "_alone")


def find_hold(context: ToolContext, arguments: Arguments) -> Hold | None:
    """The hold that `hold_id` names; None where it is left out. Raises ToolError."""
    hold_id = arguments.number("hold_id")
    if hold_id is None:
        return None
    holds = Hold.objects.for_business(context.business).select_related("service", "staff")
    held: Hold | None = holds.filter(pk=hold_id).first()
    if held is None or held.expires_at <= context.now:
        raise ToolError(HoldExpired.code, say(context.language, "hold_expired"))
    return held


def start_asked_for(
    context: ToolContext,
    arguments: Arguments,
    service: Service,
    staff: StaffMember | None,
    party_size: int,
) -> datetime:
    """The instant that `start` names. Raises ToolError, which offers other times where the clocks skip
    it."""
    try:
        return find_start(context, arguments)
    except NonexistentLocalTime as error:
        with explained(context, service, staff, error.changed_at, party_size):
            raise


@contextmanager
def explained(
    context: ToolContext,
    service: Service,
    staff: StaffMember | None,
    start: datetime,
    party_size: int,
) -> Iterator[None]:
    """Errors of booking as ToolErrors that offer other times."""
    try:
        yield
    except (
        SlotUnavailable,
        OutsideWorkingHours,
        TooSoon,
        InThePast,
        TooFarAhead,
        NonexistentLocalTime,
    ) as error:
        raise _with_alternatives(context, error, service, staff, start, party_size) from error
    except PartyTooLarge as error:
        raise party_too_large(context, service, party_size) from error
    except StaffNotQualified as error:
        key = "nobody_offers" if staff is None else "staff_not_qualified"
        name = "" if staff is None else staff.name
        sentence = say(context.language, key, service=service.name, staff=name)
        raise ToolError(error.code, sentence) from error
    except CustomerErased as error:
        raise ToolError(error.code, say(context.language, error.code)) from error


def show_appointment(context: ToolContext, appointment: Appointment) -> dict[str, Any]:
    """An appointment as data: local and UTC."""
    return {
        "id": appointment.pk,
        "status": appointment.status,
        "service": appointment.service.name,
        "staff": appointment.staff.name if appointment.staff else None,
        "party_size": appointment.party_size,
        "start": appointment.start_time.astimezone(context.zone).isoformat(),
        "start_utc": utc(appointment.start_time),
        "end_utc": utc(appointment.end_time),
        "spoken": spoken(context, appointment.start_time),
    }


def _with_alternatives(
    context: ToolContext,
    error: DomainError,
    service: Service,
    staff: StaffMember | None,
    start: datetime,
    party_size: int,
) -> ToolError:
    if isinstance(error, InThePast | TooFarAhead):
        today = spoken_day(context, context.today)
        time = spoken(context, start)
        sentence = say(context.language, error.code, time=time, today=today)
        return ToolError(error.code, sentence, today=context.today.isoformat())
    found = alternatives(context, service, staff, start, party_size)
    if not found:
        sentence = say(context.language, error.code, time=spoken(context, start))
        return ToolError(error.code, sentence, alternatives=[])
    is_skipped = isinstance(error, NonexistentLocalTime)
    key = "alternatives_to_skipped" if is_skipped else "alternatives"
    sentence = say_alternatives(context, key, found, start)
    return ToolError(error.code, sentence, alternatives=show_times(context, found))


# Described in find_times, as `service` and `staff` are.
PARTY_SIZE: Final = Argument("party_size", kind="integer")

HOLD_TIME: Final = Tool(
    name="hold_time",
    title="Hold a time",
    description="Reserve a time for 5 minutes while the caller decides.",
    arguments=[
        Argument("service", required=True),
        Argument("start", "As from find_times, or 'tomorrow 15:30'", required=True),
        Argument("staff"),
        PARTY_SIZE,
    ],
    output={"hold_id": {"type": "integer"}, "alternatives": {"type": "array"}},
    scopes=["appointments:write"],
    run=hold,
)

BOOK: Final = Tool(
    name="book",
    title="Book an appointment",
    description="Book after the caller has confirmed service, day, time and name. Give hold_id, "
    "or service and start.",
    arguments=[
        Argument("name", "Caller's name; needed if new"),
        Argument("phone", "Default: caller's"),
        Argument("hold_id", kind="integer"),
        Argument("service"),
        Argument("start", "As from find_times"),
        Argument("staff"),
        PARTY_SIZE,
        Argument("notes"),
    ],
    output={"appointment": {"type": "object"}, "alternatives": {"type": "array"}},
    scopes=["appointments:write", "customers:write"],
    run=book,
)
