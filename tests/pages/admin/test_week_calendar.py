"""Week calendar of the admin, and appointments outside working hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.pages.admin.calendar_grid import columns_of_week, lanes
from kaivox.pages.admin.week_calendar import Block, free_parts, week_of
from services.models import Service
from staff.models import BusyCalendar, CalendarBusyTime, Closure, TimeOff, WorkingHours
from tests import factories

pytestmark = pytest.mark.once_in_production

MONDAY = date(2026, 11, 23)


@pytest.fixture
def person(business):
    return factories.make_staff(
        business, name="Dr. Meera Nair", hours=["09:00-13:00", "14:00-17:00"]
    )


def at(hour, minute=0, day=23):
    """An instant of Monday the 23rd (or `day`) at local time in Kolkata, +05:30."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=5, minutes=30)


def cell_of(business, person, day=MONDAY):
    week = week_of(business, [person], MONDAY)
    return next(cell for cell in week.rows[0].cells if cell.day == day)


class TestWithoutStaff:
    @pytest.fixture
    def table(self, business):
        service = factories.make_service(
            business, name="Table", needs_staff=False, resource_kinds=["table"]
        )
        return factories.make_appointment(service=service, start_time=at(13))

    @pytest.mark.parametrize("has_staff", (True, False))
    def test_appointments_have_a_column_of_their_own(self, business, table, has_staff):
        if has_staff:
            factories.make_staff(business, name="Dr. Meera Nair")
        browser = Client()
        browser.force_login(factories.make_user(business))
        page = browser.get(f"/admin/calendar/?day={MONDAY}").content.decode()
        assert "<h2>Without staff</h2>" in page
        assert f'title="13:00 {table.customer.name}, Table"' in page
        assert 'data-staff="" data-name=""' in page
        assert ("Dr. Meera Nair" in page) == has_staff
        week = browser.get(f"/admin/calendar/?week={MONDAY}").content.decode()
        assert f'title="13:00 {table.customer.name}, Table"' in week

    @pytest.fixture
    def alone(self, business, table):
        """Monday of what is booked without staff; tables are open as `hours` says, one each."""

        def read(*hours):
            for window in hours:
                start, end = window.split("-")
                rows = [{"weekday": 0, "start": start, "end": end}] if window != "-" else []
                factories.make_resource(business, hours=rows)
            week = week_of(business, [], MONDAY, with_alone=True)
            return week, week.rows[-1].cells[0]

        return read

    def test_the_hours_are_those_of_any_table(self, alone):
        week, cell = alone("12:00-15:00", "12:30-15:30", "19:00-23:00")
        assert [(one.start, one.end) for one in cell.open] == [(720, 930), (1140, 1380)]
        assert (week.first_hour, week.last_hour) == (12, 23)

    def test_the_hours_are_those_in_which_each_kind_is_open(self, business, alone):
        Service.objects.update(resource_kinds=["cook", "table"])
        tuesday = [{"weekday": 1, "start": "09:00", "end": "20:00"}]
        factories.make_resource(business, "cook", hours=tuesday)
        assert alone("12:00-15:00")[1].open == []
        monday = [{"weekday": 0, "start": "14:00", "end": "20:00"}]
        closures = [{"start_time": "2026-11-23T09:00:00Z", "end_time": "2026-11-23T09:15:00Z"}]
        factories.make_resource(business, "cook", hours=monday, closures=closures)
        spans = [(one.start, one.end) for one in alone()[1].open]
        assert spans == [(840, 870), (885, 900)]

    def test_time_is_free_beside_what_is_booked_but_not_in_a_closure(self, business, alone):
        Closure.objects.create(
            business=business, first_date=MONDAY, last_date=MONDAY, from_minute=840
        )
        _, cell = alone("12:00-15:00")
        parts = free_parts(cell, datetime(2026, 11, 1, tzinfo=UTC))
        assert [(one.start, one.end) for one in parts] == [(720, 780), (780, 840)]

    def test_what_is_always_open_shows_the_usual_hours(self, alone):
        week, cell = alone("-")
        assert [(one.start, one.end) for one in cell.open] == [(0, 1440)]
        assert (week.first_hour, week.last_hour) == (8, 18)

    def test_without_such_a_service_there_is_none(self, business, person):
        rows = week_of(business, [person], MONDAY, with_alone=True).rows
        assert [row.staff for row in rows] == [person]


