"""Settings for the drill's control: the product without the lock of the member of staff, and time
between reading and writing. Never used by anything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from kaivox.settings import *  # noqa: F403
from kaivox.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.drills.unguarded_app.Unguarded"]


def take_the_guards_away() -> None:
    from django.db import connection

    from appointments import places
    from staff.models import StaffQuerySet

    check = places._refuse_by_rules

    def check_then_wait(*args: Any) -> None:
        check(*args)
        time.sleep(0.2)

    places._refuse_by_rules = check_then_wait
    StaffQuerySet.locked = lambda rows, **how: rows  # type: ignore[method-assign]
    if connection.vendor == "sqlite":  # where a transaction alone is a lock
        places.write_transaction = lambda **how: nullcontext()  # type: ignore[assignment]


@contextmanager
def constraint_dropped(model: Any, constraint: Any) -> Iterator[None]:
    """Without it until the block ends; by then the rows must be able to stand again."""
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
