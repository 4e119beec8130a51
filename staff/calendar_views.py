"""API views of calendars of busy times."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.filters import StrictFilterSet, TenantRelatedFilter, UpdatedSinceFilter
from kaivox.api.viewsets import ReadViewSet
from staff import busy_calendars
from staff.calendar_serializers import BusyCalendarSerializer, NewBusyCalendar
from staff.models import BusyCalendar, StaffMember


class BusyCalendarFilters(StrictFilterSet):
    staff_id = TenantRelatedFilter(
        StaffMember.objects.all, noun="member of staff", field_name="staff", lookup_expr="exact"
    )
    updated_since = UpdatedSinceFilter()


class BusyCalendarViewSet(ReadViewSet):
    """Calendars elsewhere (Google, Outlook, iCloud, any address of an `.ics` file) whose events block a
    person's time, as time off does. They are read every 15 minutes."""

    scope = "staff"
    queryset = BusyCalendar.objects.all()
    serializer_class = BusyCalendarSerializer
    filterset_class = BusyCalendarFilters
    ordering = "id"
    ordering_fields = ("id", "created_at", "updated_at")
    body_serializers = {"create": NewBusyCalendar}

    def create(self, request: Request) -> Response:
        """Add a calendar: `staff_id` and `ics_url`. It is read for the first time within a minute."""
        calendar = busy_calendars.add_busy_calendar(
            now=timezone.now(), **self.body(NewBusyCalendar)
        )
        location = request.build_absolute_uri(f"/api/v1/calendars/{calendar.pk}")
        return self.show(calendar, status=201, headers={"Location": location})

    @extend_schema(responses={200: BusyCalendarSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a calendar: what its events blocked can be booked again. The response shows it for the
        last time."""
        calendar = self.get_object()
        removed = busy_calendars.remove_busy_calendar(
            calendar=calendar, expected=self.expected_version(calendar), now=timezone.now()
        )
        return self.show(removed)