class TestWeek:
    def test_shows_hours_with_their_break(self, business, person):
        spans = [(block.start, block.end) for block in cell_of(business, person).open]
        assert spans == [(540, 780), (840, 1020)]

    def test_shows_appointments_in_local_time(self, business, person):
        factories.make_appointment(business, staff=person, start_time=at(10, 30))
        (block,) = cell_of(business, person).blocks
        assert (block.clock, block.minutes, block.outside) == ("10:30", 30, "")

    def test_leaves_out_what_is_cancelled(self, business, person):
        factories.make_appointment(business, staff=person, start_time=at(10), status="cancelled")
        assert cell_of(business, person).blocks == []

    def test_cuts_time_off_at_midnights(self, business, person):
        TimeOff.objects.create(
            business=business,
            staff=person,
            start_time=at(15),
            end_time=at(11, day=25),
            reason="Course",
        )
        spans = [
            (block.kind, block.title, block.start, block.end)
            for day in range(3)
            for block in cell_of(business, person, MONDAY + timedelta(days=day)).blocks
        ]
        assert spans == [
            ("away", "Course", 900, 1440),
            ("away", "Course", 0, 1440),
            ("away", "Course", 0, 660),
        ]

    def test_shows_a_holiday_for_everyone(self, business, person):
        Closure.objects.create(business=business, first_date=MONDAY, last_date=MONDAY)
        (block,) = cell_of(business, person).blocks
        assert (block.kind, block.start, block.end) == ("closed", 0, 1440)

    def test_the_clock_change_moves_nothing(self, db):
        business = factories.make_business(timezone="Europe/London")
        person = factories.make_staff(business)
        start = datetime(2027, 3, 28, 9, 0, tzinfo=business.zone)
        factories.make_appointment(business, staff=person, start_time=start)
        week = week_of(business, [person], date(2027, 3, 22))
        sunday = week.rows[0].cells[6]
        assert [(b.start, b.end) for b in sunday.open] == [(540, 1020)]
        assert [b.clock for b in sunday.blocks] == ["09:00"]

    @pytest.mark.parametrize(
        ("zone", "start", "end", "shown"),
        (
            # In New York 01:00 to 02:00 is twice on 1 November 2026: at 05:00 and at 06:00 UTC.
            ("America/New_York", "2026-11-01T05:30", "2026-11-01T06:15", (90, 120)),
            ("America/New_York", "2026-11-01T05:30", "2026-11-01T06:30", (90, 120)),
            ("America/New_York", "2026-11-01T04:30", "2026-11-01T06:15", (30, 120)),
            ("America/New_York", "2026-11-01T05:30", "2026-11-01T06:00", (90, 120)),
            ("America/New_York", "2026-11-01T06:15", "2026-11-01T07:30", (75, 150)),
            # At 07:00 UTC on 8 March 2026 clocks go from 02:00 to 03:00.
            ("America/New_York", "2026-03-08T06:30", "2026-03-08T07:00", (90, 120)),
            ("America/New_York", "2026-03-08T06:30", "2026-03-08T07:30", (90, 210)),
            # Midnight is twice in Havana; in Beirut the hour before it is.
            ("America/Havana", "2026-11-01T04:30", "2026-11-01T05:15", (30, 60)),
            ("Asia/Beirut", "2026-10-24T20:30", "2026-10-24T21:30", (1410, 1440)),
        ),
    )
    def test_a_change_of_the_clocks_turns_nothing_upside_down(self, db, zone, start, end, shown):
        business = factories.make_business(timezone=zone)
        person = factories.make_staff(business, hours=[])
        start, end = (datetime.fromisoformat(f"{one}+00:00") for one in (start, end))
        day = start.astimezone(business.zone).date()
        minutes = (end - start) // timedelta(minutes=1)
        factories.make_appointment(
            business, staff=person, start_time=start, duration_minutes=minutes
        )
        TimeOff.objects.create(business=business, staff=person, start_time=start, end_time=end)
        week = week_of(business, [person], day - timedelta(days=day.weekday()))
        blocks = week.rows[0].cells[day.weekday()].blocks
        assert {one.kind: (one.start, one.end) for one in blocks} == {
            "away": shown,
            "booked": shown,
        }

    def test_shows_the_hours_that_matter(self, business, person):
        assert week_of(business, [person], MONDAY).first_hour == 9
        factories.make_appointment(business, staff=person, start_time=at(20, 45))
        week = week_of(business, [person], MONDAY)
        assert (week.first_hour, week.last_hour) == (9, 22)
        assert (week_of(business, [], MONDAY).first_hour) == 8

    def test_asks_the_database_a_fixed_number_of_times(
        self, business, person, django_assert_max_num_queries
    ):
        people = [person, *(factories.make_staff(business) for _ in range(5))]
        for one in people:
            factories.make_appointment(business, staff=one, start_time=at(10))
        with django_assert_max_num_queries(8):
            week_of(business, people, MONDAY)


