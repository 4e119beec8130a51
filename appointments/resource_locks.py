"""Reads and locks the resources that a booking may reserve."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db.models import BigIntegerField, Exists, OuterRef, QuerySet, Value

from appointments.models import LONGEST_BUSY, ResourceBooking
from appointments.resources.models import Resource, ResourceQuerySet
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.transactions import advisory_lock
from services.models import Service

ResourceLock = Callable[[], list[Resource]]

_QUICK_ATTEMPTS: Final = 3


def resource_locks(
    service: Service, party_size: int, start: datetime, end: datetime, moved: int | None
) -> list[ResourceLock | None]:
    """How to lock the resources for a booking that blocks [start, end), or for the appointment `moved`
    that is moved there, to be tried in this order, each in a transaction of its own: first those that
    no other transaction has locked, so that parallel bookings spread over the resources; then all of
    the required kinds, by id, waiting.

    A class shares the resources of its bookings, and a move may keep its own: only the second will do.
    """
    if not service.resource_kinds:
        return [None]
    lock_all = partial(lock_all_resources, service)
    if service.is_class or moved is not None:
        return [lock_all]
    # Again where the first that was free has been booked and unlocked since the statement began.
    first_free = partial(_lock_first_free, service, party_size, start, end)
    return [*[first_free] * _QUICK_ATTEMPTS, lock_all]


def lock_without_staff(service: Service) -> None:
    """Locks what the lock of a member of staff does for a service that needs one: closures wait until
    the transaction ends, and bookings of a class, whose seats are counted, wait for each other."""
    advisory_lock("closures", service.business_id, shared=True)
    if service.is_class:
        advisory_lock("class without staff", service.pk)


def lock_all_resources(service: Service) -> list[Resource]:
    """All active resources of the required kinds, locked by id, waiting."""
    return _read(_LOCKED_RESOURCES, service)


def lock_resources_of(services: Iterable[Service]) -> None:
    """Locks all active resources of the kinds that any of `services`, of one business, requires: by id,
    waiting. Service by service their order would be another."""
    with_kinds = [service for service in services if service.resource_kinds]
    if with_kinds:
        kinds = sorted({kind for service in with_kinds for kind in service.resource_kinds})
        _LOCKED_RESOURCES.rows(business_id=with_kinds[0].business_id, kinds=tuple(kinds))


def _lock_first_free(
    service: Service, party_size: int, start: datetime, end: datetime
) -> list[Resource]:
    """Of each required kind the smallest that takes the party, has no appointment in [start, end) and
    is locked by no other transaction; locked without waiting. A kind may have none."""
    found = [
        _FIRST_FREE.first(
            business_id=service.business_id,
            kind=kind,
            people=party_size,
            start=start,
            at_least=start - LONGEST_BUSY,
            end=end,
        )
        for kind in service.resource_kinds
    ]
    return [resource for resource in found if resource is not None]


def missing_kind(service: Service, party_size: int) -> str | None:
    """A kind that `service` requires and of which no active resource takes the party, or None."""
    if not service.resource_kinds:
        return None
    people = max(service.capacity, party_size)
    large = {one.kind for one in read_resources(service) if one.capacity >= people}
    return next((kind for kind in sorted(service.resource_kinds) if kind not in large), None)


def read_resources(service: Service) -> list[Resource]:
    """All active resources of the kinds that `service` requires, by id."""
    return _read(_RESOURCES, service)


def _read(query: CompiledQuery, service: Service) -> list[Resource]:
    return query.rows(business_id=service.business_id, kinds=tuple(service.resource_kinds))


def _resources(business_id: int, kinds: tuple[str, ...]) -> ResourceQuerySet:
    """The active resources of these kinds, by id."""
    return Resource.objects.for_business(business_id).active().of_kinds(kinds).order_by("pk")


def _first_free(
    business_id: int,
    kind: str,
    people: int,
    start: datetime,
    at_least: datetime,
    end: datetime,
) -> QuerySet[Any]:
    booked = ResourceBooking.objects.for_business(business_id).not_cancelled()
    booked = booked.overlapping(start, end, at_least=at_least).filter(resource=OuterRef("pk"))
    rows = Resource.objects.for_business(business_id).active().of_kinds([kind])
    rows = rows.filter(~Exists(booked), capacity__gte=Value(people, BigIntegerField())).order_by(
        "capacity", "pk"
    )
    return rows.locked(wait=False)[:1]


_FIRST_FREE: Final = CompiledQuery(_first_free)
_RESOURCES: Final = CompiledQuery(_resources)
_LOCKED_RESOURCES: Final = CompiledQuery(lambda **values: _resources(**values).locked())
