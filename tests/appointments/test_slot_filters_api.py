"""GET /appointments/slots: slots off the grid, and the parameters that narrow a search."""

from __future__ import annotations

import pytest

from kaivox.businesses.models import Business
from tests import factories
from tests.appointments.conftest import times
from tests.appointments.test_slots_api import URL, local


class TestOffGrid:
    """A day with bookable starts between the points of the grid, and none on it."""

    @pytest.fixture
    def tight(self, client, clinic):
        """09:00 to 10:30; booked from 09:00 to 09:40 and from 10:15 to 10:30."""
        Business.objects.update(slot_interval_minutes=30)
        clinic.staff.working_hours.update(end_minute=630)
        for clock, minutes in (("09:00", 40), ("10:15", 15)):
            service = factories.make_service(clinic.business, duration_minutes=minutes)
            start = local(f"2026-03-02T{clock}")
            factories.make_appointment(service=service, staff=clinic.staff, start_time=start)
        return clinic

    def test_lists_the_first_start_after_an_appointment(self, client, tight):
        response = client.get(URL, tight.slots())
        assert times(response) == ["09:40"]
        assert response.json()["meta"]["reasons"] == {}
        assert client.post("/api/v1/appointments", tight.booking("09:40")).status_code == 201
        assert times(client.get(URL, tight.slots())) == []

    def test_lists_them_as_next_available(self, client, tight):
        tight.staff.working_hours.exclude(weekday=0).delete()
        meta = client.get(URL, tight.slots(date="2026-03-01")).json()["meta"]
        assert (meta["next_available"]["date"], meta["next_available"]["time"]) == (
            "2026-03-02",
            "09:40",
        )

    def test_lists_the_grid_where_anyone_is_free_on_it(self, client, tight):
        other = factories.make_staff(
            tight.business, services=[tight.service], hours=["09:00-10:00"]
        )
        assert times(client.get(URL, tight.slots())) == ["09:00", "09:30"]
        assert times(client.get(URL, tight.slots(staff_id=tight.staff.pk))) == ["09:40"]
        assert other.is_active


class TestNarrowing:
    WEEK = {"date_from": "2026-03-02", "date_to": "2026-03-08"}

    def ask(self, client, clinic, **query):
        return client.get(URL, {"service_id": clinic.service.pk, **self.WEEK, **query}).json()

    @pytest.mark.parametrize(
        ("part", "first", "last"),
        (("morning", "09:00", "11:45"), ("afternoon", "12:00", "16:30")),
    )
    def test_by_part_of_day(self, client, clinic, part, first, last):
        slots = self.ask(client, clinic, part_of_day=part)["data"]
        assert (slots[0]["time"], slots[-1]["time"]) == (first, last)
        assert {slot["date"] for slot in slots} == {f"2026-03-0{day}" for day in range(2, 9)}

    def test_by_part_of_day_has_its_own_reasons(self, client, clinic):
        answer = self.ask(client, clinic, part_of_day="evening")
        assert answer["data"] == []
        assert set(answer["meta"]["reasons"].values()) == {"closed"}
        assert answer["meta"]["next_available"] is None

    @pytest.mark.parametrize("weekday", ("1,3", "Tuesday, thursday", "3,tuesday,1"))
    def test_by_weekday(self, client, clinic, weekday):
        answer = self.ask(client, clinic, weekday=weekday)
        assert {slot["date"] for slot in answer["data"]} == {"2026-03-03", "2026-03-05"}
        assert answer["meta"]["reasons"] == {}

    def test_applies_to_the_next_available_slot(self, client, clinic):
        query = clinic.slots(date="2026-03-02", weekday="2", part_of_day="afternoon")
        following = client.get(URL, query).json()["meta"]["next_available"]
        assert (following["date"], following["time"]) == ("2026-03-04", "12:00")

    def test_by_number(self, client, clinic):
        answer = self.ask(client, clinic, spread="2", limit="5")
        assert [(slot["date"][-1], slot["time"]) for slot in answer["data"]] == [
            ("2", "09:00"),
            ("2", "09:15"),
            ("3", "09:00"),
            ("3", "09:15"),
            ("4", "09:00"),
        ]
        assert answer["meta"]["total"] == 5
        assert answer["meta"]["reasons"] == {}

    @pytest.mark.parametrize(
        ("name", "value"),
        (
            ("part_of_day", "night"),
            ("weekday", "7"),
            ("weekday", "1,"),
            ("weekday", "١"),
            ("limit", "0"),
            ("spread", "x"),
        ),
    )
    def test_rejects_other_values(self, client, clinic, name, value):
        response = client.get(URL, clinic.slots(**{name: value}))
        assert (response.status_code, list(response.json()["errors"])) == (422, [name])