class TestFreeParts:
    def parts(self, business, person, now):
        cell = cell_of(business, person)
        return [(part.start, part.end) for part in free_parts(cell, now)]

    def test_are_the_open_hours_without_what_is_booked(self, business, person):
        factories.make_appointment(business, staff=person, start_time=at(10, 30))
        factories.make_appointment(business, staff=person, start_time=at(15, 15))
        assert self.parts(business, person, datetime(2026, 11, 1, tzinfo=UTC)) == [
            (540, 600),
            (600, 630),
            (660, 720),
            (720, 780),
            (840, 900),
            (960, 1020),
        ]

    def test_begin_now_on_the_same_day(self, business, person):
        now = datetime(2026, 11, 23, 14, 20, tzinfo=UTC)
        assert self.parts(business, person, now) == [(860, 900), (900, 960), (960, 1020)]

    @pytest.mark.parametrize(
        ("zone", "day", "free"),
        (
            ("America/New_York", date(2026, 3, 8), [(0, 60), (60, 120), (180, 240)]),
            ("America/New_York", date(2026, 11, 1), [(0, 60), (60, 120), (120, 180), (180, 240)]),
            # Midnight does not exist.
            ("America/Havana", date(2026, 3, 8), [(60, 120), (120, 180), (180, 240)]),
        ),
    )
    def test_are_not_in_the_hour_that_clocks_skip(self, db, zone, day, free):
        business = factories.make_business(timezone=zone)
        person = factories.make_staff(business, hours=["00:00-04:00"])
        week = week_of(business, [person], day - timedelta(days=day.weekday()))
        parts = free_parts(week.rows[0].cells[day.weekday()], datetime(2026, 1, 1, tzinfo=UTC))
        assert [(one.start, one.end) for one in parts] == free

    def test_are_none_on_a_day_in_the_past(self, business, person):
        assert self.parts(business, person, datetime(2026, 11, 24, tzinfo=UTC)) == []


class TestEveryone:
    def test_overlapping_appointments_are_side_by_side(self):
        spans = ((540, 600), (540, 570), (570, 630), (700, 730))
        blocks = [Block("booked", start, end) for start, end in spans]
        shown = [(block.start, block.end, lane, count) for block, lane, count in lanes(blocks)]
        assert shown == [(540, 570, 0, 2), (540, 600, 1, 2), (570, 630, 0, 2), (700, 730, 0, 1)]

    def test_free_is_what_anyone_has_free_and_who_is_away_is_named(self, business, person):
        other = factories.make_staff(business, name="Ravi", hours=["12:15-13:30"])
        TimeOff.objects.create(
            business=business, staff=person, start_time=at(0), end_time=at(0, day=24), reason="Ill"
        )
        Closure.objects.create(
            business=business, first_date=date(2026, 11, 24), last_date=date(2026, 11, 24)
        )
        week = week_of(business, [person, other], MONDAY)
        monday, tuesday, *_ = columns_of_week(week, MONDAY, datetime(2026, 11, 1, tzinfo=UTC))
        free = [(item["block"].start, item["block"].end) for item in monday["free"]]
        assert free == [(735, 780), (780, 810)]
        assert monday["away"] == {"Dr. Meera Nair": "Ill"}
        assert [item["block"].title for item in tuesday["behind"]] == ["Closed"]


