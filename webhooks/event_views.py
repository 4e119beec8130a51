"""API of recorded events: a feed in commit order, and single events by id."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from kaivox.api.ordering import cursor_of
from kaivox.api.pagination import PageOrCursorPagination, order_of
from kaivox.api.renderers import StreamedRenderer
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.viewsets import ReadViewSet
from kaivox.businesses.auth.permissions import require_scope
from kaivox.db.commit_horizon import visible_before_horizon
from kaivox.errors import NotFound
from webhooks.event_types import EVENT_SCOPES, EVENT_TYPES, read_scopes_of
from webhooks.filters import EventFilters
from webhooks.long_polling import TooManyLongPolls, waiting
from webhooks.models import Event
from webhooks.serializers import EventSerializer

POLL_SECONDS: Final = 0.5

_RESUME_CURSOR: Final = {
    "type": ["string", "null"],
    "description": "The position after the last event of this page, also at the end of the list: "
    "send it as `cursor` to read on later. Null for `-created_at`.",
}
_EVENT_ID: Final = OpenApiParameter(
    "id", str, OpenApiParameter.PATH, description="Id of the event: `evt_…`."
)


class EventPagination(PageOrCursorPagination):
    """Adds `resume_cursor` to `meta`: where to continue once the end of the feed was reached."""

    def paginate_queryset(  # type: ignore[override]
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> Sequence[Any]:
        page = super().paginate_queryset(queryset, request, view)
        query = request.query_params
        order = order_of(query, view)
        position: str | None = query.get("cursor", "")
        if order.descending or ("page" in query and not page):
            position = None
        elif page:
            position = cursor_of(page[-1], order)
        self.meta["resume_cursor"] = position
        return page


class EventViewSet(ReadViewSet):
    """What happened, as the bodies that webhooks carry; without test events.

    Listed in the order in which events were recorded, up to the commit horizon: no event appears
    behind a cursor. Only types whose read scope the caller has are listed.
    """

    queryset = Event.objects.filter(is_test=False)
    serializer_class = EventSerializer
    filterset_class = EventFilters
    pagination_class = EventPagination
    ordering = "created_at"
    ordering_fields = ("created_at",)
    meta_schemas = {"list": {"resume_cursor": _RESUME_CURSOR}}
    refusals = {"list": (TooManyLongPolls,)}

    def get_queryset(self) -> QuerySet[Event]:
        rows: QuerySet[Event] = super().get_queryset()
        caller: Any = self.request.auth
        readable = [kind.name for kind in EVENT_TYPES.values() if caller.has_scope(kind.read_scope)]
        if len(readable) < len(EVENT_TYPES):
            rows = rows.filter(type__in=readable)
        return visible_before_horizon(rows, "created_at")

    def list(self, request: Request) -> HttpResponseBase:
        """Events, oldest first; with `wait` the response to an empty page is delayed until there is
        an event."""
        self._require_scopes(request.query_params)
        self._check_wait(request)
        response = super().list(request)
        # Valid by now: the filters have read it.
        seconds = int(request.query_params.get("wait", 0)) if request.method == "GET" else 0
        if not seconds or not _is_empty(response):
            return response
        # Only a request that really waits is counted, so that reading on is never rejected.
        with waiting(self.business.pk):
            until = time.monotonic() + seconds
            while _is_empty(response) and (left := until - time.monotonic()) > 0:
                time.sleep(min(POLL_SECONDS, left))
                response = super().list(request)
        return response

    @extend_schema(parameters=[_EVENT_ID])
    def retrieve(self, request: Request, pk: str) -> Response:
        """One event by its id, `evt_…`. Needs the read scope of its resource."""
        event = self.queryset.filter(business=self.business.pk, uid=pk).first()
        if event is None:
            raise NotFound
        for scope in read_scopes_of([event.type]):
            require_scope(request.auth, scope, purpose="to read it")
        return EnvelopeResponse(EventSerializer.render(event))

    def _require_scopes(self, query: Mapping[str, str]) -> None:
        """Raises InsufficientScope for a type that is asked for by name, or if none can be read."""
        caller: Any = self.request.auth
        for scope in read_scopes_of(query.get("type", "").split(",")):
            require_scope(caller, scope, purpose="to read such events")
        if not any(caller.has_scope(scope) for scope in EVENT_SCOPES):
            require_scope(
                caller, EVENT_SCOPES[0], purpose="to read events; that of another type will do"
            )

    def _check_wait(self, request: Request) -> None:
        """Raises ValidationError where waiting has no meaning; before a stream is opened."""
        if request.query_params.get("wait", "0") == "0":
            return
        if isinstance(request.accepted_renderer, StreamedRenderer):
            raise ValidationError({"wait": ["CSV and NDJSON are the whole list: leave this out."]})
        if order_of(request.query_params, self).descending:
            raise ValidationError({"wait": ["It works only in the order created_at."]})


def _is_empty(response: HttpResponseBase) -> bool:
    return isinstance(response, EnvelopeResponse) and not response.data
