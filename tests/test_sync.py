"""Synchronisation by `updated_since` with a cursor, as BI tools and EMRs do it.

A copy that only follows changes must end equal to the server, whatever is written meanwhile: no
change is missed and none is repeated within a walk.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from appointments.models import Appointment
from appointments.operations import update_appointment
from kaivox.businesses import denormalized_names, tasks
from kaivox.businesses.denormalized_names import touch_dependents
from kaivox.businesses.models import PendingTouch
from kaivox.businesses.operations import change_business
from kaivox.db import commit_horizon
from kaivox.db.transactions import write_transaction
from ratelimits.throttling import EnterpriseThrottle
from services.models import Service
from staff.models import StaffMember
from staff.operations import update_staff
from tests import factories

APPOINTMENTS = "/api/v1/appointments"
EPOCH = "2000-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def unlimited_quota(monkeypatch):
    monkeypatch.setattr(EnterpriseThrottle, "per_minute", 10**6)
    monkeypatch.setattr(EnterpriseThrottle, "per_day", 10**6)


class Copy:
    """A client that reads the list from the newest change it has."""

    def __init__(self, client):
        self.client = client
        self.rows = {}
        self.since = EPOCH

    def catch_up(self):
        """Reads to the end of the list; returns the rows read."""
        query = {"updated_since": self.since, "ordering": "updated_at", "per_page": 7, "cursor": ""}
        rows_read = []
        while query["cursor"] is not None:
            body = self.client.get(APPOINTMENTS, query).json()
            rows_read += body["data"]
            query["cursor"] = body["meta"]["next_cursor"]
        for row in rows_read:
            self.rows[row["id"]] = row
            self.since = max(self.since, row["updated_at"])
        return rows_read


@contextmanager
def writers(business, seconds):
    """A process that writes for some seconds."""
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
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr


@pytest.fixture
def ordinary_role(db):
    """Switches this thread's session to a role that may not see the activity of other roles."""
    role = f"kaivox_test_{secrets.token_hex(4)}"

    def become():
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {role}")
            for kind in ("TABLES", "SEQUENCES"):
                cursor.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {role}")
            cursor.execute(f"SET ROLE {role}")

    yield become
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is not None:
            cursor.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


