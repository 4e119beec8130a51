"""Registries: how a lower layer calls higher ones without importing them.

The lower layer owns a module-level `Registry`; a higher layer registers what it provides in its
`AppConfig.ready()`. No other mechanism in this repository inverts a dependency.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """What higher layers provide for one purpose, in the order in which it was registered.

    `key` distinguishes providers for different things, for example the label of a model.
    """

    def __init__(self, purpose: str) -> None:
        self.purpose: Final = purpose
        self._provided: Final[defaultdict[str, list[T]]] = defaultdict(list)

    def register(self, provider: T, *, key: str = "") -> None:
        """Adds `provider`; a second registration of the same one changes nothing."""
        if provider not in self._provided[key]:
            self._provided[key].append(provider)

    def all(self, key: str = "") -> Sequence[T]:
        """What is registered under `key`; empty where nothing is."""
        return tuple(self._provided.get(key, ()))

    @property
    def keys(self) -> Sequence[str]:
        """Each key under which something is registered."""
        return tuple(self._provided)

    def only(self) -> T:
        """The one provider. Raises LookupError where none or several are registered."""
        provided = self.all()
        if len(provided) != 1:
            raise LookupError(f"{self.purpose}: {len(provided)} providers are registered, not one.")
        return provided[0]
