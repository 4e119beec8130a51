"""What changes who may see what leaves a row in the audit, and one in the object's History."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP

from appointments.models import Appointment
from calls.models import ProviderAccount
from calls.privacy import erase_customer
from kaivox.admin import audit
from kaivox.admin.history import history_of
from kaivox.api.fields import format_instant
from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import ApiKey, AuditEntry, AuthenticatorDevice
from kaivox.businesses.security_notices import send_security_notices
from staff.calendar_feeds import open_feed
from staff.models import CalendarFeed
from tests import factories
from tests.object_graph import API, make_world, routes
from webhooks.models import Endpoint, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(business):
    return factories.make_user(business, email="owner@example.com")


@pytest.fixture
def browser(owner):
    browser = Client()
    browser.force_login(owner)
    return browser


def entries():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name"))


class TestWebhooks:
    def test_all_changes_through_the_api(self, client, business, settings):
        settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
        settings.WEBHOOK_PORTS = []
        hook = "/api/v1/webhooks"
        body = {"url": "http://127.0.0.1:9/hook"}
        endpoint = client.post(hook, body).json()["data"]["id"]
        client.patch(f"{hook}/{endpoint}", {"description": "x"})
        client.patch(f"{hook}/{endpoint}", {"description": "x"})  # changes nothing
        secret = client.post(f"{hook}/{endpoint}/rotate-secret", {}).json()["data"]["secret"]
        client.delete(f"{hook}/{endpoint}")
        actions = ("added", "changed", "secret_rotated", "deleted")
        assert [action for action, _ in entries()] == [f"webhook.{name}" for name in actions]
        assert all(name.startswith("API key Test (kv_live_") for _, name in entries())
        assert secret not in str(list(AuditEntry.objects.values()))
        assert AuditEntry.objects.filter(changes={"description": ["", "x"]}).exists()

    def test_acts_of_the_admin_are_in_the_history(self, browser, owner, business):
        endpoint = factories.make_endpoint(business)
        page = f"/admin/webhooks/endpoint/{endpoint.pk}"
        browser.post(f"{page}/act/rotate/", {"grace": "0"})
        browser.post(f"{page}/act/pause/", {})
        assert entries() == [
            ("webhook.secret_rotated", owner.username),
            ("webhook.changed", owner.username),
        ]
        history = browser.get(f"{page}/history/").content.decode()
        assert "Rotate secret." in history
        assert "Pause." in history
        assert not Endpoint.objects.get().is_active


class TestCustomers:
    def test_export_and_erasure(self, browser, owner, business):
        customer = factories.make_customer(business, name="Asha Rao")
        page = f"/admin/customers/customer/{customer.pk}/act"
        assert browser.post(f"{page}/export/", {}).status_code == 200
        browser.post(f"{page}/erase/", {"sure": "on"})
        assert entries() == [
            ("customer.exported", owner.username),
            ("customer.erased", owner.username),
        ]
        stored = [*AuditEntry.objects.values(), *LogEntry.objects.values()]
        assert "Asha" not in str(stored)
        assert "Erase" in str(stored)


class TestExports:
    @pytest.mark.parametrize("format", ("csv", "ndjson"))
    def test_of_a_list_names_the_key_and_no_person(self, client, business, format):
        factories.make_customer(business, name="Asha Rao")
        path = f"/api/v1/customers?format={format}"
        assert client.get(f"{path}&search=Asha&segment=lead").getvalue()
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.subject) == ("list.exported", f"customers.{format}")
        assert entry.actor_name.startswith("API key Test (kv_live_")
        assert entry.changes == {"filters": ["search", "segment"]}

    def test_that_is_refused_or_a_head_is_none(self, client):
        client.head("/api/v1/customers?format=csv")
        client.get("/api/v1/customers?format=csv&page=2")
        assert entries() == []

    def test_of_every_list(self, client, business):
        lists = [route for route in routes() if route.method == "GET" and "{id}" not in route.path]
        exported = []
        for route in lists:
            response = client.get(f"{route.url()}?format=ndjson")
            if response.get("Content-Type") == "application/x-ndjson":
                response.getvalue()
                exported.append(f"{route.path.rpartition('/')[2]}.ndjson")
        assert len(exported) > 8
        recorded = AuditEntry.objects.order_by("pk").values_list("subject", flat=True)
        assert list(recorded) == exported

    @pytest.mark.parametrize("format", ("csv", "ndjson"))
    def test_of_the_audit_itself(self, browser, owner, business, other_business, format):
        factories.make_key(business)
        browser.post(f"/settings/keys/{ApiKey.objects.get().pk}/revoke")
        page = f"/admin/businesses/auditentry/export.{format}?q=revoked"
        first = browser.get(page).getvalue().decode()
        assert "audit." not in first
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.subject) == ("list.exported", f"audit.{format}")
        assert (entry.actor, entry.business, entry.changes) == (owner, business, {"filters": ["q"]})

    @pytest.mark.parametrize("format", ("csv", "ndjson"))
    def test_of_the_audit_has_every_entry_once(self, browser, business, format, monkeypatch):
        monkeypatch.setattr(audit, "_CHUNK_SIZE", 2)
        now = timezone.now()
        for number in range(5):
            record_audit(
                business=business, actor=None, action="key.issued", subject=f"Key {number}", now=now
            )
        page = f"/admin/businesses/auditentry/export.{format}"
        lines = browser.get(page).getvalue().decode().splitlines()
        assert re.findall(r"Key (\d)", "".join(lines)) == ["4", "3", "2", "1", "0"]

    def test_of_the_audit_are_two_at_a_time(self, browser, client, business):
        factories.make_customer(business)
        record_audit(
            business=business, actor=None, action="key.issued", subject="x", now=timezone.now()
        )
        page = "/admin/businesses/auditentry/export.csv?q=issued"
        open_ones = [browser.get(page), client.get("/api/v1/customers?format=csv")]
        recorded = AuditEntry.objects.count()
        third = browser.get(page, follow=True)
        assert third.redirect_chain == [("/admin/businesses/auditentry/?q=issued", 302)]
        assert "2 whole lists are being read already" in third.content.decode()
        assert AuditEntry.objects.count() == recorded
        assert [one.getvalue().count(b"\n") for one in open_ones] == [2, 2]
        assert browser.get(page).getvalue()


# Each write of the API, in an order in which all succeed; with the kind of object that it is about and
# its body, in which the name of a kind is the id of that object.
WRITES = (
    ("POST /customers", "customer", {"name": "Ravi", "phone": "+919876543299"}),
    ("PATCH /customers/{id}", "customer", {"notes": "x"}),
    ("POST /services", "service", {"name": "New", "duration_minutes": 30}),
    ("PATCH /services/{id}", "service", {"description": "x"}),
    ("POST /staff", "staff", {"name": "New"}),
    ("PATCH /staff/{id}", "staff", {"specialty": "x"}),
    ("POST /staff/{id}/out", "staff", {"start_time": "start", "end_time": "end", "dry_run": False}),
    ("DELETE /calendars/{id}", "calendar", None),
    (
        "POST /calendars",
        "calendar",
        {"staff_id": "staff", "ics_url": "https://calendars.example/a.ics"},
    ),
    ("POST /resources", "resource", {"name": "Chair 9", "kind": "chair"}),
    ("PATCH /resources/{id}", "resource", {"capacity": 2}),
    ("DELETE /resources/{id}", "resource", None),
    ("POST /closures", "closure", {"reason": "x", "first_date": "2099-01-01"}),
    ("DELETE /closures/{id}", "closure", None),
    ("PATCH /appointments/{id}", "appointment", {"notes": "x"}),
    ("PATCH /appointments/{id}/status", "appointment", {"status": "cancelled"}),
    (
        "POST /appointments",
        "appointment",
        {"customer_id": "customer", "service_id": "service", "start_time": "start"},
    ),
    ("DELETE /appointments/{id}", "appointment", None),
    (
        "POST /appointments/series",
        "series",
        {
            "customer_id": "customer",
            "service_id": "service",
            "start_time": "second",
            "frequency": "weekly",
            "count": 1,
        },
    ),
    ("PATCH /appointments/series/{id}", "series", {"start_time": "third"}),
    ("DELETE /appointments/series/{id}", "series", None),
    (
        "POST /visits",
        "visit",
        {"customer_id": "customer", "services": "services", "start_time": "second"},
    ),
    ("PATCH /visits/{id}", "visit", {"start_time": "third"}),
    ("DELETE /visits/{id}", "visit", None),
    ("DELETE /waitlist/{id}", "waitlist_entry", None),
    (
        "POST /waitlist",
        "waitlist_entry",
        {"customer_id": "customer", "service_id": "service", "date_from": "day"},
    ),
    ("POST /webhooks", "webhook", {"url": "http://127.0.0.1:9/other"}),
    ("PATCH /webhooks/{id}", "webhook", {"description": "x"}),
    ("POST /webhooks/{id}/test", "webhook", {"event_type": "call.missed"}),
    ("POST /webhooks/{id}/rotate-secret", "webhook", {}),
    ("POST /webhooks/{id}/recover", "webhook", {"since": "2026-01-01T00:00:00Z"}),
    ("POST /webhooks/deliveries/{id}/redeliver", "delivery", {}),
    ("DELETE /webhooks/{id}", "webhook", None),
)
# A hold lasts minutes and stores its key; what is booked with it is recorded. A preview writes nothing.
NOT_RECORDED = {
    "POST /appointments/series/preview",
    "POST /appointments/holds",
    "PATCH /appointments/holds/{id}",
    "DELETE /appointments/holds/{id}",
}


class TestEveryWrite:
    def test_is_in_the_history_of_its_object_with_its_key(self, client, business, settings):
        settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
        settings.WEBHOOK_PORTS = []
        world = make_world(business)
        ids = {kind: world.id_of(kind) for kind in world.objects}
        start = (timezone.now() + timedelta(days=5)).replace(minute=0, second=0)
        values = {**ids, "start": format_instant(start), "day": f"{start:%Y-%m-%d}"}
        values["end"] = format_instant(start + timedelta(hours=1))
        values["second"] = format_instant(start + timedelta(days=1))
        values["third"] = format_instant(start + timedelta(days=2))
        values["services"] = [{"service_id": ids["service"]}]
        without = []
        for write, kind, body in WRITES:
            method, _, path = write.partition(" ")
            sent = {name: values.get(value, value) for name, value in (body or {}).items()}
            before = {*self.history(world, kind, ids[kind])}
            response = client.generic(
                method, f"{API}{path.replace('{id}', str(ids[kind]))}", json.dumps(sent)
                if body is not None else "", content_type="application/json",
            )  # fmt: skip
            assert response.status_code < 300, (write, response.content)
            is_new = "{id}" not in path
            if is_new:
                ids[kind] = response.json()["data"]["id"]
            added = {*self.history(world, kind, ids[kind])} - (set() if is_new else before)
            if not any(entry.actor.startswith("API key Test") for entry in added):
                without.append(write)
        assert without == []

    def history(self, world, kind, id):
        if kind in ("series", "visit"):  # each of its appointments has its own
            rows = Appointment.objects.filter(**{kind: id}).select_related("business")
            return [entry for row in rows for entry in history_of(row, business_id=row.business_id)]
        # That of a delivery is its endpoint's, that of a calendar its member of staff's.
        owner = {"delivery": "webhook", "calendar": "staff"}.get(kind)
        row = type(world.objects[kind])(pk=id, business=world.business)
        row = world.objects[owner] if owner else row
        return history_of(row, business_id=world.business.pk)

    def test_is_in_this_table(self):
        writes = {
            str(route).replace(f" {API}/", " /") for route in routes() if route.method != "GET"
        }
        assert writes == {write for write, _, _ in WRITES} | NOT_RECORDED


class TestEvents:
    """A write that records an event names its actor there."""

    def test_by_a_key(self, client, business):
        client.post("/api/v1/customers", {"name": "Asha", "phone": "+919876543210"})
        assert Event.objects.get().actor_name.startswith("API key Test (kv_live_")

    def test_by_a_person_in_the_admin(self, browser, owner, business):
        customer = factories.make_customer(business, name="Asha Rao")
        browser.post(f"/admin/customers/customer/{customer.pk}/act/erase/", {"sure": "on"})
        assert Event.objects.get(type="customer.erased").actor_name == owner.username

    def test_a_write_without_an_event_is_in_the_audit(self, client, business):
        appointment = factories.make_appointment(business)
        path = f"/api/v1/appointments/{appointment.pk}"
        for _ in range(2):  # the second changes nothing
            client.patch(path, {"notes": "Asha is afraid of needles", "metadata": {"a": "b"}})
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.subject_id) == ("appointment.changed", appointment.pk)
        assert entry.actor_name.startswith("API key Test (kv_live_")
        assert entry.changes == {"fields": ["metadata", "notes"]}
        assert "Asha" not in entry.subject

    def test_by_a_task_or_command_names_nobody(self, client, business):
        client.get("/api/v1/customers")
        customer = factories.make_customer(business)
        erase_customer(business=business, customer_id=customer.pk, now=timezone.now())
        assert Event.objects.get().actor_name == ""


class TestProviderAccounts:
    def test_added_changed_and_deleted(self, browser, owner, business):
        form = {"business": business.pk, "provider": "vapi", "secret": "s3cret", "is_active": "on"}
        browser.post("/admin/calls/provideraccount/add/", form)
        account = ProviderAccount.objects.get()
        page = f"/admin/calls/provideraccount/{account.pk}"
        browser.post(f"{page}/change/", {"provider": "vapi", "secret": "s3cret2"})
        browser.post(f"{page}/delete/", {"post": "yes"})
        actions = ("added", "changed", "deleted")
        assert entries() == [(f"provider_account.{name}", owner.username) for name in actions]
        assert "s3cret" not in str(list(AuditEntry.objects.values()))
        assert not ProviderAccount.objects.exists()


class TestCalendarAddresses:
    def test_made_and_deleted_in_the_admin(self, browser, owner, business):
        person = factories.make_staff(business)
        browser.post(
            "/admin/staff/staffmember/",
            {"action": "create_calendar_address", "_selected_action": [person.pk]},
        )
        assert entries() == [("calendar_address.added", owner.username)]
        assert CalendarFeed.objects.count() == 1

    def test_end_with_their_employee(self, business):
        person = factories.make_staff(business)
        address = f"/calendar/{open_feed(staff=person, now=timezone.now())}.ics"
        assert Client().get(address).status_code == 200
        person.is_active = False
        person.save()
        assert Client().get(address).status_code == 404


class TestTwoFactor:
    def code(self, owner):
        device = AuthenticatorDevice.objects.get(user=owner)
        AuthenticatorDevice.objects.update(last_t=-1)  # accepts the same code again
        totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
        totp.time = time.time()
        return f"{totp.token():06d}"

    def test_every_change_is_recorded_and_mailed(self, browser, owner):
        browser.get("/two-factor")
        page = browser.post("/two-factor", {"code": self.code(owner)}).content.decode()
        assert "recovery codes" in page
        browser.post("/two-factor", {"change": "codes", "code": self.code(owner)})
        browser.post("/two-factor", {"change": "remove", "code": self.code(owner)})
        changes = ("added", "codes_renewed", "removed")
        assert entries() == [(f"two_factor.{name}", owner.username) for name in changes]
        assert LogEntry.objects.filter(object_id=str(owner.pk)).count() == 3
        send_security_notices(now=timezone.now())
        assert [message.to for message in mail.outbox] == [["owner@example.com"]] * 3
        assert not re.search(r"[\r\n]", "".join(message.subject for message in mail.outbox))


def test_an_erasure_from_the_command_line_says_so(business):
    customer = factories.make_customer(business)
    erase_customer(business=business, customer_id=customer.pk, now=timezone.now())
    assert entries() == [("customer.erased", "the command line")]
