"""API views of visits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from appointments.capacity_queries import PartyTooLarge
from appointments.change_window import TooLateToChange
from appointments.filters import GroupFilters
from appointments.groups.models import Visit
from appointments.groups.operations import reject_needless_for_all
from appointments.groups.serializers import GroupCancellation, GroupCancellationQuery
from appointments.groups.views import GroupViewSet, details_of
from appointments.models import Appointment
from appointments.reservations import Inactive, StaffNotQualified
from appointments.slot_serializers import (
    SLOTS_META,
    days_asked,
    filter_asked,
    instant_text,
    render_slots,
    slots_meta,
)
from appointments.slots import Slot, SlotFilter, first_slots, slots_found
from appointments.status_transitions import InvalidTransition
from appointments.views import (
    MAX_ALTERNATIVES,
    RESERVATION_ERRORS,
    WITH_ALTERNATIVES,
)
from appointments.visits.operations import (
    VisitRequest,
    book_visit,
    cancel_visit,
    move_visit,
    parts_of,
    scheduled_of,
    visit_parts,
)
from appointments.visits.plans import VisitPart, VisitSearch, VisitSlot
from appointments.visits.serializers import (
    NewVisit,
    VisitPatch,
    VisitSerializer,
    VisitSlotQuery,
    VisitSlotSerializer,
)
from appointments.wall_time import NonexistentLocalTime
from customers.operations import CustomerErased
from kaivox.api.responses import EnvelopeResponse
from kaivox.businesses.auth.permissions import require_scope


class VisitViewSet(GroupViewSet):
    """Several services for one customer, one after the other, booked and changed as one."""

    action_scopes = {"slots": "slots"}
    queryset = Visit.objects.select_related("business")
    serializer_class = VisitSerializer
    filterset_class = GroupFilters
    ordering = "created_at"
    ordering_fields = ("created_at",)
    query_serializers = {"slots": VisitSlotQuery, "destroy": GroupCancellationQuery}
    body_serializers = {
        "create": NewVisit,
        "partial_update": VisitPatch,
        "destroy": GroupCancellation,
    }
    meta_schemas = {
        "slots": SLOTS_META
        | {
            "next_available": {
                "description": "The first slot within the horizon after an empty result, else null.",
                "anyOf": [{"$ref": "#/components/schemas/VisitSlot"}, {"type": "null"}],
            }
        }
    }
    refusals = {
        "create": (*RESERVATION_ERRORS, CustomerErased),
        "partial_update": (*RESERVATION_ERRORS, InvalidTransition, TooLateToChange),
        "destroy": (TooLateToChange,),
        "slots": (StaffNotQualified, Inactive, PartyTooLarge),
    }

    def create(self, request: Request) -> Response:
        """Book several services, one after the other: all of them or none.

        Where the time cannot be booked, the error names the service, and `meta.alternatives` has the
        next starts at which all can.
        """
        now = timezone.now()
        with _offering_alternatives(request.auth, now) as asked:
            values = self.body(NewVisit)
            asked.update(values)
            wanted = VisitRequest(
                self.business,
                values["services"],
                values["start"],
                now,
                party_size=values.get("party_size", 1),
            )
            visit = book_visit(wanted, details_of(values))
        location = request.build_absolute_uri(f"/api/v1/visits/{visit.pk}")
        return self.show(visit, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Move the scheduled appointments of a visit together, or give them to another member of staff.

        The new start is that of the first of them. All booking rules apply, except that the visit does
        not block its own time. A rejected request changes nothing.
        """
        visit, now = self.get_object(), timezone.now()
        rows = scheduled_of(visit)
        with _offering_alternatives(request.auth, now, moved=rows) as asked:
            changes = self.body(VisitPatch, change=visit)
            asked.update(changes)
            seen = self.seen_versions(visit)
            move_visit(
                visit=visit,
                now=now,
                seen=seen,
                overrides_window=self.overrides_window(),
                **changes,
            )
        return self.show(visit)

    @extend_schema(responses={200: VisitSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Cancel the scheduled appointments of a visit. Their times are free at once.

        Send `reason` and `call_id` in the query or in a JSON body.
        """
        visit = self.get_object()
        values = self.cancellation(GroupCancellation)
        seen = self.seen_versions(visit)
        cancel_visit(visit=visit, now=timezone.now(), seen=seen, **values)
        return self.show(visit)

    @extend_schema(operation_id="list_visit_slots", responses=VisitSlotSerializer(many=True))
    @action(detail=False, methods=["get"], url_path="slots")
    def slots(self, request: Request) -> Response:
        """List the starts at which all services can be booked, one after the other.

        They are on the grid of the first service, as the slots of a single one.
        """
        query, now = dict(self.query), timezone.now()
        staff = query.get("staff")
        reject_needless_for_all(query["services"], staff)
        services = [
            (service, staff if service.needs_staff else None) for service in query["services"]
        ]
        parts = visit_parts(services, query.get("party_size", 1))
        zone = query.get("timezone") or self.business.zone
        first, last = days_asked(query, zone, now)
        moved = query.get("exclude_visit")
        if moved is not None:
            # The slots that are free without it show when it is.
            require_scope(request.auth, "appointments:read", purpose="for exclude_visit_id")
        search = VisitSearch(
            self.business,
            parts,
            zone,
            now,
            filter_asked(query),
            moved=scheduled_of(moved) if moved else (),
        )
        result = slots_found(search, first, last)
        meta = slots_meta(result, first, last, zone, _render)
        return EnvelopeResponse(_render(result.slots, zone), meta=meta)


@contextmanager
def _offering_alternatives(
    auth: Any, now: datetime, moved: Sequence[Appointment] = ()
) -> Iterator[dict[str, Any]]:
    """Adds `meta.alternatives`, the next starts of the visit, to an error that another start avoids.

    The caller adds to the dictionary what it asks for: `services`, `start` and `party_size`; of a move
    `start` and `staff`, where they change.
    """
    asked: dict[str, Any] = {"start": moved[0].start_time} if moved else {}
    try:
        yield asked
    except WITH_ALTERNATIVES as error:
        if isinstance(error, NonexistentLocalTime):
            asked.update(error.asked)  # the body has not been read to its end
        parts = _parts_asked(asked, moved)
        if parts and auth.has_scope("slots:read"):
            business = auth.business
            own = moved if auth.has_scope("appointments:read") else ()
            search = VisitSearch(business, parts, business.zone, now, SlotFilter(), moved=own)
            slots = first_slots(search, asked["start"], MAX_ALTERNATIVES)
            error.meta["alternatives"] = _render(slots, business.zone)
        raise


def _parts_asked(asked: dict[str, Any], moved: Sequence[Appointment]) -> Sequence[VisitPart]:
    """The parts of a visit that is booked or `moved`; none where it cannot be booked at any time."""
    with suppress(Inactive, StaffNotQualified, PartyTooLarge):
        if not moved:
            return visit_parts(asked.get("services", ()), asked.get("party_size", 1))
        parts = parts_of(moved, asked.get("staff"))
        visit_parts([(one.service, one.staff[0]) for one in parts])  # as they would be booked
        return parts
    return ()


def _render(slots: Sequence[Slot], zone: Any) -> list[dict[str, Any]]:
    """Slots as `VisitSlotSerializer` describes them."""
    shown = render_slots(list(slots), zone)
    for slot, row in zip(slots, shown, strict=True):
        del row["staff"]
        assert isinstance(slot, VisitSlot)  # noqa: S101 - for mypy: VisitSearch makes no others
        row["services"] = [
            {
                "service_id": part.service.pk,
                "start_time": instant_text(part.start),
                "end_time": instant_text(part.end),
                "staff": [{"id": one.pk, "name": one.name} for one in part.staff],
            }
            for part in slot.parts
        ]
    return shown
