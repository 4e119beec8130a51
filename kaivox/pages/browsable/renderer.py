"""Browsable API: a response as an HTML page, with a form for each operation of its URL.

The forms are built from the OpenAPI document, and a script submits them as JSON like any other
client, so there is no second way of parsing input. The page never contains an API key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.messages import get_messages
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import reverse
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from kaivox.admin.base import DEVELOPERS
from kaivox.api.logging import current_request_id
from kaivox.api.renderers import EnvelopeRenderer
from kaivox.businesses.auth.authentication import StaffPrincipal
from kaivox.businesses.models import ApiKey, Business
from kaivox.pages.browsable.json_html import as_html
from kaivox.pages.docs.articles import line_as_html
from kaivox.pages.openapi_forms import form_field
from kaivox.pages.openapi_reader import Operation, operations, operations_at

MANY_BUSINESSES: Final = 500


class BrowsableRenderer(BrowsableAPIRenderer):
    """`text/html`: a page around the JSON response of the same request."""

    template = "pages/browsable/api.html"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        context = dict(renderer_context or {})
        request, response = context["request"], context["response"]
        body = EnvelopeRenderer().render(data, "application/json", {**context, "indent": 2})
        payload = json.loads(body) if body else None
        # The ETag identifies the JSON, not this page around it.
        etag = response.headers.get("ETag", "")
        del response["ETag"]
        response["Cache-Control"] = "no-store"
        here = request._request.path
        found = operations_at(here)
        return render_to_string(
            self.template,
            {
                "place": "browse",
                "messages": get_messages(request._request),
                "caller": caller_of(request),
                "next": request._request.get_full_path(),
                "csrf": get_token(request._request),
                "path": here,
                "crumbs": _crumbs(here),
                "read": next((item for item in found if item.method == "get"), None),
                "about": _about(found),
                "filters": _filters(found, request._request),
                "forms": [_form(item, payload, etag) for item in found if item.method != "get"],
                "elsewhere": _elsewhere(found, here),
                "pager": _pager(payload, request._request),
                "formats": _formats(context.get("view"), request._request),
                "method": request.method,
                "status": response.status_code,
                "reason": response.status_text,
                "good": response.status_code < 400,
                "headers": sorted(response.items()),
                "log_url": _log_url(request) if response.status_code >= 400 else "",
                "payload": as_html(payload, link_of_id=_link_of_id(here)),
            },
        )


def caller_of(request: Request) -> dict[str, Any]:
    """The caller as shown on the page: an API key, a member of staff, or {} without credentials."""
    # Not `request.auth`, which would run a failed authentication again.
    caller = getattr(request, "_auth", None)
    if isinstance(caller, ApiKey):
        in_session = "api_key_id" in request._request.session
        return {"key": caller, "business": caller.business, "in_session": in_session}
    if isinstance(caller, StaffPrincipal):
        return {
            "user": caller.user,
            "business": caller.business,
            "role": caller.role,
            "choices": businesses_of(caller.user),
        }
    return {}


def _log_url(request: Request) -> str:
    """The request in the request log, for people who may see it."""
    caller = getattr(request, "_auth", None)
    if not isinstance(caller, StaffPrincipal) or caller.role not in DEVELOPERS:
        return ""
    query = urlencode({"request_id": current_request_id.get()})
    return f"{reverse('settings-requests')}?{query}"


def businesses_of(user: Any) -> list[Business]:
    """The businesses whose data `user` may see, by name."""
    rows = Business.objects.order_by("name", "pk")
    if not user.is_superuser:
        rows = rows.filter(memberships__user=user)
    return list(rows[:MANY_BUSINESSES])


def _crumbs(path: str) -> list[tuple[str, str]]:
    steps = path.strip("/").split("/")
    return [(step, "/" + "/".join(steps[: at + 1])) for at, step in enumerate(steps) if at > 0]


def _about(found: list[Operation]) -> list[Any]:
    """The description of the GET operation of this URL, else of its first operation."""
    chosen = [item for item in found if item.method == "get"] or found[:1]
    return [
        line_as_html(part.replace("\n", " "))
        for item in chosen
        for part in item.description.split("\n\n")
        if part.strip()
    ]


def _filters(found: list[Operation], request: HttpRequest) -> list[dict[str, Any]]:
    return [
        form_field(item, request.GET.get(item.name))
        for operation in found
        if operation.method == "get"
        for item in operation.query
        if item.name not in ("page", "cursor")
    ]


def _form(operation: Operation, payload: Any, etag: str) -> dict[str, Any]:
    """A form for an operation that writes. For PATCH its fields have the current values."""
    data = payload.get("data") if isinstance(payload, dict) else None
    present = data if operation.method == "patch" and isinstance(data, dict) else {}
    return {
        "operation": operation,
        "title": line_as_html(operation.summary),
        "fields": [form_field(item, present.get(item.name)) for item in operation.body],
        "query": [form_field(item, None) for item in operation.query],
        "etag": etag if operation.method in ("patch", "delete") else "",
    }


def _elsewhere(found: list[Operation], path: str) -> list[tuple[str, str]]:
    """URLs below this one: `/webhooks/3/deliveries` for `/webhooks/3`."""
    if not found:
        return []
    template = found[0].path.rstrip("/")
    below = dict.fromkeys(
        operation.path.rstrip("/").removeprefix(template)
        for operation in operations()
        if operation.path.startswith(template + "/")
    )
    here = path.rstrip("/")
    return [(here + rest, here + rest) for rest in below if rest and "{" not in rest]


def _link_of_id(path: str) -> Any:
    """Maps an id to the URL of its row on list URLs, and to None elsewhere."""
    here = path.rstrip("/")
    return lambda row_id: f"{here}/{row_id}" if _has_rows(here) else None


def _has_rows(here: str) -> bool:
    below = operations_at(f"{here}/1")
    return bool(below) and below[0].path.rstrip("/").endswith("}")


def _pager(payload: Any, request: HttpRequest) -> dict[str, Any] | None:
    meta = payload.get("meta", {}) if isinstance(payload, dict) else {}
    if "per_page" not in meta:
        return None
    page, pages = meta.get("page"), meta.get("total_pages") or 0
    links: dict[str, Any] = {"meta": meta, "previous": "", "next": ""}
    if page is not None:
        if page > 1:
            links["previous"] = _with(request, page=min(page - 1, max(pages, 1)))
        if page < pages:
            links["next"] = _with(request, page=page + 1)
    elif meta.get("next_cursor"):
        links["next"] = _with(request, cursor=meta["next_cursor"])
    return links


def _formats(view: Any, request: HttpRequest) -> list[tuple[str, str]]:
    known = [item.format for item in view.get_renderers()] if view else ["json"]
    return [(name.upper(), _with(request, format=name)) for name in known if name != "api"]


def _with(request: HttpRequest, **changes: Any) -> str:
    """This URL with `changes` to its query. Middleware has removed `api_key` from it already."""
    query = {name: request.GET[name] for name in request.GET if name not in ("format", *changes)}
    if "page" in changes:
        query.pop("cursor", None)
    return f"{request.path}?{urlencode({**query, **changes})}"
