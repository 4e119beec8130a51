"""Removes `?api_key=` from a request before anything can log, trace, link or cache it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from kaivox.api.request_context import context_in


def extract_query_key(environ: dict[str, Any]) -> None:
    """Moves the key from the URL of the WSGI request `environ` to its request context, for
    `kaivox.businesses.auth.authentication.QueryKeyAuthentication`.

    The first of several counts here; the view rejects a request that has more than one.
    """
    if not environ.get("QUERY_STRING"):
        return
    parts = environ["QUERY_STRING"].split("&")
    keys = [part for part in parts if _is_key(part)]
    if not keys:
        return
    rest = "&".join(part for part in parts if not _is_key(part))
    context = context_in(environ)
    context.query_api_keys = len(keys)
    context.query_api_key = unquote_plus(keys[0].partition("=")[2])
    environ["QUERY_STRING"] = rest
    # Set by waitress and by gunicorn; logs and error reports quote them.
    for name in ("REQUEST_URI", "RAW_URI"):
        if name in environ:
            path = environ[name].partition("?")[0]
            environ[name] = f"{path}?{rest}" if rest else path


def _is_key(part: str) -> bool:
    return unquote_plus(part.partition("=")[0]) == "api_key"
