"""Parties of series and visits: counted against the seats of a class, seated at a table that fits."""

from __future__ import annotations

import pytest

from appointments.models import Appointment
from kaivox.businesses.models import Business
from services.models import Service
from tests import factories
from tests.appointments.conftest import Clinic, times

SERIES = "/api/v1/appointments/series"
VISITS = "/api/v1/visits"
APPOINTMENTS = "/api/v1/appointments"
DAY = "2026-03-03"

pytestmark = pytest.mark.django_db


@pytest.fixture
def yoga(clinic) -> Clinic:
    """The clinic, whose service takes five people at one start."""
    Service.objects.filter(pk=clinic.service.pk).update(capacity=5)
    clinic.service.refresh_from_db()
    return clinic


@pytest.fixture
def bistro(clinic) -> Clinic:
    """The clinic, whose service requires a table: there is one for two and one for six."""
    Service.objects.filter(pk=clinic.service.pk).update(resource_kinds=["table"])
    clinic.service.refresh_from_db()
    for name in ("two", "six"):
        size = {"two": 2, "six": 6}[name]
        table = factories.make_resource(clinic.business, name=name, capacity=size)
        setattr(clinic, name, table.pk)
    return clinic


def weekly(clinic: Clinic, **more) -> dict:
    return clinic.booking(day=DAY, frequency="weekly", count=2, **more)


def visit(clinic: Clinic, **more) -> dict:
    body = clinic.booking(day=DAY, **more)
    return body | {"services": [{"service_id": body.pop("service_id")}] * 2}


def reserved(response) -> list[tuple[int, list[int]]]:
    assert response.status_code in (200, 201), response.json()
    shown = response.json()["data"]["appointments"]
    return [(one["party_size"], one["resource_ids"]) for one in shown]


def error_of(response) -> tuple:
    return response.status_code, response.json()["code"], list(response.json()["errors"])


class TestSeries:
    def test_takes_the_seats_of_a_class(self, client, yoga):
        assert reserved(client.post(SERIES, weekly(yoga, party_size=3))) == [(3, [])] * 2
        preview = client.post(f"{SERIES}/preview", weekly(yoga, party_size=3)).json()["data"]
        assert preview["clashes"] == 2
        assert preview["occurrences"][0]["clash"]["alternatives"][0]["time"] == "10:30"
        assert (
            client.post(f"{SERIES}/preview", weekly(yoga, party_size=2)).json()["data"]["clashes"]
            == 0
        )
        assert client.post(SERIES, weekly(yoga, party_size=3)).json()["code"] == "series_clashes"
        assert reserved(client.post(SERIES, weekly(yoga))) == [(1, [])] * 2

    def test_has_the_smallest_table_that_fits(self, client, bistro):
        assert (
            reserved(client.post(SERIES, weekly(bistro, party_size=3))) == [(3, [bistro.six])] * 2
        )
        other = factories.make_staff(bistro.business, services=[bistro.service])
        body = weekly(bistro, staff_id=other.pk)
        assert (
            client.post(f"{SERIES}/preview", body | {"party_size": 3}).json()["data"]["clashes"]
            == 2
        )
        assert reserved(client.post(SERIES, body | {"party_size": 2})) == [(2, [bistro.two])] * 2

    def test_stays_as_large_when_it_moves(self, client, bistro):
        series = client.post(SERIES, weekly(bistro, party_size=2)).json()["data"]
        second = series["appointments"][1]["id"]
        client.patch(f"{APPOINTMENTS}/{second}", {"party_size": 6})
        moved = client.patch(
            f"{SERIES}/{series['id']}", {"appointment_date": DAY, "appointment_time": "11:00"}
        )
        assert reserved(moved) == [(2, [bistro.two]), (6, [bistro.six])]


class TestVisit:
    def test_takes_the_seats_of_a_class(self, client, yoga):
        assert reserved(client.post(VISITS, visit(yoga, party_size=4))) == [(4, [])] * 2
        query = {"service_ids": f"{yoga.service.pk},{yoga.service.pk}", "date": DAY}
        for party, is_offered in ((1, True), (2, False)):
            slots = client.get(f"{VISITS}/slots", query | {"party_size": party})
            assert ("10:00" in times(slots)) == is_offered
            booked = client.post(VISITS, visit(yoga, party_size=party))
            assert booked.status_code == (201 if is_offered else 409)
        assert booked.json()["meta"]["alternatives"][0]["time"] == "11:00"

    def test_has_the_smallest_table_that_fits(self, client, bistro):
        query = {"service_ids": str(bistro.service.pk), "date": DAY}
        for party, table in ((3, bistro.six), (1, bistro.two)):
            assert "10:00" in times(client.get(f"{VISITS}/slots", query | {"party_size": party}))
            body = visit(bistro, party_size=party)
            assert reserved(client.post(VISITS, body)) == [(party, [table])] * 2
            factories.make_staff(bistro.business, services=[bistro.service])
        assert "10:00" not in times(client.get(f"{VISITS}/slots", query))

    def test_stays_as_large_when_it_moves(self, client, bistro):
        booked = client.post(VISITS, visit(bistro, party_size=2)).json()["data"]
        second = booked["appointments"][1]["id"]
        client.patch(f"{APPOINTMENTS}/{second}", {"party_size": 6})
        moved = client.patch(
            f"{VISITS}/{booked['id']}", {"appointment_date": DAY, "appointment_time": "11:00"}
        )
        assert reserved(moved) == [(2, [bistro.two]), (6, [bistro.six])]


