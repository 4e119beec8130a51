"""Base view: authentication, quota, negotiation and permission before the handler, ETag after it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import http_date
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kaivox import errors
from kaivox.api.encoders import encode
from kaivox.api.etags import make_etag, names_etag
from kaivox.api.exceptions import ErrorResponse
from kaivox.api.filters import reject_invalid_utf8, reject_unknown_parameters
from kaivox.api.parsers import MAX_BODY, BodyTooLarge
from kaivox.api.renderers import EnvelopeRenderer, StreamedRenderer
from kaivox.api.responses import EnvelopeResponse, error_response
from kaivox.api.serializers import QuerySerializer, WriteSerializer
from kaivox.errors import DomainError

# Responses vary by these headers, so caches must not reuse one for another caller.
_VARY = "Accept, Authorization, X-API-Key"


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "Send the body with a Content-Length."


class CompressedBody(APIException):
    """RFC 9110 §12.5.3: `Accept-Encoding` in a 415 says which content codings are accepted."""

    status_code = 415
    default_code = "unsupported_media_type"
    default_detail = "Send the body uncompressed, without Content-Encoding."
    headers: ClassVar[Mapping[str, str]] = {"Accept-Encoding": "identity"}


class ApiView(APIView):
    """Base of all views under `/api/`.

    `scope` is the resource that a key must hold (`appointments` → `appointments:read` to GET,
    `appointments:write` otherwise); None: any valid key. `charged` is False where a call costs
    no quota. `query_serializers` names the query of each action that takes one.
    `deprecated_since` and `sunset_at` announce the end of a view (RFC 9745, RFC 8594).

    `body_serializers` names the body of each action that takes one: any other action rejects fields.

    Read by `kaivox.api.openapi.auto_schema` alone, by action: `meta_schemas` (properties of `meta`), `refusals`
    (the DomainErrors that it may raise).
    """

    scope: ClassVar[str | None] = None
    # Of single actions: another resource than `scope`; what role staff may do without its scope.
    action_scopes: ClassVar[Mapping[str, str]] = {}
    staff_actions: ClassVar[Collection[str]] = ()
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
    def actor(self) -> Any:
        """Who acts: the API key, or the person of a session."""
        return getattr(self.request.auth, "user", self.request.auth)

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
            request.encoding = "utf-8"  # else Django decodes the URL by the charset of the body
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """REST framework's order, with the throttle before all that can fail: each call of a valid
        key costs one, whatever its response."""
        self.format_kwarg = self.get_format_suffix(**kwargs)
        self.perform_authentication(request)
        self.check_throttles(request)
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.check_permissions(request)
        if request.method not in self.allowed_methods:
            self.http_method_not_allowed(request)
        reject_invalid_utf8(request)
        if request.method == "OPTIONS":
            return  # about the URL of another method, whose query it may have
        self.validate_query(request)
        if request.method != "HEAD":
            _reject_bad_length(request)
            self.read_body(request)

    def validate_query(self, request: Request) -> None:
        """Rejects unknown parameters. A list leaves this to its filters."""
        self.query = {}
        name = getattr(self, "action", None) or str(request.method).lower()
        name = "get" if name == "head" else name
        serializer_class = self.query_serializers.get(name)
        known = serializer_class._declared_fields if serializer_class else {}
        reject_unknown_parameters(request, known)
        if serializer_class is None:
            return
        values = {
            name: request.query_params[name] for name in known if name in request.query_params
        }
        business = getattr(request.auth, "business", None)
        serializer = serializer_class(data=values, context={"business": business})
        serializer.is_valid(raise_exception=True)
        self.query = serializer.validated_data

    def read_body(self, request: Request) -> None:
        """Parses the body, so that 400 and 415 come before 404. Where the action takes none, its
        fields are unknown ones, and never silently ignored."""
        if request.method in ("GET", "DELETE") and not int(request.META.get("CONTENT_LENGTH") or 0):
            return
        reject_compressed(request)
        data = request.data
        name = getattr(self, "action", None) or str(request.method).lower()
        if data and name not in self.body_serializers:
            WriteSerializer(data=data).is_valid(raise_exception=True)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, ErrorResponse):
            _force_json(response)
        elif isinstance(response, EnvelopeResponse) and response.data is not None:
            set_etag(request, response)
            if response.links and response.status_code == 200:
                # The view's own announces its deprecation.
                of_view = response.headers.get("Link")
                response["Link"] = ", ".join([*([of_view] if of_view else ()), *response.links])
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are."""
        return EnvelopeResponse({"name": self.get_view_name(), "methods": self.allowed_methods})


def set_etag(request: Request, response: EnvelopeResponse) -> None:
    """Sets `ETag`, of the content unless the view has set one; a GET whose `If-None-Match` names it
    becomes a 304 (RFC 9110 §13.1.2). The tag is of the JSON: an HTML page is another representation,
    and is always sent in full."""
    response.encoded = encode(response.data)
    if "ETag" not in response:
        paging = {key: value for key, value in response.meta.items() if key != "request_id"}
        response["ETag"] = make_etag(
            response.encoded + encode(paging) if paging else response.encoded
        )
    is_json = isinstance(request.accepted_renderer, EnvelopeRenderer)
    if is_json and request.method in ("GET", "HEAD") and response.status_code == 200:
        wanted = request.META.get("HTTP_IF_NONE_MATCH", "").strip()
        if wanted and (wanted == "*" or names_etag(wanted, response["ETag"])):
            response.status_code = 304
            response.data = None


def _force_json(response: ErrorResponse) -> None:
    """Errors of requests for CSV or NDJSON are JSON as well."""
    if isinstance(response.accepted_renderer, StreamedRenderer):
        response.accepted_renderer = EnvelopeRenderer()
        response.accepted_media_type = EnvelopeRenderer.media_type


def reject_compressed(request: Request) -> None:
    """Raises CompressedBody."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity") and request.META.get("CONTENT_LENGTH") not in (
        None,
        "",
        "0",
    ):
        raise CompressedBody


def _reject_bad_length(request: Request) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit() or int(length[:20]) > MAX_BODY:
        raise BodyTooLarge
    # gunicorn passes a chunked body on without its length, and Django would read it as empty.
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower() and length == "0":
        raise LengthRequired


class UnknownPath(ApiView):
    """Every path under `/api/` that leads nowhere. With a valid key it is charged like any call;
    without one it is a 404 all the same."""

    schema = None
    permission_classes = ()

    def validate_query(self, request: Request) -> None:
        """No parameter is read here, so none is unknown."""

    def read_body(self, request: Request) -> None:
        """No body is read here."""

    def http_method_not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        if re.match(r"/api/v(?!1(?:/|$))", request.path):
            raise NotFound("There is no such version of the API. Use /api/v1.")
        raise Http404

    get = post = put = patch = delete = options = http_method_not_allowed


# --- Django's own error pages, where no view of ours ran ----------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(400, "bad_request", "The request cannot be read.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(404, "not_found", errors.NotFound.message)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(403, "forbidden", "This is not allowed.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_response(403, "csrf_failed", "The form is out of date. Load the page again.")


def server_error(request: HttpRequest) -> HttpResponse:
    message = "Something broke on our side and was logged. The request id helps us to find it."
    return error_response(500, "internal_error", message)
