"""Every route of the API, and one object of each kind for a business, for tests that try all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from appointments.groups.models import AppointmentSeries, Visit
from appointments.models import Hold
from appointments.resources.models import Resource
from appointments.waitlist.models import WaitlistEntry
from kaivox.businesses.models import Business
from staff.models import Closure
from tests import factories
from webhooks.models import Delivery

API = "/api/v1"


@dataclass(frozen=True, order=True)
class Route:
    """`PATCH /api/v1/customers/{id}`."""

    path: str
    method: str

    def url(self, identifier: Any = "") -> str:
        return self.path.replace("{id}", str(identifier))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """All routes, from the URL patterns: also those that the OpenAPI document leaves out."""
    return sorted(set(_routes(get_resolver().url_patterns, "/")))


def _routes(patterns: list[Any], before: str) -> Iterator[Route]:
    for pattern in patterns:
        here = before + _readable(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and here.startswith(f"{API}/"):
            yield from (Route(here.rstrip("/"), method) for method in _methods(pattern.callback))


def _readable(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>[^)]+\)", "{id}", pattern.strip("^$").removesuffix("/?"))


def _methods(callback: Any) -> list[str]:
    actions = getattr(callback, "actions", None)
    names = actions or [
        name for name in ("get", "post", "patch", "put", "delete") if hasattr(callback.cls, name)
    ]
    return [name.upper() for name in names if name != "head"]


@dataclass(frozen=True)
class World:
    """One object of each kind, of one business."""

    business: Business
    objects: dict[str, Any]

    def id_of(self, kind: str) -> int | str:
        """Its id in the API; that of an event is a text."""
        row = self.objects[kind]
        return str(row.uid) if kind == "event" else int(row.pk)


def make_world(business: Business) -> World:
    service = factories.make_service(business)
    staff = factories.make_staff(business, services=[service], hours=["00:00-24:00"])
    customer = factories.make_customer(business)
    series = AppointmentSeries.objects.create(
        business=business, customer=customer, frequency="daily", interval=1, count=1
    )
    visit = Visit.objects.create(business=business, customer=customer)
    start = (timezone.now() + timedelta(days=3)).replace(hour=5, minute=0, second=0, microsecond=0)
    appointment = factories.make_appointment(
        business, service=service, staff=staff, customer=customer, start_time=start,
        series=series, visit=visit,
    )  # fmt: skip
    endpoint = factories.make_endpoint(business)
    event = factories.make_event(business)
    held = start + timedelta(days=1)
    hold = Hold.objects.create(
        business=business, service=service, staff=staff, start_time=held, busy_start=held,
        end_time=held + timedelta(minutes=30), busy_end=held + timedelta(minutes=30),
        expires_at=timezone.now() + timedelta(minutes=10),
    )  # fmt: skip
    closed = start.date() + timedelta(days=200)
    objects = {
        "service": service,
        "closure": Closure.objects.create(
            business=business, first_date=closed, last_date=closed, reason="Holiday"
        ),
        "resource": Resource.objects.create(business=business, name="Chair", kind="chair"),
        "calendar": factories.make_busy_calendar(staff),
        "staff": staff,
        "customer": customer,
        "appointment": appointment,
        "series": series,
        "visit": visit,
        "hold": hold,
        "waitlist_entry": WaitlistEntry.objects.create(
            business=business,
            customer=factories.make_customer(business),
            service=service,
            date_from=closed,
            date_to=closed,
        ),
        "call": factories.make_call(business, customer=customer, transcript=[("caller", "Hello")]),
        "event": event,
        "webhook": endpoint,
        "delivery": Delivery.objects.get(endpoint=endpoint),
    }
    return World(business, objects)
