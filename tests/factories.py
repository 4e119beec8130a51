"""Plain builders: `make_business(timezone="Europe/London")`. Each makes what it needs itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from appointments.assignments import reserve_resources
from appointments.models import Appointment
from appointments.resources.models import Resource
from appointments.waitlist.models import WaitlistEntry
from calls.models import Call
from calls.transcripts import turn, words_of
from customers.models import Customer
from kaivox.api.values import parse_wall_time
from kaivox.businesses.auth import key_format
from kaivox.businesses.models import ApiKey, Business, Membership
from services.models import Service
from staff.busy_calendars import masked
from staff.models import BusyCalendar, StaffMember, WorkingHours
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Endpoint, Event
from webhooks.operations import record_event
from webhooks.signing import new_secret

_numbers = count(1)


def make_business(**values: Any) -> Business:
    number = next(_numbers)
    return Business.objects.create(
        **{
            "name": f"Business {number}",
            "slug": f"business-{number}",
            "timezone": "Asia/Kolkata",
            "country": "IN",
            "currency": "INR",
            "plan": "enterprise",
            **values,
        }
    )


def make_key(business: Business, **values: Any) -> str:
    """A key of `business`, in the clear."""
    key = key_format.make_key(livemode=business.livemode)
    ApiKey.objects.create(
        **{
            "business": business,
            "name": "Test",
            "prefix": key[: key_format.PREFIX_LENGTH],
            "last_four": key[-4:],
            "digest": key_format.digest_of(key),
            **values,
        }
    )
    return key


def make_user(business: Business | None = None, *, role: str = "owner", **values: Any) -> User:
    """A person of the admin, member of `business` with `role`."""
    user = User.objects.create(**{"username": f"user-{next(_numbers)}", "is_staff": True, **values})
    if business is not None:
        Membership.objects.create(business=business, user=user, role=role)
    return user


def make_customer(business: Business | None = None, **values: Any) -> Customer:
    number = next(_numbers)
    return Customer.objects.create(
        **{
            "business": business or make_business(),
            "name": f"Customer {number}",
            "phone": f"+9198{number:08d}",
            **values,
        }
    )


def make_busy_calendar(staff: StaffMember, **values: Any) -> BusyCalendar:
    url = values.pop("ics_url", "http://127.0.0.1:9/secret-token.ics")
    return BusyCalendar.objects.create(
        **{
            "business": staff.business,
            "staff": staff,
            "ics_url": url,
            "shown_url": masked(url),
            "next_poll_at": timezone.now(),
            **values,
        }
    )


def make_endpoint(business: Business, **values: Any) -> Endpoint:
    return Endpoint.objects.create(
        **{
            "business": business,
            "url": "http://127.0.0.1:9/hook",
            "secret": new_secret(),
            **values,
        }
    )


def make_event(business: Business, **values: Any) -> Event:
    """An event and the deliveries that follow from it."""
    return record_event(
        **{
            "business": business,
            "type": "customer.created",
            "data": EVENT_TYPES["customer.created"].example,
            "now": timezone.now(),
            **values,
        }
    )


def make_call(business: Business | None = None, **values: Any) -> Call:
    """A call of yesterday; `transcript` as `[("caller", "I would like a cleaning.")]` or as turns."""
    turns = [
        one if isinstance(one, dict) else turn(*one, 5.0 * place)
        for place, one in enumerate(values.pop("transcript", []))
    ]
    started = values.pop("started_at", timezone.now() - timedelta(days=1))
    number = next(_numbers)
    return Call.objects.create(
        **{
            "business": business or make_business(),
            "provider": "kaivox",
            "provider_call_id": f"call-{number}",
            "status": "completed",
            "from_number": f"+9197{number:08d}",
            "to_number": "+918012345678",
            "started_at": started,
            "ended_at": started + timedelta(seconds=values.get("duration_seconds", 60)),
            "duration_seconds": 60,
            "transcript": turns,
            "words": words_of(turns, values.get("summary", "")),
            **values,
        }
    )


def make_service(business: Business | None = None, **values: Any) -> Service:
    number = next(_numbers)
    return Service.objects.create(
        **{
            "business": business or make_business(),
            "name": f"Service {number}",
            "duration_minutes": 30,
            "price": Decimal(1200),
            **values,
        }
    )


def make_staff(
    business: Business | None = None,
    *,
    services: Iterable[Service] = (),
    hours: Iterable[str] | dict[int, Iterable[str]] = ("09:00-17:00",),
    **values: Any,
) -> StaffMember:
    """A member of staff who works `hours` every day, or by weekday: `{0: ["09:00-13:00"]}`."""
    number = next(_numbers)
    person = StaffMember.objects.create(
        **{"business": business or make_business(), "name": f"Staff {number}", **values}
    )
    person.services.set(services)
    by_day = hours if isinstance(hours, dict) else dict.fromkeys(range(7), tuple(hours))
    WorkingHours.objects.bulk_create(
        WorkingHours(business=person.business, staff=person, weekday=weekday, **minutes_of(window))
        for weekday, windows in by_day.items()
        for window in windows
    )
    return person


def minutes_of(window: str) -> dict[str, int]:
    """`09:00-13:00` as the columns of hours, breaks and overrides."""
    start, end = (parse_wall_time(part) for part in window.split("-"))
    return {"start_minute": start, "end_minute": end}


def make_resource(business: Business, kind: str = "table", **values: Any) -> Resource:
    return Resource.objects.create(
        **{"business": business, "name": f"Resource {next(_numbers)}", "kind": kind, **values}
    )


def reserve(appointment: Appointment, resource: Resource) -> None:
    """Makes the resource one of the appointment's."""
    appointment.resource_ids = [resource.pk]
    appointment.save(update_fields=["resource_ids"])
    reserve_resources(appointment)


def _staff_of(service: Service) -> StaffMember | None:
    return make_staff(service.business, services=[service]) if service.needs_staff else None


def make_waitlist_entry(business: Business, **values: Any) -> WaitlistEntry:
    """By default of today."""
    today = timezone.localdate(timezone=business.zone)
    return WaitlistEntry.objects.create(
        **{
            "business": business,
            "date_from": today,
            "date_to": today,
            **values,
            "customer": values.get("customer") or make_customer(business),
            "service": values.get("service") or make_service(business),
        }
    )


def make_appointment(business: Business | None = None, **values: Any) -> Appointment:
    """A row as it is, past all rules: by default tomorrow at this hour, for half an hour."""
    service = values.pop("service", None) or make_service(
        business or getattr(values.get("staff"), "business", None)
    )
    business = service.business
    tomorrow = (timezone.now() + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    start = values.pop("start_time", tomorrow)
    end = start + timedelta(minutes=service.duration_minutes)
    return Appointment.objects.create(
        **{
            "business": business,
            "service": service,
            "start_time": start,
            "end_time": end,
            "busy_start": start - timedelta(minutes=service.buffer_before_minutes),
            "busy_end": end + timedelta(minutes=service.buffer_after_minutes),
            "duration_minutes": service.duration_minutes,
            "price": service.price,
            "currency": business.currency,
            **values,
            "staff": values.get("staff") or _staff_of(service),
            "customer": values.get("customer") or make_customer(business),
        }
    )
