"""Services that need no staff: a table is booked without a member of staff."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from appointments.models import Appointment, Hold, ResourceBooking
from appointments.outside_hours import outside_hours
from services.models import Service
from staff.models import Closure
from tests import factories
from tests.appointments.conftest import NOW, event_types, times
from tests.appointments.without_staff import NOON, OPEN, URL, code_of, last_event, refused_staff


@pytest.fixture
def offered(client, bistro):
    def get(**query) -> list[str]:
        return times(client.get(f"{URL}/slots", bistro.slots(**query)))

    return get


class TestSlots:
    def test_are_those_of_the_tables(self, client, bistro, tables, offered):
        assert offered() == ["12:00", "12:15", "12:30", "12:45", "13:00", "13:15", "13:30",
                             "13:45", "14:00", "14:15", "14:30"]  # fmt: skip
        [slot, *_] = client.get(f"{URL}/slots", bistro.slots()).json()["data"]
        assert (slot["staff"], "seats_left" in slot) == ([], False)

    def test_without_hours_of_its_own_a_table_is_always_open(self, bistro, offered):
        factories.make_resource(bistro.business)
        found = offered(date="2026-03-03")
        assert (found[0], found[-1], len(found)) == ("00:00", "23:45", 96)

    def test_count_the_grid_from_the_opening_of_the_tables(self, bistro, offered):
        for start in ("12:10", "12:20"):
            hours = [{"weekday": 0, "start": start, "end": "13:00"}]
            factories.make_resource(bistro.business, hours=hours)
        assert offered() == ["12:10", "12:25"]

    @pytest.mark.parametrize(
        ("closure", "reason"),
        (
            ({"first_date": "2026-03-02", "last_date": "2026-03-02", "reason": "Holi"}, "holiday"),
            (None, "closed"),
        ),
    )
    def test_name_why_a_day_has_none(self, client, bistro, closure, reason):
        day = 0 if closure else 1
        factories.make_resource(bistro.business, hours=[OPEN[day]])
        if closure:
            Closure.objects.create(business=bistro.business, **closure)
        body = client.get(f"{URL}/slots", bistro.slots()).json()
        assert (body["data"], body["meta"]["reasons"]) == ([], {"2026-03-02": reason})

    def test_of_a_closed_table_are_time_off(self, client, bistro, book):
        away = {"start_time": NOON, "end_time": "2026-03-02T12:30:00Z", "reason": "Repair"}
        factories.make_resource(bistro.business, hours=OPEN, closures=[away])
        body = client.get(f"{URL}/slots", bistro.slots()).json()
        assert body["meta"]["reasons"] == {"2026-03-02": "time_off"}
        assert body["meta"]["next_available"]["time"] == "12:00"
        refused = book().json()
        assert (refused["code"], len(refused["meta"]["alternatives"])) == (
            "outside_working_hours", 3,
        )  # fmt: skip

    def test_of_a_party_larger_than_any_table_is_an_error(self, client, bistro, tables, book):
        for response in (
            client.get(f"{URL}/slots", bistro.slots(party_size=7)),
            book(party_size=7),
        ):
            assert code_of(response) == "party_too_large"

    def test_need_the_same_queries_whatever_the_numbers(self, client, bistro, tables):
        query = bistro.slots() | {"date_from": "2026-03-02", "date_to": "2026-03-31"}
        del query["date"]
        client.get(f"{URL}/slots", query)
        counted = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                client.get(f"{URL}/slots", query)
            counted.append(len(queries))
            for _ in range(5):
                factories.make_resource(bistro.business)
                factories.make_staff(bistro.business)
        assert counted[0] == counted[1] <= 7


class TestBooking:
    def test_has_no_staff_and_the_smallest_table(self, client, bistro, tables, book):
        for party, table in ((2, "two"), (1, "four"), (3, "six")):
            data = book(party_size=party).json()["data"]
            assert (data["staff_id"], data["staff_name"]) == (None, None)
            assert data["resource_ids"] == [tables[table]]
        assert code_of(book()) == "slot_unavailable"
        assert last_event("appointment.booked")["staff_id"] is None
        assert ResourceBooking.objects.filter(staff=None).count() == 3
        listed = client.get(URL).json()["data"]
        assert [one["staff_name"] for one in listed] == [None] * 3
        assert client.get(URL, {"staff_id": bistro.staff.pk}).json()["data"] == []

    def test_skips_a_free_table_that_is_not_open_then(self, bistro, book):
        factories.make_resource(bistro.business, capacity=2, hours=[OPEN[1]])
        large = factories.make_resource(bistro.business, capacity=4, hours=OPEN)
        assert book().json()["data"]["resource_ids"] == [large.pk]

    def test_is_not_limited_by_the_staff(self, bistro, tables, book, offered):
        bistro.business.daily_cap_per_staff = 1
        bistro.business.save()
        assert {book().status_code for _ in range(3)} == {201}

    def test_counts_each_for_the_daily_cap_of_the_service(self, bistro, tables, book, offered):
        Service.objects.filter(pk=bistro.service.pk).update(daily_cap=2)
        assert [book().status_code, book().status_code] == [201, 201]
        assert offered() == []
        assert code_of(book("13:00")) == "slot_unavailable"

    def test_outside_the_hours_of_the_tables_is_an_error(self, tables, book):
        assert code_of(book("11:59")) == "outside_working_hours"
        assert code_of(book("14:31")) == "outside_working_hours"

    @pytest.mark.parametrize("path", ("", "/holds"))
    def test_refuses_staff(self, client, bistro, tables, path):
        body = bistro.booking("12:00", staff_id=bistro.staff.pk)
        if path:
            del body["customer_id"]
        assert refused_staff(client.post(URL + path, body))
        query = bistro.slots(staff_id=bistro.staff.pk)
        assert refused_staff(client.get(f"{URL}/slots", query))
        assert not Appointment.objects.exists()

    def test_is_in_no_list_of_staff_outside_hours(self, bistro, tables, book):
        assert book().status_code == 201
        assert outside_hours(bistro.business, now=NOW) == {}


class TestHolds:
    def test_reserve_a_table_until_they_end(self, client, bistro, book, frozen):
        factories.make_resource(bistro.business, hours=OPEN)
        body = {"service_id": bistro.service.pk, "start_time": NOON}
        hold = client.post(f"{URL}/holds", body).json()["data"]
        assert (hold["staff_id"], hold["staff_name"]) == (None, None)
        assert code_of(book()) == "slot_unavailable"
        assert book(hold_id=hold["id"]).json()["data"]["staff_id"] is None
        client.post(f"{URL}/holds", body | {"start_time": "2026-03-02T07:30:00Z"})
        assert code_of(book("13:00")) == "slot_unavailable"
        frozen.shift(timedelta(minutes=6))
        assert book("13:00").status_code == 201
        frozen.shift(timedelta(days=2))
        client.post(f"{URL}/holds", body | {"start_time": "2026-03-05T06:30:00Z"})
        assert Hold.objects.count() == 1  # the ended one was deleted


class TestClasses:
    """Of a service without staff: seats in a studio."""

    @pytest.fixture
    def studios(self, bistro) -> None:
        Service.objects.filter(pk=bistro.service.pk).update(capacity=2, resource_kinds=["studio"])
        bistro.service.refresh_from_db()
        for _ in range(2):
            factories.make_resource(bistro.business, "studio", capacity=2, hours=OPEN)

    def test_fill_one_session_at_each_start(self, client, bistro, studios, book, offered):
        first, second = book().json()["data"], book().json()["data"]
        assert first["resource_ids"] == second["resource_ids"]
        assert code_of(book()) == "slot_unavailable"
        assert "12:00" not in offered()
        # Another one begins later, in the other studio.
        other = book("12:15").json()["data"]
        assert other["resource_ids"] != first["resource_ids"]
        slots = client.get(f"{URL}/slots", bistro.slots()).json()["data"]
        assert [(one["time"], one["seats_left"]) for one in slots[:2]] == [
            ("12:15", 1),
            ("12:30", 2),
        ]

    def test_count_once_for_the_daily_cap(self, bistro, studios, book, offered):
        Service.objects.filter(pk=bistro.service.pk).update(daily_cap=1)
        assert book().status_code == 201
        assert offered() == ["12:00"]
        assert book().status_code == 201

    def test_are_protected_by_the_constraint(self, bistro, studios, book):
        """Shared rows without staff are of one class only with the same service and start."""
        book()
        row = ResourceBooking.objects.get()
        other = factories.make_appointment(service=bistro.service)

        def again(**values) -> None:
            twin = ResourceBooking.objects.get(pk=row.pk)
            twin.pk, twin.appointment = None, other
            for name, value in values.items():
                setattr(twin, name, value)
            with transaction.atomic():
                twin.save(force_insert=True)

        again()
        for change in (
            {"staff": bistro.staff},
            {"is_shared": False},
            {"service": bistro.dentistry},
            {"start_time": row.start_time + timedelta(minutes=1)},
        ):
            with pytest.raises(IntegrityError):
                again(**change)


class TestChanges:
    @pytest.fixture
    def booked(self, tables, book) -> str:
        return f"{URL}/{book(party_size=2).json()['data']['id']}"

    def test_choose_a_table_again(self, client, tables, booked):
        moved = client.patch(booked, {"party_size": 5, "start_time": "2026-03-02T07:00:00Z"})
        assert moved.json()["data"]["resource_ids"] == [tables["six"]]
        assert moved.json()["data"]["staff_id"] is None
        assert last_event("appointment.rescheduled")["previous_staff_id"] is None

    def test_refuse_staff(self, client, bistro, booked):
        assert refused_staff(client.patch(booked, {"staff_id": bistro.staff.pk}))

    def test_accept_what_was_read(self, client, booked):
        shown = client.get(booked).json()["data"]
        assert client.patch(booked, shown).status_code == 200
        later = {"start_time": "2026-03-02T07:00:00Z"}
        for name in ("appointment_date", "appointment_time"):
            del shown[name]
        assert client.patch(booked, shown | later).status_code == 200

    def test_offer_alternatives(self, client, tables, booked):
        refused = client.patch(booked, {"start_time": "2026-03-02T09:30:00Z"}).json()
        assert refused["code"] == "outside_working_hours"
        assert [one["staff"] for one in refused["meta"]["alternatives"]] == [[], [], []]

    def test_to_a_service_with_staff_choose_someone_and_back_again(self, client, bistro, booked):
        move = {"service_id": bistro.dentistry.pk, "party_size": 1}
        data = client.patch(booked, move).json()["data"]
        assert (data["staff_id"], data["resource_ids"]) == (bistro.staff.pk, [])
        data = client.patch(booked, {"service_id": bistro.service.pk}).json()["data"]
        assert data["staff_id"] is None
        assert ResourceBooking.objects.filter(status="scheduled").count() == 1


class TestSwitch:
    """A service that comes to need staff, or none any more, while it has appointments."""

    def test_leaves_appointments_until_they_move(self, client, bistro, tables, book):
        booked = f"{URL}/{book().json()['data']['id']}"
        service = f"/api/v1/services/{bistro.service.pk}"
        bistro.staff.services.add(bistro.service)
        assert client.patch(service, {"needs_staff": True}).status_code == 200
        assert client.get(booked).json()["data"]["staff_id"] is None
        same = client.patch(booked, {"start_time": NOON})
        assert same.json()["data"]["staff_id"] is None
        assert event_types().count("appointment.rescheduled") == 0
        moved = client.patch(booked, {"start_time": "2026-03-02T07:00:00Z"}).json()["data"]
        assert moved["staff_id"] == bistro.staff.pk
        assert client.patch(service, {"needs_staff": False}).status_code == 200
        assert client.get(booked).json()["data"]["staff_id"] == bistro.staff.pk
        moved = client.patch(booked, {"start_time": NOON}).json()["data"]
        assert moved["staff_id"] is None

    def test_keeps_who_offered_it_for_when_it_needs_staff_again(self, client, bistro):
        service = f"/api/v1/services/{bistro.dentistry.pk}"
        person = f"/api/v1/staff/{bistro.staff.pk}"
        changed = client.patch(service, {"needs_staff": False, "resource_kinds": ["chair"]})
        assert changed.json()["data"]["staff_ids"] == []
        assert client.get(person).json()["data"]["services"] == []
        for query in (
            client.get("/api/v1/services", {"staff_id": bistro.staff.pk}),
            client.get("/api/v1/staff", {"service_id": bistro.dentistry.pk}),
        ):
            assert query.json()["data"] == []
        refused = client.patch(person, {"service_ids": [bistro.dentistry.pk]})
        assert refused.json()["errors"] == {"service_ids.0": ["Cleaning needs no staff."]}
        assert client.patch(person, {"service_ids": []}).status_code == 200
        changed = client.patch(service, {"needs_staff": True})
        assert changed.json()["data"]["staff_ids"] == [bistro.staff.pk]


class TestService:
    URL = "/api/v1/services"

    def test_needs_staff_or_a_kind_of_resource(self, client, bistro):
        body = {"name": "Lane", "duration_minutes": 60, "needs_staff": False}
        made = client.post(self.URL, body | {"resource_kinds": ["lane"]})
        assert made.json()["data"]["needs_staff"] is False
        lane = f"{self.URL}/{made.json()['data']['id']}"
        for response in (
            client.post(self.URL, body),
            client.patch(lane, {"resource_kinds": []}),
            client.patch(lane, {"resource_kinds": None}),
            client.patch(f"{self.URL}/{bistro.dentistry.pk}", {"needs_staff": False}),
        ):
            assert response.status_code == 422
            assert list(response.json()["errors"]) == ["resource_kinds"]
        assert client.patch(lane, {"needs_staff": True, "resource_kinds": []}).status_code == 200

    def test_obeys_that_in_the_database_too(self, bistro):
        with pytest.raises(IntegrityError), transaction.atomic():
            Service.objects.filter(pk=bistro.dentistry.pk).update(needs_staff=False)
