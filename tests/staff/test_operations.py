"""Hours, time off and closures: what is rejected, and which locks are acquired."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone

from kaivox.errors import NotFound
from services.models import Service
from staff import operations
from staff.models import Break, Closure, TimeOff, WorkingHours
from staff.operations import ImpossibleHours
from staff.schedule_rows import replace_weekly
from tests import factories


@pytest.fixture
def person(business):
    return factories.make_staff(business)


def set_week(person, hours, breaks=()) -> None:
    with operations.schedule_change(business_id=person.business_id, staff_id=person.pk):
        replace_weekly(WorkingHours, person, hours)
        replace_weekly(Break, person, breaks)


def offer(person, services) -> None:
    operations.update_staff(
        business=person.business,
        staff_id=person.pk,
        changes={"services": services},
        now=timezone.now(),
    )


class TestScheduleChange:
    def test_of_another_business_is_not_found(self, person, other_business):
        change = operations.schedule_change(business_id=other_business.pk, staff_id=person.pk)
        with pytest.raises(NotFound), change:
            pytest.fail("The context must not be entered.")

    def test_replaces_hours_and_breaks(self, person):
        set_week(person, [(0, 540, 1020)], [(0, 720, 780)])
        rows = WorkingHours.objects.values_list("weekday", "start_minute", "end_minute")
        assert list(rows) == [(0, 540, 1020)]
        assert Break.objects.count() == 1

    def test_counts_as_a_change_of_the_person(self, person):
        before = person.updated_at
        set_week(person, [])
        person.refresh_from_db()
        assert person.updated_at > before

    @pytest.mark.parametrize(
        ("hours", "breaks", "words"),
        (
            ([(0, 540, 720), (0, 700, 900)], [], "overlap"),
            ([(0, 540, 720)], [(0, 700, 780)], "outside the working hours"),
        ),
    )
    def test_rejects_contradictions_and_changes_nothing(self, person, hours, breaks, words):
        with pytest.raises(ImpossibleHours, match=words):
            set_week(person, hours, breaks)
        assert WorkingHours.objects.count() == 7


class TestCopyWeekday:
    def test_copies_hours_and_breaks_to_other_days_and_leaves_the_rest(self, person):
        set_week(
            person,
            [(0, 540, 720), (0, 780, 1020), (1, 600, 660), (4, 480, 600)],
            [(0, 600, 615), (1, 610, 620)],
        )
        operations.copy_weekday(staff=person, source=0, targets=[0, 1, 2])
        columns = ("weekday", "start_minute", "end_minute")
        hours = set(person.working_hours.values_list(*columns))
        windows = ((540, 720), (780, 1020))
        assert hours == {(day, *window) for day in range(3) for window in windows} | {(4, 480, 600)}
        assert set(person.breaks.values_list(*columns)) == {(day, 600, 615) for day in range(3)}

    def test_of_a_day_off_makes_days_off(self, person):
        set_week(person, [(0, 540, 720)])
        operations.copy_weekday(staff=person, source=6, targets=[0])
        assert not person.working_hours.exists()


class TestTimeOff:
    def test_is_added(self, person):
        noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
        operations.add_time_off(
            staff=person, start=noon, end=noon.replace(hour=14), reason="Course"
        )
        assert TimeOff.objects.get().reason == "Course"

    def test_that_ends_before_it_starts_is_rejected(self, person):
        noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
        with pytest.raises(ImpossibleHours) as caught:
            operations.add_time_off(staff=person, start=noon, end=noon)
        assert list(caught.value.errors) == ["end_time"]


class TestServices:
    def test_replaces_them(self, person):
        services = [factories.make_service(person.business) for _ in range(2)]
        offer(person, services)
        offer(person, services[:1])
        assert list(person.services.all()) == services[:1]

    def test_moves_updated_at_of_the_services_that_change(self, person):
        unchanged, removed, added = (factories.make_service(person.business) for _ in range(3))
        offer(person, [unchanged, removed])
        before = dict(Service.objects.values_list("pk", "updated_at"))
        offer(person, [unchanged, added])
        after = dict(Service.objects.values_list("pk", "updated_at"))
        moved = {pk for pk in after if after[pk] > before[pk]}
        assert moved == {removed.pk, added.pk}


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
    def test_that_end_before_they_start_are_rejected(self, business, first, last, begin, end):
        with pytest.raises(ImpossibleHours):
            operations.close_business(
                business=business,
                first_date=first,
                last_date=last,
                from_minute=begin,
                until_minute=end,
                reason="x",
            )
