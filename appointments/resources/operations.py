"""State changes of resources, used by the API and the admin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import ProtectedError

from appointments.resources.models import Resource
from appointments.resources.serializers import ResourceSerializer
from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import Business
from kaivox.businesses.row_rules import check_row
from kaivox.db.transactions import write_transaction
from kaivox.errors import Conflict, NotFound, PreconditionFailed
from webhooks.operations import record_event

WRITABLE: Final = ("name", "kind", "capacity", "is_active", "hours", "closures")


class ResourceInUse(Conflict):
    code = "resource_in_use"
    message = "This resource has appointments. Set is_active to false instead."


def create_resource(*, business: Business, values: Mapping[str, Any], now: datetime) -> Resource:
    """Creates a resource from `values` (columns of WRITABLE) and records `resource.updated`.

    Raises Invalid.
    """
    with write_transaction():
        resource = Resource(business=business)
        _assign(resource, values)
        check_row(resource)
        resource.save(force_insert=True)
        _record(resource, "resource.added", "resource.updated", now)
    return resource


def update_resource(
    *,
    business: Business,
    resource_id: int,
    changes: Mapping[str, Any],
    now: datetime,
    expected: datetime | None = None,
) -> Resource:
    """Applies `changes` (columns of WRITABLE) and records `resource.updated` where any of them differs
    from the stored value. Appointments that exist stay as they are.

    Raises NotFound, PreconditionFailed, Invalid.
    """
    with write_transaction():
        resource = _lock(business, resource_id, expected)
        if changed := _assign(resource, changes):
            check_row(resource)
            resource.save()
            _record(resource, "resource.changed", "resource.updated", now, fields=sorted(changed))
    return resource


def delete_resource(
    *, business: Business, resource_id: int, now: datetime, expected: datetime | None = None
) -> Resource:
    """Deletes a resource that was never booked, records `resource.removed` and returns it. Raises
    NotFound, PreconditionFailed, ResourceInUse."""
    with write_transaction():
        resource = _lock(business, resource_id, expected)
        _record(resource, "resource.deleted", "resource.removed", now)
        try:
            Resource.objects.filter(pk=resource.pk).delete()
        except ProtectedError as error:
            raise ResourceInUse from error
    return resource


def _record(
    resource: Resource, action: str, type: str, now: datetime, **changes: Sequence[str]
) -> None:
    """Records the change in the audit and as an event."""
    business = resource.business
    record_audit(
        business=business, actor=None, action=action, subject=resource, changes=changes, now=now
    )
    data = ResourceSerializer.render(resource)
    record_event(business=business, type=type, data=data, now=now)


def _lock(business: Business, resource_id: int, expected: datetime | None) -> Resource:
    # Locks the resource: bookings of it wait until its hours are committed.
    rows = Resource.objects.for_business(business).filter(pk=resource_id)
    resource: Resource | None = rows.locked().select_related("business").first()
    if resource is None:
        raise NotFound
    if expected is not None and resource.updated_at != expected:
        raise PreconditionFailed
    return resource


def _assign(resource: Resource, values: Mapping[str, Any]) -> set[str]:
    """Sets `values` on the instance; returns the names of the columns that differ from before."""
    if unknown := values.keys() - set(WRITABLE):
        raise TypeError(f"Not columns of WRITABLE: {', '.join(sorted(unknown))}.")
    # An empty field of a form is no list.
    lists = {name: values[name] or [] for name in ("hours", "closures") if name in values}
    values = {**values, **lists}
    changed = {name for name, value in values.items() if getattr(resource, name) != value}
    for name in changed:
        setattr(resource, name, values[name])
    return changed
