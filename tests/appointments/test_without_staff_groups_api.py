"""Series, visits and the waiting list of services that need no staff."""

from __future__ import annotations

import pytest

from appointments.models import ResourceBooking
from appointments.waitlist.operations import offer_free_times
from services.models import Service
from tests import factories
from tests.appointments.conftest import NOW
from tests.appointments.without_staff import NOON, OPEN, URL, code_of, refused_staff


class TestGroups:
    def test_a_series_has_no_staff(self, client, bistro, tables):
        body = bistro.booking("12:00", frequency="weekly", count=3)
        preview = client.post(f"{URL}/series/preview", body).json()["data"]
        assert (preview["staff_id"], preview["staff_name"], preview["clashes"]) == (None, None, 0)
        assert refused_staff(client.post(f"{URL}/series", body | {"staff_id": bistro.staff.pk}))
        made = client.post(f"{URL}/series", body).json()["data"]
        assert {one["staff_id"] for one in made["appointments"]} == {None}
        series = f"{URL}/series/{made['id']}"
        assert refused_staff(client.patch(series, {"staff_id": bistro.staff.pk}))
        moved = client.patch(series, {"start_time": "2026-03-02T07:30:00Z"}).json()["data"]
        assert {one["appointment_time"] for one in moved["appointments"]} == {"13:00"}
        assert ResourceBooking.objects.filter(resource=tables["two"]).count() == 3

    def test_a_series_names_clashes(self, client, bistro, book):
        factories.make_resource(bistro.business, hours=OPEN)
        book(day="2026-03-09")
        body = bistro.booking("12:00", frequency="weekly", count=2)
        refused = client.post(f"{URL}/series", body).json()
        [clash] = refused["meta"]["clashes"]
        assert (refused["code"], clash["clash"]["reason"]) == ("series_clashes", "fully_booked")
        assert clash["clash"]["alternatives"][0]["staff"] == []

    def test_a_visit_mixes_services_with_and_without_staff(self, client, bistro, tables):
        table, cleaning = bistro.service.pk, bistro.dentistry.pk
        query = {"service_ids": f"{table},{cleaning},{table}", "date": "2026-03-02"}
        slots = client.get("/api/v1/visits/slots", query).json()["data"]
        assert slots[0]["time"] == "12:00"
        assert [len(part["staff"]) for part in slots[0]["services"]] == [0, 1, 0]
        narrowed = client.get("/api/v1/visits/slots", query | {"staff_id": bistro.staff.pk})
        assert len(narrowed.json()["data"]) == len(slots)
        body = {
            "customer_id": bistro.customer.pk,
            "start_time": NOON,
            "services": [{"service_id": one} for one in (table, cleaning, table)],
        }
        made = client.post("/api/v1/visits", body).json()["data"]
        assert [one["staff_id"] for one in made["appointments"]] == [None, bistro.staff.pk, None]
        move = {"start_time": "2026-03-02T07:00:00Z", "staff_id": bistro.staff.pk}
        moved = client.patch(f"/api/v1/visits/{made['id']}", move).json()["data"]
        assert [one["appointment_time"] for one in moved["appointments"]] == [
            "12:30",
            "13:00",
            "13:30",
        ]

    def test_a_visit_refuses_staff_where_nothing_needs_any(self, client, bistro, tables):
        body = {"customer_id": bistro.customer.pk, "start_time": NOON}
        with_staff = {"service_id": bistro.service.pk, "staff_id": bistro.staff.pk}
        assert refused_staff(client.post("/api/v1/visits", body | {"services": [with_staff]}))
        query = {"service_ids": str(bistro.service.pk), "staff_id": bistro.staff.pk}
        assert refused_staff(client.get("/api/v1/visits/slots", query))
        body |= {"services": [{"service_id": bistro.service.pk}]}
        made = client.post("/api/v1/visits", body).json()["data"]
        move = {"staff_id": bistro.staff.pk}
        assert refused_staff(client.patch(f"/api/v1/visits/{made['id']}", move))

    @pytest.mark.parametrize("count", (1, 2))
    def test_a_visit_at_one_table_needs_no_time_between(self, client, bistro, count):
        Service.objects.filter(pk=bistro.service.pk).update(
            buffer_before_minutes=5, buffer_after_minutes=10
        )
        for _ in range(count):
            factories.make_resource(bistro.business, hours=OPEN)
        part = {"service_id": bistro.service.pk}
        body = {"customer_id": bistro.customer.pk, "start_time": NOON, "services": [part, part]}
        assert client.post("/api/v1/visits", body).status_code == 201

    def test_a_moved_series_whose_service_has_come_to_need_staff_asks_for_someone(
        self, client, bistro, tables
    ):
        body = bistro.booking("12:00", frequency="weekly", count=2)
        made = client.post(f"{URL}/series", body).json()["data"]
        Service.objects.filter(pk=bistro.service.pk).update(needs_staff=True)
        bistro.staff.services.add(bistro.service)
        series, later = f"{URL}/series/{made['id']}", {"start_time": "2026-03-02T07:30:00Z"}
        refused = client.patch(series, later)
        assert (code_of(refused), list(refused.json()["errors"])) == (
            "staff_not_qualified", ["staff_id"],
        )  # fmt: skip
        moved = client.patch(series, later | {"staff_id": bistro.staff.pk}).json()["data"]
        assert {one["staff_id"] for one in moved["appointments"]} == {bistro.staff.pk}


class TestWaitlist:
    def test_is_offered_a_table(self, client, bistro, book):
        factories.make_resource(bistro.business, hours=[OPEN[0] | {"end": "12:30"}])
        booked = book().json()["data"]["id"]
        waiting = {
            "customer_id": factories.make_customer(bistro.business).pk,
            "service_id": bistro.service.pk,
            "date_from": "2026-03-02",
        }
        refused = client.post("/api/v1/waitlist", waiting | {"staff_id": bistro.staff.pk})
        assert refused_staff(refused)
        entry = client.post("/api/v1/waitlist", waiting).json()["data"]["id"]
        assert offer_free_times(now=NOW) == 0
        client.delete(f"{URL}/{booked}")
        assert offer_free_times(now=NOW) == 1
        shown = client.get(f"/api/v1/waitlist/{entry}").json()["data"]
        assert (shown["status"], shown["offered_staff_id"]) == ("offered", None)
        assert shown["offered_start_time"] == NOON
        body = bistro.booking() | {
            "customer_id": waiting["customer_id"],
            "hold_id": shown["hold_id"],
        }
        del body["appointment_date"], body["appointment_time"]
        assert client.post(URL, body).json()["data"]["staff_id"] is None
