"""The one place where a refusal, or a crash, becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from kaivox import errors
from kaivox.api.responses import error_body

logger = logging.getLogger(__name__)

STATUS_OF = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Invalid: 422,
    errors.Forbidden: 403,
    errors.Unavailable: 503,
}

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


class ErrorAnswer(Response):
    """An answer whose data is the error envelope already."""

    def __init__(self, body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> None:
        super().__init__(body, status=status, headers=dict(headers), exception=True)


def answer_exception(error: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's `EXCEPTION_HANDLER`: every exception of a view, crashes included."""
    if isinstance(error, errors.DomainError):
        return _answer_domain_error(error)
    if isinstance(error, Http404):
        return _answer_domain_error(errors.NotFound())
    if isinstance(error, PermissionDenied):
        return _answer_domain_error(errors.Forbidden())
    if isinstance(error, drf.ValidationError):
        return _answer_validation_error(error)
    if isinstance(error, drf.APIException):
        return _answer_api_exception(error)
    if isinstance(error, RequestDataTooBig):
        body = error_body("body_too_large", "The body is larger than 1 MiB.")
        return ErrorAnswer(body, 413, {})
    if isinstance(error, SuspiciousOperation):  # more than 1,000 query parameters, for one
        return ErrorAnswer(error_body("bad_request", "The request cannot be read."), 400, {})
    if isinstance(error, DataError | OverflowError | UnicodeError):
        # A value that no field caught and no column can hold. Logged: the field should catch it.
        logger.warning("A value slipped through to the database", exc_info=error)
        return _answer_domain_error(errors.Invalid())
    if is_outage(error):
        logger.error("The database is away or busy: %s", error)
        return _answer_domain_error(errors.Unavailable(retry_after=1))
    return _answer_crash(error, context)


def is_outage(error: BaseException) -> bool:
    """Whether the database is away, or busy for longer than we wait."""
    return isinstance(error, OperationalError | InterfaceError)


def _answer_domain_error(error: errors.DomainError) -> Response:
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    body = error_body(error.code, error.message, error.errors, error.meta)
    return ErrorAnswer(body, status, headers)


def _answer_validation_error(error: drf.ValidationError) -> Response:
    by_field: dict[str, list[str]] = {}
    general: list[str] = []
    for path, message in _flatten(error.detail):
        if path:
            by_field.setdefault(path, []).append(message)
        else:
            general.append(message)
    message = " ".join(general) or f"Some values are not valid: {', '.join(by_field)}."
    return ErrorAnswer(error_body("validation_error", message, by_field), 422, {})


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


def _answer_api_exception(error: drf.APIException) -> Response:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(error.wait)
    detail = error.detail
    code = _CODE_OF.get(type(error)) or str(getattr(detail, "code", error.default_code))
    message = str(detail) if isinstance(detail, str) else str(error.default_detail)
    body = error_body(code, message, getattr(error, "errors", None))
    return ErrorAnswer(body, error.status_code, headers)


def _answer_crash(error: Exception, context: Mapping[str, Any]) -> Response:
    request = context.get("request")
    logger.error("Crash in %s", type(context.get("view")).__name__, exc_info=error)
    # What error reporters listen to; DRF would send it where the exception is raised on.
    got_request_exception.send(sender=type(error), request=getattr(request, "_request", None))
    message = "Something broke on our side. We have been told; the request id helps us to find it."
    return ErrorAnswer(error_body("internal_error", message), 500, {})
