"""Registry of what follows from a change of an API key.

Apps above this one register an observer when Django starts. It is called in the transaction of the
change, so that what depends on a key changes with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kaivox.businesses.models import ApiKey


class KeyObserver(Protocol):
    def changed(self, key: ApiKey, *, now: datetime) -> None:
        """`key` was revoked, or its scopes changed."""

    def replaced(self, old: ApiKey, *, new: ApiKey) -> None:
        """`new` was issued in the place of `old`, with the same settings."""


_observers: list[KeyObserver] = []


def register_key_observer(observer: KeyObserver) -> None:
    """Called once per observer, by the app config of its app."""
    _observers.append(observer)


def key_changed(key: ApiKey, *, now: datetime) -> None:
    for observer in _observers:
        observer.changed(key, now=now)


def key_replaced(old: ApiKey, *, new: ApiKey) -> None:
    for observer in _observers:
        observer.replaced(old, new=new)
