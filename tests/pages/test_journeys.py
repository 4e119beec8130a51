"""Tasks of a new member of staff in a real browser, from the index page of the admin, by role and label only."""

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
from tests.pages.conftest import follow
from tests.webhooks.receivers import running_receiver
from webhooks.dispatcher import Dispatcher
from webhooks.models import Delivery, Endpoint

pytestmark = [pytest.mark.browser, pytest.mark.once]


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
    follow(
        page.get_by_role("main").get_by_role("rowheader", name=name, exact=True).get_by_role("link")
    )


def save(page) -> None:
    follow(page.get_by_role("button", name="Save", exact=True))
    said(page, "was added successfully")


def said(page, text: str) -> None:
    """A message of success has `text`."""
    page.get_by_role("listitem").get_by_text(text).wait_for()


def search(page, name: str, choice: str) -> None:
    """Chooses in a field whose choices are searched."""
    page.get_by_role("combobox", name=name).click()
    page.get_by_role("searchbox").last.fill(choice)
    page.get_by_role("option", name=choice).click()


def first_row(page):
    """The link of the first row of a list."""
    return page.get_by_role("main").get_by_role("rowheader").get_by_role("link").first


class TestBusinesses:
    def test_create_one_with_hours_and_holidays(self, staff):
        page = staff
        go_to(page, "Businesses")
        follow(page.get_by_role("link", name="Add business"))
        page.get_by_label("Name:").fill("Corner Café")
        page.get_by_label("Name:").press("Tab")  # suggests the slug
        for name, value in (("Time", "Europe/London"), ("Country", "GB"), ("Currency", "GBP")):
            page.get_by_label(re.compile(f"^{name}")).select_option(value)
        save(page)
        business = Business.objects.get(slug="corner-cafe")

        page.goto("/admin/staff/staffmember/add/")
        page.get_by_label("Name:").fill("Nina")
        page.get_by_role("button", name="Add another Window").click()
        hours = page.get_by_role("group", name="Working hours")
        hours.get_by_label("Weekday").first.select_option(label="Monday")
        hours.get_by_label("From").first.fill("09:00")
        hours.get_by_label(re.compile("^To", re.IGNORECASE)).first.fill("17:30")
        save(page)
        hours = StaffMember.objects.get(name="Nina").working_hours.get()
        assert (hours.start_minute, hours.end_minute) == (540, 1050)

        page.goto("/admin/staff/closure/add/")
        page.get_by_label("Reason").fill("Christmas")
        page.get_by_label("First day").fill("2026-12-25")
        page.get_by_label("Last day").fill("2026-12-26")
        save(page)
        assert Closure.objects.get().business == business

    def test_change_a_plan(self, staff, business):
        go_to(staff, "Businesses")
        follow(staff.get_by_role("link", name=business.name))
        follow(staff.get_by_role("link", name="Change plan"))
        staff.get_by_label("Plan").select_option("pro")
        follow(staff.get_by_role("button", name="Change plan"))
        business.refresh_from_db()
        assert business.plan == "pro"

    def test_suspend_one(self, staff, business, api_key):
        go_to(staff, "Businesses")
        follow(staff.get_by_role("link", name=business.name))
        follow(staff.get_by_role("link", name="Suspend"))
        follow(staff.get_by_role("button", name="Suspend"))
        response = Client().get("/api/v1/services", headers={"X-API-Key": api_key})
        assert response.json()["code"] == "business_suspended"


class TestKeys:
    def test_issue_one_and_copy_it_once(self, visit, business):
        visitor = visit(permissions=["clipboard-read", "clipboard-write"])
        visitor.log_in(factories.make_user(business))
        page = visitor.open("/admin/")
        go_to(page, "API keys")
        follow(page.get_by_role("link", name="Add API key"))
        page.get_by_label("Name:").fill("Front desk")
        follow(page.get_by_role("button", name="Save", exact=True))
        page.get_by_role("button", name="Copy").click()
        key = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"kv_live_\w{38}", key)
        response = Client().get("/api/v1/business", headers={"X-API-Key": key})
        assert response.status_code == 200
        page.go_back()
        page.goto("/admin/businesses/apikey/")
        follow(page.get_by_role("link", name="Front desk"))
        page.get_by_role("heading", name="Front desk").wait_for()
        assert key not in page.content()


