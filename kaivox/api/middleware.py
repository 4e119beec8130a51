"""What every request passes before a view: its id, the key taken out of its URL, the page policy."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from kaivox.api.logs import current_request_id

GetResponse = Callable[[HttpRequest], HttpResponse]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """Takes `X-Request-ID` where it is 1–128 of `[A-Za-z0-9._-]`, else makes one; sends it back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.META)
        token = current_request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            current_request_id.reset(token)
        response["X-Request-ID"] = request_id
        return response


def request_id_of(meta: Mapping[str, Any]) -> str:
    """The id of a request with these headers, as WSGI names them."""
    given = meta.get("HTTP_X_REQUEST_ID", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"


class HeadHasNoBody:
    """Answers HEAD as GET, without the body. gunicorn drops it by itself; waitress would send it, and
    the client would take it for the beginning of the next answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method == "HEAD":
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
            else:
                response.headers.setdefault("Content-Length", str(len(response.content)))
                response.content = b""
        return response


class KeyInUrl:
    """Takes `?api_key=` out of the URL before anything can log, link or cache it.

    The key waits in `request.META["kaivox.query_key"]` for
    `kaivox.businesses.authentication.QueryKeyAuthentication`.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        parts = query.split("&")
        keys = [part for part in parts if _is_key(part)]
        if not keys:
            return self.get_response(request)
        rest = "&".join(part for part in parts if not _is_key(part))
        request.META["kaivox.query_key"] = unquote_plus(keys[0].partition("=")[2])
        request.META["QUERY_STRING"] = rest
        for name in ("REQUEST_URI", "RAW_URI"):  # gunicorn's access log prints these
            if name in request.META:
                path = request.META[name].partition("?")[0]
                request.META[name] = f"{path}?{rest}" if rest else path
        response = self.get_response(request)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        return response


def _is_key(part: str) -> bool:
    return unquote_plus(part.partition("=")[0]) == "api_key"


class ContentSecurityPolicy:
    """Sends `settings.SECURE_CSP`. Django 6 has this built in, under the same setting."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = "; ".join(
            " ".join([directive, *sources]) for directive, sources in settings.SECURE_CSP.items()
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response
