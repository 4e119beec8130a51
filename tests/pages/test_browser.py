"""Every page in a real browser: nothing in its console, nothing from outside, nothing that axe-core
holds against it; on a phone, in the dark, by keyboard."""

from __future__ import annotations

import pytest

from tests import factories

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
# What another width and other colours can spoil.
LOOKS = ("color-contrast", "scrollable-region-focusable", "target-size")


@pytest.fixture
def owner(business):
    return factories.make_user(business, is_superuser=True)


@pytest.fixture
def shop(business):
    """One of everything."""
    service = factories.make_service(business, name="Cleaning")
    staff = factories.make_staff(business, services=[service], name="Dr. Meera Nair")
    customer = factories.make_customer(business, name="Asha Rao")
    factories.make_appointment(business, service=service, staff=staff, customer=customer)
    factories.make_call(business, customer=customer, transcript=[("caller", "A cleaning, please.")])
    factories.make_endpoint(business)
    factories.make_event(business)
    return business


class TestForDevelopers:
    def test_pages_are_clean_and_accessible(self, visit, db):
        light, phone = visit(), visit(**PHONE)
        for path in ("/", "/docs", "/docs/errors", "/docs/recipes/emr", "/status", "/login"):
            light.open(path)
            assert light.violations() == [], path
            page = phone.open(path)
            assert phone.violations(*LOOKS) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    def test_references_come_from_here_alone_and_take_the_dark(self, visit, db):
        visitor = visit(color_scheme="dark")
        visitor.open("/api/redoc").get_by_role("heading", name="Book a time").first.wait_for()
        page = visitor.open("/api/docs")
        page.get_by_text("Book a time").first.wait_for()
        assert page.locator("html.dark-mode").count() == 1

    def test_a_sample_can_be_copied_and_its_language_stays(self, visit, db):
        visitor = visit(permissions=["clipboard-read", "clipboard-write"])
        page = visitor.open("/#endpoints")
        page.get_by_text("Book a time").first.click()
        box = page.locator("details[open]")
        box.get_by_role("tab", name="curl").focus()
        page.keyboard.press("ArrowRight")
        assert box.get_by_role("tab", name="Python").get_attribute("aria-selected") == "true"
        box.locator("section:not([hidden]) .copy").click()
        assert "requests.post(" in page.evaluate("navigator.clipboard.readText()")
        page.reload()
        page.get_by_text("Book a time").first.click()
        assert page.locator("details[open] [aria-selected=true]").inner_text() == "Python"

    def test_the_choice_of_colours_stays_and_holds_in_the_admin(self, visit, db):
        visitor = visit()
        page = visitor.open("/")
        for _ in range(2):
            page.locator("button.theme").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        visitor.open("/admin/login/")
        assert page.locator("html").get_attribute("data-theme") == "dark"

    def test_a_keyboard_skips_to_the_content(self, visit, db):
        page = visit().open("/docs")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


class TestForStaff:
    def test_pages_are_clean_and_accessible(self, visit, owner, shop):
        light, phone = visit(), visit(**PHONE)
        for visitor, rules in ((light, ()), (phone, LOOKS)):
            visitor.log_in(owner)
            for path in ("/admin/", "/admin/calendar/"):
                visitor.open(path)
                assert visitor.violations(*rules) == [], path

    def test_forms_with_scripts_of_their_own_are_clean(self, visit, owner, shop):
        visitor = visit()
        visitor.log_in(owner)
        for path in (
            "appointments/appointment/",
            "appointments/appointment/add/",
            "staff/staffmember/add/",
            "businesses/apikey/add/",
            "calls/call/charts/",
        ):
            visitor.open(f"/admin/{path}")


class TestSettings:
    def test_pages_are_clean_and_accessible(self, visit, owner, shop):
        light, phone = visit(), visit(**PHONE)
        for visitor, rules in ((light, ()), (phone, LOOKS)):
            visitor.log_in(owner)
            for path in ("/settings", "/settings/keys", "/settings/webhooks", "/two-factor"):
                page = visitor.open(path)
                assert visitor.violations(*rules) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            page = visitor.open("/settings/webhooks")
            page.get_by_role("link", name="http://127.0.0.1:9/hook").click()
            assert visitor.violations(*rules) == []
            page.locator("tbody a").first.click()
            assert visitor.violations(*rules) == []


class TestBrowsableApi:
    def test_is_clean_and_accessible(self, visit, owner, shop):
        light, phone = visit(), visit(**PHONE)
        for visitor, rules in ((light, ()), (phone, LOOKS)):
            visitor.log_in(owner)
            for path in (
                "/api/v1/",
                "/api/v1/appointments",
                "/api/v1/customers",
                "/api/v1/webhooks",
            ):
                page = visitor.open(path)
                page.locator("details.endpoint").evaluate_all("all => all.map(x => x.open = true)")
                assert visitor.violations(*rules) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    def test_a_form_adds_a_customer_and_shows_what_is_wrong(self, visit, owner, shop):
        visitor = visit()
        visitor.log_in(owner)
        page = visitor.open("/api/v1/customers")
        page.get_by_text("Add a customer").click()
        form = page.locator("form[data-call=POST]")
        form.get_by_label("name").fill("Ravi Iyer")
        form.get_by_label("phone").fill("12")
        form.get_by_role("button", name="POST").click()
        form.locator("[data-field=phone] .error").wait_for()
        form.get_by_label("phone").fill("+91 98765 43210")
        form.get_by_role("button", name="POST").click()
        form.get_by_text("201").wait_for()
        form.get_by_role("link", name="Look at it").click()
        page.get_by_text('"Ravi Iyer"').wait_for()
        page.get_by_text("Change a customer").click()
        form = page.locator("form[data-call=PATCH]")
        form.get_by_label("notes").fill("Prefers mornings.")
        form.get_by_role("button", name="PATCH").click()
        form.locator(".outcome strong").wait_for()
        assert form.locator(".outcome strong").inner_text() == "200 OK", form.inner_text()
        assert visitor.complaints.pop().startswith("Failed to load resource")  # the 422

    def test_a_person_with_a_key_alone(self, visit, api_key, shop):
        visitor = visit()
        page = visitor.open("/api/v1/customers")
        assert visitor.complaints.pop().startswith("Failed to load resource")  # the 401
        page.get_by_label("API key").fill(api_key)
        page.get_by_role("button", name="Use this key").click()
        page.get_by_text('"Asha Rao"').wait_for()
        assert api_key not in page.content()
        page.get_by_role("button", name="Forget the key").click()
        page.get_by_text("You are not signed in").wait_for()
        assert visitor.complaints.pop().startswith("Failed to load resource")
