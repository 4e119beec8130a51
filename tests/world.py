"""Every route of the API, and one object of each kind for a business: what the tables of
`test_isolation` and `test_hostile` walk over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from appointments.models import Hold
from kaivox.businesses.models import Business
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
    """All of them, from the URLs themselves: what OpenAPI does not know is here too."""
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
    """One of each, of one business."""

    business: Business
    objects: dict[str, Any]

    def id_of(self, kind: str) -> int:
        return int(self.objects[kind].pk)


def make_world(business: Business) -> World:
    service = factories.make_service(business)
    staff = factories.make_staff(business, services=[service], hours=["00:00-24:00"])
    customer = factories.make_customer(business)
    start = (timezone.now() + timedelta(days=3)).replace(hour=5, minute=0, second=0, microsecond=0)
    appointment = factories.make_appointment(
        business, service=service, staff=staff, customer=customer, start_time=start
    )
    endpoint = factories.make_endpoint(business)
    factories.make_event(business)
    held = start + timedelta(days=1)
    hold = Hold.objects.create(
        business=business, service=service, staff=staff, start_time=held, busy_start=held,
        end_time=held + timedelta(minutes=30), busy_end=held + timedelta(minutes=30),
        expires_at=timezone.now() + timedelta(minutes=10),
    )  # fmt: skip
    objects = {
        "service": service,
        "staff": staff,
        "customer": customer,
        "appointment": appointment,
        "hold": hold,
        "call": factories.make_call(business, customer=customer, transcript=[("caller", "Hello")]),
        "webhook": endpoint,
        "delivery": Delivery.objects.get(endpoint=endpoint),
    }
    return World(business, objects)
