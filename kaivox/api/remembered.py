"""How many rows a filtered list has, which holds until something that it shows has changed.

Only of viewsets that say what their answers are `shown_from`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from django.db.models import QuerySet

from kaivox.api.filters import ALWAYS_ALLOWED
from kaivox.api.pagination import PARAMETERS as PAGE_PARAMETERS
from kaivox.api.versions import Memory, Version

# To count fewer takes no longer than to ask whether anything has changed.
MANY_ROWS: Final = 1_000

_totals = Memory()


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


def forget_all() -> None:
    """As in a process that has just begun."""
    _totals.forget_all()


def _name_of_list(view: Any) -> Hashable:
    query = view.request.query_params
    filters = sorted(
        (name, value)
        for name, value in query.items()
        if name not in PAGE_PARAMETERS and name not in ALWAYS_ALLOWED
    )
    return (view.business.pk, view.request.path, *filters)
