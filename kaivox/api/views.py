"""The frame of every view: who, how often, in which form, may they; then the view; then the tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kaivox.api.encoding import encode, etag_of, tags_of
from kaivox.api.exceptions import ErrorAnswer
from kaivox.api.filters import refuse_broken_encoding, refuse_unknown
from kaivox.api.parsers import MAX_BODY, BodyTooLarge
from kaivox.api.renderers import EnvelopeRenderer, StreamedRenderer
from kaivox.api.responses import Answer, error_response
from kaivox.api.serializers import QuerySerializer, WriteSerializer
from kaivox.errors import DomainError

# An answer differs by these: caches between us and the caller must not mix them up.
_VARY = "Accept, Authorization, X-API-Key"


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "Send the body with a Content-Length."


class FramedView(APIView):
    """Base of all views under `/api/`.

    `scope` is the resource that a key must hold (`appointments` → `appointments:read` to GET,
    `appointments:write` otherwise); None: any valid key. `charged` is False where a call costs
    no quota. `query_serializers` names the query of each action that takes one.
    `deprecated_since` and `sunset_at` announce the end of a view (RFC 9745, RFC 8594).

    Read by `kaivox.api.schema` alone, by action: `body_serializers`, `meta_schemas` (properties of
    `meta`), `refusals` (the DomainErrors that it may raise).
    """

    scope: ClassVar[str | None] = None
    charged: ClassVar[bool] = True
    query_serializers: ClassVar[Mapping[str, type[QuerySerializer]]] = {}
    body_serializers: ClassVar[Mapping[str, type[WriteSerializer]]] = {}
    meta_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    refusals: ClassVar[Mapping[str, Sequence[type[DomainError]]]] = {}
    deprecated_since: ClassVar[datetime | None] = None
    sunset_at: ClassVar[datetime | None] = None
    query: dict[str, Any]

    @property
    def business(self) -> Any:
        """The caller's business."""
        return self.request.auth.business

    @property
    def default_response_headers(self) -> dict[str, str]:
        headers = {"Allow": ", ".join(self.allowed_methods), "Vary": _VARY}
        if self.deprecated_since is not None:
            headers["Deprecation"] = f"@{int(self.deprecated_since.timestamp())}"
            headers["Link"] = f'<{settings.PUBLIC_URL}/docs/api#versions>; rel="deprecation"'
        if self.sunset_at is not None:
            headers["Sunset"] = http_date(self.sunset_at.timestamp())
        return headers

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        if "charset" in request.META.get("CONTENT_TYPE", ""):
            request.encoding = "utf-8"  # Django would read the URL in what is said of the body
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """REST framework's order, with the throttle before all that can fail: each call of a valid
        key costs one, whatever its answer."""
        self.format_kwarg = self.get_format_suffix(**kwargs)
        self.perform_authentication(request)
        self.check_throttles(request)
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.check_permissions(request)
        if request.method not in self.allowed_methods:
            self.http_method_not_allowed(request)
        refuse_broken_encoding(request)
        self.read_query(request)
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _refuse_bad_length(request)
        if request.method in ("POST", "PUT", "PATCH"):
            _ = request.data  # 400 and 415 come before 404, and from views that ignore the body too

    def read_query(self, request: Request) -> None:
        """Refuses unknown parameters. A list leaves this to its filters."""
        self.query = {}
        name = getattr(self, "action", None) or str(request.method).lower()
        serializer_class = self.query_serializers.get(name)
        known = serializer_class._declared_fields if serializer_class else {}
        refuse_unknown(request, known)
        if serializer_class is None:
            return
        values = {
            name: request.query_params[name] for name in known if name in request.query_params
        }
        business = getattr(request.auth, "business", None)
        serializer = serializer_class(data=values, context={"business": business})
        serializer.is_valid(raise_exception=True)
        self.query = serializer.validated_data

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, ErrorAnswer):
            _tell_in_json(response)
        elif isinstance(response, Answer) and response.data is not None:
            tag_answer(request, response)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are."""
        return Answer({"name": self.get_view_name(), "methods": self.allowed_methods})


def tag_answer(request: Request, response: Answer) -> None:
    """Sets `ETag`; a GET whose `If-None-Match` names it becomes a 304 (RFC 9110 §13.1.2). The tag is
    of the JSON: a page for people is another representation, and never spared by it."""
    response.encoded = encode(response.data)
    paging = {key: value for key, value in response.meta.items() if key != "request_id"}
    response["ETag"] = etag_of(response.encoded + encode(paging) if paging else response.encoded)
    is_json = isinstance(request.accepted_renderer, EnvelopeRenderer)
    if is_json and request.method in ("GET", "HEAD") and response.status_code == 200:
        wanted = request.META.get("HTTP_IF_NONE_MATCH", "").strip()
        if wanted and (wanted == "*" or response["ETag"] in tags_of(wanted)):
            response.status_code = 304
            response.data = None


def _tell_in_json(response: ErrorAnswer) -> None:
    """An error of a request for CSV or NDJSON is our envelope all the same."""
    if isinstance(response.accepted_renderer, StreamedRenderer):
        response.accepted_renderer = EnvelopeRenderer()
        response.accepted_media_type = EnvelopeRenderer.media_type


def _refuse_bad_length(request: Request) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length[:20]) > MAX_BODY:
        raise BodyTooLarge
    # gunicorn hands a chunked body on without its length, and Django would read it as empty.
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower() and length == "0":
        raise LengthRequired


class UnknownPath(FramedView):
    """Every path under `/api/` that leads nowhere. With a valid key it is charged like any call;
    without one it is a 404 all the same."""

    schema = None
    permission_classes = ()

    def read_query(self, request: Request) -> None:
        """Nothing here reads a query."""

    def http_method_not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise NotFound

    get = post = put = patch = delete = options = http_method_not_allowed


# --- Django's own error pages, where no view of ours ran ----------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(400, "bad_request", "The request cannot be read.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(404, "not_found", "There is nothing here.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(403, "forbidden", "This is not allowed.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_response(403, "csrf_failed", "The form is out of date. Load the page again.")


def server_error(request: HttpRequest) -> HttpResponse:
    message = "Something broke on our side. We have been told; the request id helps us to find it."
    return error_response(500, "internal_error", message)
