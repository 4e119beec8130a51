"""Half-open ranges of whole numbers, [start, end): of minutes of a day, or of Unix seconds.

A list of ranges is sorted by start. What `merged` and `without` return is not empty anywhere and
does not overlap; each takes one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Range = tuple[int, int]


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same points in as few ranges as can be: those that touch become one. In any order."""
    found: list[Range] = []
    last = None
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if last is not None and start <= last:
            if end > last:
                found[-1] = (found[-1][0], end)
                last = end
        else:
            found.append((start, end))
            last = end
    return found


def without(ranges: Sequence[Range], holes: Sequence[Range]) -> list[Range]:
    """`ranges` less `holes`. Both sorted by start; holes may overlap one another."""
    if not holes:
        return list(ranges)
    found: list[Range] = []
    index, count = 0, len(holes)
    for start, end in ranges:
        while index < count and holes[index][1] <= start:
            index += 1
        at = index
        while at < count and holes[at][0] < end:
            hole_start, hole_end = holes[at]
            if hole_start > start:
                found.append((start, hole_start))
            if hole_end > start:
                start = hole_end
            at += 1
        if start < end:
            found.append((start, end))
    return found


def first_overlap(ranges: Iterable[Range]) -> tuple[Range, Range] | None:
    """Two of them that overlap, or None. Ranges that touch do not."""
    ordered = sorted(ranges)
    for before, after in pairwise(ordered):
        if after[0] < before[1]:
            return before, after
    return None
