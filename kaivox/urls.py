"""The root URLconf, and the error handlers for API clients and for browsers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views import defaults
from django.views.csrf import csrf_failure as page_csrf_failure

from appointments.ical_views import calendar
from kaivox.agents.catalog import api_catalog, skill
from kaivox.agents.mcp import McpView
from kaivox.api import views as api
from kaivox.pages import api_docs
from kaivox.pages.openapi_document import SchemaView

v1: list[Any] = [
    path("", api_docs.ApiIndex.as_view(), name="index"),
    path("", include("kaivox.businesses.urls")),
    path("", include("appointments.urls")),
    path("", include("customers.urls")),
    path("", include("calls.urls")),
    path("", include("staff.urls")),
    path("", include("services.urls")),
    path("", include("appointments.resources.urls")),
    path("", include("webhooks.urls")),
    path("", include("kaivox.agents.urls")),
]

urlpatterns = [
    path("api/v1/", include(v1)),
    re_path(r"^api/v1$", api_docs.ApiIndex.as_view(schema=None)),
    re_path(r"^api/schema/?$", SchemaView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", api_docs.swagger, name="api-docs"),
    re_path(r"^api/redoc/?$", api_docs.redoc, name="api-redoc"),
    path("api/redoc/redoc.js", api_docs.redoc_script, name="redoc-script"),
    re_path(r"^api(/.*)?$", api.UnknownPath.as_view()),
    path("voice/", include("kaivox.agents.voice_urls")),
    path("voice/", include("calls.provider_urls")),
    re_path(r"^mcp/?$", McpView.as_view(), name="mcp"),
    path(".well-known/api-catalog", api_catalog, name="api-catalog"),
    path("SKILL.md", skill, name="skill"),
    re_path(r"^calendar/(?P<token>[A-Za-z0-9_-]{1,100})\.ics$", calendar, name="calendar"),
    path("admin/", admin.site.urls),
    path("", include("kaivox.pages.urls")),
]


def _is_api_client(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/api/", "/voice/", "/mcp"))


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api_client(request):
        return api.bad_request(request, exception)
    return defaults.bad_request(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api_client(request):
        return api.permission_denied(request, exception)
    return defaults.permission_denied(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api_client(request):
        return api.not_found(request, exception)
    return defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    if _is_api_client(request):
        return api.server_error(request)
    return defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "", **kwargs: Any) -> HttpResponse:
    """`settings.CSRF_FAILURE_VIEW`."""
    if _is_api_client(request):
        return api.csrf_failure(request, reason)
    return page_csrf_failure(request, reason, **kwargs)
