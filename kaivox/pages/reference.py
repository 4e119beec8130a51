"""The pages round the API: its index, Swagger UI and Redoc, all served by ourselves."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.responses import Answer
from kaivox.api.views import FramedView

RESOURCES = ("appointments", "customers", "calls", "staff", "services", "webhooks", "business")

_REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"


class ApiIndex(FramedView):
    """The resources of the API and where they are."""

    @extend_schema(
        operation_id="get_index",
        tags=["index"],
        responses={200: OpenApiTypes.OBJECT},
    )
    @extend_schema(operation_id="index", tags=["index"], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        base = request.build_absolute_uri("/api/v1/")
        return Answer({name: base + name for name in RESOURCES})


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """Swagger UI; its start script is a static file, so that the page runs under a strict CSP."""
    return render(request, "docs/swagger.html", {"place": "swagger"})


@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/redoc.html", {"place": "redoc"})


@require_safe
@gzip_page
@cache_control(public=True, max_age=86_400)
def redoc_script(request: HttpRequest) -> HttpResponse:
    """Redoc's bundle, the one address outside that it would load a picture from made ours."""
    return HttpResponse(_redoc_bundle(), content_type="text/javascript; charset=utf-8")


@cache
def _redoc_bundle() -> bytes:
    return (
        Path(str(finders.find(_REDOC)))
        .read_bytes()
        .replace(_REDOC_LOGO, b"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=")
    )
