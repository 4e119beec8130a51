"""What the domain may say no with. No Django here, and no HTTP: `kaivox.api.exceptions` gives each
kind its status and the envelope.

Every refusal is a subclass with a `code` that never changes (documented in docs/errors.md; a test
compares) and a message of one sentence for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal in domain words.

    `errors` names the fields to blame, `{"start_time": ["…"]}`; `meta` goes into the answer's
    `meta`; `retry_after` is in seconds.
    """

    code: ClassVar[str] = "error"
    message: str = "The request was refused."

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: Mapping[str, Sequence[str]] | None = None,
        meta: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.errors = {field: list(messages) for field, messages in (errors or {}).items()}
        self.meta = dict(meta or {})
        self.retry_after = retry_after
        super().__init__(self.message)


class NotFound(DomainError):
    """It does not exist, or not for this business: the two look alike."""

    code = "not_found"
    message = "There is nothing here."


class Conflict(DomainError):
    """Right in itself, but not in the present state of things."""

    code = "conflict"
    message = "This conflicts with the present state."


class PreconditionFailed(DomainError):
    """The object is no longer the one that the caller has seen (`If-Match`)."""

    code = "precondition_failed"
    message = "The object has changed since you read it. Read it again, then repeat your change."


class Invalid(DomainError):
    """Well-formed, but against a rule."""

    code = "validation_error"
    message = "Some values are not valid."


class Forbidden(DomainError):
    """Known who you are; not allowed."""

    code = "forbidden"
    message = "This is not allowed."


class Unavailable(DomainError):
    """A part that is needed is away for the moment; the same request works later."""

    code = "service_unavailable"
    message = "The service is busy or restarting. Try again shortly."
