"""When what needs no staff can be booked at all: the hours of its resources, whatever is reserved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from functools import reduce

from appointments.capacity_queries import resource_windows
from appointments.resources.hours import closure_ranges
from appointments.resources.models import Resource
from kaivox.businesses.models import Business
from services.models import Service
from staff.intervals import Range, intersection, merged, without
from staff.local_time import LocalDays


def hours_without_staff(
    business: Business, services: Collection[Service], first: date, last: date
) -> list[Range]:
    """When at least one of `services`, none of which needs staff, has a resource of each kind open on the
    local days `first` to `last`; closures of the business are not left out. One query."""
    days = LocalDays(business.zone)
    kinds = {kind for service in services for kind in service.resource_kinds}
    open_ranges: dict[str, list[Range]] = defaultdict(list)
    for resource in Resource.objects.for_business(business).active().of_kinds(kinds):
        windows = resource_windows(resource, days, first, last)
        closed = merged(closure_ranges(resource.closures))
        open_ranges[resource.kind] += without(windows, closed)
    of_kind = {kind: merged(open_ranges[kind]) for kind in kinds}
    return merged(
        span
        for service in services
        for span in reduce(intersection, (of_kind[kind] for kind in service.resource_kinds))
    )
