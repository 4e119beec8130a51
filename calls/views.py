from __future__ import annotations

from typing import Any

from calls.filters import CallFilters
from calls.models import Call
from calls.serializers import CallSerializer, CallWithTranscript
from customers.models import Customer
from kaivox.api.viewsets import ReadViewSet


class CallViewSet(ReadViewSet):
    """Calls that the voice engine took, with what came of them. A single call has its transcript.

    Of more than 10,000 calls, a `search` for words that are in thousands of them is not counted to
    the end: `total` is then null, beside a `total_at_least`. `next_cursor` leads through all of them.
    """

    scope = "calls"
    queryset = Call.objects.with_related()
    version_models = (Call, Customer)
    serializer_class = CallSerializer
    detail_serializer_class = CallWithTranscript
    filterset_class = CallFilters
    ordering = "-started_at"
    ordering_fields = ("started_at", "duration_seconds", "updated_at")

    def filter_queryset(self, queryset: Any) -> Any:
        found: Any = super().filter_queryset(queryset)
        return found.without_transcript()
