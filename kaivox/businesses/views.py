"""`GET /business`: the calling business, its quota and its key."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.request_context import context_of
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.views import ApiView
from kaivox.businesses.models import ApiKey
from kaivox.businesses.serializers import (
    BusinessSerializer,
    CallerSerializer,
    CallingKeySerializer,
    QuotaSerializer,
    UsageSerializer,
)


class BusinessView(ApiView):
    """Your business, your quota and how much of it is left, and the key of this request.

    This request costs no quota, so it also works, and says when to retry, once the quota is used up.
    """

    charged = False

    @extend_schema(responses=CallerSerializer, tags=["business"])
    def get(self, request: Request) -> Response:
        # Read by the throttle, which charges nothing for this view.
        usage: Any = context_of(request).quota
        key = request.auth if isinstance(request.auth, ApiKey) else None
        return EnvelopeResponse(
            {
                **BusinessSerializer.render(self.business),
                "quota": QuotaSerializer.render(usage.quota),
                "usage": UsageSerializer.render(usage),
                "api_key": key and CallingKeySerializer.render(key),
            }
        )
