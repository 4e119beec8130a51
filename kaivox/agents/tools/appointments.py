"""`find_appointments`, `confirm_appointment`, `reschedule` and `cancel`: what a caller has booked
already."""

from __future__ import annotations

from typing import Any, Final

from appointments.models import Appointment, AppointmentStatus, Confirmation
from appointments.operations import (
    cancel_appointment,
    reschedule_appointment,
    update_details,
)
from appointments.status_transitions import InvalidTransition
from kaivox.agents.arguments import Argument, Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolError, ToolResult
from kaivox.agents.speech import say, say_choices, speakable, spoken
from kaivox.agents.tools.booking import (
    PARTY_SIZE,
    explained,
    find_hold,
    sentence_about,
    show_appointment,
    start_asked_for,
)
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.lookup import find_party_size, find_phone, find_staff

_MOST: Final = 10
# In both languages: models pass on what was said.
_ANSWERS: Final = {
    **dict.fromkeys(("yes", "sí", "si", "confirmed"), Confirmation.CONFIRMED),
    **dict.fromkeys(("no", "declined"), Confirmation.DECLINED),
}


def find_appointments(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Upcoming appointments of a phone number. Raises ToolError."""
    phone = find_phone(context, arguments)
    found = _upcoming(context, phone)
    data = {"appointments": [show_appointment(context, one) for one in found]}
    if not found:
        return ToolResult(say(context.language, "no_appointments"), data=data)
    sentence = say_choices(
        context.language, "appointments", _named(context, found), joined_by="and"
    )
    return ToolResult(sentence, data=data, customer_id=found[0].customer_id)


def confirm(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Records whether the customer will come. Raises ToolError, InvalidTransition."""
    answer = arguments.text("answer").casefold()
    confirmation = _ANSWERS.get(answer)
    if confirmation is None:
        raise arguments.unclear("answer")
    appointment = update_details(
        business=context.business,
        appointment_id=_find(context, arguments).pk,
        changes={"confirmation": confirmation},
    )
    return ToolResult(
        _tell(context, confirmation.value, appointment),
        data={
            "appointment": show_appointment(context, appointment),
            "confirmation": confirmation.value,
        },
        customer_id=appointment.customer_id,
    )


def reschedule(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Moves an appointment to a time, or to one that is on hold, or changes its party. Raises ToolError,
    HoldMismatch."""
    appointment = _find(context, arguments)
    held, people = find_hold(context, arguments), find_party_size(arguments)
    service, size = appointment.service, people or appointment.party_size
    if held is not None:
        staff, start = held.staff, held.start_time
    else:
        staff = find_staff(context, arguments, service)
        stays = people is not None and not arguments.text("start")
        start = appointment.start_time
        if not stays:
            start = start_asked_for(context, arguments, service, staff or appointment.staff, size)
    with explained(context, service, staff or appointment.staff, start, size):
        moved = reschedule_appointment(
            business=context.business,
            appointment_id=appointment.pk,
            start=start,
            staff=staff,
            hold=held,
            party_size=people,
            overrides_window=context.overrides_window,
            now=context.now,
            call_id=context.provider_call_id or None,
        )
    return ToolResult(
        _tell(context, sentence_about("moved", moved, is_party=people is not None), moved),
        data={"appointment": show_appointment(context, moved)},
        customer_id=moved.customer_id,
    )


def cancel(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Cancels an appointment; one that is cancelled already stays so. Raises ToolError."""
    appointment = _find(context, arguments)
    was_cancelled = appointment.status == AppointmentStatus.CANCELLED
    cancelled = cancel_appointment(
        business=context.business,
        appointment_id=appointment.pk,
        reason=arguments.text("reason"),
        overrides_window=context.overrides_window,
        now=context.now,
        call_id=context.provider_call_id or None,
    )
    return ToolResult(
        _tell(context, "already_cancelled" if was_cancelled else "cancelled", cancelled),
        data={"appointment": show_appointment(context, cancelled)},
        customer_id=cancelled.customer_id,
    )


def _find(context: ToolContext, arguments: Arguments) -> Appointment:
    """The appointment with `appointment_id`, else the only upcoming one of the phone number.

    In a phone call, or where `phone` is passed, it must be an appointment of that number: a caller
    who makes up an id reaches no other customer's. Raises ToolError.
    """
    appointment_id = arguments.number("appointment_id")
    if appointment_id is None:
        return _only_upcoming(context, find_phone(context, arguments))
    rows = Appointment.objects.for_business(context.business).with_related()
    if context.is_phone_call or arguments.text("phone"):
        rows = rows.filter(customer__phone=find_phone(context, arguments))
    found: Appointment | None = rows.filter(pk=appointment_id).first()
    if found is None:
        sentence = say(context.language, "appointment_unknown")
        raise ToolError("not_found", sentence, argument="appointment_id")
    if found.status not in (AppointmentStatus.SCHEDULED, AppointmentStatus.CANCELLED):
        raise ToolError(InvalidTransition.code, say(context.language, "invalid_transition"))
    return found


def _only_upcoming(context: ToolContext, phone: str) -> Appointment:
    found = _upcoming(context, phone)
    if not found:
        raise ToolError("not_found", say(context.language, "no_appointments"), argument="phone")
    if len(found) > 1:
        sentence = say_choices(context.language, "which_appointment", _named(context, found))
        choices = [show_appointment(context, one) for one in found]
        raise ToolError("ambiguous_appointment", sentence, choices=choices)
    return found[0]


def _upcoming(context: ToolContext, phone: str) -> list[Appointment]:
    rows = Appointment.objects.for_business(context.business).with_related()
    mine = rows.filter(
        customer__phone=phone, status=AppointmentStatus.SCHEDULED, end_time__gt=context.now
    )  # fmt: skip
    return list(mine.order_by("start_time", "pk")[:_MOST])


def _named(context: ToolContext, appointments: list[Appointment]) -> list[str]:
    template = context.language.sentences["appointment"]
    return [
        template.format(service=speakable(one.service.name), time=spoken(context, one.start_time))
        for one in appointments
    ]


def _tell(context: ToolContext, key: str, appointment: Appointment) -> str:
    values: dict[str, Any] = {
        "service": appointment.service.name,
        "staff": str(appointment.staff),
        "people": appointment.party_size,
        "time": spoken(context, appointment.start_time),
    }
    return say(context.language, key, **values)


_WHICH: Final = (
    Argument("appointment_id", "From find_appointments", kind="integer"),
    Argument("phone", "Default: caller's"),
)

FIND_APPOINTMENTS: Final = Tool(
    name="find_appointments",
    title="Find appointments",
    description="The caller's upcoming appointments.",
    arguments=[_WHICH[1]],
    output={"appointments": {"type": "array"}},
    scopes=["appointments:read", "customers:read"],
    read_only=True,
    run=find_appointments,
)

CONFIRM_APPOINTMENT: Final = Tool(
    name="confirm_appointment",
    title="Confirm an appointment",
    description="Record the answer to a reminder.",
    arguments=[
        *_WHICH,
        Argument("answer", "Will they come?", required=True, choices=("yes", "no")),
    ],
    output={"appointment": {"type": "object"}, "confirmation": {"type": "string"}},
    scopes=["appointments:read", "appointments:write", "customers:read"],
    run=confirm,
)

RESCHEDULE: Final = Tool(
    name="reschedule",
    title="Move an appointment",
    description="Move an appointment once the caller has confirmed the new time. "
    "Give hold_id, start or party_size.",
    arguments=[
        *_WHICH,
        Argument("hold_id", kind="integer"),
        Argument("start"),
        Argument("staff", "Id or name; default: as before"),
        PARTY_SIZE,
    ],
    output={"appointment": {"type": "object"}, "alternatives": {"type": "array"}},
    scopes=["appointments:read", "appointments:write", "customers:read"],
    destructive=True,
    run=reschedule,
)

CANCEL: Final = Tool(
    name="cancel",
    title="Cancel an appointment",
    description="Cancel an appointment once the caller has confirmed which one.",
    arguments=[*_WHICH, Argument("reason")],
    output={"appointment": {"type": "object"}},
    scopes=["appointments:read", "appointments:write", "customers:read"],
    destructive=True,
    run=cancel,
)
