"""Faults of other schedulers, each as a test with its description.

From the public issue trackers of Cal.com and Easy!Appointments; we have none of these.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from appointments.models import Appointment
from kaivox.businesses.models import Business
from services.models import Service
from staff import operations as staff_operations
from tests import factories
from tests.appointments.conftest import NOW, overlaps, times

URL = "/api/v1/appointments"


class TestRegressions:
    def test_overlapping_times_are_no_different_from_equal_ones(self, client, clinic):
        """A unique key of start, end and person rejects the same slot twice, but not 10:00 to 10:30
        and 10:15 to 10:45."""
        assert client.post(URL, clinic.booking("10:00")).status_code == 201
        assert client.post(URL, clinic.booking("10:15")).status_code == 409
        assert overlaps() == 0

    def test_a_reschedule_is_guarded_like_a_booking(self, client, clinic):
        """Only creation was checked; moving an appointment onto another succeeded."""
        first = client.post(URL, clinic.booking("10:00")).json()["data"]
        second = client.post(URL, clinic.booking("12:00")).json()["data"]
        moved = client.patch(f"{URL}/{second['id']}", {"start_time": first["start_time"]})
        assert moved.status_code == 409
        assert overlaps() == 0

    def test_buffers_and_notice_hold_on_booking_too(self, client, clinic):
        """`slots` applied them, but POST accepted any time."""
        Service.objects.update(buffer_before_minutes=15)
        Business.objects.update(minimum_notice_minutes=240)
        client.post(URL, clinic.booking("11:00"))
        assert client.post(URL, clinic.booking("11:30")).json()["code"] == "slot_unavailable"
        assert client.post(URL, clinic.booking("09:59")).json()["code"] == "too_soon"

    @pytest.mark.parametrize(
        ("zone", "day"),
        (
            ("America/New_York", "2026-03-08"),
            ("America/New_York", "2026-11-01"),
            ("Europe/London", "2026-03-29"),
            ("Australia/Lord_Howe", "2026-10-04"),
        ),
    )
    def test_slots_of_a_day_on_which_the_clock_jumps_keep_their_wall_times(
        self, client, clinic, zone, day
    ):
        """On such days all slots were wrong by one hour."""
        Business.objects.update(timezone=zone)
        slots = times(client.get(f"{URL}/slots", clinic.slots(date=day)))
        assert (slots[0], slots[-1], len(slots)) == ("09:00", "16:30", 31)

    def test_sydney_has_its_first_hours(self, client, clinic):
        """Days were computed in UTC, where 09:00 in Sydney is on the day before, and was missing."""
        Business.objects.update(timezone="Australia/Sydney")
        slots = client.get(f"{URL}/slots", clinic.slots(date="2026-03-03")).json()["data"]
        assert (slots[0]["time"], slots[0]["start_time"]) == ("09:00", "2026-03-02T22:00:00Z")

    def test_a_freed_time_is_free(self, client, clinic):
        """A cancelled appointment still blocked its slot; so did the old time of a moved one."""
        booked = client.post(URL, clinic.booking("10:00")).json()["data"]
        client.patch(f"{URL}/{booked['id']}", {"start_time": "2026-03-02T12:00:00+05:30"})
        assert "10:00" in times(client.get(f"{URL}/slots", clinic.slots()))
        client.delete(f"{URL}/{booked['id']}")
        assert "12:00" in times(client.get(f"{URL}/slots", clinic.slots()))

    def test_no_time_leaves_without_its_zone(self, client, clinic):
        """Times had no zone ("2026-03-02 10:00"), and clients assumed different ones."""
        data = client.post(URL, clinic.booking("10:00")).json()["data"]
        for name in ("start_time", "end_time", "created_at", "updated_at"):
            assert datetime.fromisoformat(data[name]).tzinfo == UTC
        assert data["timezone"] == "Asia/Kolkata"
        naive = {"start_time": "2026-03-03T10:00:00"}
        assert client.patch(f"{URL}/{data['id']}", naive).status_code == 422

    def test_last_years_date_gets_the_next_available_slot(self, client, clinic):
        """Language models ask for dates of the year they were trained in; an error or a bare empty
        list left the caller waiting."""
        meta = client.get(f"{URL}/slots", clinic.slots(date="2025-03-02")).json()["meta"]
        assert meta["reasons"] == {"2025-03-02": "past"}
        assert meta["next_available"]["date"] == "2026-03-02"

    def test_a_day_that_never_was_is_closed_and_raises_no_error(self, client, clinic, frozen):
        """Apia skipped 30 December 2011; code that adds 24 hours produced the same day twice."""
        frozen.move_to(datetime(2011, 12, 28, tzinfo=UTC))
        Business.objects.update(timezone="Pacific/Apia")
        query = clinic.slots(date_from="2011-12-29", date_to="2011-12-31")
        del query["date"]
        answer = client.get(f"{URL}/slots", query).json()
        assert answer["meta"]["reasons"] == {"2011-12-30": "closed"}
        assert {slot["date"] for slot in answer["data"]} == {"2011-12-29", "2011-12-31"}
        body = clinic.booking("10:00", "2011-12-30")
        assert client.post(URL, body).json()["code"] == "nonexistent_local_time"

    def test_an_emergency_closure_leaves_appointments_as_they_are(self, client, clinic):
        """Closing a day deleted its appointments, so no one called the customers."""
        booked = client.post(URL, clinic.booking("10:00")).json()["data"]
        day = date(2026, 3, 2)
        staff_operations.close_business(
            business=clinic.business, first_date=day, last_date=day, reason="Storm"
        )
        assert client.get(f"{URL}/{booked['id']}").json()["data"] == booked
        assert times(client.get(f"{URL}/slots", clinic.slots())) == []

    def test_the_last_slot_ends_with_the_hours(self, client, clinic):
        """Slots were offered in which the service ends after closing time."""
        Service.objects.update(duration_minutes=50)
        assert times(client.get(f"{URL}/slots", clinic.slots()))[-1] == "16:00"

    def test_a_no_show_keeps_its_time(self, client, clinic, frozen):
        """Marking a no-show freed the time while the business still waited for the customer."""
        Appointment.objects.all().delete()
        standing = factories.make_appointment(
            service=clinic.service, staff=clinic.staff, start_time=NOW + timedelta(hours=4)
        )
        frozen.shift(timedelta(hours=4, minutes=1))
        client.patch(f"{URL}/{standing.pk}/status", {"status": "no_show"})
        assert client.post(URL, clinic.booking("10:15")).status_code == 409
