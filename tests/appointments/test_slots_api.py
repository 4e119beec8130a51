"""GET /appointments/slots: slots, reasons and the next available one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from kaivox.businesses.models import Business
from services.models import Service
from staff.models import Break, Closure, DateOverride, StaffMember, TimeOff, WorkingHours
from tests import factories
from tests.appointments.conftest import times
from tests.factories import minutes_of

URL = "/api/v1/appointments/slots"


def local(text: str) -> datetime:
    """A local time in Kolkata."""
    return datetime.fromisoformat(f"{text}+05:30").astimezone(UTC)


class TestSlots:
    def test_are_shown_with_their_people(self, client, clinic):
        clinic.staff.working_hours.update(end_minute=600)
        answer = client.get(URL, clinic.slots()).json()
        assert answer["data"][0] == {
            "start_time": "2026-03-02T03:30:00Z",
            "end_time": "2026-03-02T04:00:00Z",
            "date": "2026-03-02",
            "time": "09:00",
            "staff": [{"id": clinic.staff.pk, "name": "Dr. Meera Nair"}],
        }
        assert [slot["time"] for slot in answer["data"]] == ["09:00", "09:15", "09:30"]
        meta = {key: value for key, value in answer["meta"].items() if key != "request_id"}
        assert meta == {
            "timezone": "Asia/Kolkata",
            "date_from": "2026-03-02",
            "date_to": "2026-03-02",
            "total": 3,
            "next_available": None,
            "reasons": {},
        }

    def test_are_of_today_where_no_day_is_named(self, client, clinic):
        answer = client.get(URL, {"service_id": clinic.service.pk}).json()
        assert {slot["date"] for slot in answer["data"]} == {"2026-03-02"}

    def test_begin_after_now(self, client, clinic, frozen):
        frozen.move_to(local("2026-03-02T15:46"))
        assert times(client.get(URL, clinic.slots())) == ["16:00", "16:15", "16:30"]

    def test_list_all_free_people(self, client, clinic):
        late = factories.make_staff(
            clinic.business, services=[clinic.service], hours=["16:00-18:00"]
        )
        slots = client.get(URL, clinic.slots()).json()["data"]
        people = {slot["time"]: [one["id"] for one in slot["staff"]] for slot in slots}
        assert people["15:45"] == [clinic.staff.pk]
        assert people["16:30"] == [clinic.staff.pk, late.pk]
        assert people["17:30"] == [late.pk]
        one = client.get(URL, clinic.slots(staff_id=late.pk))
        assert times(one)[0] == "16:00"

    def test_go_round_bookings_with_both_services_buffers(self, client, clinic):
        Service.objects.update(buffer_before_minutes=5, buffer_after_minutes=10)
        clinic.service.refresh_from_db()
        factories.make_appointment(
            service=clinic.service, staff=clinic.staff, start_time=local("2026-03-02T12:00")
        )
        clinic.staff.working_hours.update(start_minute=660, end_minute=825)
        # Blocked: 11:55 to 12:40. A slot blocks 5 minutes before and 10 after its half hour.
        assert times(client.get(URL, clinic.slots())) == [
            "11:00",
            "11:15",
            "12:45",
            "13:00",
            "13:15",
        ]

    def test_of_a_night_run_over_midnight(self, client, clinic):
        WorkingHours.objects.all().delete()
        for weekday, window in ((0, "22:30-24:00"), (1, "00:00-01:00")):
            WorkingHours.objects.create(
                business=clinic.business,
                staff=clinic.staff,
                weekday=weekday,
                **minutes_of(window),
            )
        Service.objects.update(duration_minutes=60)
        Business.objects.update(slot_interval_minutes=40)
        monday, tuesday = (
            times(client.get(URL, clinic.slots(date=day))) for day in ("2026-03-02", "2026-03-03")
        )
        # The grid counts from 22:30, and 23:50 ends after midnight. On Tuesday the only start that is
        # bookable, 00:00, is off the grid.
        assert (monday, tuesday) == (["22:30", "23:10", "23:50"], ["00:00"])

    def test_in_another_zone_are_of_that_zones_day(self, client, clinic):
        query = clinic.slots(timezone="America/New_York", date="2026-03-02")
        answer = client.get(URL, query).json()
        # New York's Monday is Kolkata's from 10:30 on, and the first hours of its Tuesday.
        shown = [(slot["time"], slot["start_time"]) for slot in answer["data"]]
        assert shown[0] == ("00:00", "2026-03-02T05:00:00Z")
        assert ("22:30", "2026-03-03T03:30:00Z") in shown
        assert shown[-1] == ("23:45", "2026-03-03T04:45:00Z")
        assert {slot["date"] for slot in answer["data"]} == {"2026-03-02"}
        assert answer["meta"]["timezone"] == "America/New_York"

    def test_for_a_move_ignore_its_own_time(self, client, clinic):
        moved = factories.make_appointment(
            service=clinic.service, staff=clinic.staff, start_time=local("2026-03-02T12:00")
        )
        assert "12:00" not in times(client.get(URL, clinic.slots()))
        query = clinic.slots(exclude_appointment_id=moved.pk)
        assert "12:15" in times(client.get(URL, query))

    def test_are_none_once_the_daily_cap_is_reached(self, client, clinic):
        Business.objects.update(daily_cap_per_staff=1)
        factories.make_appointment(
            service=clinic.service, staff=clinic.staff, start_time=local("2026-03-02T12:00")
        )
        answer = client.get(URL, clinic.slots()).json()
        assert answer["data"] == []
        assert answer["meta"]["reasons"] == {"2026-03-02": "fully_booked"}

    def test_are_sorted_over_days(self, client, clinic):
        query = clinic.slots(date_from="2026-03-02", date_to="2026-04-01")
        del query["date"]
        answer = client.get(URL, query).json()
        starts = [slot["start_time"] for slot in answer["data"]]
        assert starts == sorted(starts)
        assert answer["meta"]["total"] == len(starts) == 31 * 31


class TestReasons:
    def reasons(self, client, clinic, first, last):
        query = {"service_id": clinic.service.pk, "date_from": first, "date_to": last}
        return client.get(URL, query).json()["meta"]["reasons"]

    def test_name_the_first_rule_without_a_start_left(self, client, clinic):
        business, staff = clinic.business, clinic.staff
        WorkingHours.objects.filter(weekday=6).delete()
        Closure.objects.create(
            business=business, first_date="2026-03-03", last_date="2026-03-03", reason="Holi"
        )
        TimeOff.objects.create(
            business=business,
            staff=staff,
            start_time=local("2026-03-04T00:00"),
            end_time=local("2026-03-05T00:00"),
        )
        clinic.staff.working_hours.filter(weekday=3).update(end_minute=570)
        factories.make_appointment(
            service=clinic.service, staff=staff, start_time=local("2026-03-05T09:00")
        )
        Business.objects.update(minimum_notice_minutes=12 * 60, horizon_days=7)
        assert self.reasons(client, clinic, "2026-03-01", "2026-03-10") == {
            "2026-03-01": "past",
            "2026-03-02": "too_soon",
            "2026-03-03": "holiday",
            "2026-03-04": "time_off",
            "2026-03-05": "fully_booked",
            "2026-03-08": "closed",
            "2026-03-10": "beyond_horizon",
        }

    def test_of_an_evening_is_that_it_is_past(self, client, clinic, frozen):
        frozen.move_to(local("2026-03-02T18:00"))
        reasons = self.reasons(client, clinic, "2026-03-02", "2026-03-02")
        assert reasons == {"2026-03-02": "past"}

    def test_of_a_day_off_is_closed(self, client, clinic):
        DateOverride.objects.create(business=clinic.business, staff=clinic.staff, date="2026-03-05")
        reasons = self.reasons(client, clinic, "2026-03-05", "2026-03-05")
        assert reasons == {"2026-03-05": "closed"}

    def test_of_a_service_that_no_one_offers_is_closed(self, client, clinic):
        clinic.staff.services.clear()
        answer = client.get(URL, clinic.slots()).json()
        assert answer["meta"]["reasons"] == {"2026-03-02": "closed"}
        assert answer["meta"]["next_available"] is None


class TestNextAvailable:
    def next(self, client, clinic, **query):
        answer = client.get(URL, clinic.slots(**query)).json()
        assert answer["data"] == []
        found = answer["meta"]["next_available"]
        return found and f"{found['date']} {found['time']}"

    def test_of_a_day_in_last_year_is_the_next_from_now(self, client, clinic):
        assert self.next(client, clinic, date="2025-12-25") == "2026-03-02 09:00"

    def test_comes_after_the_range(self, client, clinic):
        Closure.objects.create(
            business=clinic.business,
            first_date="2026-03-05",
            last_date="2026-06-20",
            reason="Renovation",
        )
        assert self.next(client, clinic, date="2026-03-05") == "2026-06-21 09:00"

    def test_is_shown_like_a_slot(self, client, clinic):
        answer = client.get(URL, clinic.slots(date="2025-12-25")).json()
        assert answer["meta"]["next_available"] == {
            "start_time": "2026-03-02T03:30:00Z",
            "end_time": "2026-03-02T04:00:00Z",
            "date": "2026-03-02",
            "time": "09:00",
            "staff": [{"id": clinic.staff.pk, "name": "Dr. Meera Nair"}],
        }

    def test_is_found_after_months_of_bookings(self, client, clinic):
        clinic.staff.working_hours.update(end_minute=570)
        for number in range(100):
            factories.make_appointment(
                service=clinic.service,
                staff=clinic.staff,
                customer=clinic.customer,
                start_time=local("2026-03-02T09:00") + timedelta(days=number),
            )
        assert self.next(client, clinic, date="2026-03-02") == "2026-06-10 09:00"

    def test_is_null_where_there_is_none_within_the_horizon(self, client, clinic):
        Business.objects.update(horizon_days=10)
        assert self.next(client, clinic, date="2026-03-13") is None
        WorkingHours.objects.all().delete()
        assert self.next(client, clinic) is None

    def test_is_of_the_requested_person(self, client, clinic):
        other = factories.make_staff(
            clinic.business, services=[clinic.service], hours={4: ["10:00-11:00"]}
        )
        found = self.next(client, clinic, staff_id=other.pk)
        assert found == "2026-03-06 10:00"


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "field"),
        (
            ({"service_id": None}, "service_id"),
            ({"service_id": "x"}, "service_id"),
            ({"service_id": "0"}, "service_id"),
            ({"service_id": 2**63}, "service_id"),
            ({"staff_id": 999_999}, "staff_id"),
            ({"exclude_appointment_id": 999_999}, "exclude_appointment_id"),
            ({"date": "2026-02-30"}, "date"),
            ({"date": "02/03/2026"}, "date"),
            ({"date": "0001-01-01"}, "date"),
            ({"date": "9999-12-31"}, "date"),
            ({"date": ""}, "date"),
            ({"date_from": "2026-03-02"}, "date"),
            ({"date": None, "date_from": "2026-03-02"}, "date_to"),
            ({"date": None, "date_to": "2026-03-02"}, "date_from"),
            ({"date": None, "date_from": "2026-03-03", "date_to": "2026-03-02"}, "date_to"),
            ({"date": None, "date_from": "2026-03-01", "date_to": "2026-04-01"}, "date_to"),
            ({"timezone": "India"}, "timezone"),
            ({"timezone": "+05:30"}, "timezone"),
            ({"timezone": "x" * 500}, "timezone"),
            ({"duration": "60"}, "duration"),
        ),
    )
    def test_name_the_parameter(self, client, clinic, query, field):
        asked = {k: v for k, v in (clinic.slots() | query).items() if v is not None}
        response = client.get(URL, asked)
        assert response.status_code == 422
        assert list(response.json()["errors"]) == [field]

    def test_of_inactive_services_and_people(self, client, clinic):
        StaffMember.objects.update(is_active=False)
        response = client.get(URL, clinic.slots(staff_id=clinic.staff.pk))
        assert (response.status_code, response.json()["code"]) == (422, "inactive")
        Service.objects.update(is_active=False)
        assert client.get(URL, clinic.slots()).json()["code"] == "inactive"

    def test_of_people_who_do_not_offer_it(self, client, clinic):
        other = factories.make_staff(clinic.business)
        response = client.get(URL, clinic.slots(staff_id=other.pk))
        assert (response.status_code, response.json()["code"]) == (422, "staff_not_qualified")

    def test_of_what_belongs_to_another_business(self, client, clinic, other_business):
        theirs = factories.make_service(other_business)
        response = client.get(URL, clinic.slots(service_id=theirs.pk))
        assert (response.status_code, list(response.json()["errors"])) == (422, ["service_id"])


class TestQueries:
    @pytest.mark.parametrize("people", (1, 50))
    def test_are_the_same_few_for_any_number_of_people(
        self, client, clinic, people, django_assert_num_queries
    ):
        for _ in range(people - 1):
            factories.make_staff(clinic.business, services=[clinic.service])
        query = {
            "service_id": clinic.service.pk,
            "date_from": "2026-03-02",
            "date_to": "2026-04-01",
        }
        client.get(URL, query)
        with django_assert_num_queries(5):
            client.get(URL, query)

    def test_of_an_empty_answer_are_two_more_at_most(
        self, client, clinic, django_assert_max_num_queries
    ):
        WorkingHours.objects.filter(weekday=0).delete()
        client.get(URL, clinic.slots())
        with django_assert_max_num_queries(8):
            client.get(URL, clinic.slots())


class TestBreaks:
    def test_are_gaps_and_the_grid_restarts_after_them(self, client, clinic):
        Break.objects.create(
            business=clinic.business, staff=clinic.staff, weekday=0, **minutes_of("12:10-12:50")
        )
        offered = times(client.get(URL, clinic.slots()))
        assert offered[10:13] == ["11:30", "12:50", "13:05"]


def test_the_day_is_the_business_s_own_after_midnight(client, clinic, frozen):
    # 19:30 UTC on Monday is 01:00 on Tuesday in Kolkata.
    frozen.move_to(datetime(2026, 3, 2, 19, 30, tzinfo=UTC))
    answer = client.get(URL, {"service_id": clinic.service.pk}).json()
    assert answer["meta"]["date_from"] == "2026-03-03"
    assert date.fromisoformat(answer["data"][0]["date"]) == date(2026, 3, 3)