class TestOutsideHours:
    def test_marks_what_a_closure_or_time_off_fell_on(self, business, person):
        days = (23, 24, 25, 26)
        for day in days:
            factories.make_appointment(business, staff=person, start_time=at(10, day=day))
        TimeOff.objects.create(
            business=business, staff=person, start_time=at(9, day=24), end_time=at(11, day=24)
        )
        Closure.objects.create(
            business=business, first_date=date(2026, 11, 25), last_date=date(2026, 11, 25)
        )
        WorkingHours.objects.filter(staff=person, weekday=3).delete()
        cells = week_of(business, [person], MONDAY).rows[0].cells[:4]
        marks = [block.outside for cell in cells for block in cell.blocks if block.appointment]
        assert marks == [
            "",
            "in time off",
            "while the business is closed",
            "outside working hours",
        ]


class TestPage:
    @pytest.fixture
    def client_of(self):
        def log_in(user):
            client = Client()
            client.force_login(user)
            return client

        return log_in

    def test_shows_calendars_elsewhere_and_those_that_fail(self, business, person, client_of):
        tomorrow = timezone.now().astimezone(business.zone) + timedelta(days=1)
        start = tomorrow.replace(hour=11, minute=0)  # the grid shows working hours
        elsewhere = factories.make_busy_calendar(person, name="Private")
        CalendarBusyTime.objects.create(
            business=business, staff=person, calendar=elsewhere, start_time=start,
            end_time=start + timedelta(hours=1),
        )  # fmt: skip
        client = client_of(factories.make_user(business))
        url = f"/admin/calendar/?week={start.astimezone(business.zone).date()}&staff={person.pk}"
        page = client.get(url).content.decode()
        assert ("Private" in page, "cannot be read" in page) == (True, False)
        now = timezone.now()
        BusyCalendar.objects.update(failing_since=now, last_read_at=now, problem="It broke.")
        page = client.get(url).content.decode()
        assert "the calendar “Private” cannot be read since" in page
        assert "IST. It broke. It blocks what it blocked then." in page

    def test_shows_a_business_and_a_person(self, business, person, client_of):
        start = timezone.now() + timedelta(hours=1)
        appointment = factories.make_appointment(business, staff=person, start_time=start)
        client = client_of(factories.make_user(business, role="staff"))
        week = start.astimezone(business.zone).date()
        for query in (f"week={week}", f"week={week}&staff={person.pk}"):
            page = client.get(f"/admin/calendar/?{query}").content.decode()
            assert appointment.customer.name in page
            assert f"/admin/appointments/appointment/{appointment.pk}/change/" in page

    @pytest.mark.parametrize(("role", "may_book"), (("staff", True), ("analyst", False)))
    def test_free_time_leads_to_the_form_and_appointments_are_dragged_by_those_who_may_book(
        self, business, person, client_of, role, may_book
    ):
        tomorrow = timezone.now().astimezone(business.zone).date() + timedelta(days=1)
        client = client_of(factories.make_user(business, role=role))
        page = client.get(f"/admin/calendar/?day={tomorrow}").content.decode()
        query = f"?business={business.pk}&amp;staff={person.pk}&amp;day={tomorrow}&amp;time=09:00"
        assert (f"/admin/appointments/appointment/add/{query}" in page) == may_book
        assert person.name in page
        start = datetime(*tomorrow.timetuple()[:3], 10, tzinfo=business.zone)
        booked = factories.make_appointment(business, staff=person, start_time=start)
        for query in (f"day={tomorrow}", f"week={tomorrow}", f"week={tomorrow}&staff={person.pk}"):
            page = client.get(f"/admin/calendar/?{query}").content.decode()
            assert (f"/appointment/{booked.pk}/act/move/" in page) == may_book

    def test_another_business_or_its_staff_is_not_there(
        self, business, other_business, person, client_of
    ):
        theirs = factories.make_staff(other_business, name="Their Person")
        client = client_of(factories.make_user(business))
        assert client.get(f"/admin/calendar/?business={other_business.pk}").status_code == 404
        assert client.get(f"/admin/calendar/?staff={theirs.pk}").status_code == 404
        page = client.get("/admin/calendar/").content.decode()
        assert "Their Person" not in page
        assert other_business.name not in page

    @pytest.mark.parametrize("week", ("", "yesterday", "0001-01-01", "2026-02-30", "9999-12-31"))
    def test_nonsense_means_this_week(self, business, person, client_of, week):
        client = client_of(factories.make_user(business))
        assert client.get("/admin/calendar/", {"week": week}).status_code == 200

    def test_a_user_without_a_business_gets_an_explanation(self, db, client_of):
        page = client_of(factories.make_user()).get("/admin/calendar/").content.decode()
        assert "not a member of a business" in page
