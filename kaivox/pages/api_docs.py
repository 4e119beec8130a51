"""API index, Swagger UI and Redoc, without assets from other hosts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.compression import gzip_page
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.views import ApiView

RESOURCES = (
    "appointments",
    "visits",
    "customers",
    "calls",
    "staff",
    "services",
    "closures",
    "resources",
    "calendars",
    "waitlist",
    "events",
    "webhooks",
    "business",
)

_REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
_REDOC_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"


class ApiIndex(ApiView):
    """The resources of the API and where they are."""

    @extend_schema(
        operation_id="get_index",
        tags=["index"],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        base = request.build_absolute_uri("/api/v1/")
        return EnvelopeResponse({name: base + name for name in RESOURCES})


class Page(ApiView):
    """What pages under `/api/` respond to other methods than GET and HEAD: as the API does."""

    schema = None
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    @property
    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]


def _api_page(page: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    other_methods = Page.as_view()

    @csrf_exempt  # a write is 405 with and without a token
    @wraps(page)
    def respond(request: HttpRequest) -> HttpResponseBase:
        return page(request) if request.method in ("GET", "HEAD") else other_methods(request)

    return respond


@_api_page
def swagger(request: HttpRequest) -> HttpResponse:
    """Swagger UI. Its start script is a static file, so that the page works under a strict CSP."""
    return render(request, "pages/docs/swagger.html", {"place": "reference"})


@_api_page
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/docs/redoc.html", {"place": "reference"})


@_api_page
@gzip_page
@cache_control(public=True, max_age=86_400)
def redoc_script(request: HttpRequest) -> HttpResponse:
    """Redoc's bundle without its logo, the only asset that it would load from another host."""
    return HttpResponse(_redoc_bundle(), content_type="text/javascript; charset=utf-8")


@cache
def _redoc_bundle() -> bytes:
    return (
        Path(str(finders.find(_REDOC)))
        .read_bytes()
        .replace(_REDOC_LOGO, b"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=")
    )
