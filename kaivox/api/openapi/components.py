"""OpenAPI components that all responses share: envelope, errors, headers, security."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kaivox.api.values import IDEMPOTENCY_KEY, LONGEST_IDEMPOTENCY_KEY
from kaivox.errors import DomainError, NotFound

Schema = dict[str, Any]

# `?api_key=` is not among them: clients that are generated from the document would put the key into
# every URL.
SECURITY: Final[list[dict[str, list[str]]]] = [{"ApiKeyHeader": []}, {"ApiKeyBearer": []}]

SECURITY_SCHEMES: Final[dict[str, Schema]] = {
    "ApiKeyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Takes precedence. Use it where `Authorization` is used for something else. "
        "For a quick test in a browser the key may be the query parameter `api_key` instead; such "
        "responses are never cached.",
    },
    "ApiKeyBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "Recommended from server to server.",
    },
}

ID: Final[Schema] = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}

META: Final[Schema] = {
    "type": "object",
    "description": "About the response, not about the object.",
    "properties": {
        "request_id": {
            "type": "string",
            "description": "The response's `X-Request-ID`. Quote it when you write to us.",
            "examples": ["req_5f1c6a4ec0f94f5f8e1c2d6f7a3b9e10"],
        }
    },
    "required": ["request_id"],
}

PAGE_META: Final[Schema] = {
    "type": "object",
    "description": "Position of this page in the list.",
    "properties": {
        **META["properties"],
        "page": {"type": ["integer", "null"], "description": "Page number. Null with a cursor."},
        "per_page": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "Rows a page.",
        },
        "total": {
            "type": ["integer", "null"],
            "description": "Rows that match the filters. Null with a cursor, and where there are too "
            "many rows to count.",
        },
        "total_pages": {
            "type": ["integer", "null"],
            "description": "Pages in all. Null where `total` is null.",
        },
        "total_at_least": {
            "type": "integer",
            "description": "Only where `total` is null because there are too many rows to count.",
        },
        "next_cursor": {
            "type": ["string", "null"],
            "description": "Send it as `cursor` to get the next page. Null at the end.",
        },
    },
    "required": ["request_id", "page", "per_page", "total", "total_pages", "next_cursor"],
}

ERROR: Final[Schema] = {
    "type": "object",
    "description": "Every response that is not a success, under every path.",
    "properties": {
        "success": {"type": "boolean", "description": "Always false."},
        "code": {
            "type": "string",
            "description": "Never changes its meaning: branch on it, not on the message.",
        },
        "message": {"type": "string", "description": "One sentence for a person."},
        "errors": {
            "type": "object",
            "description": "Messages by field or parameter; empty where none is to blame.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "doc_url": {"type": "string", "description": "Cause and fix of this code."},
        "meta": {
            "type": "object",
            "description": "The request id, and facts of some codes.",
            "properties": META["properties"],
            "required": ["request_id"],
            "additionalProperties": True,
        },
    },
    "required": ["success", "code", "message", "errors", "doc_url", "meta"],
}


def _header(description: str, schema: Schema) -> Schema:
    return {"description": description, "schema": schema}


HEADERS: Final[dict[str, Schema]] = {
    "X-Request-ID": _header(
        "The one you sent, or one made here.", {"type": "string", "maxLength": 128}
    ),
    "X-RateLimit-Limit": _header(
        "Requests allowed in the window with the least left.", {"type": "integer"}
    ),
    "X-RateLimit-Remaining": _header("Requests left in it.", {"type": "integer"}),
    "X-RateLimit-Reset": _header(
        "Unix seconds: when the next unit comes back.", {"type": "integer"}
    ),
    "RateLimit-Policy": _header(
        'Both quotas: `"minute";q=30;w=60, "day";q=5000;w=86400`.', {"type": "string"}
    ),
    "RateLimit": _header("What is left of both.", {"type": "string"}),
    "ETag": _header(
        "Of this representation: for `If-None-Match` and `If-Match`.", {"type": "string"}
    ),
    "Location": _header("Where the new object is.", {"type": "string"}),
    "Retry-After": _header(
        "Seconds after which the same request may succeed.", {"type": "integer"}
    ),
    "Idempotent-Replayed": _header(
        "`true` where the first response is replayed.", {"type": "string", "enum": ["true"]}
    ),
    "WWW-Authenticate": _header("`Bearer`.", {"type": "string"}),
    "Link": _header(
        'Pages of the list (RFC 8288): `<…>; rel="next"`, by page also `prev` and `first`.',
        {"type": "string"},
    ),
    "Deprecation": _header("Since when this is deprecated (RFC 9745).", {"type": "string"}),
    "Sunset": _header("When this ends (RFC 8594).", {"type": "string"}),
}

RATE_HEADERS: Final = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
)

PARAMETERS: Final[dict[str, Schema]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Made by you, new for each new request. The same request under the same key "
        "within 24 hours gets the first response and does nothing.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_IDEMPOTENCY_KEY,
            "pattern": IDEMPOTENCY_KEY,
        },
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "An `ETag` that you have seen: 412 where the object has changed since.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "An `ETag` that you have seen: 304 without a body where it still holds.",
        "schema": {"type": "string"},
    },
}

# Errors of any operation. (status, code) → message of the example.
_COMMON: Final[dict[int, dict[str, str]]] = {
    400: {
        "invalid_json": "The body is not valid JSON: Expecting value (line 1, column 1).",
        "bad_request": "The request cannot be read.",
    },
    401: {
        "missing_api_key": "Send your API key.",
        "invalid_api_key": "This API key is not valid.",
        "expired_api_key": "This API key has expired. Issue a new one.",
    },
    403: {
        "insufficient_scope": "This API key lacks the scope appointments:write.",
        "ip_not_allowed": "This API key may not be used from your address.",
        "business_suspended": "This business is suspended.",
        "https_required": "Use https: over http your key can be read on its way.",
    },
    404: {"not_found": NotFound.message},
    406: {"not_acceptable": "Nothing that Accept names is served here."},
    409: {"idempotency_in_progress": "The first request with this Idempotency-Key is running."},
    411: {"length_required": "Send the body with a Content-Length."},
    412: {"precondition_failed": "The object has changed since you read it."},
    413: {"body_too_large": "The body is larger than 1 MiB."},
    414: {"url_too_long": "The URL is longer than 8190 characters."},
    415: {"unsupported_media_type": "Send Content-Type: application/json, in UTF-8."},
    422: {"validation_error": "Some values are not valid."},
    429: {
        "rate_limit_exceeded": "Your quota is used up. Come back in 12 seconds.",
        "too_many_concurrent_requests": "Too many requests of this business are in progress for several "
        "seconds already. Wait until some of them end.",
        "too_many_streams": "2 whole lists are being read already. Wait until one of them ends.",
        "too_many_long_polls": "2 requests with wait are waiting already. "
        "Wait until one of them ends.",
    },
    500: {"internal_error": "Something broke on our side."},
    503: {"service_unavailable": "The service is busy or restarting. Try again shortly."},
}

_TITLE: Final = {
    400: "The request cannot be read.",
    401: "No valid API key.",
    403: "The key may not do this.",
    404: "It does not exist, or not for this business.",
    406: "No such media type.",
    409: "Valid, but not in the present state.",
    411: "The body has no length.",
    412: "The object has changed since you read it.",
    413: "The body is too large.",
    414: "The URL is too long; no key was looked at.",
    415: "The body is not JSON.",
    422: "A field or parameter is not valid; `errors` names it.",
    429: "Too many requests.",
    500: "Something broke on our side.",
    503: "The service is busy or restarting.",
}

_EXTRA_HEADERS: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def headers_of(*names: str) -> dict[str, Schema]:
    """References to header components."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def parameter(name: str) -> Schema:
    """A reference to a parameter component."""
    return {"$ref": f"#/components/parameters/{name}"}


