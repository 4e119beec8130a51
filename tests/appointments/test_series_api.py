"""Series: booked all or not at all, previewed, moved and cancelled from one appointment on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.groups.models import AppointmentSeries
from appointments.models import Appointment
from kaivox.businesses.models import Business
from staff.models import Closure
from tests import factories
from tests.appointments.conftest import event_types
from webhooks.models import Event

URL = "/api/v1/appointments/series"
PREVIEW = f"{URL}/preview"

pytestmark = pytest.mark.django_db


@pytest.fixture
def weekly(clinic):
    """The body of four Tuesdays at 10:00, in Kolkata, from 3 March 2026 on."""
    return clinic.booking(
        day="2026-03-03", staff_id=clinic.staff.pk, frequency="weekly", interval=1, count=4
    )


@pytest.fixture
def series(client, weekly):
    response = client.post(URL, weekly)
    assert response.status_code == 201, response.json()
    return response.json()["data"]


def close(business, day: str) -> None:
    Closure.objects.create(business=business, first_date=day, last_date=day, reason="Holiday")


def dates(data) -> list[str]:
    return [f"{one['appointment_date']} {one['appointment_time']}" for one in data["appointments"]]


def clashes(response) -> list[tuple]:
    assert response.status_code == 409, response.json()
    assert response.json()["code"] == "series_clashes"
    return [(one["number"], one["clash"]["reason"]) for one in response.json()["meta"]["clashes"]]


class TestBook:
    def test_books_every_appointment_with_its_event(self, client, clinic, weekly):
        response = client.post(URL, weekly | {"notes": "Prefers mornings."})
        data = response.json()["data"]
        assert response.status_code == 201
        assert dates(data) == [f"2026-03-{day:02} 10:00" for day in (3, 10, 17, 24)]
        assert response["Location"].endswith(f"{URL}/{data['id']}")
        assert client.get(f"{URL}/{data['id']}").json()["data"] == data
        assert {one["series_id"] for one in data["appointments"]} == {data["id"]}
        assert event_types() == ["appointment.booked"] * 4
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_appointments == 4
        listed = client.get(f"/api/v1/appointments?series_id={data['id']}").json()["data"]
        assert [one["id"] for one in listed] == [one["id"] for one in data["appointments"]]
        assert [one["notes"] for one in listed] == ["Prefers mornings."] * 4

    def test_keeps_the_local_time_where_the_clocks_change(self, client, clinic, frozen):
        Business.objects.update(timezone="America/New_York")
        frozen.move_to(datetime(2026, 3, 1, 12, tzinfo=UTC))
        body = clinic.booking(day="2026-03-02", frequency="weekly", count=2)
        booked = client.post(URL, body).json()["data"]["appointments"]
        assert [one["start_time"] for one in booked] == [
            "2026-03-02T15:00:00Z",
            "2026-03-09T14:00:00Z",
        ]

    def test_books_nothing_where_one_cannot_be_booked(self, client, clinic, weekly):
        close(clinic.business, "2026-03-10")
        factories.make_appointment(
            service=clinic.service,
            staff=clinic.staff,
            start_time=datetime(2026, 3, 17, 4, 30, tzinfo=UTC),
        )
        before = Appointment.objects.count()
        response = client.post(URL, weekly)
        assert clashes(response) == [(2, "holiday"), (3, "fully_booked")]
        second = response.json()["meta"]["clashes"][1]["clash"]
        assert [slot["time"] for slot in second["alternatives"]] == ["10:30", "10:45", "11:00"]
        assert Appointment.objects.count() == before
        assert not AppointmentSeries.objects.exists()
        assert event_types() == []

    def test_books_what_the_caller_accepts(self, client, clinic, weekly):
        close(clinic.business, "2026-03-10")
        close(clinic.business, "2026-03-17")
        exceptions = [{"number": 2}, {"number": 3, "start_time": "2026-03-18T10:00:00+05:30"}]
        data = client.post(URL, weekly | {"exceptions": exceptions}).json()["data"]
        assert dates(data) == ["2026-03-03 10:00", "2026-03-18 10:00", "2026-03-24 10:00"]
        assert data["count"] == 4

    def test_counts_appointments_of_the_series_against_each_other(self, client, clinic, weekly):
        same_day = [{"number": 2, "start_time": "2026-03-03T10:15:00+05:30"}]
        body = weekly | {"exceptions": same_day}
        assert clashes(client.post(URL, body)) == [(2, "fully_booked")]
        Business.objects.update(daily_cap_per_staff=1)
        same_day[0]["start_time"] = "2026-03-03T12:00:00+05:30"
        assert clashes(client.post(URL, body)) == [(2, "fully_booked")]

    def test_counts_for_the_daily_cap_of_the_service(self, client, clinic, weekly):
        clinic.service.daily_cap = 1
        clinic.service.save()
        exceptions = [{"number": 2, "start_time": "2026-03-03T12:00:00+05:30"}]
        body = weekly | {"exceptions": exceptions}
        assert clashes(client.post(URL, body)) == [(2, "fully_booked")]
        series = client.post(URL, weekly).json()["data"]
        # On the same days: the moved ones do not count against themselves.
        change = {"appointment_date": "2026-03-03", "appointment_time": "11:00"}
        moved = client.patch(f"{URL}/{series['id']}", change)
        assert dates(moved.json()["data"])[0] == "2026-03-03 11:00"

    def test_gives_the_whole_series_to_who_has_the_fewest_clashes(self, client, clinic, weekly):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        del weekly["staff_id"]
        blocked = clinic.booking(day="2026-03-10", staff_id=clinic.staff.pk)
        client.post("/api/v1/appointments", blocked)
        booked = client.post(URL, weekly).json()["data"]["appointments"]
        assert {one["staff_id"] for one in booked} == {other.pk}

    def test_rejects_an_impossible_rule(self, client, weekly):
        half_a_minute = {"number": 1, "start_time": "2026-03-03T10:00:30Z"}
        for change, field in (
            ({"count": 53}, "count"),
            ({"count": 0}, "count"),
            ({"count": None}, "count"),
            ({"until": "2026-03-31"}, "count"),
            ({"count": None, "until": "2026-03-02"}, "until"),
            ({"count": None, "until": "2027-03-02"}, "until"),
            ({"interval": 0}, "interval"),
            ({"weekdays": []}, "weekdays"),
            ({"weekdays": [0]}, "weekdays"),
            ({"weekdays": [7]}, "weekdays.0"),
            ({"frequency": "daily", "weekdays": [1]}, "weekdays"),
            ({"frequency": "yearly"}, "frequency"),
            ({"exceptions": [{"number": 5}]}, "exceptions"),
            ({"exceptions": [{"number": 2}, {"number": 2}]}, "exceptions"),
            ({"exceptions": [{"number": one} for one in (1, 2, 3, 4)]}, "exceptions"),
            ({"exceptions": [half_a_minute]}, "exceptions.0.start_time"),
            ({"appointment_date": "2026-02-24"}, "start_time"),
            ({"appointment_date": "2199-02-24"}, "start_time"),
        ):
            response = client.post(PREVIEW, weekly | change)
            assert response.status_code == 422, change
            assert list(response.json()["errors"]) == [field]
        assert client.post(URL, weekly | {"count": 53}).status_code == 422

    def test_repeats_its_response_under_an_idempotency_key(self, client, weekly):
        sent = [client.post(URL, weekly, headers={"Idempotency-Key": "a"}) for _ in range(2)]
        assert sent[0].json()["data"] == sent[1].json()["data"]
        assert Appointment.objects.count() == 4

    def test_needs_as_many_queries_for_many_as_for_few(self, client, clinic, weekly):
        factories.make_endpoint(clinic.business)
        for _ in range(3):
            factories.make_staff(clinic.business, services=[clinic.service])
        del weekly["staff_id"]
        queries = []
        for count in (2, 2, 50):  # the first compiles, and caches what is cached
            body = weekly | {"count": count, "interval": 1}
            with CaptureQueriesContext(connection) as captured:
                assert client.post(URL, body).status_code == 201
            queries.append(len(captured))
        # SQLite inserts at most so many values at once.
        assert queries[1] <= queries[2] <= queries[1] + 3 <= 30


class TestPreview:
    def test_names_each_appointment_and_books_nothing(self, client, clinic, weekly):
        close(clinic.business, "2026-03-17")
        del weekly["staff_id"]
        data = client.post(PREVIEW, weekly).json()["data"]
        assert (data["staff_id"], data["clashes"], data["count"]) == (clinic.staff.pk, 1, 4)
        shown = [(one["appointment_date"], one["clash"]) for one in data["occurrences"]]
        assert [day for day, clash in shown if clash is None] == [
            f"2026-03-{day:02}" for day in (3, 10, 24)
        ]
        clash = shown[2][1]
        assert clash["reason"] == "holiday"
        assert clash["alternatives"][0]["start_time"] == "2026-03-18T03:30:00Z"
        assert not Appointment.objects.exists()
        assert not Event.objects.exists()

    def test_names_days_and_local_times_that_do_not_exist(self, client, clinic, frozen):
        Business.objects.update(timezone="America/New_York")
        frozen.move_to(datetime(2027, 1, 1, tzinfo=UTC))
        body = clinic.booking("02:30", day="2027-01-31", frequency="monthly", count=3)
        clash = client.post(PREVIEW, body).json()["data"]["occurrences"][1]["clash"]
        assert (clash["reason"], "February 2027" in clash["message"]) == ("no_such_day", True)
        # The clocks are set forward on 14 March 2027, a Sunday.
        body |= {"appointment_date": "2027-03-07", "frequency": "weekly"}
        skipped = client.post(PREVIEW, body).json()["data"]["occurrences"][1]
        assert skipped["clash"]["reason"] == "nonexistent_local_time"
        assert skipped["start_time"] is None
        body |= {"appointment_date": "2027-03-14"}
        response = client.post(PREVIEW, body)
        assert response.json()["code"] == "nonexistent_local_time"

    def test_offers_slots_from_the_last_day_of_a_shorter_month(self, client, clinic, frozen):
        frozen.move_to(datetime(2026, 1, 1, tzinfo=UTC))
        body = clinic.booking("10:00", day="2026-01-30", frequency="monthly", count=3)
        [clash] = client.post(URL, body).json()["meta"]["clashes"]
        offered = clash["clash"]["alternatives"][0]
        assert (offered["date"], offered["time"]) == ("2026-02-28", "10:00")

    def test_offers_the_next_slots_instead_of_a_local_time_that_does_not_exist(
        self, client, clinic, frozen
    ):
        Business.objects.update(timezone="America/New_York")
        clinic.staff.working_hours.update(start_minute=0, end_minute=1440)
        frozen.move_to(datetime(2027, 3, 1, tzinfo=UTC))
        # The last one, so that days after it have to be read.
        body = clinic.booking("02:30", day="2027-03-07", frequency="weekly", count=2)
        clash = client.post(PREVIEW, body).json()["data"]["occurrences"][1]["clash"]
        shown = [(slot["date"], slot["time"]) for slot in clash["alternatives"]]
        assert shown == [("2027-03-14", clock) for clock in ("03:00", "03:15", "03:30")]
        exception = {"number": 2, "start_time": clash["alternatives"][0]["start_time"]}
        series = client.post(URL, body | {"exceptions": [exception]}).json()["data"]
        assert dates(series) == ["2027-03-07 02:30", "2027-03-14 03:00"]
        # As the first one it is an error of the whole series.
        body |= {"appointment_date": "2027-03-14"}
        move = {"appointment_date": "2027-03-14", "appointment_time": "02:15"}
        last = series["appointments"][1]["id"]
        for response, first in (
            (client.post(PREVIEW, body), "03:30"),
            (client.post(URL, body), "03:30"),
            (client.patch(f"{URL}/{series['id']}", move), "03:30"),
            # Its own time is free for it.
            (client.patch(f"{URL}/{series['id']}", move | {"from_appointment_id": last}), "03:00"),
        ):
            assert (response.status_code, response.json()["code"]) == (
                422,
                "nonexistent_local_time",
            )
            assert response.json()["meta"]["alternatives"][0]["time"] == first
        client.delete(f"{URL}/{series['id']}")
        response = client.patch(f"{URL}/{series['id']}", move)  # none of it is ahead
        assert response.json()["code"] == "nonexistent_local_time"
        assert "alternatives" not in response.json()["meta"]

    @pytest.mark.parametrize(
        ("day", "code"), (("2026-03-01", "in_the_past"), ("2028-03-01", "too_far_ahead"))
    )
    def test_offers_slots_instead_of_a_first_one_out_of_range(self, client, weekly, day, code):
        response = client.post(URL, weekly | {"appointment_date": day})
        assert response.json()["code"] == code
        assert response.json()["meta"]["alternatives"][0]["date"] == "2026-03-02"

    def test_shows_free_slots_only_to_those_who_may_read_them(
        self, client, clinic, weekly, client_of
    ):
        close(clinic.business, "2026-03-17")
        writer = client_of(factories.make_key(clinic.business, scopes=["appointments:write"]))
        clash = writer.post(PREVIEW, weekly).json()["data"]["occurrences"][2]["clash"]
        assert clash["alternatives"] == []


class TestMove:
    def move(self, client, series, number, **change):
        anchor = series["appointments"][number]["id"]
        return client.patch(f"{URL}/{series['id']}", {"from_appointment_id": anchor, **change})

    def test_moves_an_appointment_and_the_following(self, client, series):
        change = {"appointment_date": "2026-03-11", "appointment_time": "09:30"}
        data = self.move(client, series, 1, **change).json()["data"]
        assert dates(data) == [
            "2026-03-03 10:00", "2026-03-11 09:30", "2026-03-18 09:30", "2026-03-25 09:30",
        ]  # fmt: skip
        moved = Event.objects.filter(type="appointment.rescheduled")
        assert moved.count() == 3
        assert b'"previous_start_time":"2026-03-10T04:30:00Z"' in bytes(moved.first().body)

    def test_moves_to_the_second_of_two_equal_local_times(self, client, clinic, frozen):
        Business.objects.update(timezone="America/New_York")
        frozen.move_to(datetime(2026, 10, 25, tzinfo=UTC))
        night = factories.make_staff(
            clinic.business, services=[clinic.service], hours=["00:00-24:00"]
        )
        body = clinic.booking(
            "01:15", day="2026-10-31", staff_id=night.pk, frequency="daily", count=2
        )
        series = client.post(URL, body).json()["data"]
        data = self.move(client, series, 0, start_time="2026-11-01T01:30:00-05:00").json()["data"]
        # The clocks are set back on 1 November.
        assert [one["start_time"] for one in data["appointments"]] == [
            "2026-11-01T06:30:00Z",
            "2026-11-02T06:30:00Z",
        ]

    def test_lets_one_move_to_where_another_still_is(self, client, series):
        change = {"appointment_date": "2026-03-10", "appointment_time": "10:00"}
        data = self.move(client, series, 0, **change).json()["data"]
        assert dates(data)[0] == "2026-03-10 10:00"
        change = {"appointment_date": "2026-03-03", "appointment_time": "10:15"}
        data = self.move(client, data, 0, **change).json()["data"]
        assert dates(data)[0] == "2026-03-03 10:15"

    def test_gives_them_to_another_member_of_staff(self, client, clinic, series):
        other = factories.make_staff(clinic.business, services=[clinic.service])
        data = self.move(client, series, 2, staff_id=other.pk).json()["data"]
        assert [one["staff_id"] == other.pk for one in data["appointments"]] == [
            False, False, True, True,
        ]  # fmt: skip

    def test_moves_none_where_one_cannot_be_moved(self, client, clinic, series):
        close(clinic.business, "2026-03-18")
        change = {"appointment_date": "2026-03-11", "appointment_time": "10:00"}
        response = self.move(client, series, 1, **change)
        assert clashes(response) == [(2, "holiday")]
        shown = response.json()["meta"]["clashes"][0]
        assert shown["appointment_id"] == series["appointments"][2]["id"]
        assert client.get(f"{URL}/{series['id']}").json()["data"] == series

    def test_leaves_cancelled_ones_and_changes_nothing_without_a_change(self, client, series):
        client.delete(f"/api/v1/appointments/{series['appointments'][2]['id']}")
        assert client.patch(f"{URL}/{series['id']}", {}).status_code == 200
        events = Event.objects.count()
        change = {"appointment_date": "2026-03-10", "appointment_time": "10:00"}
        assert self.move(client, series, 1, **change).status_code == 200
        assert Event.objects.count() == events
        change["appointment_time"] = "11:00"
        assert dates(self.move(client, series, 1, **change).json()["data"]) == [
            "2026-03-03 10:00", "2026-03-10 11:00", "2026-03-17 10:00", "2026-03-24 11:00",
        ]  # fmt: skip
        response = self.move(client, series, 2, **change)
        assert response.json()["code"] == "invalid_transition"

    def test_needs_an_appointment_of_this_series(self, client, clinic, series):
        other = client.post("/api/v1/appointments", clinic.booking("16:00")).json()["data"]
        response = client.patch(
            f"{URL}/{series['id']}",
            {"from_appointment_id": other["id"], "staff_id": clinic.staff.pk},
        )
        assert list(response.json()["errors"]) == ["from_appointment_id"]

    def test_answers_if_match(self, client, series):
        url = f"{URL}/{series['id']}"
        etag = client.get(url)["ETag"]
        client.patch(f"/api/v1/appointments/{series['appointments'][3]['id']}", {"notes": "Late"})
        change = {"appointment_date": "2026-03-04", "appointment_time": "10:00"}
        for write in (client.patch, client.delete):
            response = write(
                url, change if write == client.patch else None, headers={"If-Match": etag}
            )
            assert response.status_code == 412
        fresh = client.get(url)["ETag"]
        assert client.patch(url, change, headers={"If-Match": fresh}).status_code == 200


class TestCancel:
    def test_cancels_an_appointment_and_the_following(self, client, clinic, series):
        anchor = series["appointments"][2]["id"]
        url = f"{URL}/{series['id']}?from_appointment_id={anchor}"
        data = client.delete(f"{url}&reason=moved").json()["data"]
        assert [one["status"] for one in data["appointments"]] == [
            "scheduled", "scheduled", "cancelled", "cancelled",
        ]  # fmt: skip
        assert [one["cancellation_reason"] for one in data["appointments"]][2:] == ["moved"] * 2
        assert event_types()[4:] == ["appointment.cancelled"] * 2
        assert client.delete(url).status_code == 200
        assert len(event_types()) == 6
        clinic.customer.refresh_from_db()
        assert clinic.customer.total_appointments == 2

    def test_and_moves_end_with_the_windows_of_the_service(self, client, clinic, series, client_of):
        clinic.service.cancellation_window_minutes = 2 * 24 * 60
        clinic.service.reschedule_window_minutes = 2 * 24 * 60
        clinic.service.save()
        url, change = (
            f"{URL}/{series['id']}",
            {"appointment_date": "2026-03-04", "appointment_time": "10:00"},
        )
        for sent in (client.delete(url), client.patch(url, change)):
            assert (sent.status_code, sent.json()["code"]) == (409, "too_late_to_change")
        assert client.get(url).json()["data"] == series
        later = series["appointments"][1]["id"]
        assert client.delete(f"{url}?from_appointment_id={later}").status_code == 200
        scopes = ["appointments:write", "appointments:override"]
        owner = client_of(factories.make_key(clinic.business, scopes=scopes))
        assert owner.patch(url, change).status_code == 200
        assert owner.delete(url).status_code == 200

    def test_cancels_all_that_are_ahead(self, client, series, frozen):
        frozen.shift(timedelta(days=3))
        response = client.delete(f"{URL}/{series['id']}", {"reason": "moved"})
        data = response.json()["data"]
        assert [one["status"] for one in data["appointments"]] == [
            "scheduled", "cancelled", "cancelled", "cancelled",
        ]  # fmt: skip
