"""The frame of every view: who, how often, in which form, may they; then the view; then the tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kaivox.api.encoding import encode, etag_of
from kaivox.api.filters import refuse_broken_encoding, refuse_unknown
from kaivox.api.parsers import MAX_BODY, BodyTooLarge
from kaivox.api.responses import Answer, error_response
from kaivox.api.serializers import QuerySerializer


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "Send the body with a Content-Length."


class FramedView(APIView):
    """Base of all views under `/api/`.

    `scope` is the resource that a key must hold (`appointments` → `appointments:read` to GET,
    `appointments:write` otherwise); None: any valid key. `charged` is False where a call costs
    no quota. `query_serializers` names the query of each action that takes one.
    """

    scope: ClassVar[str | None] = None
    charged: ClassVar[bool] = True
    query_serializers: ClassVar[Mapping[str, type[QuerySerializer]]] = {}
    query: dict[str, Any]

    @property
    def business(self) -> Any:
        """The caller's business."""
        return self.request.auth.business

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """REST framework's order, with the throttle before all that can fail: each call of a valid
        key costs one, whatever its answer."""
        self.perform_authentication(request)
        self.check_throttles(request)
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.check_permissions(request)
        _refuse_bad_length(request)
        refuse_broken_encoding(request)
        self.read_query(request)

    def read_query(self, request: Request) -> None:
        """Refuses unknown parameters. A list leaves this to its filters."""
        name = getattr(self, "action", None) or request.method.lower()
        serializer_class = self.query_serializers.get(name, QuerySerializer)
        refuse_unknown(request, serializer_class._declared_fields)
        values = {
            key: request.query_params[key]
            for key in serializer_class._declared_fields
            if key in request.query_params
        }
        serializer = serializer_class(data=values, context={"business": self._business_or_none()})
        serializer.is_valid(raise_exception=True)
        self.query = serializer.validated_data

    def _business_or_none(self) -> Any:
        return getattr(self.request.auth, "business", None)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, Answer) and response.data is not None:
            tag_answer(request, response)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are."""
        return Answer({"name": self.get_view_name(), "methods": self.allowed_methods})


def tag_answer(request: Request, response: Answer) -> None:
    """Sets `ETag`; a GET whose `If-None-Match` names it becomes a 304 (RFC 9110 §13.1.2)."""
    response.encoded = encode(response.data)
    paging = {key: value for key, value in response.meta.items() if key != "request_id"}
    response["ETag"] = etag_of(response.encoded + encode(paging) if paging else response.encoded)
    if request.method in ("GET", "HEAD") and response.status_code == 200:
        wanted = request.META.get("HTTP_IF_NONE_MATCH", "")
        if wanted.strip() == "*" or response["ETag"] in _tags(wanted):
            response.status_code = 304
            response.data = None


def _tags(header: str) -> set[str]:
    """The entity tags of a header, compared weakly: the W/ of a proxy does not matter."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _refuse_bad_length(request: Request) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > MAX_BODY:
        raise BodyTooLarge
    # gunicorn hands a chunked body on without its length, and Django would read it as empty.
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower() and length == "0":
        raise LengthRequired


class UnknownPath(FramedView):
    """Every path under `/api/` that leads nowhere. With a valid key it is charged like any call."""

    schema = None

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
