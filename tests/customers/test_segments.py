"""Rules of segments and pipeline stages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from customers.segments import active_since, segment_of, stage_after

NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)
SIX_MONTHS_AGO = datetime(2026, 2, 28, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


class TestActiveSince:
    def test_goes_to_the_last_day_of_a_shorter_month(self):
        assert active_since(NOW) == SIX_MONTHS_AGO

    def test_crosses_the_year(self):
        assert active_since(datetime(2026, 3, 5, tzinfo=UTC)) == datetime(2025, 9, 5, tzinfo=UTC)


class TestSegmentOf:
    @pytest.mark.parametrize(
        ("total", "booked", "visited", "scheduled", "segment"),
        (
            (0, None, None, None, "lead"),
            (1, NOW, None, None, "active"),
            (1, SIX_MONTHS_AGO, None, None, "active"),
            (1, SIX_MONTHS_AGO - timedelta(seconds=1), None, None, "inactive"),
            (1, NOW - timedelta(days=400), NOW - timedelta(days=10), None, "active"),
            (0, NOW, None, None, "active"),  # the only one was cancelled
            (10, NOW - timedelta(days=400), None, None, "vip"),
            (9, NOW, NOW, None, "active"),
            (1, LONG_AGO, None, NOW, "active"),  # the appointment starts now
            (1, LONG_AGO, None, NOW - timedelta(seconds=1), "inactive"),
        ),
    )
    def test_follows_the_figures(self, total, booked, visited, scheduled, segment):
        found = segment_of(
            total_appointments=total,
            last_booked_at=booked,
            last_visit_at=visited,
            last_scheduled_at=scheduled,
            now=NOW,
        )
        assert found == segment


class TestStageAfter:
    @pytest.mark.parametrize(
        ("before", "booked", "completed", "after"),
        (
            ("new_lead", True, False, "appointment_set"),
            ("contacted", True, False, "appointment_set"),
            ("converted", True, False, "converted"),
            ("lost", True, False, "lost"),
            ("lost", False, True, "converted"),
            ("appointment_set", False, True, "converted"),
            ("contacted", False, False, "contacted"),
        ),
    )
    def test_moves_forward_only(self, before, booked, completed, after):
        assert stage_after(before, booked=booked, completed=completed) == after