class TestWebhooks:
    def test_subscribe_test_and_read_the_delivery(self, owner, business, receiver):
        page = owner
        go_to(page, "Webhook endpoints")
        follow(page.get_by_role("link", name="Add webhook endpoint"))
        page.get_by_label("URL").fill(receiver.url)
        follow(page.get_by_role("button", name="Save", exact=True))
        page.get_by_role("button", name="Copy").wait_for()
        endpoint = Endpoint.objects.get()
        assert page.get_by_role("textbox").input_value() == endpoint.secret
        page.goto("/admin/webhooks/endpoint/")
        follow(page.get_by_role("link", name=receiver.url))
        follow(page.get_by_role("link", name="Send test event"))
        page.get_by_label("Event type").select_option("appointment.booked")
        follow(page.get_by_role("button", name="Send test event"))
        Dispatcher().run()
        follow(page.get_by_role("link", name="Its deliveries"))
        follow(first_row(page))
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
        follow(page.get_by_role("link", name="1 delivery failed"))
        page.get_by_text("connect_error").first.wait_for()
        follow(first_row(page))
        follow(page.get_by_role("link", name="Send again"))
        follow(page.get_by_role("button", name="Send again"))
        Dispatcher().run()
        delivery.refresh_from_db()
        assert (delivery.status, delivery.last_http_status) == ("succeeded", 200)


class TestAppointments:
    def test_move_one_with_the_reason_when_it_overlaps(self, owner, business):
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
        follow(page.get_by_role("row", name=re.compile(", 10:00")).get_by_role("link").first)
        follow(page.get_by_role("link", name="Move", exact=True))
        page.get_by_label("Time:").fill("12:00")
        follow(page.get_by_role("button", name="Move"))
        page.get_by_text("is not free").first.wait_for()
        page.get_by_role("group", name="Free times").get_by_role("button", name="14:30").click()
        follow(page.get_by_role("button", name="Move"))
        said(page, "Moved to")
        moved = Appointment.objects.get(pk=first.pk).start_time.astimezone(business.zone)
        assert f"{moved:%H:%M}" == "14:30"

    def test_book_a_free_time_of_another_day(self, owner, business):
        service = factories.make_service(business, name="Cleaning")
        factories.make_staff(business, services=[service], hours={2: ["09:00-12:00"]})
        factories.make_customer(business, name="Asha Rao")
        page = owner
        go_to(page, "Appointments")
        follow(page.get_by_role("link", name="Add appointment"))
        search(page, "Customer", "Asha Rao")
        search(page, "Service", "Cleaning")
        now = timezone.now().astimezone(business.zone)
        wednesday = now.date() + timedelta(days=(2 - now.weekday()) % 7 + 7)
        page.get_by_label("Day").fill(str(wednesday - timedelta(days=1)))
        offer = page.get_by_role("group", name="Free times")
        offer.get_by_text("Nothing is free on this day.").wait_for()
        offer.get_by_role("button", name="09:00").click()
        save(page)
        booked = Appointment.objects.get().start_time.astimezone(business.zone)
        assert (booked.date(), f"{booked:%H:%M}") == (wednesday, "09:00")

    def test_book_a_gap_of_the_calendar(self, owner, business):
        service = factories.make_service(business, name="Cleaning")
        factories.make_staff(business, services=[service], name="Dr. Nair", hours=["09:00-12:00"])
        factories.make_customer(business, name="Asha Rao")
        page = owner
        follow(page.get_by_role("link", name="Calendar", exact=True))
        follow(page.get_by_role("link", name="Dr. Nair").first)
        follow(page.get_by_role("link", name="Later"))
        follow(page.get_by_role("link", name=re.compile("Book Dr. Nair, Tuesday .*, 10:00")))
        assert page.get_by_label("Time", exact=False).first.input_value() == "10:00"
        search(page, "Customer", "Asha Rao")
        search(page, "Service", "Cleaning")
        save(page)
        booked = Appointment.objects.get()
        local = booked.start_time.astimezone(business.zone)
        assert (booked.staff.name, local.weekday(), f"{local:%H:%M}") == ("Dr. Nair", 1, "10:00")


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
        follow(first_row(page))
        page.get_by_text("A cleaning, please.").wait_for()
        page.get_by_text("Smile Dental, hello.").wait_for()