def envelope(data: Schema, meta: Schema) -> Schema:
    """The success envelope of `data`."""
    return {
        "type": "object",
        "description": "The envelope of a success.",
        "properties": {
            # No `const`: clients generated by openapi-generator reject every response with one.
            "success": {"type": "boolean", "description": "Always true."},
            "data": data,
            "meta": meta,
        },
        "required": ["success", "data", "meta"],
    }


def meta_with(properties: Mapping[str, Schema]) -> Schema:
    """`meta` that holds more than the request id."""
    known = {**META["properties"], **properties}
    return {
        "type": "object",
        "description": META["description"],
        "properties": known,
        "required": list(known),
    }


def error_response(status: int, errors: tuple[type[DomainError], ...] = ()) -> Schema:
    """The response of `status`, with an example of each code it may carry."""
    codes = {error.code: error.message for error in errors}
    codes |= {code: text for code, text in _COMMON.get(status, {}).items() if code not in codes}
    names = ("X-Request-ID", *_EXTRA_HEADERS.get(status, ()))
    return {
        "description": f"{_TITLE[status]} Codes: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": headers_of(*names, *(RATE_HEADERS if status not in (401, 414, 503) else ())),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                "examples": {code: {"value": _example(code, text)} for code, text in codes.items()},
            }
        },
    }


def _example(code: str, message: str) -> Schema:
    fields = {"page": ["Write a whole number from 1 to 100."]} if code == "validation_error" else {}
    return {
        "success": False,
        "code": code,
        "message": message,
        "errors": fields,
        "doc_url": f"https://kaivox.example/docs/errors#{code}",
        "meta": {"request_id": "req_5f1c6a4ec0f94f5f8e1c2d6f7a3b9e10"},
    }


def components() -> dict[str, dict[str, Schema]]:
    """The shared part of the document's `components`."""
    return {
        "schemas": {"Meta": META, "PageMeta": PAGE_META, "ErrorResponse": ERROR},
        "headers": HEADERS,
        "parameters": PARAMETERS,
        "responses": {f"Error{status}": error_response(status) for status in _COMMON},
        "securitySchemes": SECURITY_SCHEMES,
    }
