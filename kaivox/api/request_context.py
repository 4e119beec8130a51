"""What a request carries beyond the attributes of Django and REST framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kaivox.errors import DomainError

_NAME: Final = "kaivox.context"


class Caller(Protocol):
    """An API key, or a member of staff in a browser."""

    @property
    def business(self) -> Any: ...

    @property
    def scopes(self) -> Sequence[str]: ...


class QuotaPerMinute(Protocol):
    @property
    def per_minute(self) -> int: ...


class QuotaDecision(Protocol):
    """What the throttle decided, with the state of both windows."""

    @property
    def admitted(self) -> bool: ...

    @property
    def quota(self) -> QuotaPerMinute: ...

    def headers(self) -> Mapping[str, str]: ...


class FailedAuthLimit(Protocol):
    """The limit of failed authentications of the request's address."""

    def retry_after(self) -> int:
        """0, or in how many seconds a key from this address is looked up again."""

    def charge(self) -> object:
        """Counts one failed authentication."""


@dataclass(slots=True)
class RequestContext:
    """Each field is set once, by the step that is named."""

    query_api_key: str = field(default="", repr=False)  # api.query_keys
    query_api_keys: int = 0  # how many the URL had: two are an error
    failed_auth_limit: FailedAuthLimit | None = None  # ratelimits.middleware
    caller: Caller | None = None  # businesses.authentication
    quota: QuotaDecision | None = None  # ratelimits.throttling
    request_body: bytes = field(default=b"", repr=False)  # api.parsers: for the request log
    # Ends the count of the request as one in progress: ratelimits.throttling
    end_progress: Callable[[], None] | None = None
    # Of pages for people in a browser:
    roles: Mapping[int, str] | None = None  # admin.base: by id of the business
    form_error: DomainError | None = None  # admin.base: why the operation of the form failed
    issued_key: Any = None  # admin.businesses: shown once


class HasMeta(Protocol):
    """A request of Django or of REST framework: both share `META`."""

    @property
    def META(self) -> dict[str, Any]: ...


def context_of(request: HasMeta) -> RequestContext:
    """The context of `request`, the same object at every step."""
    return context_in(request.META)


def context_in(environ: dict[str, Any]) -> RequestContext:
    """The same, of a request that is still a WSGI environment: Django takes that for `META`."""
    context: RequestContext = environ.setdefault(_NAME, RequestContext())
    return context
