"""`GET /business`: who am I, and how much of my quota is left?"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.responses import Answer
from kaivox.api.views import FramedView
from kaivox.businesses.models import ApiKey
from kaivox.businesses.serializers import (
    BusinessSerializer,
    CallerSerializer,
    CallingKeySerializer,
    QuotaSerializer,
    UsageSerializer,
)


class BusinessView(FramedView):
    """Your business, your quota and how much of it is left, and the key you are calling with.

    Costs nothing: it works, and tells when to come back, when the quota is used up.
    """

    charged = False

    @extend_schema(responses=CallerSerializer, tags=["business"])
    def get(self, request: Request) -> Response:
        # The throttle has looked at both windows on the way here.
        usage: Any = request._request.quota  # type: ignore[attr-defined]
        key = request.auth if isinstance(request.auth, ApiKey) else None
        return Answer(
            {
                **BusinessSerializer.render(self.business),
                "quota": QuotaSerializer.render(usage.quota),
                "usage": UsageSerializer.render(usage),
                "api_key": key and CallingKeySerializer.render(key),
            }
        )
