"""The browsable API: an answer as a page, with a form for every call that its address takes.

The forms are made from the OpenAPI document; a script sends them as the JSON that any client
would send, so there is no second road into the API. The page never holds a key.
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
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request

from kaivox.api.renderers import EnvelopeRenderer
from kaivox.businesses.authentication import StaffPrincipal
from kaivox.businesses.models import ApiKey, Business
from kaivox.pages.articles import line_as_html
from kaivox.pages.json_page import as_html
from kaivox.pages.openapi import Operation, Property, operations, operations_at

MANY_BUSINESSES: Final = 500
_PAGES: Final = ("page", "per_page", "cursor", "ordering")


class BrowsableRenderer(BrowsableAPIRenderer):
    """`text/html` for people; whatever the page shows is the JSON answer of the same request."""

    template = "browsable/api.html"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        context = dict(renderer_context or {})
        request, response = context["request"], context["response"]
        body = EnvelopeRenderer().render(data, "application/json", {**context, "indent": 2})
        answer = json.loads(body) if body else None
        # An ETag names the JSON; a page of other forms and another bar must not pass for it.
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
                "forms": [_form(item, answer, etag) for item in found if item.method != "get"],
                "elsewhere": _elsewhere(found, here),
                "pager": _pager(answer, request._request),
                "formats": _formats(context.get("view"), request._request),
                "method": request.method,
                "status": response.status_code,
                "reason": response.status_text,
                "good": response.status_code < 400,
                "headers": sorted(response.items()),
                "answer": as_html(answer, link_of_id=_link_of_id(here)),
            },
        )


def caller_of(request: Request) -> dict[str, Any]:
    """Who the page says is calling: by key, as staff, or nobody."""
    # Not `request.auth`: where knowing the caller failed, asking again would fail again.
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


def businesses_of(user: Any) -> list[Business]:
    """The businesses that a person may act as: only theirs."""
    rows = Business.objects.order_by("name", "pk")
    if not user.is_superuser:
        rows = rows.filter(memberships__user=user)
    return list(rows[:MANY_BUSINESSES])


def _crumbs(path: str) -> list[tuple[str, str]]:
    steps = path.strip("/").split("/")
    return [(step, "/" + "/".join(steps[: at + 1])) for at, step in enumerate(steps) if at > 0]


def _about(found: list[Operation]) -> list[Any]:
    """The description of what one reads here, else of the one thing that one does here."""
    chosen = [item for item in found if item.method == "get"] or found[:1]
    return [
        line_as_html(part.replace("\n", " "))
        for item in chosen
        for part in item.description.split("\n\n")
        if part.strip()
    ]


def _filters(found: list[Operation], request: HttpRequest) -> list[dict[str, Any]]:
    return [
        _field(item, request.GET.get(item.name))
        for operation in found
        if operation.method == "get"
        for item in operation.query
        if item.name not in ("page", "cursor")
    ]


def _form(operation: Operation, answer: Any, etag: str) -> dict[str, Any]:
    """A form for a call that changes something; a PATCH shows what stands there now."""
    data = answer.get("data") if isinstance(answer, dict) else None
    present = data if operation.method == "patch" and isinstance(data, dict) else {}
    return {
        "operation": operation,
        "title": line_as_html(operation.summary),
        "fields": [_field(item, present.get(item.name)) for item in operation.body],
        "query": [_field(item, None) for item in operation.query],
        "etag": etag if operation.method in ("patch", "delete") else "",
    }


_INPUTS: Final = {"email": "email", "uri": "url", "date": "date", "tel": "tel"}


def _field(item: Property, value: Any) -> dict[str, Any]:
    widget = _widget(item, value)
    return {
        "item": item,
        "name": item.name,
        "kind": item.type,
        "widget": widget,
        "input": _INPUTS.get(item.format, "text"),
        "choices": ["true", "false"] if item.type == "boolean" else item.choices,
        "value": _in_form(value, widget),
        "help": line_as_html(item.description),
    }


def _widget(item: Property, value: Any) -> str:
    if item.where == "query":
        several = item.type == "array" or "," in str(value or "")
        return "select" if item.choices and not several else "text"
    if item.type == "array" and item.choices:
        return "checks"
    if item.type == "boolean" or item.choices:
        return "select"
    if item.type in ("object", "array", "any"):
        return "json"
    return "long" if int(item.schema.get("maxLength", 0)) > 300 else "text"


def _in_form(value: Any, widget: str) -> Any:
    if value is None:
        return [] if widget == "checks" else ""
    if widget == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return value if widget == "checks" else str(value)


def _elsewhere(found: list[Operation], path: str) -> list[tuple[str, str]]:
    """Addresses one step below this one: `/webhooks/3/deliveries` of `/webhooks/3`."""
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
    """Of a list: the address of each row. Elsewhere an id is just a number."""
    here = path.rstrip("/")
    return lambda row_id: f"{here}/{row_id}" if _has_rows(here) else None


def _has_rows(here: str) -> bool:
    below = operations_at(f"{here}/1")
    return bool(below) and below[0].path.rstrip("/").endswith("}")


def _pager(answer: Any, request: HttpRequest) -> dict[str, Any] | None:
    meta = answer.get("meta", {}) if isinstance(answer, dict) else {}
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
    """This address with other parameters; the key was taken out of it before any view ran."""
    kept = {name: request.GET[name] for name in request.GET if name not in ("format", *changes)}
    if "page" in changes:
        kept.pop("cursor", None)
    return f"{request.path}?{urlencode({**kept, **changes})}"
