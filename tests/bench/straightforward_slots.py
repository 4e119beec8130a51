"""Slots the way they are usually written: each candidate start against each booking. Kept beside
the engine so that a benchmark can say what the engine's way is worth; the answers are the same."""

from __future__ import annotations

from appointments.availability import Agenda, Terms


def straightforward_slots(agenda: Agenda, terms: Terms) -> list[int]:
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
