"""The promise to BI tools and EMRs: `updated_since` with a cursor keeps a copy in step, whatever
happens meanwhile. A copy that only listens must end as the server is: nothing missed, nothing twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from appointments.models import Appointment
from appointments.operations import change_appointment
from kaivox.businesses.names import renamed
from kaivox.businesses.write_lock import write_transaction
from ratelimits.throttling import EnterpriseThrottle
from tests import factories

APPOINTMENTS = "/api/v1/appointments"
EPOCH = "2000-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def roomy(monkeypatch):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)


class Copy:
    """What a BI tool does: one loop, from the youngest change it knows."""

    def __init__(self, client):
        self.client = client
        self.rows = {}
        self.since = EPOCH

    def catch_up(self):
        """One walk to the end of the list; returns what it brought."""
        query = {"updated_since": self.since, "ordering": "updated_at", "per_page": 7, "cursor": ""}
        brought = []
        while query["cursor"] is not None:
            body = self.client.get(APPOINTMENTS, query).json()
            brought += body["data"]
            query["cursor"] = body["meta"]["next_cursor"]
        for row in brought:
            self.rows[row["id"]] = row
            self.since = max(self.since, row["updated_at"])
        return brought


@contextmanager
def writers(business, seconds):
    """Another process that writes meanwhile."""
    name = str(connection.settings_dict["NAME"])
    environment = dict(os.environ)
    if settings.DATABASE_URL:
        url = urlsplit(settings.DATABASE_URL)
        environment["DATABASE_URL"] = urlunsplit(url._replace(path=f"/{name}"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sync_writers", name, str(business.pk), str(seconds)],
        cwd=settings.BASE_DIR, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said


class TestSync:
    @pytest.mark.django_db(transaction=True)
    def test_ends_as_the_server_is(self, client, business):
        service = factories.make_service(business)
        for _ in range(3):
            factories.make_staff(business, services=[service], hours=["00:00-24:00"])
            factories.make_customer(business)
        copy = Copy(client)
        with writers(business, seconds=2.5) as process:
            walks = 0
            while process.poll() is None:
                brought = copy.catch_up()
                versions = [json.dumps(row) for row in brought]
                assert len(set(versions)) == len(versions), "told twice in one walk"
                walks += 1
        copy.catch_up()
        on_server = {}
        for page in range(1, 100):
            rows = client.get(APPOINTMENTS, {"per_page": 100, "page": page}).json()["data"]
            on_server |= {row["id"]: row for row in rows}
            if not rows:
                break
        assert len(on_server) > 5
        assert walks > 1
        assert copy.rows == on_server

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
    def test_waits_for_a_change_that_commits_late(self, client, business):
        service = factories.make_service(business)
        late, early = (factories.make_appointment(service=service) for _ in range(2))
        copy = Copy(client)
        copy.catch_up()
        written, may_commit = Event(), Event()

        def change_late():
            with write_transaction():
                Appointment.objects.filter(pk=late.pk).update(notes="late")
                written.set()
                may_commit.wait(10)
            connection.close()

        thread = Thread(target=change_late)
        thread.start()
        try:
            assert written.wait(10)
            Appointment.objects.filter(pk=early.pk).update(notes="early")
            copy.catch_up()
            assert copy.rows[early.pk]["notes"] == ""  # younger than what is still being written
        finally:
            may_commit.set()
            thread.join(10)
        copy.catch_up()
        assert {row["notes"] for row in copy.rows.values()} == {"late", "early"}

    @pytest.mark.django_db(transaction=True)
    def test_shows_ones_own_change_at_once(self, client, business):
        appointment = factories.make_appointment(business)
        since = timezone.now().isoformat()
        client.patch(f"{APPOINTMENTS}/{appointment.pk}", {"notes": "new"})
        body = client.get(APPOINTMENTS, {"updated_since": since}).json()
        assert [row["notes"] for row in body["data"]] == ["new"]

    @pytest.mark.django_db
    def test_tells_of_cancelled_ones(self, client, business):
        appointment = factories.make_appointment(business)
        client.delete(f"{APPOINTMENTS}/{appointment.pk}")
        body = client.get(APPOINTMENTS, {"updated_since": EPOCH}).json()
        assert [row["status"] for row in body["data"]] == ["cancelled"]


class TestUpdatedAt:
    @pytest.mark.django_db
    def test_moves_with_a_bulk_update(self, business):
        appointment = factories.make_appointment(business)
        Appointment.objects.filter(pk=appointment.pk).update(notes="new")
        before, appointment.updated_at = appointment.updated_at, None
        appointment.refresh_from_db()
        assert appointment.updated_at > before

    @pytest.mark.django_db
    def test_is_taken_inside_the_transaction_not_before(self, business):
        appointment = factories.make_appointment(business)
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        with transaction.atomic():
            begun = timezone.now()
            change_appointment(
                business=business, appointment_id=appointment.pk, changes={"notes": "n"},
                expected=None, now=long_ago,
            )  # fmt: skip
        appointment.refresh_from_db()
        assert appointment.updated_at >= begun - timedelta(seconds=1)

    @pytest.mark.django_db
    def test_moves_when_a_name_that_is_shown_changes(self, client, business):
        appointment = factories.make_appointment(business)
        call = factories.make_call(business, customer=appointment.customer)
        since = timezone.now().isoformat()
        url = f"/api/v1/customers/{appointment.customer_id}"
        client.patch(url, {"notes": "no name of theirs"})
        assert client.get(APPOINTMENTS, {"updated_since": since}).json()["data"] == []
        client.patch(url, {"name": "Renamed"})
        (row,) = client.get(APPOINTMENTS, {"updated_since": since}).json()["data"]
        assert (row["id"], row["customer_name"]) == (appointment.pk, "Renamed")
        (row,) = client.get("/api/v1/calls", {"updated_since": since}).json()["data"]
        assert (row["id"], row["customer_name"]) == (call.pk, "Renamed")

    @pytest.mark.django_db
    @pytest.mark.parametrize("kind", ("staff", "service"))
    def test_moves_when_the_admin_renames(self, client, business, kind):
        appointment = factories.make_appointment(business)
        since = timezone.now().isoformat()
        named = getattr(appointment, kind)
        named.name = "Renamed"
        named.save()
        renamed(named)
        (row,) = client.get(APPOINTMENTS, {"updated_since": since}).json()["data"]
        assert "Renamed" in (row["staff_name"], row["service"])
