"""The pages round the API: its index, Swagger UI, Redoc."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView

from kaivox.api.responses import Answer
from kaivox.api.views import FramedView

RESOURCES = ("appointments", "customers", "calls", "staff", "services", "webhooks", "business")


class ApiIndex(FramedView):
    """The resources of the API and where they are."""

    def get(self, request: Request) -> Response:
        base = request.build_absolute_uri("/api/v1/")
        return Answer({name: base + name for name in RESOURCES})


class ApiDocs(SpectacularSwaggerSplitView):
    """Swagger UI, its script in a file of its own: the page runs under a strict CSP."""

    url_name = "schema"


class ApiRedoc(SpectacularRedocView):
    url_name = "schema"
    template_name = "docs/redoc.html"
