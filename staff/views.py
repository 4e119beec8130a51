"""API views of members of staff and closures."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.viewsets import ReadViewSet
from staff import operations
from staff.filters import ClosureFilters, StaffFilters
from staff.models import Closure, StaffMember
from staff.schedule_rows import ImpossibleHours
from staff.serializers import (
    ClosureSerializer,
    NewClosure,
    NewStaff,
    StaffPatch,
    StaffSerializer,
)


class StaffViewSet(ReadViewSet):
    """Members of staff: the services they offer, when they work and when they are away.

    The list has the active ones; send `is_active=false` or `is_active=all` for others.
    """

    scope = "staff"
    queryset = StaffMember.objects.select_related("business")
    serializer_class = StaffSerializer
    filterset_class = StaffFilters
    ordering = "name"
    ordering_fields = ("name", "created_at", "updated_at")
    body_serializers = {"create": NewStaff, "partial_update": StaffPatch}
    refusals = {
        "create": (ImpossibleHours,),
        "partial_update": (ImpossibleHours,),
    }

    def create(self, request: Request) -> Response:
        """Add a member of staff: `name`, and what of the rest is known."""
        person = operations.create_staff(
            business=self.business, values=self.body(NewStaff), now=timezone.now()
        )
        location = request.build_absolute_uri(f"/api/v1/staff/{person.pk}")
        return self.show(person, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a member of staff. `service_ids`, `working_hours`, `date_overrides` and `time_off` are
        replaced as a whole.

        Appointments that exist stay, also where they are outside the new hours.
        """
        person = self.get_object()
        person = operations.update_staff(
            business=self.business,
            staff_id=person.pk,
            changes=self.body(StaffPatch, change=person),
            expected=self.expected_version(person),
            now=timezone.now(),
        )
        return self.show(person)


class ClosureViewSet(ReadViewSet):
    """Holidays and emergency closures of the business, in its local time. No appointment can be booked then."""

    scope = "staff"
    queryset = Closure.objects.all()
    serializer_class = ClosureSerializer
    filterset_class = ClosureFilters
    ordering = "first_date"
    ordering_fields = ("first_date", "created_at", "updated_at")
    body_serializers = {"create": NewClosure}
    refusals = {"create": (ImpossibleHours,)}

    def create(self, request: Request) -> Response:
        """Close the business for whole days, or between two local times.

        Appointments that exist stay: move or cancel them, or call the customers.
        """
        closure = operations.close_business(
            business=self.business, now=timezone.now(), **self.body(NewClosure)
        )
        location = request.build_absolute_uri(f"/api/v1/closures/{closure.pk}")
        return self.show(closure, status=201, headers={"Location": location})

    @extend_schema(responses={200: ClosureSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a closure: the time can be booked again. The response shows it for the last time."""
        closure = self.get_object()
        removed = operations.remove_closure(
            business=self.business,
            closure_id=closure.pk,
            expected=self.expected_version(closure),
            now=timezone.now(),
        )
        return self.show(removed)
