from __future__ import annotations

from typing import Any

from calls.filters import CallFilters
from calls.models import Call
from calls.serializers import CallSerializer, CallWithTranscript
from customers.models import Customer
from kaivox.api.ordering import cursor_of
from kaivox.api.pagination import order_of
from kaivox.api.viewsets import ReadViewSet


class CallViewSet(ReadViewSet):
    """Calls that the voice engine took, with what came of them. A single call has its transcript.

    Of more than 10,000 calls, a `search` for words that are in thousands of them counts to 500: a
    `total` of 500 then means as many or more. `next_cursor` leads through all of them.
    """

    scope = "calls"
    queryset = Call.objects.with_names()
    shown_from = (Call, Customer)
    serializer_class = CallSerializer
    detail_serializer_class = CallWithTranscript
    filterset_class = CallFilters
    ordering = "-started_at"
    ordering_fields = ("started_at", "duration_seconds", "updated_at")

    def filter_queryset(self, queryset: Any) -> Any:
        found: Any = super().filter_queryset(queryset)
        return found.without_transcript()

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        meta = self.paginator.meta  # type: ignore[union-attr]
        # The last page that was counted is not the last one.
        if page and meta["total"] == queryset.count_limit and len(page) == meta["per_page"]:
            order = order_of(self.request.query_params, self)
            meta["next_cursor"] = cursor_of(page[-1], order)
        return page
