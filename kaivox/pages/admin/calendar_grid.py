"""Columns of the calendar's grid of hours, with positions in per cent of the hours shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from kaivox.pages.admin.week_calendar import DAY_MINUTES, Block, Cell, Week, free_parts

# Kinds of blocks that are behind the appointments, over the whole width of a column.
_BEHIND: Final = ("closed", "away")

_ALONE: Final = "Without staff"

Column = dict[str, Any]


def columns_of_person(week: Week, today: date, now: datetime | None) -> list[Column]:
    """The days of the only person of `week`. `now` is None for users who may not book."""
    (row,) = week.rows
    return [
        _column(week, cell, free_of(cell, now), staff=row.staff)
        | {"heading": f"{cell.day:%a} {cell.day.day}", "is_today": cell.day == today}
        for cell in row.cells
    ]


def columns_of_day(week: Week, day: date, now: datetime | None) -> list[Column]:
    """Everyone on `day`, a column each, and one of what is booked without staff."""
    at = week.days.index(day)
    return [
        _column(week, row.cells[at], free_of(row.cells[at], now), staff=row.staff)
        | ({"heading": row.staff.name} if row.staff else {"heading": _ALONE, "label": _ALONE})
        for row in week.rows
    ]


def columns_of_week(week: Week, today: date, now: datetime | None) -> list[Column]:
    """The days of everyone: appointments side by side, time that anyone has free, who is away."""
    columns = []
    for at, day in enumerate(week.days):
        merged = Cell(day)
        free: list[Block] = []
        away: dict[str, str] = {}
        for row in week.rows:
            cell = row.cells[at]
            merged.open += cell.open
            merged.blocks += [
                block
                for block in cell.blocks
                # A closure is everyone's.
                if block.kind != "away" and block not in merged.blocks
            ]
            for block in cell.blocks:
                if block.kind == "away" and row.staff:
                    away[row.staff.name] = block.title
            free += free_of(cell, now)
        columns.append(
            _column(week, merged, _by_hour(free), staff=None)
            | {"heading": f"{day:%a} {day.day}", "is_today": day == today, "away": away}
        )
    return columns


def free_of(cell: Cell, now: datetime | None) -> list[Block]:
    return free_parts(cell, now) if now else []


def lanes(blocks: Iterable[Block]) -> list[tuple[Block, int, int]]:
    """Each block with its lane and the number of lanes of its group: overlapping blocks are side by side."""
    found: list[tuple[Block, int, int]] = []
    group: list[tuple[Block, int]] = []
    ends: list[int] = []
    for block in sorted(blocks, key=lambda block: (block.start, block.end)):
        if ends and block.start >= max(ends):
            found += [(one, lane, len(ends)) for one, lane in group]
            group, ends = [], []
        lane = next((at for at, end in enumerate(ends) if end <= block.start), len(ends))
        ends[lane : lane + 1] = [block.end]
        group.append((block, lane))
    return found + [(one, lane, len(ends)) for one, lane in group]


def _by_hour(parts: Iterable[Block]) -> list[Block]:
    """One part an hour, from the first free minute of anyone to the last."""
    hours: dict[int, Block] = {}
    for part in parts:
        seen = hours.get(part.start // 60, part)
        start, end = min(seen.start, part.start), max(seen.end, part.end)
        hours[part.start // 60] = Block("free", start, end)
    return [hours[hour] for hour in sorted(hours)]


def _column(week: Week, cell: Cell, free: Sequence[Block], staff: Any) -> Column:
    behind = [block for block in cell.blocks if block.kind in _BEHIND]
    booked = lanes(block for block in cell.blocks if block.kind not in _BEHIND)
    return {
        "staff": staff,
        "day": cell.day,
        "open": _positions(week, cell.open),
        "free": _positions(week, free),
        "behind": _positions(week, behind),
        "booked": [
            position | {"lane": lane, "lanes": count}
            for block, lane, count in booked
            for position in _positions(week, [block])
        ],
        # A lane is wide enough for most first names.
        "min_rem": max(7.5, 4.6 * max((count for *_, count in booked), default=1)),
    }


def _positions(week: Week, blocks: Sequence[Block]) -> list[dict[str, Any]]:
    first, last = week.first_hour * 60, week.last_hour * 60
    share = 100 / (last - first)
    return [
        {
            "block": block,
            "top": round((max(first, block.start) - first) * share, 2),
            "height": round((min(last, block.end) - max(first, block.start)) * share, 2),
            "whole_day": block.start == 0 and block.end == DAY_MINUTES,
        }
        for block in blocks
        if block.end > first and block.start < last
    ]
