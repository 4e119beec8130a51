"""`join_waitlist`: a caller who waits for a time that is not free."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from appointments.capacity_queries import PartyTooLarge
from appointments.waitlist.operations import (
    LONGEST_RANGE,
    AlreadyWaiting,
    WaitlistFull,
    join_waitlist,
)
from customers.operations import CustomerErased
from kaivox.agents.arguments import Argument, Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolError, ToolResult
from kaivox.agents.speech import say, spoken_day
from kaivox.agents.tools.booking import PARTY_SIZE
from kaivox.agents.tools.callers import find_caller, store_name
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.lookup import (
    find_days,
    find_party_size,
    find_service,
    find_staff,
    party_too_large,
)
from kaivox.agents.tools.times import part_asked_for

# Without a day: so many days from today on.
_SOON: Final = timedelta(days=6)


def join(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Adds the caller to the waiting list of a service. Raises ToolError."""
    service = find_service(context, arguments)
    staff = find_staff(context, arguments, service)
    days, part = find_days(context, arguments), part_asked_for(arguments)
    people = find_party_size(arguments) or 1
    last = days.first + _SOON if days.soonest else min(days.last, days.first + LONGEST_RANGE)
    caller = find_caller(context, arguments)
    try:
        entry = join_waitlist(
            business=context.business,
            customer=caller.customer,
            service=service,
            staff=staff,
            date_from=days.first,
            date_to=last,
            part_of_day=part or "",
            party_size=people,
            now=context.now,
        )
    except PartyTooLarge as error:
        raise party_too_large(context, service, people) from error
    except (AlreadyWaiting, WaitlistFull, CustomerErased) as error:
        raise ToolError(error.code, say(context.language, error.code)) from error
    store_name(context, caller)
    shown = {
        "id": entry.pk,
        "service": service.name,
        "date_from": entry.date_from.isoformat(),
        "date_to": entry.date_to.isoformat(),
        "part_of_day": part,
        "party_size": entry.party_size,
    }
    key = "waitlist_joined" if entry.date_from == entry.date_to else "waitlist_joined_days"
    sentence = say(
        context.language,
        key,
        service=service.name,
        day=spoken_day(context, entry.date_from),
        last=spoken_day(context, entry.date_to),
    )
    return ToolResult(sentence, data={"waitlist_entry": shown}, customer_id=caller.customer.pk)


JOIN_WAITLIST: Final = Tool(
    name="join_waitlist",
    title="Join the waiting list",
    description="If nothing suits: contact the caller when a time is free.",
    arguments=[
        Argument("service", required=True),
        Argument("day", "Like 'tomorrow morning'"),
        Argument("staff"),
        PARTY_SIZE,
        Argument("name"),
        Argument("phone"),
    ],
    output={"waitlist_entry": {"type": "object"}},
    scopes=["appointments:write", "customers:write"],
    run=join,
)
