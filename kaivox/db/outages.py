"""Exceptions which mean that the database is unavailable, or busy for longer than we wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from django.db import InterfaceError, OperationalError

from kaivox.errors import Unavailable

OUTAGES: Final = (OperationalError, InterfaceError, Unavailable)

Item = TypeVar("Item")
logger = logging.getLogger(__name__)


def sum_of_each(items: Iterable[Item], work: Callable[[Item], int], *, failure: str) -> int:
    """The sum of `work(item)` for all `items`. An item for which it fails is logged as `failure`,
    which has one `%s` for the item, and does not stop the others. Raises OUTAGES, which every other
    item would meet as well.
    """
    return sum(_value_or_zero(item, work, failure) for item in items)


def _value_or_zero(item: Item, work: Callable[[Item], int], failure: str) -> int:
    try:
        return work(item)
    except OUTAGES:
        raise
    except Exception:
        logger.exception(failure, item)
        return 0
