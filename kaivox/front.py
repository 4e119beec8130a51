"""In front of Django: the same 304 again, for a caller who asks again within seconds.

Whether the key still holds, whether its quota admits one more, and whether any row of its business has
changed are one question to Redis; where nothing has changed, the answer of a moment ago is given again.
Everything else goes to Django, which is not asked to charge twice. docs/decisions/0056.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from kaivox.api.middleware import request_id_of
from kaivox.businesses.key_cache import REMEMBERED_SECONDS, is_held
from kaivox.businesses.marks import Mark, name_of, rows_name_of, stands_here
from kaivox.businesses.models import ApiKey
from kaivox.redis_store import StoreAway
from ratelimits.stores import GuardedWindow, current_window, of_business
from ratelimits.throttling import quota_of
from ratelimits.window import Decision

MANY: Final = 5_000

Headers = list[tuple[str, str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class _Given:
    """A 304 as it was given, to whom, and the marks that stood before it was worked out."""

    headers: Headers
    key: ApiKey
    access: Mark
    rows: bytes | None
    until: float


class Front:
    def __init__(self, application: Application) -> None:
        self._application = application
        self._given: dict[bytes, _Given] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_IF_NONE_MATCH" not in environ:
            return self._application(environ, start_response)
        begun = time.monotonic()
        name = _name_of(environ)
        given = self._given.get(name)
        if given is not None and begun < given.until:
            decision = _take_if_unchanged(given, environ)
            if decision is not None:
                own = [("X-Request-ID", request_id_of(environ)), *decision.headers().items()]
                start_response("304 Not Modified", given.headers + own)
                return ()

        def start(status: str, headers: Headers, *exc_info: Any) -> Any:
            caller, marks = environ.pop("kaivox.unchanged", (None, None))
            if status.startswith("304") and isinstance(caller, ApiKey) and marks is not None:
                access, rows = marks
                until = begun + REMEMBERED_SECONDS
                self._keep(name, _Given(_lasting(headers), caller, access, rows, until))
            return start_response(status, headers, *exc_info)

        return self._application(environ, start)

    def _keep(self, name: bytes, given: _Given) -> None:
        if len(self._given) >= MANY:
            self._given.clear()
        self._given[name] = given


def _name_of(environ: dict[str, Any]) -> bytes:
    """All that a request can tell of itself, but for its id. Digested: there is a key in it."""
    told = [
        (name, value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and name != "HTTP_X_REQUEST_ID"
    ]
    names = ("REQUEST_METHOD", "wsgi.url_scheme", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE")
    told += [(name, environ.get(name, "")) for name in (*names, "REMOTE_ADDR")]
    return hashlib.sha256(repr(told).encode()).digest()


def _take_if_unchanged(given: _Given, environ: dict[str, Any]) -> Decision | None:
    """Charges the request. None where Django is to answer."""
    key, now, window = given.key, timezone.now(), current_window()
    if not is_held(key) or not stands_here(given.access, key.business_id):
        return None
    if key.is_revoked(now) or key.is_expired(now) or not isinstance(window, GuardedWindow):
        return None
    try:
        taken = window.take_if(
            of_business(key.business_id),
            quota_of(key.business, now),
            1,
            name=name_of(key.business_id),
            value=given.access.value,
            also=rows_name_of(key.business_id),
        )
    except StoreAway:
        return None
    if taken.decision is None:
        return None
    if taken.also != given.rows or not taken.decision.admitted:
        environ["kaivox.charged"] = taken.decision
        return None
    return taken.decision


def _lasting(headers: Headers) -> Headers:
    """Those that are not of one request alone."""
    passing = ("x-request-id", "x-ratelimit-", "ratelimit")
    return [(name, value) for name, value in headers if not name.lower().startswith(passing)]
