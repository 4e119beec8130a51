"""`business_info`: what a caller asks before booking."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from appointments.availability_queries import AvailabilityLoader
from kaivox.agents.arguments import Argument, Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.results import ToolResult
from kaivox.agents.speech import LONGEST, say, say_choices, speakable, spoken_price
from kaivox.agents.tools.definition import Tool
from kaivox.agents.tools.lookup import find_service
from services.models import Service
from staff.intervals import intersection, merged, without
from staff.models import StaffMember

_MOST_SERVICES: Final = 50


def business_info(context: ToolContext, arguments: Arguments) -> ToolResult:
    """Name, zone, hours of today, and services with prices; or one service."""
    service = find_service(context, arguments, required=False)
    business = context.business
    services = [service] if service else _services(context)
    hours = _open_today(context)
    local = context.now.astimezone(context.zone)
    data = {
        "business": business.name,
        "timezone": business.timezone,
        "now": local.replace(microsecond=0).isoformat(),
        "open_today": [{"start": f"{a:%H:%M}", "end": f"{b:%H:%M}"} for a, b in hours],
        "services": [_show(context, one) for one in services],
    }
    return ToolResult(
        _describe(context, service) if service else _introduce(context, hours, services), data=data
    )


def _introduce(context: ToolContext, hours: list[Any], services: list[Service]) -> str:
    language = context.language
    spans = [
        language.sentences["hours"].format(start=language.clock(a.time()), end=language.clock(b.time()))
        for a, b in hours[:3]
    ]  # fmt: skip
    name = context.business.name
    first = (
        say_choices(language, "open_today", spans, joined_by="and", business=name)
        if spans
        else say(language, "closed_today", business=name)
    )
    if not services:
        return first
    key = "offers" if len(services) <= 3 else "offers_more"
    second = say_choices(language, key, [speakable(one.name) for one in services], joined_by="and")
    both = f"{first} {second}"
    return both if len(both) <= LONGEST else second


def _describe(context: ToolContext, service: Service) -> str:
    key = "service" if service.price else "service_without_price"
    price = spoken_price(context.language, service.price, context.business.currency)
    minutes = str(service.duration_minutes)
    return say(context.language, key, service=service.name, minutes=minutes, price=price)


def _services(context: ToolContext) -> list[Service]:
    active = Service.objects.for_business(context.business).active()
    return list(active.order_by("name", "pk")[:_MOST_SERVICES])


def _show(context: ToolContext, service: Service) -> dict[str, Any]:
    return {
        "id": service.pk,
        "name": service.name,
        "duration_minutes": service.duration_minutes,
        "price": str(service.price),
        "currency": context.business.currency,
    }


def _open_today(context: ToolContext) -> list[Any]:
    """Opening hours of today, without closures: pairs of local times."""
    active = StaffMember.objects.for_business(context.business).active()
    people = list(active.values_list("pk", flat=True))
    if not people:
        return []
    today = context.today
    roster = AvailabilityLoader(context.business, people, today, today)
    agendas = roster.hours(today, today).values()
    windows = merged(window for agenda in agendas for window in agenda.windows)
    closed = next(iter(agendas)).closed
    open_today = intersection([roster.days.bounds(today)], without(windows, closed))
    return [
        tuple(datetime.fromtimestamp(edge, context.zone) for edge in span) for span in open_today
    ]


BUSINESS_INFO: Final = Tool(
    name="business_info",
    title="Business information",
    description="Name, time now, opening hours today, services with prices. Call it first.",
    arguments=[Argument("service", "Only this: id or name")],
    output={"services": {"type": "array"}, "open_today": {"type": "array"}},
    scopes=["services:read"],
    read_only=True,
    run=business_info,
)
