"""Operations on lists of half-open ranges [start, end) of integers: minutes of a day or Unix seconds.

Lists are sorted by start. The ranges that `merged`, `without` and `intersection` return are not
empty and do not overlap. Each needs one pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Range = tuple[int, int]


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The union of `ranges`, which may be in any order; adjacent ranges are joined."""
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
    """`ranges` minus `holes`. Both are sorted by start; holes may overlap."""
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


def intersection(ranges: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """What is in both; each is sorted and does not overlap itself."""
    found: list[Range] = []
    here = there = 0
    while here < len(ranges) and there < len(others):
        start = max(ranges[here][0], others[there][0])
        end = min(ranges[here][1], others[there][1])
        if start < end:
            found.append((start, end))
        if ranges[here][1] < others[there][1]:
            here += 1
        else:
            there += 1
    return found


def first_overlap(ranges: Iterable[Range]) -> tuple[Range, Range] | None:
    """Two ranges that overlap, or None. Adjacent ranges do not overlap."""
    ordered = sorted(ranges)
    for before, after in pairwise(ordered):
        if after[0] < before[1]:
            return before, after
    return None
