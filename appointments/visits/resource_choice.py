"""Chooses resources for the parts of a visit, so that parts at the same time have different ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple


class _Want(NamedTuple):
    """A part, by its place in the visit, that needs one of `ids`."""

    place: int
    ids: Sequence[int]


def choose_resources(
    options: Sequence[Sequence[Sequence[int]]], simultaneous: Collection[tuple[int, int]]
) -> list[tuple[int, ...]] | None:
    """For each part one resource of each of its kinds, the first ones where possible; None where there
    is no such choice.

    `options` has, for each part and kind, the ids of the resources that are free for it, the best first;
    `simultaneous` the pairs of places of parts at the same time. Backtracking: at most six parts.
    """
    # So many are enough: each other part has one of a kind at most.
    wants = [
        _Want(place, ids[: len(options)]) for place, kinds in enumerate(options) for ids in kinds
    ]
    rivals = {*simultaneous, *((other, one) for one, other in simultaneous)}
    chosen: list[int] = []

    def is_free(resource_id: int, place: int) -> bool:
        return not any(
            held == resource_id and (place, other.place) in rivals
            for held, other in zip(chosen, wants, strict=False)
        )

    def fill() -> bool:
        if len(chosen) == len(wants):
            return True
        want = wants[len(chosen)]
        for resource_id in want.ids:
            if is_free(resource_id, want.place):
                chosen.append(resource_id)
                if fill():
                    return True
                chosen.pop()
        return False

    if not fill():
        return None
    return [
        tuple(one for one, want in zip(chosen, wants, strict=True) if want.place == place)
        for place in range(len(options))
    ]
