"""Who shows whose name? An appointment shows its customer's, so it changes when they are renamed,
and whoever follows `updated_since` must see that.

Rooms on one floor do not know each other, and nobody imports uphill: who shows a name says so here
when it starts (`AppConfig.ready`), who changes one calls `renamed`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from django.db.models import Model

from kaivox.businesses.models import BusinessQuerySet

Rows = Callable[[Any], BusinessQuerySet]

_shown: Final[dict[str, list[Rows]]] = defaultdict(list)


def shows_name_of(label: str, rows: Rows) -> None:
    """`rows(named)` are the rows that show the name of `named`, a row of the model `label`."""
    _shown[label].append(rows)


def renamed(named: Model) -> None:
    """Moves `updated_at` of all that shows the name; call it in the transaction of the change.

    Leaves out what another transaction is changing: that moves anyway, and to wait for it while we
    hold the renamed row, which it may want next, would be a deadlock.
    """
    for rows in _shown[named._meta.label]:
        free = rows(named).select_for_update(no_key=True, skip_locked=True, of=("self",))
        free.model._default_manager.filter(pk__in=free.values("pk")).update()
