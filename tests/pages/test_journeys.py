"""What a new member of staff does without help, each in a real browser from the front page on."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from appointments.models import Appointment
from appointments.operations import book_appointment
from kaivox.businesses.models import Business
from staff.models import Closure, StaffMember
from tests import factories
from tests.webhooks.receivers import running_receiver
from webhooks.dispatch import Dispatcher
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def fresh_figures():
    cache.clear()


@pytest.fixture
def staff(visit, db):
    """A superuser at the front page."""
    visitor = visit()
    visitor.log_in(factories.make_user(is_superuser=True))
    visitor.open("/admin/")
    return visitor.page


@pytest.fixture
def owner(visit, business):
    visitor = visit()
    visitor.log_in(factories.make_user(business))
    visitor.open("/admin/")
    return visitor.page


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_HTTPS_ONLY = False
    settings.WEBHOOK_PORTS = []
    with running_receiver() as receiver:
        yield receiver


def go_to(page, name: str) -> None:
    """From the front page to the list of that name."""
    page.locator(".kx-apps th[scope=row]").get_by_role("link", name=name, exact=True).click()


def choose_business(page, business) -> None:
    """In a plain list of choices, or in one that is searched."""
    field = page.locator("select[name=business]")
    if "admin-autocomplete" not in (field.get_attribute("class") or ""):
        field.select_option(label=business.name)
        return
    page.locator(".field-business .select2-selection").click()
    page.locator(".select2-search__field").fill(business.name)
    page.locator(".select2-results__option", has_text=business.name).click()


def save(page) -> None:
    page.locator("input[name=_save]").click()
    page.locator(".messagelist .success, .errornote").first.wait_for()
    assert page.locator(".errornote").count() == 0, page.locator("#content").inner_text()


class TestBusinesses:
    def test_create_one_with_hours_and_holidays(self, staff):
        page = staff
        go_to(page, "Businesses")
        page.get_by_role("link", name="Add business").click()
        for label, value in (
            ("Name", "Corner Café"),
            ("Slug", "corner-cafe"),
            ("Timezone", "Europe/London"),
            ("Country", "GB"),
            ("Currency", "GBP"),
        ):
            page.get_by_label(label, exact=False).first.fill(value)
        save(page)
        business = Business.objects.get(slug="corner-cafe")

        page.goto("/admin/staff/staffmember/add/")
        choose_business(page, business)
        page.locator("#id_name").fill("Nina")
        page.get_by_text("Add another Working hours").click()
        page.locator("#id_working_hours-0-weekday").select_option(label="Monday")
        page.locator("#id_working_hours-0-start_minute").fill("09:00")
        page.locator("#id_working_hours-0-end_minute").fill("17:30")
        save(page)
        hours = StaffMember.objects.get(name="Nina").working_hours.get()
        assert (hours.start_minute, hours.end_minute) == (540, 1050)

        page.goto("/admin/staff/closure/add/")
        choose_business(page, business)
        page.locator("#id_reason").fill("Christmas")
        page.locator("#id_first_date").fill("2026-12-25")
        page.locator("#id_last_date").fill("2026-12-26")
        save(page)
        assert Closure.objects.get().business == business

    def test_change_a_plan(self, staff, business):
        go_to(staff, "Businesses")
        staff.get_by_role("link", name=business.name).click()
        staff.get_by_role("link", name="Change plan").click()
        staff.get_by_label("Plan").select_option("pro")
        staff.locator("form [type=submit]").last.click()
        staff.locator(".messagelist .success").wait_for()
        business.refresh_from_db()
        assert business.plan == "pro"

    def test_suspend_one(self, staff, business, api_key):
        go_to(staff, "Businesses")
        staff.get_by_role("link", name=business.name).click()
        staff.get_by_role("link", name="Suspend").click()
        staff.locator("form [type=submit]").last.click()
        staff.locator(".messagelist .success").wait_for()
        answer = Client().get("/api/v1/services", headers={"X-API-Key": api_key})
        assert answer.json()["code"] == "business_suspended"


class TestKeys:
    def test_issue_one_and_copy_it_once(self, visit, business):
        visitor = visit(permissions=["clipboard-read", "clipboard-write"])
        visitor.log_in(factories.make_user(business))
        page = visitor.open("/admin/")
        go_to(page, "API keys")
        page.get_by_role("link", name="Add API key").click()
        page.locator("#id_name").fill("Front desk")
        page.locator("input[name=_save]").click()
        page.get_by_role("button", name="Copy").click()
        key = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"kv_live_\w{38}", key)
        answer = Client().get("/api/v1/business", headers={"X-API-Key": key})
        assert answer.status_code == 200
        page.go_back()
        page.goto("/admin/businesses/apikey/")
        page.get_by_role("link", name="Front desk").click()
        page.locator("#apikey_form").wait_for()
        assert key not in page.content()


class TestWebhooks:
    def test_subscribe_test_and_read_the_delivery(self, owner, business, receiver):
        page = owner
        go_to(page, "Webhook endpoints")
        page.get_by_role("link", name="Add webhook endpoint").click()
        page.locator("#id_url").fill(receiver.url)
        page.locator("input[name=_save]").click()
        page.get_by_role("button", name="Copy").wait_for()
        endpoint = Endpoint.objects.get()
        assert page.locator("#secret").input_value() == endpoint.secret
        page.goto("/admin/webhooks/endpoint/")
        page.get_by_role("link", name=receiver.url).click()
        page.get_by_role("link", name="Send test event").click()
        page.locator("select").select_option("appointment.booked")
        page.locator("form [type=submit]").last.click()
        page.locator(".messagelist .success").wait_for()
        Dispatcher().run()
        page.get_by_role("link", name="Its deliveries").click()
        page.locator("#result_list tbody th a").first.click()
        page.get_by_text("X-KaiVox-Signature").first.wait_for()
        assert "succeeded" in page.content().lower()

    def test_find_why_yesterdays_failed_and_send_it_again(self, owner, business, receiver):
        yesterday = timezone.now() - timedelta(hours=20)
        factories.make_endpoint(business, url=receiver.url)
        factories.make_event(business, now=yesterday)
        delivery = Delivery.objects.get()
        Delivery.objects.update(
            status="exhausted", last_error="connect_error", created_at=yesterday, attempt_count=4
        )
        cache.clear()
        page = owner
        page.goto("/admin/")
        page.get_by_role("link", name="1 delivery was given up").click()
        page.get_by_text("connect_error").first.wait_for()
        page.locator("#result_list tbody th a").first.click()
        page.get_by_role("link", name="Send again").click()
        page.locator("form [type=submit]").last.click()
        page.locator(".messagelist .success").wait_for()
        Dispatcher().run()
        delivery.refresh_from_db()
        assert (delivery.status, delivery.last_http_status) == ("succeeded", 200)


class TestAppointments:
    def test_move_one_refused_with_the_reason_when_it_clashes(self, owner, business):
        service = factories.make_service(business)
        person = factories.make_staff(business, services=[service])
        day = (timezone.now() + timedelta(days=4)).astimezone(business.zone)
        first, _ = (
            book_appointment(
                business=business,
                customer=factories.make_customer(business),
                service=service,
                staff=person,
                start=day.replace(hour=hour, minute=0, second=0, microsecond=0),
                now=timezone.now(),
            )
            for hour in (10, 12)
        )
        page = owner
        go_to(page, "Appointments")
        page.locator(f"a[href*='/{first.pk}/change/']").first.click()
        page.get_by_role("link", name="Move", exact=True).click()
        page.locator("[name=time]").fill("12:00")
        page.locator("form [type=submit]").last.click()
        page.locator("#content").get_by_text("taken").first.wait_for()
        page.locator("[name=time]").fill("14:30")
        page.locator("form [type=submit]").last.click()
        page.locator(".messagelist .success").wait_for()
        moved = Appointment.objects.get(pk=first.pk).start_time.astimezone(business.zone)
        assert f"{moved:%H:%M}" == "14:30"


class TestCalls:
    def test_see_a_callers_conversation(self, owner, business):
        customer = factories.make_customer(business, name="Asha Rao")
        factories.make_call(
            business,
            customer=customer,
            transcript=[("agent", "Smile Dental, hello."), ("caller", "A cleaning, please.")],
        )
        page = owner
        go_to(page, "Calls")
        page.locator("#result_list tbody th a").first.click()
        page.get_by_text("A cleaning, please.").wait_for()
        page.get_by_text("Smile Dental, hello.").wait_for()
