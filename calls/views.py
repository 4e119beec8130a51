from __future__ import annotations

from typing import Any

from calls.filters import CallFilters
from calls.models import Call
from calls.serializers import CallSerializer, CallWithTranscript
from kaivox.api.viewsets import ReadViewSet


class CallViewSet(ReadViewSet):
    """Calls that the voice engine took, with what came of them. A single call has its transcript."""

    scope = "calls"
    queryset = Call.objects.with_names()
    serializer_class = CallSerializer
    detail_serializer_class = CallWithTranscript
    filterset_class = CallFilters
    ordering = "-started_at"
    ordering_fields = ("started_at", "duration_seconds", "updated_at")

    def filter_queryset(self, queryset: Any) -> Any:
        found: Any = super().filter_queryset(queryset)
        return found.without_transcript()
