"""Free times of a day, for the admin forms that book and move appointments."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from appointments.availability_queries import Exclusions
from appointments.models import Appointment
from appointments.slots import Slot, SlotFilter, find_slots
from kaivox.admin.base import WRITERS, businesses_where
from kaivox.businesses.models import BusinessOwned
from services.models import MAX_CAPACITY, Service
from staff.models import StaffMember

_MAX_TIMES: Final = 96  # a whole day, every quarter of an hour


class _FreeTimesForm(forms.Form):
    """The query; choices are limited to the businesses in which the user may book."""

    service = forms.ModelChoiceField(Service.objects.none())
    staff = forms.ModelChoiceField(StaffMember.objects.none(), required=False)
    appointment = forms.ModelChoiceField(Appointment.objects.none(), required=False)
    day = forms.DateField(input_formats=["%Y-%m-%d"])
    party_size = forms.IntegerField(min_value=1, max_value=MAX_CAPACITY, required=False)

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET)
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
                field.queryset = _bookable(request, field.queryset.model)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        service = values.get("service")
        for name in ("staff", "appointment"):
            row = values.get(name)
            if service and row and row.business_id != service.business_id:
                self.add_error(name, "This belongs to another business.")
        staff = values.get("staff")
        if (
            service
            and staff
            and not staff.services.filter(pk=service.pk, needs_staff=True).exists()
        ):
            self.add_error("staff", f"{staff} does not offer {service}.")
        return values


def _bookable(request: HttpRequest, model: type[BusinessOwned]) -> QuerySet[Any]:
    rows: QuerySet[Any] = model._default_manager.all()
    if model is Service:
        rows = rows.select_related("business")
    if request.user.is_superuser:
        return rows
    return rows.filter(business__in=businesses_where(request, WRITERS))


def free_times(request: HttpRequest) -> JsonResponse:
    """`?service=&day=&staff=&appointment=&party_size=`: times of that day that can be booked, or else the
    next one.

    `appointment` is the one that is moved: its own time counts as free, and its party is the default.
    Times are local times of the business. Raises PermissionDenied for users who book in no business.
    """
    if not (request.user.is_superuser or businesses_where(request, WRITERS)):
        raise PermissionDenied
    form = _FreeTimesForm(request)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=422)
    service, day, moved = (form.cleaned_data[name] for name in ("service", "day", "appointment"))
    people = form.cleaned_data["party_size"] or (moved.party_size if moved else 1)
    zone = service.business.zone
    found = find_slots(
        business=service.business,
        service=service,
        staff=form.cleaned_data["staff"],
        first=day,
        last=day,
        zone=zone,
        now=timezone.now(),
        without=Exclusions(appointment=moved.pk if moved else None),
        only=SlotFilter(limit=_MAX_TIMES, party_size=people),
    )
    slots = found.slots or ([found.next_available] if found.next_available else [])
    return JsonResponse(
        {
            "zone": service.business.timezone,
            "is_of_day": bool(found.slots),
            "times": [_shown(slot, zone, day) for slot in slots],
        }
    )


def _shown(slot: Slot, zone: Any, asked: date) -> dict[str, Any]:
    local = datetime.fromtimestamp(slot.start, UTC).astimezone(zone)
    clock = f"{local:%H:%M}"
    return {
        "day": f"{local:%Y-%m-%d}",
        "time": clock,
        "label": clock if local.date() == asked else f"{local:%a %-d %b %Y}, {clock}",
        "staff": [person.name for person in slot.staff],
    }
