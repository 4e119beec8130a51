"""Bases of what decides about calls: a business, its keys, a quota agreed with it."""

from __future__ import annotations

from typing import Any

from django.db import models

from kaivox.businesses.marks import leave_mark


class MarkingQuerySet(models.QuerySet[Any]):
    """Bulk changes of the rows that `MarkingModel` watches one by one."""

    # From the row to its business.
    business_column = "pk"

    def update(self, **values: Any) -> int:
        changed = list(self.values_list(self.business_column, flat=True).distinct())
        count = super().update(**values)
        for business_id in changed:
            leave_mark(business_id)
        return count


class MarkingModel(models.Model):
    """A row that decides about calls: each change of it is seen at the next request."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        leave_mark(self.marked_business_id())

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        business_id = self.marked_business_id()
        deleted = super().delete(*args, **kwargs)
        leave_mark(business_id)
        return deleted

    def marked_business_id(self) -> int:
        """The business whose callers must be looked up anew."""
        raise NotImplementedError
