"""Maps exceptions, crashes included, to error responses. Nothing else does."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DataError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from kaivox import errors
from kaivox.api.responses import error_body
from kaivox.db.outages import OUTAGES

logger = logging.getLogger(__name__)

STATUS_OF = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Invalid: 422,
    errors.Forbidden: 403,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
}

MAX_FIELD_ERRORS = 20  # of one response

# DRF's own codes where ours differ.
_CODE_OF: Mapping[type[drf.APIException], str] = {
    drf.ParseError: "invalid_json",
    drf.NotFound: "not_found",
    drf.MethodNotAllowed: "method_not_allowed",
    drf.NotAcceptable: "not_acceptable",
    drf.UnsupportedMediaType: "unsupported_media_type",
    drf.NotAuthenticated: "missing_api_key",
    drf.Throttled: "rate_limit_exceeded",
}


class ErrorResponse(Response):
    """A response whose data is the error envelope already."""

    def __init__(self, body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, status=status, headers=dict(headers), exception=True)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's `EXCEPTION_HANDLER`: every exception of a view, crashes included."""
    if isinstance(error, errors.Unavailable):
        # Raised instead of a database error, or for a lock that timed out.
        logger.error("Unavailable: %s", error.__cause__ or error)
    if isinstance(error, errors.DomainError):
        return _domain_error_response(error)
    if isinstance(error, Http404):
        return _domain_error_response(errors.NotFound())
    if isinstance(error, PermissionDenied):
        return _domain_error_response(errors.Forbidden())
    if isinstance(error, drf.ValidationError):
        return _validation_error_response(error)
    if isinstance(error, drf.APIException):
        return _api_exception_response(error, context)
    if isinstance(error, RequestDataTooBig):
        body = error_body("body_too_large", "The body is larger than 1 MiB.")
        return ErrorResponse(body, 413, {})
    if isinstance(error, SuspiciousOperation):  # more than 1,000 query parameters, for one
        return ErrorResponse(error_body("bad_request", "The request cannot be read."), 400, {})
    if isinstance(error, DataError | OverflowError | UnicodeError):
        # A value that no field rejected and no column can hold. Logged: the field should reject it.
        logger.warning("The database rejected a value that validation had passed", exc_info=error)
        return _domain_error_response(errors.Invalid())
    if isinstance(error, OUTAGES):
        logger.error("The database is unavailable or busy: %s", error)
        return _domain_error_response(errors.Unavailable(retry_after=1))
    return _crash_response(error, context)


def _domain_error_response(error: errors.DomainError) -> Response:
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    message = error.message
    if error.errors and message == errors.Invalid.message:
        message = _message_of(error.errors)
    body = error_body(error.code, message, error.errors, error.meta)
    return ErrorResponse(body, status, headers)


def _validation_error_response(error: drf.ValidationError) -> Response:
    by_field: dict[str, list[str]] = {}
    general: list[str] = []
    for path, message in islice(_flatten(error.detail), MAX_FIELD_ERRORS):
        if path:
            by_field.setdefault(path, []).append(message)
        else:
            general.append(message)
    message = " ".join(general) or _message_of(by_field)
    return ErrorResponse(error_body("validation_error", message, by_field), 422, {})


def _message_of(by_field: Iterable[str]) -> str:
    return f"Some values are not valid: {', '.join(by_field)}."


def _flatten(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """`{"items": {1: {"name": ["…"]}}}` as `("items.1.name", "…")`."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            here = path if key == "non_field_errors" else f"{path}.{key}".lstrip(".")
            yield from _flatten(value, here)
    elif isinstance(detail, list | tuple):
        for value in detail:
            yield from _flatten(value, path)
    else:
        yield path, str(detail)


def _api_exception_response(error: drf.APIException, context: Mapping[str, Any]) -> Response:
    headers = dict(getattr(error, "headers", {}))
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(error.wait)
    detail = error.detail
    code = _CODE_OF.get(type(error)) or str(getattr(detail, "code", error.default_code))
    message = str(detail) if isinstance(detail, str) else str(error.default_detail)
    if type(error) is drf.UnsupportedMediaType:
        message = "Send Content-Type: application/json, in UTF-8."
    elif isinstance(error, drf.MethodNotAllowed):
        message = f"This method is not allowed here. Allowed: {', '.join(_methods(context))}."
    body = error_body(code, message, getattr(error, "errors", None))
    return ErrorResponse(body, error.status_code, headers)


def _methods(context: Mapping[str, Any]) -> list[str]:
    return list(getattr(context.get("view"), "allowed_methods", ()))


def _crash_response(error: Exception, context: Mapping[str, Any]) -> Response:
    request = context.get("request")
    logger.error("Crash in %s", type(context.get("view")).__name__, exc_info=error)
    # Error reporters listen to this signal; DRF sends it only for exceptions that it re-raises.
    got_request_exception.send(sender=type(error), request=getattr(request, "_request", None))
    message = "Something broke on our side and was logged. The request id helps us to find it."
    return ErrorResponse(error_body("internal_error", message), 500, {})
