"""The demo's phone calls: two weeks of them, taken in as a voice provider would tell them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final

from django.db.models import F

from calls.models import Call
from calls.operations import ingest_call
from calls.report import CallReport
from customers.models import Customer
from kaivox.businesses.models import Business
from kaivox.demo.catalogue import DemoBusiness
from kaivox.demo.conversations import BOOKED, OTHERS, length_of, transcript
from kaivox.demo.planning import chance_of

DAYS: Final = 14
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def fill_calls(
    demo: DemoBusiness, business: Business, customers: Sequence[Customer], *, now: datetime
) -> None:
    for report in reports_of(demo, business, customers, now):
        ended_at = report.ended_at or now
        ingest_call(business=business, provider="kaivox", report=report, now=ended_at)
    Call.objects.for_business(business).update(created_at=F("ended_at"), updated_at=F("ended_at"))


def reports_of(
    demo: DemoBusiness, business: Business, customers: Sequence[Customer], now: datetime
) -> Iterator[CallReport]:
    """Two or three calls a day until `now`, oldest first; one in six is missed."""
    today = now.astimezone(business.zone).date()
    for offset in range(-DAYS, 1):
        day = today + timedelta(days=offset)
        chance = chance_of(demo, "calls", day)
        minutes = sorted(chance.randint(8 * 60, 20 * 60) for _ in range(chance.randint(2, 3)))
        for number, minute in enumerate(minutes):
            clock = time(minute // 60, minute % 60, chance.randint(0, 59))
            start = datetime.combine(day, clock, tzinfo=business.zone)
            report = _report(
                demo, f"demo-{demo.slug}-{day}-{number}", start, chance.choice(customers), chance
            )
            if report.ended_at is not None and report.ended_at < now:
                yield report


def _report(
    demo: DemoBusiness, call_id: str, start: datetime, customer: Customer, chance: random.Random
) -> CallReport:
    facts: dict[str, Any] = {
        "provider_call_id": call_id,
        "direction": "inbound",
        "from_number": customer.phone,
        "to_number": demo.phone,
        "caller_name": customer.name,
        "started_at": start,
    }
    if chance.random() < 1 / 6:
        rang = timedelta(seconds=chance.randint(15, 40))
        return CallReport(
            **facts,
            status="missed",
            ended_at=start + rang,
            duration_seconds=0,
            end_reason="no_answer",
        )
    conversation = chance.choice(BOOKED if chance.random() < 0.55 else OTHERS)
    words = {
        "business": demo.settings["name"],
        "agent": demo.agent,
        "name": customer.name,
        "service": chance.choice(demo.services).name.lower(),
        "day": _WEEKDAYS[(start.weekday() + chance.randint(1, 4)) % 7],
        "time": f"{chance.randint(10, 16)}:{chance.choice(('00', '15', '30', '45'))}",
    }
    turns = transcript(conversation, words)
    seconds = length_of(turns)
    return CallReport(
        **facts,
        status="completed",
        ended_at=start + timedelta(seconds=seconds),
        duration_seconds=seconds,
        end_reason="caller_hung_up",
        outcome=conversation.outcome,
        sentiment=conversation.sentiment,
        sentiment_score=conversation.score,
        summary=conversation.summary.format(**words),
        turns=turns,
    )
