from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django.utils import timezone

from kaivox.api.viewsets import ReadViewSet
from staff.filters import StaffFilters
from staff.models import StaffMember
from staff.serializers import StaffSerializer


class StaffViewSet(ReadViewSet):
    """Who can be booked: what they perform, when they work, when they are away.

    The list has the active ones; ask with `is_active=false` or `is_active=all` for others.
    """

    scope = "staff"
    queryset = StaffMember.objects.all()
    serializer_class = StaffSerializer
    filterset_class = StaffFilters
    ordering = "name"
    ordering_fields = ("name", "created_at", "updated_at")

    def get_queryset(self) -> Any:
        today = timezone.now().astimezone(self.business.zone).date()
        midnight = datetime.combine(today, time(), self.business.zone).astimezone(UTC)
        people: Any = super().get_queryset()
        return people.with_schedule(since=midnight)
