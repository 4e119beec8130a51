"""Changelists for large tables: capped counts and filter choices without a full scan."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.core.paginator import Paginator
from django.db import NotSupportedError
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from kaivox.api.values import MAX_ID
from kaivox.businesses.models import Business, BusinessOwned, Membership
from kaivox.db.folded_text import fold_for_search

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

# Rows are counted up to this limit; templates/admin/pagination.html says "more than" beyond.
COUNT_LIMIT: Final = 10_000
MANY_CHOICES: Final = 100
# What "By …" says above a filter, where the name of the field would not read as English.
_FILTER_TITLES: Final = {
    "is_active": "active or not",
    "livemode": "live or sandbox",
    "disabled_reason": "why it is off",
}
# What an address may compare a column by. Not by a regular expression: one that backtracks occupies a
# process of the embedded profile for hours. Nor by what one of the databases does not have.
_LOOKUPS: Final = frozenset(
    [
        "exact",
        "iexact",
        "in",
        "isnull",
        "gt",
        "gte",
        "lt",
        "lte",
        "contains",
        "icontains",
        "startswith",
        "istartswith",
        "endswith",
        "iendswith",
        "date",
        "year",
        "month",
        "day",
    ]
)


class FoldedSearch:
    """Of a ModelAdmin whose `search_fields` are folded texts: folds what is searched for."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found: tuple[QuerySet[Any], bool] = super().get_search_results(  # type: ignore[misc]
            request, queryset, fold_for_search(search_term)
        )
        return found


class CappedPaginator(_Paginator):
    """Counts at most `COUNT_LIMIT` + 1 rows and has pages for `COUNT_LIMIT`; filters reach the rest."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: COUNT_LIMIT + 1].count())

    @cached_property
    def num_pages(self) -> int:
        return max(1, -(-min(self.count, COUNT_LIMIT) // self.per_page))


class CheckedChangeList(ChangeList):
    """A changelist that rejects lookup values which cannot be compiled to SQL.

    Django checks only what fails when the filter is added. `?created_at__year=99999` fails later,
    when the query is compiled, an id of thirty digits when it is executed: both would be a 500.
    """

    def get_filters(self, request: HttpRequest) -> Any:
        filters, *rest = super().get_filters(request)
        for one in filters:
            one.title = _FILTER_TITLES.get(getattr(one, "field_path", ""), one.title)
        return filters, *rest

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, *args, **kwargs)
        try:
            _, values = rows.query.get_compiler(rows.db).as_sql()
            if any(isinstance(value, int) and abs(value) > MAX_ID for value in values):
                raise OverflowError("SQLite stores no such number.")
        except EmptyResultSet:
            pass  # a lookup that no row can match
        except (ValueError, OverflowError, NotSupportedError) as error:
            raise IncorrectLookupParameters(error) from error
        return rows


class CheckedChangeListMixin:
    """Makes a ModelAdmin use `CheckedChangeList`, and reject lookups that are not among `_LOOKUPS`."""

    def lookup_allowed(self: Any, lookup: str, value: Any, request: HttpRequest) -> bool:
        may: bool = super().lookup_allowed(lookup, value, request)  # type: ignore[misc]
        return may and _LOOKUPS.issuperset(_lookups_in(lookup, self.model))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CheckedChangeList


def _lookups_in(path: str, model: type[Model]) -> list[str]:
    """What follows the fields in `path`, such as `date` and `gte` in `start_time__date__gte`; nothing
    where it does not begin with a field."""
    parts = path.split("__")
    for place, part in enumerate(parts):
        try:
            field = model._meta.get_field(model._meta.pk.name if part == "pk" else part)
        except FieldDoesNotExist:
            return parts[place:] if place else []
        if not isinstance(field.related_model, type):
            return parts[place + 1 :]
        model = field.related_model
    return []


class TenantFieldListFilter(RelatedFieldListFilter):
    """Filter by a related row, with the rows of the user's businesses as choices.

    Django's own selects them by DISTINCT over the whole listed table. Above MANY_CHOICES there are
    none: the search box replaces them.
    """

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: Any
    ) -> list[tuple[str, Any]]:
        rows = field.related_model._default_manager.all()
        user: Any = request.user
        if not user.is_superuser:
            mine = Membership.objects.filter(user_id=user.pk).values("business")
            if issubclass(field.related_model, Business):
                rows = rows.filter(pk__in=mine)
            elif issubclass(field.related_model, BusinessOwned):
                rows = rows.filter(business__in=mine)
        found = [(row.pk, str(row)) for row in rows.order_by("pk")[: MANY_CHOICES + 1]]
        return [] if len(found) > MANY_CHOICES else sorted(found, key=lambda pair: pair[1])
