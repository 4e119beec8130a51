"""Base classes of domain errors. They know neither Django nor HTTP: `kaivox.api.exceptions` maps each
kind to its status and the envelope.

Every error is a subclass with a `code` that never changes (documented in docs/errors.md; a test
compares) and a message of one sentence for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class DomainError(Exception):
    """An operation rejected the request, for a reason in domain words.

    `errors` names the fields to blame, `{"start_time": ["…"]}`; `meta` goes into the
    response's `meta`; `retry_after` is in seconds.
    """

    code: ClassVar[str] = "error"
    message: str = "The request was rejected."

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

    @property
    def texts(self) -> list[str]:
        """What is wrong with each field, or the message where no field is to blame."""
        return [text for texts in self.errors.values() for text in texts] or [self.message]


def sentences(error: DomainError, names: Mapping[str, str]) -> str:
    """The error message of a command: each problem with the argument that it is about; `names` maps
    fields to arguments that are named otherwise."""
    problems_by_argument = [
        f"{names.get(field, f'--{field}')}: {sentence}"
        for field, problems in error.errors.items()
        for sentence in problems
    ]
    return " ".join(problems_by_argument) or error.message


class NotFound(DomainError):
    """It does not exist, or not for this business: the two look alike."""

    code = "not_found"
    message = "There is nothing here: check the path, the id and the business of your key."


class Conflict(DomainError):
    """Valid in itself, but not in the present state."""

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
    """The caller is known, but not allowed to do this."""

    code = "forbidden"
    message = "This is not allowed."


class TooManyRequests(DomainError):
    """Valid, but too many at once or within a time; the same request works after `retry_after`."""

    code = "rate_limit_exceeded"
    message = "Too many requests. Wait before you repeat this one."


class Unavailable(DomainError):
    """A component that is needed is unavailable; the same request works later."""

    code = "service_unavailable"
    message = "The service is busy or restarting. Try again shortly."
