"""API view of staff out."""

from __future__ import annotations

from typing import Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.capacity_queries import PartyTooLarge
from appointments.reservations import (
    Inactive,
    InThePast,
    OutsideWorkingHours,
    SlotUnavailable,
    StaffNotQualified,
    TooFarAhead,
)
from appointments.serializers import AppointmentSerializer
from appointments.slot_serializers import render_slots
from appointments.staff_out.operations import take_staff_out
from appointments.staff_out.serializers import StaffOutBody, StaffOutSerializer
from kaivox.api.fields import format_instant
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.viewsets import BusinessViewSet
from kaivox.businesses.auth.permissions import require_scope
from staff.models import StaffMember
from staff.schedule_rows import ImpossibleHours

_SCOPES: Final = ("appointments:read", "appointments:write")


class StaffOutViewSet(BusinessViewSet):
    """Members of staff who are out for a period."""

    scope = "staff"
    queryset = StaffMember.objects.all()
    serializer_class = StaffOutSerializer
    body_serializers = {"out": StaffOutBody}
    refusals = {
        "out": (
            ImpossibleHours,
            SlotUnavailable,
            OutsideWorkingHours,
            InThePast,
            TooFarAhead,
            PartyTooLarge,
            StaffNotQualified,
            Inactive,
        )
    }

    @extend_schema(
        operation_id="take_staff_out", request=StaffOutBody, responses=StaffOutSerializer
    )
    @action(detail=True, methods=["post"], url_path="out")
    def out(self, request: Request, pk: str) -> Response:
        """Take time off and deal with the appointments in it, all in one go.

        Each is reassigned to a colleague who offers the service and is free then, or left, with up to
        three new times to choose from; `changes` decides otherwise for single ones. Send `dry_run`
        first to see what would happen. Needs `staff:write`, `appointments:read` and
        `appointments:write`.
        """
        for scope in _SCOPES:
            require_scope(request.auth, scope, purpose="to reassign appointments")
        person, body = self.get_object(), self.body(StaffOutBody)
        outcomes = take_staff_out(
            business=self.business, staff_id=person.pk, now=timezone.now(), **body
        )
        shown = self._visible(AppointmentSerializer)
        return EnvelopeResponse(
            {
                "staff_id": person.pk,
                "start_time": format_instant(body["start"]),
                "end_time": format_instant(body["end"]),
                "reason": body.get("reason", ""),
                "dry_run": body.get("dry_run", False),
                "appointments": [
                    {
                        "action": outcome.action.value,
                        "appointment": shown.render(outcome.appointment),
                        "alternatives": render_slots(outcome.alternatives, self.business.zone),
                    }
                    for outcome in outcomes
                ],
            }
        )
