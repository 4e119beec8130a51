from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.fields import parse_id
from kaivox.api.responses import Answer
from kaivox.api.views import FramedView
from kaivox.api.viewsets import BusinessViewSet, ListMixin, ReadViewSet
from kaivox.errors import NotFound
from webhooks import operations
from webhooks.event_types import EVENT_TYPES
from webhooks.filters import DeliveryFilters
from webhooks.health import health_of
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
    """Receivers of events. Each event goes once to every active one that subscribes to its type."""

    scope = "webhooks"
    queryset = Endpoint.objects.kept()
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
        """Register a receiver. The answer holds its `secret`, which is not shown again."""
        body = self.body(NewEndpoint)
        is_active = body.pop("is_active", True)
        endpoint = operations.register_endpoint(business=self.business, **body)
        if not is_active:
            endpoint = operations.update_endpoint(
                endpoint=endpoint, is_active=False, now=timezone.now()
            )
        location = request.build_absolute_uri(f"/api/v1/webhooks/{endpoint.pk}")
        return _show_secret(endpoint, status=201, headers={"Location": location})

    @extend_schema(request=EndpointPatch, responses=EndpointSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a receiver. `is_active: false` calls off what waits for it; `true` begins anew with
        the events from then on (see `recover` for those in between)."""
        endpoint = self.get_object()
        changed = operations.update_endpoint(
            endpoint=endpoint,
            expected=self.if_match(endpoint),
            now=timezone.now(),
            **self.body(EndpointPatch, partial=True),
        )
        return self.show(changed)

    @extend_schema(responses={200: _DELETED})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a receiver. Nothing more is sent to it; its log stays as long as any."""
        endpoint = self.get_object()
        operations.delete_endpoint(
            endpoint=endpoint, expected=self.if_match(endpoint), now=timezone.now()
        )
        return Answer({"id": endpoint.pk, "deleted": True})

    @extend_schema(
        operation_id="test_webhook", request=TestEvent, responses={202: DeliverySerializer}
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send the example of an event type, signed like any event, to this receiver alone."""
        endpoint = self.get_object()
        delivery = operations.send_test_event(
            endpoint=endpoint, type=self.body(TestEvent)["event_type"], now=timezone.now()
        )
        return _accepted(delivery)

    @extend_schema(
        operation_id="rotate_webhook_secret",
        request=SecretRotation,
        responses=EndpointWithSecretSerializer,
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Make a new secret. For the grace every request carries the signatures of both."""
        endpoint = self.get_object()
        grace = timedelta(seconds=self.body(SecretRotation)["grace_seconds"])
        return _show_secret(
            operations.rotate_secret(endpoint=endpoint, grace=grace, now=timezone.now())
        )

    @extend_schema(operation_id="recover_webhook", request=Recovery, responses={202: _REPLAYED})
    @action(detail=True, methods=["post"])
    def recover(self, request: Request, pk: str) -> Response:
        """Send again what this receiver missed since an instant: deliveries that were given up or
        called off, and events that happened while it was switched off."""
        endpoint = self.get_object()
        replayed = operations.recover(endpoint=endpoint, now=timezone.now(), **self.body(Recovery))
        return Answer({"replayed": replayed}, status=202)

    @extend_schema(operation_id="get_webhook_health", responses=EndpointHealthSerializer)
    @action(detail=True, methods=["get"])
    def health(self, request: Request, pk: str) -> Response:
        """How this receiver has fared in the last 24 hours."""
        health = health_of(self.get_object(), now=timezone.now())
        return Answer(EndpointHealthSerializer.render(health))


class DeliveryViewSet(ReadViewSet):
    """The delivery log: each event to each receiver, with every attempt."""

    scope = "webhooks"
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

    @extend_schema(
        operation_id="redeliver_delivery", request=None, responses={202: DeliverySerializer}
    )
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, pk: str) -> Response:
        """Send it once more, now: the same id, the same bytes, a new signature."""
        delivery = operations.redeliver(delivery=self.get_object(), now=timezone.now())
        return _accepted(delivery)


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
        mine = Endpoint.objects.kept().for_business(self.business)
        if endpoint_id is None or not mine.filter(pk=endpoint_id).exists():
            raise NotFound
        return super().get_queryset().filter(endpoint=endpoint_id)

    def list(self, request: Request, endpoint_pk: str = "") -> HttpResponseBase:
        """What was sent to this receiver, newest first."""
        return super().list(request)


class EventTypes(FramedView):
    """What can happen, with the `data` that a receiver gets."""

    scope = "webhooks"

    @extend_schema(responses=EventTypeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All event types, each with an example."""
        return Answer([EventTypeSerializer.render(kind) for kind in EVENT_TYPES.values()])


def _show_secret(endpoint: Endpoint, **kwargs: Any) -> Answer:
    return Answer(EndpointWithSecretSerializer.render(endpoint), **kwargs)


def _accepted(delivery: Delivery) -> Answer:
    return Answer(DeliverySerializer.render(delivery), status=202)
