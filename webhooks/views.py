"""API of webhook endpoints, the delivery log and event types."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.responses import EnvelopeResponse
from kaivox.api.values import parse_id
from kaivox.api.views import ApiView
from kaivox.api.viewsets import BusinessViewSet, ListMixin, ReadViewSet
from kaivox.businesses.auth.permissions import require_scope
from kaivox.errors import NotFound
from webhooks import operations
from webhooks.endpoint_stats import endpoint_stats
from webhooks.event_types import ALL_EVENTS, EVENT_TYPES, read_scopes_of
from webhooks.filters import DeliveryFilters
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    EndpointHealthSerializer,
    EndpointPatch,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    EventTypeSerializer,
    NewEndpoint,
    NoFields,
    Recovery,
    SecretRotation,
    TestEvent,
)

_DELETED = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "deleted": {"type": "boolean"}},
    "required": ["id", "deleted"],
}
_REPLAYED = {
    "type": "object",
    "properties": {"replayed": {"type": "integer", "description": "How many deliveries."}},
    "required": ["replayed"],
}


class EndpointViewSet(ReadViewSet):
    """Receivers of events. Each event is sent to every active one that subscribes to its type."""

    scope = "webhooks"
    staff_actions = ("test",)
    queryset = Endpoint.objects.not_deleted().select_related("created_by_key")
    serializer_class = EndpointSerializer
    ordering = "-created_at"
    ordering_fields = ("created_at", "updated_at")
    body_serializers = {
        "create": NewEndpoint,
        "partial_update": EndpointPatch,
        "test": TestEvent,
        "rotate_secret": SecretRotation,
        "recover": Recovery,
    }

    @extend_schema(request=NewEndpoint, responses={201: EndpointWithSecretSerializer})
    def create(self, request: Request) -> Response:
        """Register a receiver. The response has its `secret`, which is not shown again."""
        body = self.body(NewEndpoint)
        self._require_scopes_of(body.get("event_types", [ALL_EVENTS]), "to subscribe to it")
        endpoint = operations.register_endpoint(
            business=self.business, actor=self.actor, now=timezone.now(), **body
        )
        location = request.build_absolute_uri(f"/api/v1/webhooks/{endpoint.pk}")
        return self._show_secret(endpoint, status=201, headers={"Location": location})

    @extend_schema(request=EndpointPatch, responses=EndpointSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a receiver. `is_active: false` cancels its pending deliveries; with `true` it receives
        events from then on (see `recover` for those in between)."""
        endpoint = self.get_object()
        changes = self.body(EndpointPatch, change=endpoint)
        if changes.get("is_active") or changes.keys() & {
            "url",
            "event_types",
            "filters",
            "headers",
        }:
            names = changes.get("event_types") or endpoint.event_types
            self._require_scopes_of(names, "to have such events sent")
        if "url" in changes:
            self._require_scopes_of(self._types_on_their_way(endpoint), "to have such events sent")
        changed = operations.update_endpoint(
            endpoint=endpoint,
            expected=self.expected_version(endpoint),
            now=timezone.now(),
            actor=self.actor,
            **changes,
        )
        return self.show(changed)

    @extend_schema(responses={200: _DELETED})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a receiver. Nothing more is sent to it; its log is stored for 30 days as any."""
        endpoint = self.get_object()
        operations.delete_endpoint(
            endpoint=endpoint,
            expected=self.expected_version(endpoint),
            now=timezone.now(),
            actor=self.actor,
        )
        return EnvelopeResponse({"id": endpoint.pk, "deleted": True})

    @extend_schema(
        operation_id="test_webhook", request=TestEvent, responses={202: DeliverySerializer}
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send the example of an event type, signed like any event, to this receiver only."""
        endpoint, event_type = self.get_object(), self.body(TestEvent)["event_type"]
        self._require_scopes_of([event_type], "to send an example of it")
        delivery = operations.send_test_event(
            endpoint=endpoint, type=event_type, now=timezone.now()
        )
        return EnvelopeResponse(DeliverySerializer.render(delivery), status=202)

    @extend_schema(
        operation_id="rotate_webhook_secret",
        request=SecretRotation,
        responses=EndpointWithSecretSerializer,
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Make a new secret. During the grace period requests are signed with both."""
        endpoint = self.get_object()
        grace = timedelta(seconds=self.body(SecretRotation)["grace_seconds"])
        rotated = operations.rotate_secret(
            endpoint=endpoint, grace=grace, now=timezone.now(), actor=self.actor
        )
        return self._show_secret(rotated)

    @extend_schema(operation_id="recover_webhook", request=Recovery, responses={202: _REPLAYED})
    @action(detail=True, methods=["post"])
    def recover(self, request: Request, pk: str) -> Response:
        """Send what this receiver missed since an instant: failed and cancelled deliveries, and events
        that happened while it was switched off."""
        endpoint = self.get_object()
        self._require_scopes_of(endpoint.event_types, "to have such events sent again")
        replayed = operations.replay(endpoint=endpoint, now=timezone.now(), **self.body(Recovery))
        return EnvelopeResponse({"replayed": replayed}, status=202)

    @extend_schema(operation_id="get_webhook_health", responses=EndpointHealthSerializer)
    @action(detail=True, methods=["get"])
    def health(self, request: Request, pk: str) -> Response:
        """Statistics of this receiver over the last 24 hours."""
        health = endpoint_stats(self.get_object(), now=timezone.now())
        return EnvelopeResponse(EndpointHealthSerializer.render(health))

    def _require_scopes_of(self, names: Iterable[str], purpose: str) -> None:
        for scope in read_scopes_of(names):
            require_scope(self.request.auth, scope, purpose=purpose)

    def _types_on_their_way(self, endpoint: Endpoint) -> list[str]:
        """Of events that would be sent to another URL: what it subscribes to while it is active, and one
        that still waits and whose type the caller may not read, if there is any."""
        caller: Any = self.request.auth
        hidden = [one.name for one in EVENT_TYPES.values() if not caller.has_scope(one.read_scope)]
        subscribed = endpoint.event_types if endpoint.is_active else []
        if not hidden:
            return subscribed
        waiting = Delivery.objects.filter(endpoint=endpoint).unfinished().of_types(hidden)
        return [*subscribed, *waiting.values_list("event__type", flat=True)[:1]]

    def _show_secret(self, endpoint: Endpoint, **kwargs: Any) -> EnvelopeResponse:
        shown = EndpointWithSecretSerializer.render(endpoint)
        written = ("secret", "previous_secret_expires_at")
        response = self.show_written(shown, written=written, **kwargs)
        response.secret_fields = ("secret",)
        return response


class DeliveryViewSet(ReadViewSet):
    """The delivery log: the log of attempts, by event and receiver."""

    scope = "webhooks"
    staff_actions = ("redeliver",)
    queryset = Delivery.objects.select_related("event").defer("event__body")
    serializer_class = DeliverySerializer
    detail_serializer_class = DeliveryDetailSerializer
    filterset_class = DeliveryFilters
    ordering = "-created_at"
    ordering_fields = ("created_at", "updated_at")

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = super().get_queryset()
        if self.action == "list":
            return rows
        attempts = Prefetch("attempts", Attempt.objects.order_by("number"))
        return rows.defer(None).prefetch_related(attempts)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One delivery, with the body that was sent and every attempt. Also needs the read scope of
        the event's resource."""
        delivery = self.get_object()
        self._require_event_scope(delivery, "to read it")
        return self.show(delivery)

    @extend_schema(
        operation_id="redeliver_delivery", request=None, responses={202: DeliverySerializer}
    )
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, pk: str) -> Response:
        """Send it once more now: same id, same bytes, new signature."""
        delivery = self.get_object()
        self._require_event_scope(delivery, "to have it sent again")
        self.body(NoFields)
        delivery = operations.redeliver(delivery=delivery, now=timezone.now())
        shown = DeliverySerializer.render(delivery)
        return self.show_written(
            shown, status=202, written=("status", "next_attempt_at"), is_new=False
        )

    def _require_event_scope(self, delivery: Delivery, purpose: str) -> None:
        for scope in read_scopes_of([delivery.event.type]):
            require_scope(self.request.auth, scope, purpose=purpose)


class EndpointDeliveryViewSet(ListMixin, BusinessViewSet):
    """The delivery log of one receiver."""

    scope = "webhooks"
    queryset = Delivery.objects.select_related("event").defer("event__body")
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilters
    ordering = "-created_at"
    ordering_fields = ("created_at", "updated_at")

    def get_queryset(self) -> QuerySet[Delivery]:
        endpoint_id = parse_id(self.kwargs["endpoint_pk"])
        own = Endpoint.objects.not_deleted().for_business(self.business)
        if endpoint_id is None or not own.filter(pk=endpoint_id).exists():
            raise NotFound
        return super().get_queryset().filter(endpoint=endpoint_id)

    def list(self, request: Request, endpoint_pk: str = "") -> HttpResponseBase:
        """The deliveries to this receiver, newest first."""
        return super().list(request)


class EventTypes(ApiView):
    """The event types, each with an example of its `data`."""

    scope = "webhooks"

    @extend_schema(responses=EventTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All event types, each with an example."""
        return EnvelopeResponse([EventTypeSerializer.render(kind) for kind in EVENT_TYPES.values()])