class TestDailyCap:
    """A class counts once, however many come: for who joins it the cap is no limit."""

    @pytest.fixture
    def capped(self, client, yoga):
        """Two have booked the class at 10:00 on both days of the series. One class a day is allowed."""
        for _ in range(2):
            assert client.post(SERIES, weekly(yoga)).status_code == 201
        return yoga

    @pytest.mark.parametrize("of_service", (True, False))
    def test_admits_who_joins_a_class(self, client, capped, of_service):
        if of_service:
            Service.objects.update(daily_cap=1)
        else:
            Business.objects.update(daily_cap_per_staff=1)
        assert client.post(SERIES, weekly(capped)).status_code == 201
        alone = capped.booking(day=DAY) | {"services": [{"service_id": capped.service.pk}]}
        del alone["service_id"]
        query = {"service_ids": str(capped.service.pk), "date": DAY}
        assert times(client.get(f"{VISITS}/slots", query)) == ["10:00"]
        assert client.post(VISITS, alone).status_code == 201
        # A second service would begin another class.
        assert client.post(VISITS, visit(capped)).status_code == 409
        later = weekly(capped) | {"appointment_time": "11:00"}
        assert client.post(SERIES, later).json()["code"] == "series_clashes"

    def test_counts_the_rest_of_a_class_that_one_leaves(self, client, capped):
        booked = client.post(SERIES, weekly(capped)).json()["data"]
        Service.objects.update(daily_cap=1)
        moved = client.patch(
            f"{SERIES}/{booked['id']}", {"appointment_date": DAY, "appointment_time": "11:00"}
        )
        assert moved.json()["code"] == "series_clashes"

    def test_is_not_used_up_by_the_people_of_one_class(self, client, capped):
        Business.objects.update(daily_cap_per_staff=2)
        later = weekly(capped) | {"appointment_time": "11:00"}
        assert client.post(SERIES, later).status_code == 201


class TestPartyTooLarge:
    def test_for_a_class(self, client, yoga):
        self.check(client, yoga, 6, "Cleaning takes at most 5 at one start, not 6.")

    def test_for_any_table(self, client, bistro):
        self.check(
            client, bistro, 7, "Cleaning needs a resource of the kind table for 7; there is none."
        )

    def check(self, client, clinic, party, message):
        query = {"service_ids": str(clinic.service.pk), "date": DAY, "party_size": party}
        for response in (
            client.post(SERIES, weekly(clinic, party_size=party)),
            client.post(f"{SERIES}/preview", weekly(clinic, party_size=party)),
            client.post(VISITS, visit(clinic, party_size=party)),
            client.get(f"{VISITS}/slots", query),
        ):
            assert error_of(response) == (422, "party_too_large", ["party_size"])
            assert response.json()["message"] == message
        assert not Appointment.objects.exists()

    def test_for_where_a_group_moves_to(self, client, yoga):
        series = client.post(SERIES, weekly(yoga, party_size=4)).json()["data"]
        booked = client.post(VISITS, visit(yoga) | {"appointment_time": "15:00", "party_size": 4})
        Service.objects.filter(pk=yoga.service.pk).update(capacity=3)
        for url in (f"{SERIES}/{series['id']}", f"{VISITS}/{booked.json()['data']['id']}"):
            response = client.patch(url, {"appointment_date": DAY, "appointment_time": "11:00"})
            assert error_of(response) == (422, "party_too_large", ["party_size"])

    @pytest.mark.parametrize("value", (0, -1, 501, "six", 1.5, True))
    def test_is_no_number_of_people(self, client, clinic, value):
        for url, body in ((SERIES, weekly(clinic)), (VISITS, visit(clinic))):
            response = client.post(url, body | {"party_size": value})
            assert error_of(response)[2] == ["party_size"], value
