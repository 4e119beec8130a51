"""Lists of the admin that stay quick on large tables: none counts, or searches for choices, in all."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin import RelatedFieldListFilter
from django.core.paginator import Paginator
from django.http import HttpRequest

from kaivox.businesses.models import Business, BusinessOwned, Membership

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

# As far as a list is counted; templates/admin/pagination.html says "more than" beyond.
COUNTED: Final = 10_000
MANY_CHOICES: Final = 100


class CappedPaginator(_Paginator):
    """Counts no further than one past `COUNTED`: a list has as many pages, and filters for the rest."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: COUNTED + 1].count())

    @cached_property
    def num_pages(self) -> int:
        return max(1, -(-min(self.count, COUNTED) // self.per_page))


class OwnedFilter(RelatedFieldListFilter):
    """A filter by a related row, its choices those of the person's businesses.

    Django's own looks them up among the rows of the list, by DISTINCT over all of it. More choices
    than a person reads are none: the search box finds them.
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
