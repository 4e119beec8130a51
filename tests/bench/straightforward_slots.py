"""The straightforward slot search: every candidate start is compared with every booking.

A baseline for `slots_engine`, with the same results as the availability engine.
"""

from __future__ import annotations

from appointments.availability import BookingRules, StaffCalendar


def straightforward_slots(agenda: StaffCalendar, terms: BookingRules) -> list[int]:
    found = []
    for start, end in agenda.windows:
        for candidate in range(start, end - terms.duration + 1, terms.interval):
            finish = candidate + terms.duration
            if not terms.earliest <= candidate < terms.latest:
                continue
            if any(candidate < away_end and finish > away for away, away_end in agenda.away):
                continue
            if any(candidate < closed_end and finish > shut for shut, closed_end in agenda.closed):
                continue
            blocked = candidate - terms.buffer_before
            free_again = finish + terms.buffer_after
            if any(blocked < busy_end and free_again > busy for busy, busy_end in agenda.busy):
                continue
            found.append(candidate)
    return found
