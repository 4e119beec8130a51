"""Resolves what callers name: a service, a staff member, a day, a time, a phone number.

Several matches are offered, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any, Final, TypeVar

from appointments.capacity_queries import PartyTooLarge
from appointments.wall_time import start_at
from customers.phones import to_e164
from kaivox.agents.arguments import Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.dates import Days, NotUnderstood, parse_days, parse_moment, parse_time
from kaivox.agents.names import find_by_name, means_anyone
from kaivox.agents.results import ToolError
from kaivox.agents.speech import say, say_choices, speakable, spoken_day
from services.models import MAX_CAPACITY, Service
from staff.models import StaffMember

N = TypeVar("N", Service, StaffMember)

# Most that a result names of what could be meant.
_MOST_NAMED: Final = 20
# What models write for the number that is calling.
_THIS_NUMBER: Final = frozenset(
    {"caller", "same", "this", "this number", "same number", "my number", "current", "default"}
    | {"the number that is calling", "calling number", "caller id", "este", "este numero"}
)


def find_service(context: ToolContext, arguments: Arguments, *, required: bool = True) -> Any:
    """The service that `service` names, by id or name; None where it may be left out and is.

    Raises ToolError.
    """
    wanted = arguments.text("service")
    active = Service.objects.for_business(context.business).active().order_by("name", "pk")
    services = list(active)
    if not wanted:
        if not required:
            return None
        if len(services) == 1:
            return services[0]
        raise _offer(context, "missing_argument", "ask_service", services)
    return _find(context, "service", wanted, services)


def find_staff(context: ToolContext, arguments: Arguments, service: Service | None) -> Any:
    """The active member of staff whom `staff` names, by id or name; None: anyone, or no one where the
    service needs no staff.

    Raises ToolError.
    """
    wanted = arguments.text("staff")
    if not wanted or means_anyone(wanted) or (service is not None and not service.needs_staff):
        return None
    active = StaffMember.objects.for_business(context.business).active().order_by("name", "pk")
    if service is None:
        return _find(context, "staff", wanted, list(active))
    offering = list(active.offering(service))
    found = _only(wanted, offering) or _find(context, "staff", wanted, list(active))
    if found not in offering:
        sentence = say(
            context.language, "staff_not_qualified", staff=found.name, service=service.name
        )
        raise ToolError("staff_not_qualified", sentence, choices=_named(offering))
    return found


def find_days(context: ToolContext, arguments: Arguments) -> Days:
    """The days that `day`, and `until`, name; from today on. Raises ToolError."""
    text = arguments.text("day")
    if not text:
        return Days(context.today, context.today, soonest=True)
    days = _days(context, text)
    if until := arguments.text("until"):
        last = _days(context, until)
        days = Days(days.first, max(days.last, last.last))
    if days.last < context.today:
        raise ToolError(
            "in_the_past",
            say(
                context.language,
                "day_past",
                day=spoken_day(context, days.first),
                today=spoken_day(context, context.today),
            ),
            today=context.today.isoformat(),
        )
    return Days(max(days.first, context.today), days.last, days.soonest)


def find_clock(context: ToolContext, arguments: Arguments) -> time | None:
    """The local time that `time` names. Raises ToolError."""
    text = arguments.text("time")
    if not text:
        return None
    try:
        return parse_time(text)
    except NotUnderstood as error:
        sentence = say(context.language, "time_unclear")
        raise ToolError("invalid_arguments", sentence, argument="time") from error


def find_start(context: ToolContext, arguments: Arguments) -> datetime:
    """The instant that `start` names. Raises ToolError, NonexistentLocalTime."""
    text = arguments.text("start")
    if not text:
        sentence = say(context.language, "ask_start")
        raise ToolError("missing_argument", sentence, argument="start")
    try:
        moment = parse_moment(text, context.today, month_first=_month_first(context))
    except NotUnderstood as error:
        sentence = say(context.language, "ask_start")
        raise ToolError("invalid_arguments", sentence, argument="start") from error
    if moment.instant is not None:
        return moment.instant
    try:
        return start_at(moment.day, f"{moment.clock:%H:%M}", context.zone).astimezone(UTC)
    except (OverflowError, ValueError) as error:
        sentence = say(context.language, "ask_start")
        raise ToolError("invalid_arguments", sentence, argument="start") from error


def find_party_size(arguments: Arguments) -> int | None:
    """The number of people that `party_size` says; None where it is left out. Raises ToolError."""
    people = arguments.number("party_size")
    if people is not None and people > MAX_CAPACITY:
        raise arguments.unclear("party_size")
    return people


def party_too_large(context: ToolContext, service: Service, people: int) -> ToolError:
    """PartyTooLarge, for callers."""
    # One person is too many where what the service needs is out of use.
    key = PartyTooLarge.code if people > 1 else "no_times"
    sentence = say(context.language, key, service=service.name, people=people)
    return ToolError(PartyTooLarge.code, sentence, argument="party_size")


def find_phone(context: ToolContext, arguments: Arguments) -> str:
    """`phone` as E.164; where it is left out the number that the caller calls from.

    Raises ToolError.
    """
    stated = arguments.text("phone")
    if stated.casefold().strip(" .") in _THIS_NUMBER:
        stated = ""
    text = stated or context.caller_phone
    if not text:
        sentence = say(context.language, "ask_phone")
        raise ToolError("missing_argument", sentence, argument="phone")
    try:
        return to_e164(text, country=context.business.country)
    except ValueError as error:
        if not stated:  # what the provider sees is no number that can be called back
            sentence = say(context.language, "ask_phone")
            raise ToolError("missing_argument", sentence, argument="phone") from error
        sentence = say(context.language, "phone_invalid")
        raise ToolError("invalid_phone", sentence, argument="phone") from error


def _days(context: ToolContext, text: str) -> Days:
    try:
        return parse_days(text, context.today, month_first=_month_first(context))
    except NotUnderstood as error:
        today = spoken_day(context, context.today)
        sentence = say(context.language, "day_unclear", today=today)
        raise ToolError(
            "invalid_arguments", sentence, argument="day", today=context.today.isoformat()
        ) from error


def _month_first(context: ToolContext) -> bool:
    """Whether 12/5 is read as December 5 where the business is."""
    return context.business.country == "US"


def _find(context: ToolContext, kind: str, wanted: str, rows: Sequence[N]) -> N:
    by_id = {str(row.pk): row for row in rows}
    if wanted in by_id:
        return by_id[wanted]
    matches = find_by_name(wanted, [(row.name, row) for row in rows])
    if matches.only is not None:
        return matches.only
    if matches.found:
        raise _offer(context, f"ambiguous_{kind}", f"{kind}_unclear", matches.found)
    raise _offer(context, f"unknown_{kind}", f"{kind}_unknown", rows, name=wanted)


def _only(wanted: str, rows: Sequence[N]) -> N | None:
    """The one of `rows` that is meant, if there is just one."""
    by_id = {str(row.pk): row for row in rows}
    return by_id.get(wanted) or find_by_name(wanted, [(row.name, row) for row in rows]).only


def _offer(
    context: ToolContext, status: str, key: str, rows: Sequence[Service] | Sequence[StaffMember],
    **values: str,
) -> ToolError:  # fmt: skip
    if not rows:
        return ToolError("not_found", say(context.language, "failed"))
    sentence = say_choices(context.language, key, [speakable(row.name) for row in rows], **values)
    return ToolError(status, sentence, choices=_named(rows))


def _named(rows: Sequence[Service] | Sequence[StaffMember]) -> list[dict[str, Any]]:
    return [{"id": row.pk, "name": row.name} for row in rows[:_MOST_NAMED]]
