"""Calendars of busy times: fetched from a receiver on loopback, stored, and respected by bookings."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from staff import calendar_polling
from staff.busy_calendars import read_soon
from staff.models import BusyCalendar
from tests import factories
from tests.staff.calendars import UNREADABLE, calendar
from tests.webhooks.receivers import Reply, running_receiver

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
# 09:00 to 10:00 in India on the next day.
BUSY = "DTSTART:20261201T033000Z\nDTEND:20261201T043000Z"
SLOTS = "/api/v1/appointments/slots"


@pytest.fixture(autouse=True)
def at():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
    settings.WEBHOOK_PORTS = []
    with running_receiver() as receiver:
        receiver.respond_with(Reply(body=calendar(BUSY), headers={"ETag": '"1"'}))
        yield receiver


@pytest.fixture
def service(business):
    return factories.make_service(business, duration_minutes=60)


@pytest.fixture
def busy(business, service, receiver):
    person = factories.make_staff(business, services=[service], hours=["09:00-12:00"])
    return factories.make_busy_calendar(person, ics_url=receiver.url)


def poll(busy):
    """Reads `busy`, now, as a worker does."""
    read_soon(calendar=busy, now=timezone.now())
    (claimed,) = calendar_polling.claim_due(now=timezone.now())
    found = calendar_polling.fetch_calendar(claimed, now=timezone.now())
    calendar_polling.store_response(calendar=claimed, found=found, now=timezone.now())
    busy.refresh_from_db()
    return busy


def offered(client, service):
    slots = client.get(SLOTS, {"service_id": service.pk, "date": "2026-12-01"}).json()
    return [slot["time"] for slot in slots["data"]]


def status_of(client, busy):
    data = client.get(f"/api/v1/calendars/{busy.pk}").json()["data"]
    return data["status"], data["busy_times"], data["problem"]


class TestPoll:
    def test_blocks_slots_bookings_and_the_choice_of_staff(self, client, busy, service, business):
        assert status_of(client, busy) == ("unread", 0, None)
        assert offered(client, service)[0] == "09:00"
        poll(busy)
        assert status_of(client, busy) == ("current", 1, None)
        assert offered(client, service) == ["10:00", "10:15", "10:30", "10:45", "11:00"]
        body = {
            "customer_id": factories.make_customer(business).pk, "service_id": service.pk,
            "appointment_date": "2026-12-01", "appointment_time": "09:30",
        }  # fmt: skip
        for staff in ({"staff_id": busy.staff_id}, {}):
            refused = client.post("/api/v1/appointments", body | staff).json()
            assert (refused["code"], refused["meta"]["reason"]) == (
                "outside_working_hours",
                "time_off",
            )
        body["appointment_time"] = "10:00"
        assert client.post("/api/v1/appointments", body).status_code == 201

    def test_reads_what_is_due_in_batches(self, busy, business, receiver, monkeypatch):
        monkeypatch.setattr(calendar_polling, "BATCH_SIZE", 2)
        monkeypatch.setattr(calendar_polling, "compute", lambda *_: [])
        others = [factories.make_busy_calendar(busy.staff, ics_url=receiver.url) for _ in range(2)]
        away = factories.make_staff(business, is_active=False)
        factories.make_busy_calendar(away, ics_url=receiver.url)
        factories.make_busy_calendar(busy.staff, next_poll_at=NOW + timedelta(seconds=1))
        assert calendar_polling.poll_due(seconds=20, clock=timezone.now) == 3
        assert calendar_polling.poll_due(seconds=20, clock=timezone.now) == 0
        assert len(receiver.requests) == 3
        again = BusyCalendar.objects.get(pk=others[0].pk).next_poll_at - NOW
        assert timedelta(minutes=13) < again < timedelta(minutes=17)

    def test_asks_for_changes_only_once_the_day_is_known(self, client, busy, receiver, at):
        poll(busy)
        receiver.respond_with(304)
        poll(busy)
        assert receiver.requests[-1].headers["If-None-Match"] == '"1"'
        assert status_of(client, busy) == ("current", 1, None)
        at.shift(timedelta(days=1))
        receiver.respond_with(Reply(body=calendar()))
        poll(busy)
        assert "If-None-Match" not in receiver.requests[-1].headers
        assert status_of(client, busy) == ("current", 0, None)

    def test_reads_again_in_another_time_zone_of_the_same_offset(self, busy, business, receiver):
        body = calendar("DTSTART;VALUE=DATE:20270701\nDTEND;VALUE=DATE:20270702")
        receiver.respond_with(Reply(body=body, headers={"ETag": '"2"'}))
        starts = []
        # The horizon ends in December, when both are at UTC+1; in July only Lagos is.
        for zone in ("Europe/Berlin", "Africa/Lagos"):
            type(business).objects.filter(pk=business.pk).update(timezone=zone, horizon_days=365)
            starts.append(poll(busy).busy_times.get().start_time)
        assert "If-None-Match" not in receiver.requests[-1].headers
        assert starts == [datetime(2027, 6, 30, hour, tzinfo=UTC) for hour in (22, 23)]

    def test_reaches_to_the_longest_horizon(self, busy, service, receiver):
        receiver.respond_with(Reply(body=calendar(BUSY.replace("20261201", "20280601"))))
        assert poll(busy).busy_count == 0
        type(service).objects.filter(pk=service.pk).update(horizon_days=700)
        assert poll(busy).busy_count == 1

    def test_computes_nothing_for_the_same_events(self, busy, monkeypatch):
        poll(busy)
        monkeypatch.setattr(calendar_polling, "compute", pytest.fail)
        rows = list(busy.busy_times.values_list("pk"))
        poll(busy)
        assert list(busy.busy_times.values_list("pk")) == rows

    def test_writes_only_what_changed(self, busy, receiver):
        poll(busy)
        (row,) = busy.busy_times.all()
        receiver.respond_with(Reply(body=calendar(BUSY, BUSY.replace("1201", "1202"))))
        poll(busy)
        assert row in busy.busy_times.all()
        assert busy.busy_times.count() == 2


class TestFailure:
    @pytest.mark.parametrize(
        ("reply", "problem"),
        (
            (Reply(500), "It responded with status 500."),
            (Reply(body=UNREADABLE["a sign-in page"]), "not a calendar"),
            (Reply(body=UNREADABLE["cut off between events"]), "breaks off"),
            (Reply(302, {"Location": "http://169.254.169.254/"}), "not allowed"),
            (Reply(302, {"Location": "ftp://example.com/"}), "not allowed"),
            (Reply(302, {"Location": "/again"}), "status 302"),
        ),
    )  # fmt: skip
    def test_leaves_the_busy_times_and_shows_them_as_stale(
        self, client, busy, service, receiver, at, reply, problem
    ):
        poll(busy)
        receiver.respond_with(*[reply] * 5)
        at.shift(timedelta(minutes=15))
        poll(busy)
        status, count, shown = status_of(client, busy)
        assert (status, count) == ("stale", 1)
        assert problem in shown
        assert offered(client, service)[0] == "10:00"

    def test_is_repeated_ever_more_rarely_until_a_success(self, client, busy, receiver):
        receiver.respond_with(404)
        waits = [poll(busy).next_poll_at - NOW for _ in range(8)]
        assert waits[0] < timedelta(minutes=17)
        assert timedelta(hours=5) < waits[-1] < timedelta(hours=7)
        assert status_of(client, busy) == ("unread", 0, "It responded with status 404.")
        assert busy.failing_since == NOW
        receiver.respond_with(Reply(body=calendar(BUSY)))
        poll(busy)
        assert status_of(client, busy) == ("current", 1, None)
        assert (busy.failing_since, busy.failure_count) == (None, 0)

    def test_of_a_large_file_is_bounded(self, client, busy, receiver, monkeypatch):
        monkeypatch.setattr(calendar_polling, "MAX_BYTES", 1_000)
        receiver.respond_with(Reply(body=calendar(BUSY + "\nDESCRIPTION:" + "x" * 2_000)))
        poll(busy)
        assert status_of(client, busy)[2] == "It is longer than 1,000 bytes."

    def test_of_a_rule_that_takes_too_long_is_bounded(self, client, busy, receiver, monkeypatch):
        monkeypatch.setattr(calendar_polling, "COMPUTE_SECONDS", 0.7)
        rule = "\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
        receiver.respond_with(Reply(body=calendar(BUSY + rule)))
        poll(busy)
        assert "too many instances" in status_of(client, busy)[2]

    def test_follows_a_redirect(self, client, busy, receiver):
        receiver.respond_with(Reply(301, {"Location": "/moved"}), Reply(body=calendar(BUSY)))
        poll(busy)
        assert [request.path for request in receiver.requests] == ["/hook", "/moved"]
        assert status_of(client, busy)[0] == "current"

    def test_never_logs_the_address(self, busy, receiver, caplog):
        caplog.set_level(logging.DEBUG)
        for target in ("/secret-path", "http://[secret-path", "https://secret-path%zz\x80:7a/"):
            receiver.respond_with(Reply(302, {"Location": target}), 500)
            poll(busy)
        hidden = (receiver.url, "/hook", "secret-path")
        assert not any(word in caplog.text for word in hidden)

    def test_of_one_does_not_stop_the_others(self, busy, receiver, monkeypatch):
        plain, other = calendar_polling.store_response, factories.make_busy_calendar(busy.staff)

        def break_for_one(*, calendar, found, now):
            if calendar.pk == busy.pk:
                raise ValueError(receiver.url)
            plain(calendar=calendar, found=found, now=now)

        monkeypatch.setattr(calendar_polling, "store_response", break_for_one)
        assert calendar_polling.poll_due(seconds=20, clock=timezone.now) == 2
        busy.refresh_from_db()
        other.refresh_from_db()
        assert busy.problem == "Its response cannot be stored."
        assert "connection" in other.problem

    @pytest.mark.parametrize("value", ("x" * 101, "\x01", "\xe9"))
    def test_of_a_header_that_cannot_be_sent_back_is_none(self, busy, receiver, value):
        receiver.respond_with(Reply(body=calendar(BUSY), headers={"ETag": value}))
        assert poll(busy).etag == ""
        assert busy.problem == ""


class TestRaces:
    def test_what_was_removed_meanwhile_stays_removed(self, busy):
        (claimed,) = calendar_polling.claim_due(now=NOW)
        BusyCalendar.objects.all().delete()
        found = calendar_polling.fetch_calendar(claimed, now=NOW)
        calendar_polling.store_response(calendar=claimed, found=found, now=NOW)
        assert not BusyCalendar.objects.exists()

    def test_a_late_worker_overwrites_nothing(self, busy, receiver):
        (late,) = calendar_polling.claim_due(now=NOW)
        poll(busy)
        receiver.respond_with(500)
        found = calendar_polling.fetch_calendar(late, now=NOW)
        calendar_polling.store_response(calendar=late, found=found, now=NOW)
        busy.refresh_from_db()
        assert busy.problem == ""
