"""Routes of webhooks and events under `/api/v1/`."""

from __future__ import annotations

from django.urls import re_path

from kaivox.api.routers import Router
from webhooks.event_views import EventViewSet
from webhooks.views import (
    DeliveryViewSet,
    EndpointDeliveryViewSet,
    EndpointViewSet,
    EventTypes,
)

router = Router()
# Before the endpoints: "deliveries" would match as the id of one.
router.register("webhooks/deliveries", DeliveryViewSet, basename="webhook-delivery")
router.register("webhooks", EndpointViewSet, basename="webhook")
router.register("events", EventViewSet, basename="event")

urlpatterns = [
    re_path(r"^webhooks/event-types/?$", EventTypes.as_view(), name="webhook-event-types"),
    re_path(
        r"^webhooks/(?P<endpoint_pk>[^/]+)/deliveries/?$",
        EndpointDeliveryViewSet.as_view({"get": "list"}),
        name="webhook-deliveries",
    ),
    *router.urls,
]
