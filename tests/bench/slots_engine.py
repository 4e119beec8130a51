"""Time of the availability engine for a month of twenty people, and how it grows.

    python -m tests.bench.slots_engine

One service, 31 days of 9 to 17, a 15-minute grid, 8 bookings a day and person; all in one run:
the engine, the baseline (`straightforward_slots`), and growth in people and in days.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from appointments.availability import BookingRules, StaffCalendar, by_start, slots_of, starts_of
from staff.hours import Schedule, grid_segments, working_windows
from staff.local_time import LocalDays
from tests.bench.straightforward_slots import straightforward_slots

FIRST = date(2026, 3, 2)
ZONE = ZoneInfo("Asia/Kolkata")
ALLOWED_SECONDS, ALLOWED_RATIO = 0.008, 10


def agendas(people: int, days: int) -> list[StaffCalendar]:
    local = LocalDays(ZONE)
    last = FIRST + timedelta(days=days - 1)
    schedule = Schedule({weekday: [(540, 780), (840, 1080)] for weekday in range(7)})
    found = []
    for person in range(people):
        windows = working_windows(schedule, local, FIRST, last)
        busy = [
            (start + hour * 3600, start + hour * 3600 + (15 + person % 2 * 10) * 60)
            for start, _ in windows
            for hour in range(4)
        ]
        found.append(StaffCalendar(windows, grid_segments(windows, local), busy=busy))
    return found


TERMS = BookingRules(30 * 60, 0, 300, 15 * 60, now=0, earliest=0)


def engine(everyone: list[StaffCalendar]) -> dict[int, list[int]]:
    span = (0, 2**40)
    return by_start(slots_of(starts_of(agenda, TERMS, span), TERMS) for agenda in everyone)


def straightforward(everyone: list[StaffCalendar]) -> dict[int, list[int]]:
    return by_start(straightforward_slots(agenda, TERMS) for agenda in everyone)


def best_of(runs: int, act: Callable[[], object]) -> float:
    """Seconds of the fastest run, the one that other processes disturbed least."""
    times = []
    for _ in range(runs):
        began = time.process_time()
        act()
        times.append(time.process_time() - began)
    return min(times)


def main() -> int:
    everyone = agendas(20, 31)
    slots = engine(everyone)
    assert slots == straightforward(everyone)
    ours = best_of(50, lambda: engine(everyone))
    plain = best_of(3, lambda: straightforward(everyone))
    print(f"20 people x 31 days: {sum(map(len, slots.values()))} openings at {len(slots)} times")
    print(f"  engine              {ours * 1000:8.2f} ms   (at most {ALLOWED_SECONDS * 1000:.0f})")
    print(f"  straightforward     {plain * 1000:8.2f} ms")
    print(f"  ratio               {plain / ours:8.1f}      (at least {ALLOWED_RATIO})")
    print("growth, microseconds per person and day (flat is linear):")
    for people, days in ((10, 31), (20, 31), (40, 31), (80, 31), (20, 62), (20, 124)):
        cost = best_of(15, partial(engine, agendas(people, days)))
        print(f"  {people:3} people x {days:3} days {cost / people / days * 1e6:8.2f}")
    return 0 if ours <= ALLOWED_SECONDS and plain / ours >= ALLOWED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
