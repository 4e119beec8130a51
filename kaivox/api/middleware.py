"""Middleware of every request: request id, HEAD, removal of `?api_key=`, https, security headers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from kaivox.api.logging import NO_REQUEST, current_request_id
from kaivox.api.query_keys import extract_query_key
from kaivox.api.request_context import context_of
from kaivox.api.responses import error_response

GetResponse = Callable[[HttpRequest], HttpResponse]

_OF_PROGRAMS = re.compile(r"/(api|voice|mcp)(/|$)")
_NO_DEVICES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestIdMiddleware:
    """Accepts an `X-Request-ID` of 1–128 characters `[A-Za-z0-9._-]`, else generates one; returns it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = request_id_of(request.META)
        current_request_id.set(request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        if response.status_code in (204, 304):
            response.headers.pop("Content-Length", None)  # a 304's would be that of the 200
        return response


@receiver(request_finished)
def _forget_request_id(**_: object) -> None:
    # Not when the middleware returns: Django logs a 5xx response after it, and the body of a
    # streamed one is made after it.
    current_request_id.set(NO_REQUEST)


def request_id_of(meta: Mapping[str, Any]) -> str:
    """The id of a request with these headers, as WSGI names them."""
    sent = meta.get("HTTP_X_REQUEST_ID", "")
    return sent if _REQUEST_ID.fullmatch(sent) else f"req_{uuid.uuid4().hex}"


class StripHeadBody:
    """Responds to HEAD as to GET, without the body.

    gunicorn drops it by itself; waitress would send it, and the client would read it as the beginning
    of the next response.
    """

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


class ScrubQueryApiKey:
    """Marks responses to a request with its key in the URL as `no-store` and `no-referrer`.

    `kaivox.wsgi` has removed the key from the URL already; Django's test client bypasses it, so it is
    removed here too.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        extract_query_key(request.META)
        response = self.get_response(request)
        if context_of(request).query_api_keys:
            response["Cache-Control"] = "no-store"
            response["Referrer-Policy"] = "no-referrer"
        return response


class HttpsOnly:
    """Rejects API requests over http where `SECURE_SSL_REDIRECT` is set.

    They are not redirected: that loses the body of a POST, and hides that the key was sent in clear.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        must = settings.SECURE_SSL_REDIRECT and not request.is_secure()
        if must and _OF_PROGRAMS.match(request.path_info):
            return error_response(
                403, "https_required", "Use https: over http your key can be read on its way."
            )
        return self.get_response(request)


class SecurityHeaders:
    """Sends `settings.SECURE_CSP` (Django 6 has this built in, under the same setting), and the
    headers that Django's SecurityMiddleware leaves out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = "; ".join(
            " ".join([directive, *sources]) for directive, sources in settings.SECURE_CSP.items()
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", _NO_DEVICES)
        return response
