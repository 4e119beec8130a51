"""Generator of the demo's phone calls, ingested like reports of a voice provider."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

from django.db.models import F

from appointments.models import Appointment
from calls.call_report import CallReport
from calls.models import Call
from calls.operations import ingest_call
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.demo.appointments import chance_of
from kaivox.demo.catalogue import DemoBusiness
from kaivox.demo.conversations import BOOKED, OTHERS, Conversation, length_of, transcript

DAYS: Final = 28
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def seed_calls(
    demo: DemoBusiness,
    business: Business,
    customers: Sequence[Customer],
    bookings: Mapping[str, Appointment],
    *,
    now: datetime,
) -> None:
    """`bookings`: the appointments that were booked in a call, by the provider's id of the call."""
    reports = [
        *reports_of(demo, business, customers, now),
        *(_booking_report(demo, call_id, booked) for call_id, booked in bookings.items()),
    ]
    for report in sorted(reports, key=lambda report: report.ended_at or now):
        ended_at = report.ended_at or now
        ingest_call(business=business, provider="kaivox", report=report, now=ended_at)
    Call.objects.for_business(business).update(created_at=F("ended_at"), updated_at=F("ended_at"))


def reports_of(
    demo: DemoBusiness, business: Business, customers: Sequence[Customer], now: datetime
) -> Iterator[CallReport]:
    """One or two calls a day without a booking until `now`, oldest first; one in five is missed."""
    today = now.astimezone(business.zone).date()
    for offset in range(-DAYS, 1):
        day = today + timedelta(days=offset)
        chance = chance_of(demo, "calls", day)
        minutes = sorted(chance.randint(8 * 60, 20 * 60) for _ in range(chance.randint(1, 2)))
        for number, minute in enumerate(minutes):
            clock = time(minute // 60, minute % 60, chance.randint(0, 59))
            start = datetime.combine(day, clock, tzinfo=business.zone)
            report = _report(
                demo, f"demo-{demo.slug}-{day}-{number}", start, chance.choice(customers), chance
            )
            if report.ended_at is not None and report.ended_at < now:
                yield report


def _booking_report(demo: DemoBusiness, call_id: str, booked: Appointment) -> CallReport:
    """The call in which `booked` was made: it ended when the appointment was created."""
    local = booked.start_time.astimezone(booked.business.zone)
    conversation = chance_of(demo, call_id).choice(BOOKED)
    words = {
        "business": demo.settings["name"],
        "agent": demo.agent,
        "name": booked.customer.name,
        "service": booked.service.name.lower(),
        "day": _WEEKDAYS[local.weekday()],
        "time": f"{local:%H:%M}",
    }
    seconds = length_of(transcript(conversation, words))
    facts = _facts(demo, call_id, booked.customer, booked.created_at - timedelta(seconds=seconds))
    return _completed(facts, conversation, words)


def _report(
    demo: DemoBusiness, call_id: str, start: datetime, customer: Customer, chance: random.Random
) -> CallReport:
    facts = _facts(demo, call_id, customer, start)
    if chance.random() < 1 / 5:
        rang = timedelta(seconds=chance.randint(15, 40))
        return CallReport(
            **facts,
            status="missed",
            ended_at=start + rang,
            duration_seconds=0,
            end_reason="no_answer",
        )
    words = {
        "business": demo.settings["name"],
        "agent": demo.agent,
        "name": customer.name,
        "service": chance.choice(demo.services).name.lower(),
        "day": _WEEKDAYS[(start.weekday() + chance.randint(1, 4)) % 7],
        "time": f"{chance.randint(10, 16)}:{chance.choice(('00', '15', '30', '45'))}",
    }
    return _completed(facts, chance.choice(OTHERS), words)


def _facts(demo: DemoBusiness, call_id: str, customer: Customer, start: datetime) -> dict[str, Any]:
    return {
        "provider_call_id": call_id,
        "direction": "inbound",
        "from_number": customer.phone,
        "to_number": demo.phone,
        "caller_name": customer.name,
        "started_at": start,
    }


def _completed(
    facts: dict[str, Any], conversation: Conversation, words: dict[str, str]
) -> CallReport:
    turns = transcript(conversation, words)
    seconds = length_of(turns)
    return CallReport(
        **facts,
        status="completed",
        ended_at=facts["started_at"] + timedelta(seconds=seconds),
        duration_seconds=seconds,
        end_reason="caller_hung_up",
        outcome=conversation.outcome,
        sentiment=conversation.sentiment,
        sentiment_score=conversation.score,
        summary=conversation.summary.format(**words),
        turns=turns,
    )
