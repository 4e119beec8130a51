"""Moves `updated_at` of rows that show values of another row, when those change.

An appointment shows its customer's name, a service the ids of its staff, and clients that poll with
`updated_since` must see such changes. Apps of one layer do not import each other, and none imports a
higher one: an app that shows a value registers that at start-up (`AppConfig.ready`), an operation that
changes it calls `touch_dependents` or `touch_later`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.db.models import F, Model
from django.db.models.functions import Coalesce
from django.utils import timezone

from kaivox.businesses.models import BusinessQuerySet, PendingTouch
from kaivox.db.transactions import write_transaction
from kaivox.registry import Registry

Rows = Callable[[Any], BusinessQuerySet]

_BATCH_SIZE: Final = 500

dependents: Final[Registry[Rows]] = Registry("rows that show values of another row")


def register_dependents(label: str, rows: Rows) -> None:
    """Registers that `rows(named)` show the name, or another value, of `named`: a row of the model
    `label`, or its id."""
    dependents.register(rows, key=label)


def touch_dependents(named: Model) -> None:
    """Moves `updated_at` of all rows that show the name; call it in the transaction of the change.

    Skips what another transaction is changing: to wait for it while we hold the renamed row, which
    it may want next, would be a deadlock. `touch_pending` does the rest after the commit.
    """
    now = timezone.now()
    for rows in dependents.all(named._meta.label):
        free = rows(named).select_for_update(no_key=True, skip_locked=True, of=("self",))
        free.model._default_manager.filter(pk__in=free.values("pk")).update(updated_at=now)
    touch_later(named, touched_at=now)


def touch_later(changed: Model, *, touched_at: datetime | None = None) -> None:
    """Has `updated_at` moved, by a task, of all that shows a value of `changed`; call it in the
    transaction of the change. `touched_at`: the `updated_at` of rows that have been moved already.

    Also needed where every row was free: one that another transaction inserts meanwhile is not
    visible to us, and may be read with the old value before we commit.
    """
    if dependents.all(changed._meta.label):
        PendingTouch.objects.create(
            label=changed._meta.label, object_id=changed.pk, touched_at=touched_at
        )


def touch_pending() -> int:
    """Moves `updated_at` of all that shows values which have changed, in batches; returns how many
    rows. Stopped in the middle it goes on at the next call."""
    ids = PendingTouch.objects.order_by("pk").values_list("pk", flat=True)
    return sum(map(_touch, list(ids)))


def _touch(pending_id: int) -> int:
    # What changes from here on shows the new value: the change is committed, or we did not see it.
    rows_of_it = PendingTouch.objects.filter(pk=pending_id)
    rows_of_it.update(begun_at=Coalesce(F("begun_at"), timezone.now()))
    pending = rows_of_it.first()
    if pending is None:
        return 0  # a run that began before this one has finished it
    count = 0
    for rows in dependents.all(pending.label):
        stale = rows(pending.object_id).filter(updated_at__lt=pending.begun_at)
        if pending.touched_at is not None:
            stale = stale.exclude(updated_at=pending.touched_at)
        last = 0
        while batch := list(
            stale.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_BATCH_SIZE]
        ):
            with write_transaction():
                # Locks the rows by id and waits for them: nothing else is locked here.
                chosen = stale.model._default_manager.filter(pk__in=batch)
                list(
                    chosen.select_for_update(no_key=True, of=("self",)).order_by("pk").values("pk")
                )
                chosen.update()
            last = batch[-1]
            count += len(batch)
    pending.delete()
    return count
