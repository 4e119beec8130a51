"""API views of the waiting list."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.capacity_queries import PartyTooLarge
from appointments.filters import WaitlistFilters
from appointments.reservations import Inactive, StaffNotQualified
from appointments.waitlist import operations as waitlist
from appointments.waitlist.models import WaitlistEntry
from appointments.waitlist.serializers import NewWaitlistEntry, WaitlistEntrySerializer
from customers.models import Customer
from customers.operations import CustomerErased
from kaivox.api.viewsets import ReadViewSet
from services.models import Service
from staff.models import StaffMember


class WaitlistViewSet(ReadViewSet):
    """Customers who wait for a time that is not free yet.

    A freed time is held for the first who fits, and the event `waitlist.offered` reports it.
    """

    scope = "appointments"
    queryset = waitlist.entries()
    version_models = (WaitlistEntry, Customer, Service, StaffMember)
    serializer_class = WaitlistEntrySerializer
    filterset_class = WaitlistFilters
    ordering = "created_at"
    ordering_fields = ("created_at", "updated_at")
    body_serializers = {"create": NewWaitlistEntry}
    refusals = {
        "create": (
            waitlist.AlreadyWaiting,
            waitlist.WaitlistFull,
            CustomerErased,
            Inactive,
            StaffNotQualified,
            PartyTooLarge,
        )
    }

    def create(self, request: Request) -> Response:
        """Add a customer to the waiting list. Once a time that fits is free, it is held for them and
        `waitlist.offered` is sent: book with its `hold_id`, or let it pass to the next."""
        values = self.body(NewWaitlistEntry)
        entry = waitlist.join_waitlist(business=self.business, now=timezone.now(), **values)
        location = request.build_absolute_uri(f"/api/v1/waitlist/{entry.pk}")
        return self.show(entry, status=201, headers={"Location": location})

    @extend_schema(responses=WaitlistEntrySerializer)
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a customer from the waiting list, and free the time that is held for them. The entry
        stays in the list as `cancelled`; one that is booked, expired or cancelled stays as it is."""
        entry = self.get_object()
        entry = waitlist.leave_waitlist(
            business=self.business,
            entry_id=entry.pk,
            expected=self.expected_version(entry),
            now=timezone.now(),
        )
        return self.show(entry, written=("status",))
