"""A 304 at the door: who has an answer already in which nothing has changed is told so before the view
is looked for.

What an answer to `If-None-Match` was is remembered: its tag and headers, and the version
(`kaivox.api.versions`) at which they were true. Who is calling, how often, and whether they may is
asked anew each time, of the view's own classes. In any doubt the request goes the long way.
docs/decisions/0055.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from kaivox.api.encoding import tags_of
from kaivox.api.renderers import EnvelopeRenderer
from kaivox.api.versions import Memory, Version
from kaivox.errors import DomainError

_LONGEST_NAME: Final = 2_000
_MANY: Final = 5_000

GetResponse = Callable[[HttpRequest], HttpResponse]
_Name = tuple[str, ...]


class Unchanged:
    """Stands behind all that is to see each request, and before all that only a view needs."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_IF_NONE_MATCH" not in request.META or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        name = _name_of(request)
        spared = _spared(name, request)
        if spared is not None:
            return spared
        response = self.get_response(request)
        _keep(name, request, response)
        return response


def note_shown(request: Request, view: Any) -> None:
    """What the answer will be made from: called before any row is read, where the answer may be
    spared next time."""
    asked = (
        view.shown_from
        and request.method in ("GET", "HEAD")
        and view.action in ("list", "retrieve")
        and "HTTP_IF_NONE_MATCH" in request.META
        and isinstance(request.accepted_renderer, EnvelopeRenderer)
    )
    if asked and view.version.is_settled():
        door = _Door(type(view), view.action_map)
        request._request.shown = _Shown(door, view.business.pk, view.version)  # type: ignore[attr-defined]


def forget_all() -> None:
    """As in a process that has just begun."""
    _doors.clear()
    _answers.forget_all()


@dataclass(frozen=True, slots=True)
class _Door:
    """What a view asks of each caller, without the view's work."""

    view_class: type[Any]
    actions: Mapping[str, str]

    def pass_through(self, request: HttpRequest) -> Any:
        """The view, with the caller known, charged and allowed. Raises what these raise."""
        view = self.view_class()
        view.args, view.kwargs, view.action_map = (), {}, self.actions
        for method, action in self.actions.items():
            setattr(view, method, getattr(view, action))
        view.request = view.initialize_request(request)
        view.perform_authentication(view.request)
        view.check_throttles(view.request)
        view.check_permissions(view.request)
        return view


@dataclass(frozen=True, slots=True)
class _Shown:
    door: _Door
    business_id: int
    version: Version


@dataclass(frozen=True, slots=True)
class _Answer:
    tag: str
    headers: Mapping[str, str]


_doors: dict[_Name, _Door] = {}
_answers = Memory()


def _name_of(request: HttpRequest) -> _Name:
    """All of a request that its answer may depend on, but for who asks and which tags they have."""
    meta = request.META
    return (
        str(request.method),
        request.path,
        meta.get("QUERY_STRING", ""),
        meta.get("HTTP_HOST", ""),
        meta.get("HTTP_ACCEPT", ""),
        meta.get("CONTENT_TYPE", ""),
    )


def _spared(name: _Name, request: HttpRequest) -> HttpResponse | None:
    door = _doors.get(name)
    if door is None:
        return None
    try:
        view = door.pass_through(request)
        request.version = view.version  # type: ignore[attr-defined]
    except (APIException, DomainError, DatabaseError):
        return None  # the long way tells it, and does not charge again
    answer: _Answer | None = _answers.recall((view.business.pk, *name), view.version)
    if answer is None or answer.tag not in tags_of(request.META["HTTP_IF_NONE_MATCH"]):
        return None
    _tell_front(request)
    return HttpResponseNotModified(headers=answer.headers)


def _keep(name: _Name, request: HttpRequest, response: HttpResponse) -> None:
    shown: _Shown | None = getattr(request, "shown", None)
    if (
        shown is None
        or response.status_code not in (200, 304)
        or sum(map(len, name)) > _LONGEST_NAME
    ):
        return
    if response.status_code == 304:
        _tell_front(request)
    if len(_doors) >= _MANY:
        _doors.clear()
    _doors[name] = shown.door
    headers = {**response.headers, "Content-Length": "0"}  # without it waitress hangs up
    headers.pop("Content-Type", None)
    _answers.keep((shown.business_id, *name), shown.version, _Answer(headers["ETag"], headers))


def _tell_front(request: HttpRequest) -> None:
    """For whoever stands in front of Django (`kaivox.front`): to whom this 304 is told, and the marks
    that were read before it was known to be right."""
    request.META["kaivox.unchanged"] = (
        getattr(request, "caller", None),
        getattr(request, "marks", None),
    )