class TestSync:
    @pytest.mark.django_db(transaction=True)
    def test_copy_ends_equal_to_the_server(self, client, business):
        service = factories.make_service(business)
        for _ in range(3):
            factories.make_staff(business, services=[service], hours=["00:00-24:00"])
            factories.make_customer(business)
        copy = Copy(client)
        with writers(business, seconds=2.5) as process:
            walks = 0
            while process.poll() is None:
                rows_read = copy.catch_up()
                versions = [json.dumps(row) for row in rows_read]
                assert len(set(versions)) == len(versions), "repeated within one walk"
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
    @pytest.mark.parametrize("role", ("superuser", "another", "another, just started"))
    def test_waits_for_a_change_that_commits_late(self, client, business, role, ordinary_role):
        service = factories.make_service(business)
        late, early = (factories.make_appointment(service=service) for _ in range(2))
        copy = Copy(client)
        if role != "superuser":
            ordinary_role()
        copy.catch_up()
        written, may_commit = Event(), Event()

        def change_late():
            with write_transaction():
                Appointment.objects.filter(pk=late.pk).update(notes="late")
                written.set()
                may_commit.wait(60)
            connection.close()

        thread = Thread(target=change_late)
        thread.start()
        try:
            assert written.wait(60)
            Appointment.objects.filter(pk=early.pk).update(notes="early")
            if role == "another, just started":
                commit_horizon._notes.clear()
            copy.catch_up()
            assert copy.rows[early.pk]["notes"] == ""  # newer than a change that is still open
        finally:
            may_commit.set()
            thread.join(60)
        copy.catch_up()
        assert {row["notes"] for row in copy.rows.values()} == {"late", "early"}

    @pytest.mark.django_db(transaction=True)
    def test_shows_a_committed_change_at_once(self, client, business):
        appointment = factories.make_appointment(business)
        since = timezone.now().isoformat()
        client.patch(f"{APPOINTMENTS}/{appointment.pk}", {"notes": "new"})
        body = client.get(APPOINTMENTS, {"updated_since": since}).json()
        assert [row["notes"] for row in body["data"]] == ["new"]

    @pytest.mark.django_db
    def test_includes_cancelled_appointments(self, client, business):
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
    def test_is_set_inside_the_transaction(self, business):
        appointment = factories.make_appointment(business)
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        with transaction.atomic():
            begun = timezone.now()
            update_appointment(
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
        client.patch(url, {"notes": "not a name"})
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
        touch_dependents(named)
        (row,) = client.get(APPOINTMENTS, {"updated_since": since}).json()["data"]
        assert "Renamed" in (row["staff_name"], row["service"])

    @pytest.mark.django_db
    @pytest.mark.parametrize("values", ({"timezone": "Europe/Paris"}, {"currency": "EUR"}))
    def test_moves_with_zone_and_currency_of_the_business(
        self, client, business, other_business, values
    ):
        service = factories.make_service(business)
        person = factories.make_staff(business, services=[service])
        factories.make_appointment(service=service, staff=person)
        stranger = factories.make_appointment(other_business)
        for model in (Appointment, StaffMember, Service):
            model.objects.update(updated_at=datetime(2026, 1, 1, tzinfo=UTC))
        stranger.refresh_from_db()
        since = "2026-01-02T00:00:00Z"
        change_business(business_id=business.pk, now=timezone.now(), **values)
        tasks.touch_pending()
        for url in (APPOINTMENTS, "/api/v1/staff", "/api/v1/services"):
            (row,) = client.get(url).json()["data"]
            assert row["updated_at"] >= since, url
        assert stranger.updated_at == Appointment.objects.get(pk=stranger.pk).updated_at

    @pytest.mark.django_db
    def test_of_a_service_moves_with_those_who_offer_it(self, business):
        service, other = factories.make_service(business), factories.make_service(business)
        person = factories.make_staff(business, services=[service, other])
        before = {row.pk: row.updated_at for row in Service.objects.all()}
        for offered in ([other], [other, service]):
            update_staff(
                business=business,
                staff_id=person.pk,
                changes={"services": offered},
                now=timezone.now(),
            )
            assert changed(before) == {service.pk}

    @pytest.mark.django_db
    def test_of_a_service_moves_with_staff_who_become_inactive(self, business):
        person = factories.make_staff(business, services=[factories.make_service(business)])
        before = {row.pk: row.updated_at for row in Service.objects.all()}
        person.is_active = False
        person.save()
        touch_dependents(person)
        assert changed(before) == before.keys()


def changed(before):
    """Ids of services that changed since `before`, ids with their times, was read."""
    return {row.pk for row in Service.objects.all() if row.updated_at != before[row.pk]}


class TestTouchPending:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
    def test_touches_a_row_that_another_transaction_had_locked(self, business):
        """Locked while the name changes, and released unchanged."""
        appointment = factories.make_appointment(business)
        held, may_end = Event(), Event()

        def hold():
            with transaction.atomic():
                Appointment.objects.select_for_update().get(pk=appointment.pk)
                held.set()
                may_end.wait(60)
            connection.close()

        thread = Thread(target=hold)
        thread.start()
        try:
            assert held.wait(60)
            with write_transaction():
                touch_dependents(appointment.customer)
        finally:
            may_end.set()
            thread.join(60)
        assert Appointment.objects.get().updated_at == appointment.updated_at
        tasks.touch_pending()
        assert Appointment.objects.get().updated_at > appointment.updated_at

    @pytest.mark.django_db
    def test_touches_no_row_twice(self, business):
        appointment = factories.make_appointment(business)
        touch_dependents(appointment.customer)
        first = Appointment.objects.get().updated_at
        assert first > appointment.updated_at
        assert denormalized_names.touch_pending() == 0
        assert Appointment.objects.get().updated_at == first

    @pytest.mark.django_db
    def test_works_in_batches_and_continues_where_it_stopped(self, business, monkeypatch):
        monkeypatch.setattr(denormalized_names, "_BATCH_SIZE", 2)
        customer = factories.make_customer(business)
        for _ in range(5):
            factories.make_call(business, customer=customer)
        denormalized_names.touch_later(customer)
        write, batches = (
            denormalized_names.write_transaction,
            iter([False, True, False, False, False]),
        )

        def interrupted():
            if next(batches):
                raise OperationalError("canceling statement due to lock timeout")
            return write()

        monkeypatch.setattr(denormalized_names, "write_transaction", interrupted)
        with pytest.raises(OperationalError):
            denormalized_names.touch_pending()
        assert denormalized_names.touch_pending() == 3
        assert not PendingTouch.objects.exists()

    @pytest.mark.django_db
    def test_skips_what_another_run_has_finished(self, business, monkeypatch):
        """Runs overlap where there are many rows: the next one begins five seconds later."""
        for _ in range(2):
            appointment = factories.make_appointment(business)
            denormalized_names.touch_later(appointment.customer)
        write = denormalized_names.write_transaction

        def after_another_run():
            monkeypatch.setattr(denormalized_names, "write_transaction", write)
            denormalized_names.touch_pending()
            return write()

        monkeypatch.setattr(denormalized_names, "write_transaction", after_another_run)
        denormalized_names.touch_pending()
        assert not PendingTouch.objects.exists()
