"""Settings of the booking drill's control: without the locks of staff and resources, and with a delay
between the check and the write. Used by nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from kaivox.settings import *  # noqa: F403
from kaivox.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.drills.unguarded_app.Unguarded"]


def remove_locking() -> None:
    from django.db import connection

    from appointments import reservations
    from appointments.resources.models import ResourceQuerySet
    from staff.models import StaffQuerySet

    check = reservations._enforce_rules

    def check_and_wait(*args: Any) -> tuple[int, ...]:
        resource_ids = check(*args)
        time.sleep(0.2)
        return resource_ids

    reservations._enforce_rules = check_and_wait
    for rows_of in (StaffQuerySet, ResourceQuerySet):
        rows_of.locked = lambda rows, **how: rows  # type: ignore[method-assign]
    if connection.vendor == "sqlite":  # where the transaction itself is a lock
        reservations.write_transaction = lambda **how: nullcontext()  # type: ignore[assignment]


@contextmanager
def constraint_dropped(model: Any, constraint: Any) -> Iterator[None]:
    """Drops the constraint for the block; after it the rows must satisfy the constraint again."""
    from django.db import connection

    with connection.schema_editor() as editor:
        if connection.vendor == "postgresql":
            back = [constraint.create_sql(model, editor)]
            editor.execute(constraint.remove_sql(model, editor))
        else:
            back = constraint._triggers(model, editor)
            for event in ("insert", "update"):
                editor.execute(f"DROP TRIGGER {constraint.name}_{event}")
    yield
    with connection.schema_editor() as editor:
        for statement in back:
            editor.execute(statement)
