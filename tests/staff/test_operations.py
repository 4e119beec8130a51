"""Hours, time off and closures: what is refused, and what waits for whom."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from kaivox.errors import NotFound
from staff import operations
from staff.models import Break, Closure, DateOverride, TimeOff, WorkingHours
from staff.operations import ImpossibleHours
from tests import factories


@pytest.fixture
def person(business):
    return factories.make_staff(business)


class TestSetWeeklyHours:
    def test_replaces_hours_and_breaks(self, person):
        operations.set_weekly_hours(staff=person, hours=[(0, 540, 1020)], breaks=[(0, 720, 780)])
        rows = WorkingHours.objects.values_list("weekday", "start_minute", "end_minute")
        assert list(rows) == [(0, 540, 1020)]
        assert Break.objects.count() == 1

    def test_counts_as_a_change_of_the_person(self, person):
        before = person.updated_at
        operations.set_weekly_hours(staff=person, hours=[])
        person.refresh_from_db()
        assert person.updated_at > before

    @pytest.mark.parametrize(
        ("hours", "breaks", "words"),
        (
            ([(0, 540, 720), (0, 700, 900)], [], "overlap"),
            ([(0, 540, 720)], [(0, 700, 780)], "outside the working hours"),
        ),
    )
    def test_refuses_what_cannot_be_and_changes_nothing(self, person, hours, breaks, words):
        with pytest.raises(ImpossibleHours, match=words):
            operations.set_weekly_hours(staff=person, hours=hours, breaks=breaks)
        assert WorkingHours.objects.count() == 7


class TestSetHoursOn:
    DAY = date(2026, 3, 2)

    def test_replaces_the_hours_of_that_date(self, person):
        operations.set_hours_on(staff=person, day=self.DAY, windows=[(600, 720), (780, 840)])
        operations.set_hours_on(staff=person, day=self.DAY, windows=[(600, 720)])
        assert DateOverride.objects.get().start_minute == 600

    def test_without_windows_is_a_day_off(self, person):
        operations.set_hours_on(staff=person, day=self.DAY, windows=[])
        assert DateOverride.objects.get().start_minute is None

    def test_refuses_windows_that_overlap(self, person):
        with pytest.raises(ImpossibleHours, match="overlap"):
            operations.set_hours_on(staff=person, day=self.DAY, windows=[(600, 720), (700, 840)])


class TestTimeOff:
    def test_is_added(self, person):
        noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
        operations.add_time_off(
            staff=person, start=noon, end=noon.replace(hour=14), reason="Course"
        )
        assert TimeOff.objects.get().reason == "Course"

    def test_that_ends_before_it_starts_is_refused(self, person):
        noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
        with pytest.raises(ImpossibleHours) as refusal:
            operations.add_time_off(staff=person, start=noon, end=noon)
        assert list(refusal.value.errors) == ["end_time"]


class TestOfferServices:
    def test_replaces_them(self, person):
        services = [factories.make_service(person.business) for _ in range(2)]
        operations.offer_services(staff=person, services=services)
        operations.offer_services(staff=person, services=services[:1])
        assert list(person.services.all()) == services[:1]


class TestScheduleChange:
    def test_of_another_business_is_not_found(self, person, other_business):
        change = operations.schedule_change(business_id=other_business.pk, staff_id=person.pk)
        with pytest.raises(NotFound), change:
            pytest.fail("It must not begin.")


class TestClosures:
    def test_close_and_open_again(self, business):
        closure = operations.close_business(
            business=business,
            first_date=date(2026, 12, 24),
            last_date=date(2026, 12, 26),
            reason="Christmas",
        )
        assert (closure.kind, closure.until_minute) == ("holiday", 1440)
        operations.remove_closure(business=business, closure_id=closure.pk)
        assert not Closure.objects.exists()
        with pytest.raises(NotFound):
            operations.remove_closure(business=business, closure_id=closure.pk)

    @pytest.mark.parametrize(
        ("first", "last", "begin", "end"),
        (
            (date(2026, 3, 3), date(2026, 3, 2), 0, 1440),
            (date(2026, 3, 2), date(2026, 3, 2), 600, 600),
        ),
    )
    def test_that_end_before_they_start_are_refused(self, business, first, last, begin, end):
        with pytest.raises(ImpossibleHours):
            operations.close_business(
                business=business,
                first_date=first,
                last_date=last,
                from_minute=begin,
                until_minute=end,
                reason="x",
            )
