"""What was worked out for a list or a row, and holds until something that it shows has changed: how
many rows a filtered list has, and the tag of an answer.

Only of viewsets that say what their answers are `shown_from`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.api.encoding import tags_of
from kaivox.api.filters import ALWAYS_ALLOWED
from kaivox.api.pagination import PARAMETERS as PAGE_PARAMETERS
from kaivox.api.renderers import EnvelopeRenderer
from kaivox.api.versions import Memory, Version

# To count fewer takes no longer than to ask whether anything has changed.
MANY_ROWS: Final = 1_000
_LONGEST_QUERY: Final = 1_000

_totals, _tags = Memory(), Memory()


def total_of(rows: QuerySet[Any], view: Any) -> int:
    """`rows.count()`, where `rows` are what the query of the list leaves of `view`."""
    if not view.shown_from:
        return rows.count()
    name = _name_of_list(view)
    if not _totals.expects(name):
        total = rows.count()
        if total >= MANY_ROWS:
            _totals.expect(name)
        return total
    version: Version = view.version
    known: int | None = _totals.recall(name, version)
    if known is not None:
        return known
    settled = version.is_settled()
    total = rows.count()
    if settled:
        _totals.keep(name, version, total)
    return total


class Tagged:
    """The tag of one answer: looked up before it is made, kept after."""

    def __init__(self, request: Request, view: Any) -> None:
        self._name = (view.business.pk, request.path, request.META.get("QUERY_STRING", ""))
        self._version: Version = view.version
        self._wanted = tags_of(request.META["HTTP_IF_NONE_MATCH"])
        self.known: str | None = _tags.recall(self._name, self._version)
        self._settled = self.known is None and self._version.is_settled()

    @classmethod
    def of(cls, request: Request, view: Any) -> Tagged | None:
        """None where nobody would use it: the caller names no tag, or the answer is no JSON."""
        asked = (
            view.shown_from
            and request.method in ("GET", "HEAD")
            and view.action in ("list", "retrieve")
            and "HTTP_IF_NONE_MATCH" in request.META
            and isinstance(request.accepted_renderer, EnvelopeRenderer)
            and len(request.META.get("QUERY_STRING", "")) <= _LONGEST_QUERY
        )
        return cls(request, view) if asked else None

    def is_unchanged(self) -> bool:
        """Whether the caller has this very answer already."""
        return self.known in self._wanted

    def keep(self, response: Response) -> None:
        if self._settled and response.status_code in (200, 304):
            _tags.keep(self._name, self._version, response["ETag"])


def forget_all() -> None:
    """As in a process that has just begun."""
    _totals.forget_all()
    _tags.forget_all()


def _name_of_list(view: Any) -> Hashable:
    query = view.request.query_params
    filters = sorted(
        (name, value)
        for name, value in query.items()
        if name not in PAGE_PARAMETERS and name not in ALWAYS_ALLOWED
    )
    return (view.business.pk, view.request.path, *filters)
