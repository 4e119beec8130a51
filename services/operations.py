"""State changes of services, used by the API and the admin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from kaivox.businesses.denormalized_names import touch_dependents
from kaivox.businesses.models import Business
from kaivox.businesses.row_rules import check_row
from kaivox.db.transactions import atomic_write
from kaivox.errors import NotFound, PreconditionFailed
from services.models import Service
from services.serializers import ServiceSerializer
from webhooks.operations import record_event

WRITABLE: Final = (
    "name",
    "description",
    "duration_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "price",
    "capacity",
    "resource_kinds",
    "needs_staff",
    "minimum_notice_minutes",
    "horizon_days",
    "daily_cap",
    "cancellation_window_minutes",
    "reschedule_window_minutes",
    "is_active",
)


@atomic_write
def create_service(*, business: Business, values: Mapping[str, Any], now: datetime) -> Service:
    """Creates a service from `values` (columns of WRITABLE) and records `service.updated`.

    Raises Invalid.
    """
    service = Service(business=business)
    _assign(service, values)
    check_row(service)
    service.save(force_insert=True)
    _record(service, now)
    return service


@atomic_write
def update_service(
    *,
    business: Business,
    service_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    expected: datetime | None = None,
) -> Service:
    """Applies `changes` (columns of WRITABLE) and records `service.updated` where any of them differs
    from the stored value. Appointments that exist keep their duration, buffers, price and staff.

    Raises NotFound, PreconditionFailed, Invalid.
    """
    # Locks the service: of two concurrent changes the second starts from the first.
    rows = Service.objects.for_business(business).filter(pk=service_id)
    rows = rows.select_for_update(no_key=True, of=("self",)).select_related("business")
    service: Service | None = rows.first()
    if service is None:
        raise NotFound
    if expected is not None and service.updated_at != expected:
        raise PreconditionFailed
    changed = _assign(service, changes)
    if not changed:
        return service
    check_row(service)
    service.save()
    if changed & {"name", "is_active", "needs_staff"}:
        touch_dependents(service)  # lists elsewhere show the names of active services
    _record(service, now)
    return service


def _assign(service: Service, values: Mapping[str, Any]) -> set[str]:
    """Sets `values` on the instance; returns the names of the columns that differ from before."""
    if unknown := values.keys() - set(WRITABLE):
        raise TypeError(f"Not columns of WRITABLE: {', '.join(sorted(unknown))}.")
    if "resource_kinds" in values:
        # An empty field of a form is no list.
        values = {**values, "resource_kinds": values["resource_kinds"] or []}
    changed = {name for name, value in values.items() if getattr(service, name) != value}
    for name in changed:
        setattr(service, name, values[name])
    return changed


def _record(service: Service, now: datetime) -> None:
    ServiceSerializer.load_related([service], service.business)
    data = ServiceSerializer.render(service)
    record_event(business=service.business, type="service.updated", data=data, now=now)
