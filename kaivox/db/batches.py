"""Deletes or updates many rows in short transactions, so that no request waits for them."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

from kaivox.db.statements import delete_without_model
from kaivox.db.transactions import write_transaction

_BATCH_SIZE: Final = 1000


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Deletes `rows`, to which no other row may refer, without the model's own `delete`; they are compared
    with their filters again in the transaction. Returns how many."""
    count = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:_BATCH_SIZE]):
        with write_transaction():
            count += delete_without_model(rows.filter(pk__in=ids))
    return count


def update_in_batches(rows: QuerySet[Any], **values: Any) -> int:
    """Updates `rows`, which are compared with their filters again in the transaction. Returns how many."""
    count = last = 0
    ids = rows.order_by("pk").values_list("pk", flat=True)
    while batch := list(ids.filter(pk__gt=last)[:_BATCH_SIZE]):
        with write_transaction():
            count += rows.filter(pk__in=batch).update(**values)
        last = batch[-1]
    return count
