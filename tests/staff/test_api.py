"""GET, POST and PATCH of /staff."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from kaivox.api.fields import format_instant
from services.models import Service
from staff.models import Break, DateOverride, TimeOff
from tests import factories
from tests.factories import minutes_of
from webhooks.models import Event

URL = "/api/v1/staff"


@pytest.fixture
def person(business):
    return factories.make_staff(
        business,
        name="Dr. Meera Nair",
        specialty="Dentist",
        email="meera@example.com",
        hours={0: ["09:00-13:00", "13:00-17:00"], 5: ["20:00-24:00"]},
    )


class TestRetrieve:
    def test_shows_services_hours_and_time_off(self, client, business, person):
        cleaning = factories.make_service(business, name="Cleaning")
        person.services.set([cleaning, factories.make_service(business, is_active=False)])
        owned = {"business": business, "staff": person}
        Break.objects.create(weekday=0, **minutes_of("12:30-13:30"), **owned)
        for day, reason in ((1, "Long ago"), (9, "Holiday"), (20, "Course")):
            TimeOff.objects.create(
                start_time=datetime(2026, 3, day, tzinfo=UTC),
                end_time=datetime(2026, 3, day + 1, tzinfo=UTC),
                reason=reason,
                **owned,
            )
        for day, clocks in (
            (8, {}),
            (9, {}),
            (10, minutes_of("10:00-11:00")),
            (10, minutes_of("11:00-12:00")),
        ):
            DateOverride.objects.create(date=date(2026, 3, day), **clocks, **owned)
        with time_machine.travel("2026-03-09T18:00:00Z"):
            data = client.get(f"{URL}/{person.pk}").json()["data"]
        del data["created_at"], data["updated_at"]
        assert data == {
            "id": person.pk,
            "name": "Dr. Meera Nair",
            "specialty": "Dentist",
            "email": "meera@example.com",
            "is_active": True,
            "timezone": "Asia/Kolkata",
            "services": [{"id": cleaning.pk, "name": "Cleaning"}],
            "working_hours": [
                {"weekday": 0, "start": "09:00", "end": "12:30"},
                {"weekday": 0, "start": "13:30", "end": "17:00"},
                {"weekday": 5, "start": "20:00", "end": "24:00"},
            ],
            "date_overrides": [
                {"date": "2026-03-09", "hours": []},
                {"date": "2026-03-10", "hours": [{"start": "10:00", "end": "12:00"}]},
            ],
            "time_off": [
                {
                    "start_time": "2026-03-09T00:00:00Z",
                    "end_time": "2026-03-10T00:00:00Z",
                    "reason": "Holiday",
                },
                {
                    "start_time": "2026-03-20T00:00:00Z",
                    "end_time": "2026-03-21T00:00:00Z",
                    "reason": "Course",
                },
            ],
        }

    @pytest.mark.parametrize("pk", ("0", "x", "99999999999999999999"))
    def test_of_none_is_404(self, client, person, pk):
        assert client.get(f"{URL}/{pk}").status_code == 404

    def test_of_another_business_is_404(self, stranger, person):
        assert stranger.get(f"{URL}/{person.pk}").status_code == 404

    def test_cannot_be_deleted(self, client, person):
        assert client.delete(f"{URL}/{person.pk}").status_code == 405


class TestList:
    def names(self, client, **query):
        response = client.get(URL, query)
        assert response.status_code == 200, response.json()
        return [one["name"] for one in response.json()["data"]]

    def test_has_the_active_ones_by_name(self, client, business, person):
        factories.make_staff(business, name="Anil")
        factories.make_staff(business, name="Gone", is_active=False)
        assert self.names(client) == ["Anil", "Dr. Meera Nair"]
        assert self.names(client, is_active="false") == ["Gone"]
        assert self.names(client, is_active="all") == ["Anil", "Dr. Meera Nair", "Gone"]

    def test_is_filtered(self, client, business, person):
        service = factories.make_service(business)
        factories.make_staff(business, name="Anil", services=[service])
        assert self.names(client, service_id=service.pk) == ["Anil"]
        assert self.names(client, search="dentist") == ["Dr. Meera Nair"]

    def test_has_each_once_who_offers_several_services(self, client, business):
        several = [factories.make_service(business) for _ in range(3)]
        factories.make_staff(business, name="Anil", services=several)
        response = client.get(URL, {"service_id": several[0].pk})
        assert [one["name"] for one in response.json()["data"]] == ["Anil"]
        assert response.json()["meta"]["total"] == 1

    @pytest.mark.parametrize(
        "text", ("elodie", "ÉLODIE", "o\u0308zgu\u0308r", "chirurgie  dentaire")
    )
    def test_is_searched_without_case_and_accents(self, client, business, text):
        factories.make_staff(business, name="Élodie Özgür", specialty="Chirurgie\u00a0dentaire")
        assert self.names(client, search=text) == ["Élodie Özgür"]

    def test_is_not_searched_for_invisible_characters(self, client, person):
        assert self.names(client, search="\u200b") == []

    @pytest.mark.parametrize("query", ({"is_active": "1"}, {"service_id": 999_999}, {"role": "x"}))
    def test_rejects_unknown_filters(self, client, person, query):
        response = client.get(URL, query)
        assert (response.status_code, list(response.json()["errors"])) == (422, list(query))

    def test_has_nothing_of_others(self, stranger, person):
        assert stranger.get(URL).json()["data"] == []

    @pytest.mark.parametrize("size", (1, 20, 60))
    def test_needs_the_same_queries_whatever_its_size(
        self, client, business, size, django_assert_max_num_queries
    ):
        service = factories.make_service(business)
        for _ in range(size):
            factories.make_staff(business, services=[service])
        client.get(URL)
        with django_assert_max_num_queries(7):
            client.get(URL)


HOURS = [
    {"weekday": 0, "start": "09:00", "end": "12:00"},
    {"weekday": 0, "start": "13:00", "end": "24:00"},
]


HOURS_OF_DAY = {"start": "09:00", "end": "12:00"}


def time_off(days=10, reason="Holiday", **values):
    """Whole days, that many from now."""
    start = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)
    whole = {"start_time": start, "end_time": start + timedelta(days=1), "reason": reason}
    return {
        name: value if isinstance(value, str) else format_instant(value)
        for name, value in (whole | values).items()
    }


def events():
    return [(event.type, json.loads(event.body)["data"]) for event in Event.objects.order_by("pk")]


class TestCreate:
    def test_adds_the_person_and_records_one_event(self, client, business):
        service = factories.make_service(business, name="Cleaning")
        new = {"name": "Anil", "email": "anil@example.com"}
        lists = {"working_hours": HOURS, "time_off": [time_off()]}
        response = client.post(URL, new | lists | {"service_ids": [service.pk]})
        data = response.json()["data"]
        assert response.status_code == 201
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert data | new | lists == data
        assert data["services"] == [{"id": service.pk, "name": "Cleaning"}]
        assert data == client.get(f"{URL}/{data['id']}").json()["data"]
        assert events() == [("staff.updated", data)]

    def test_needs_a_name_alone(self, client):
        assert list(client.post(URL, {}).json()["errors"]) == ["name"]
        data = client.post(URL, {"name": "Anil", "email": None}).json()["data"]
        assert (data["email"], data["is_active"]) == ("", True)
        assert data["services"] == data["working_hours"] == data["time_off"] == []

    def test_can_be_booked_at_once(self, client, business):
        service = factories.make_service(business)
        every_day = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in range(7)]
        body = {"name": "Anil", "service_ids": [service.pk], "working_hours": every_day}
        client.post(URL, body)
        found = client.get(f"/api/v1/appointments/slots?service_id={service.pk}&limit=1").json()
        assert found["data"] or found["meta"]["next_available"]


class TestUpdate:
    def test_changes_what_is_sent(self, client, person):
        before = client.get(f"{URL}/{person.pk}").json()["data"]
        changes = {"specialty": "Surgeon", "email": None, "is_active": False}
        data = client.patch(f"{URL}/{person.pk}", changes).json()["data"]
        expected = changes | {"email": "", "updated_at": data["updated_at"]}
        assert data == before | expected
        assert events() == [("staff.updated", data)]

    def test_without_a_difference_changes_nothing(self, client, business, person):
        owned = {"business": business, "staff": person}
        Break.objects.create(weekday=0, **minutes_of("12:30-13:30"), **owned)
        TimeOff.objects.create(
            start_time=timezone.now(), end_time=timezone.now() + timedelta(days=2), **owned
        )
        whole = client.get(f"{URL}/{person.pk}").json()["data"]
        response = client.patch(f"{URL}/{person.pk}", whole | {"service_ids": []})
        assert (response.status_code, response.json()["data"]) == (200, whole)
        assert events() == []
        assert person.breaks.count() == person.time_off.count() == 1

    def test_replaces_hours_and_breaks(self, client, business, person):
        Break.objects.create(
            weekday=0, business=business, staff=person, **minutes_of("12:30-13:30")
        )
        data = client.patch(f"{URL}/{person.pk}", {"working_hours": HOURS}).json()["data"]
        assert data["working_hours"] == HOURS
        assert not person.breaks.exists()
        data = client.patch(f"{URL}/{person.pk}", {"working_hours": None}).json()["data"]
        assert data["working_hours"] == []

    def test_replaces_time_off_that_is_not_over(self, client, business, person):
        owned = {"business": business, "staff": person}
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        TimeOff.objects.create(
            start_time=long_ago, end_time=long_ago + timedelta(days=1), reason="Ago", **owned
        )
        client.patch(f"{URL}/{person.pk}", {"time_off": [time_off(10), time_off(20)]})
        unchanged = TimeOff.objects.order_by("start_time")[1]
        wanted = [time_off(10), time_off(30, reason="")]
        data = client.patch(f"{URL}/{person.pk}", {"time_off": wanted}).json()["data"]
        assert data["time_off"] == wanted
        rows = TimeOff.objects.order_by("start_time")
        assert [row.reason for row in rows] == ["Ago", "Holiday", ""]
        assert rows[1].pk == unchanged.pk

    def test_replaces_hours_of_single_dates_to_come(self, client, business, person):
        owned = {"business": business, "staff": person}
        DateOverride.objects.create(date=date(2020, 1, 1), **owned)
        half = minutes_of("09:00-12:00"), minutes_of("12:00-15:00")
        for clocks in half:
            DateOverride.objects.create(date=date(2030, 12, 24), **clocks, **owned)
        path = f"{URL}/{person.pk}"
        shown = client.get(path).json()["data"]["date_overrides"]
        assert shown == [{"date": "2030-12-24", "hours": [{"start": "09:00", "end": "15:00"}]}]
        client.patch(path, {"date_overrides": shown})
        assert (events(), person.date_overrides.count()) == ([], 3)
        wanted = [*shown, {"date": "2030-12-25", "hours": []}]
        data = client.patch(path, {"date_overrides": wanted}).json()["data"]
        assert data["date_overrides"] == wanted
        assert events() == [("staff.updated", data)]
        assert client.patch(path, {"date_overrides": None}).json()["data"]["date_overrides"] == []
        assert person.date_overrides.get().date == date(2020, 1, 1)

    def test_with_other_hours_on_a_date_moves_its_slots(self, client, business):
        service = factories.make_service(business, duration_minutes=60)
        person = factories.make_staff(business, services=[service], hours=["09:00-17:00"])
        day = (timezone.now() + timedelta(days=5)).date().isoformat()
        slots = f"/api/v1/appointments/slots?service_id={service.pk}&date={day}"
        for hours, times in (
            ([{"start": "20:00", "end": "21:30"}], ["20:00", "20:15", "20:30"]),
            ([], []),
        ):
            body = {"date_overrides": [{"date": day, "hours": hours}]}
            assert client.patch(f"{URL}/{person.pk}", body).status_code == 200
            assert [slot["time"] for slot in client.get(slots).json()["data"]] == times

    def test_replaces_active_services(self, client, business, person):
        old, new, inactive = (factories.make_service(business) for _ in range(3))
        person.services.set([old, inactive])
        Service.objects.filter(pk=inactive.pk).update(is_active=False)
        data = client.patch(f"{URL}/{person.pk}", {"service_ids": [new.pk, new.pk]}).json()["data"]
        assert data["services"] == [{"id": new.pk, "name": new.name}]
        assert set(person.services.all()) == {new, inactive}

    @pytest.mark.parametrize(
        ("changes", "field"),
        (
            ({"name": None}, "name"),
            ({"email": "nobody"}, "email"),
            ({"services": []}, "services"),
            ({"timezone": "Europe/London"}, "timezone"),
            ({"working_hours": "09:00-17:00"}, "working_hours"),
            ({"working_hours": [{"weekday": 0, "start": "09:00"}]}, "working_hours.0.end"),
            ({"working_hours": [HOURS[0] | {"end": "25:00"}]}, "working_hours.0.end"),
            ({"working_hours": [HOURS[0] | {"end": None}]}, "working_hours.0.end"),
            ({"working_hours": [HOURS[0] | {"weekday": 7}]}, "working_hours.0.weekday"),
            ({"working_hours": [HOURS[0] | {"chair": 1}]}, "working_hours.0.chair"),
            ({"working_hours": [HOURS[0]] * 101}, "working_hours"),
            ({"time_off": [{"start_time": "2026-03-01T00:00:00Z"}]}, "time_off.0.end_time"),
            ({"time_off": [time_off(reason="x" * 201)]}, "time_off.0.reason"),
            ({"date_overrides": [{"date": "2030-02-30", "hours": []}]}, "date_overrides.0.date"),
            ({"date_overrides": [{"date": "2030-01-01"}]}, "date_overrides.0.hours"),
            (
                {"date_overrides": [{"date": "2030-01-01", "hours": [{"start": "9:00"}]}]},
                "date_overrides.0.hours.0.end",
            ),
            ({"service_ids": [2**62]}, "service_ids.0"),
            ({"service_ids": ["1"]}, "service_ids.0"),
        ),
    )
    def test_rejects_bad_values_by_field(self, client, business, changes, field):
        factories.make_service(business)
        person = factories.make_staff(business, services=[factories.make_service(business)])
        response = client.patch(f"{URL}/{person.pk}", changes)
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
        assert events() == []

    @pytest.mark.parametrize(
        "changes",
        (
            {"working_hours": [HOURS[0] | {"start": "13:00"}]},
            {"working_hours": [HOURS[0], HOURS[0] | {"start": "11:59", "end": "15:00"}]},
            *(
                {"date_overrides": [{"date": day, "hours": hours} for day in days]}
                for days, hours in (
                    (["2030-01-01"], [HOURS_OF_DAY, HOURS_OF_DAY]),
                    (["2030-01-01"], [HOURS_OF_DAY | {"end": "08:00"}]),
                    (["2030-01-01", "2030-01-01"], []),
                    (["2026-01-01"], []),
                )
            ),
            {"time_off": [time_off(end_time="2026-01-01T00:00:00Z")]},
            {
                "time_off": [
                    time_off(start_time="2026-01-01T00:00:00Z", end_time="2026-01-02T00:00:00Z")
                ]
            },
        ),
    )
    def test_rejects_impossible_hours_whole(self, client, person, changes):
        response = client.patch(f"{URL}/{person.pk}", {"name": "Changed"} | changes)
        assert (response.status_code, response.json()["code"]) == (422, "impossible_hours")
        assert list(response.json()["errors"]) == list(changes)
        person.refresh_from_db()
        assert person.name == "Dr. Meera Nair"
        assert events() == []

    def test_answers_if_match(self, client, person):
        path = f"{URL}/{person.pk}"
        headers = {"If-Match": client.get(path)["ETag"]}
        assert client.patch(path, {"specialty": "A"}, headers=headers).status_code == 200
        assert client.patch(path, {"specialty": "B"}, headers=headers).status_code == 412

    def test_of_another_business_is_404(self, stranger, person):
        assert stranger.patch(f"{URL}/{person.pk}", {"name": "Mine"}).status_code == 404

    def test_takes_no_service_of_another_business(self, client, other_business, person):
        foreign = factories.make_service(other_business)
        response = client.patch(f"{URL}/{person.pk}", {"service_ids": [foreign.pk]})
        assert list(response.json()["errors"]) == ["service_ids.0"]
        assert not person.services.exists()

    def test_moves_what_shows_its_name(self, client, business, person):
        service = factories.make_service(business)
        person.services.set([service])
        client.patch(f"{URL}/{person.pk}", {"is_active": False})
        assert Service.objects.get(pk=service.pk).updated_at > service.updated_at


class TestScopes:
    def test_reading_is_not_writing(self, business, client_of, person):
        client = client_of(factories.make_key(business, scopes=["staff:read"]))
        for response in (
            client.post(URL, {"name": "Anil"}),
            client.patch(f"{URL}/{person.pk}", {"name": "Anil"}),
        ):
            assert response.status_code == 403
            assert response.json()["meta"]["required_scope"] == "staff:write"

    def test_writing_is_not_reading(self, business, client_of, person):
        client = client_of(factories.make_key(business, scopes=["staff:write"]))
        assert client.get(f"{URL}/{person.pk}").status_code == 403
        shown = client.patch(f"{URL}/{person.pk}", {"name": "Anil"}).json()["data"]
        assert shown == {"id": person.pk, "name": "Anil"}
