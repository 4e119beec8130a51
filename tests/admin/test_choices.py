"""Choices in forms of the admin: pickers of the business form, rows of one business, event types."""

from __future__ import annotations

import pytest
from django.forms import ValidationError
from django.test import Client

from kaivox.admin.business_forms import BusinessForm
from kaivox.admin.choices import countries, currencies, timezones
from tests.factories import make_customer, make_service, make_staff, make_user
from webhooks.admin_forms import EventTypesField

pytestmark = pytest.mark.once_in_production


class TestBusinessForm:
    @pytest.mark.parametrize(
        ("name", "value"), (("timezone", "Asia/Kolkata"), ("country", "GB"), ("currency", "INR"))
    )
    def test_offers_standard_values(self, name, value):
        choices = dict(BusinessForm().fields[name].widget.choices)
        assert value in choices
        assert "UK" not in choices

    @pytest.mark.parametrize("choices", (timezones, countries, currencies))
    def test_includes_a_stored_value_that_is_not_in_the_list(self, choices):
        assert ("XX-old", "XX-old") in choices("XX-old")

    def test_suggests_the_slug(self, db):
        client = Client()
        client.force_login(make_user(is_superuser=True))
        page = client.get("/admin/businesses/business/add/").content.decode()
        assert "id_slug" in page.partition("django-admin-prepopulated-fields-constants")[2]


class TestRelatedRows:
    def test_are_of_the_business_of_the_row(self, business, other_business):
        client = Client()
        own, foreign = make_service(business, name="Own"), make_service(other_business, name="Far")
        client.force_login(make_user(is_superuser=True))
        staff = make_staff(business)
        page = client.get(f"/admin/staff/staffmember/{staff.pk}/change/").content.decode()
        assert f'<option value="{own.pk}">{own}<' in page
        assert f">{foreign}<" not in page


class TestImpossibleValues:
    """Of a form that was changed, or a link: errors of the form, no crash."""

    HUGE = "9" * 23

    @pytest.fixture
    def owner(self, business):
        browser = Client()
        browser.force_login(make_user(business))
        return browser

    @pytest.mark.parametrize("value", (HUGE, "x", "-1", "\x00"))
    def test_of_a_searched_choice(self, owner, value):
        path = "/admin/appointments/appointment/add/"
        assert owner.get(path, {"customer": value, "staff": value}).status_code == 200
        response = owner.post(path, {"customer": value, "service": value})
        assert {"customer", "service"} <= response.context["adminform"].form.errors.keys()

    @pytest.mark.parametrize("value", (HUGE, "x", "-1"))
    def test_of_several_choices(self, owner, value):
        response = owner.post("/admin/staff/staffmember/add/", {"services": value})
        errors = response.context["adminform"].form.errors["services"]
        assert errors == [f"“{value}” is not a valid value."]

    def test_of_a_horizon(self, owner, business):
        service = make_service(business)
        path = f"/admin/services/service/{service.pk}/change/"
        response = owner.post(path, {"horizon_days": self.HUGE, "needs_staff": "on"})
        assert (
            "less than or equal to" in response.context["adminform"].form.errors["horizon_days"][0]
        )


class TestBusinessOfANewRow:
    ADD = "/admin/appointments/appointment/add/"

    @pytest.fixture
    def browser(self, db):
        browser = Client()
        browser.force_login(make_user(is_superuser=True))
        return browser

    def test_is_asked_for_first(self, browser, business, other_business):
        page = browser.get(f"{self.ADD}?day=2026-03-02").content.decode()
        assert f'<option value="{business.pk}">{business.name}<' in page
        assert '<input type="hidden" name="day" value="2026-03-02">' in page
        assert 'name="customer"' not in page

    def test_limits_choices_and_what_a_search_finds(self, browser, business, other_business):
        own, foreign = (make_customer(one, name="Asha Rao") for one in (business, other_business))
        page = browser.get(f"{self.ADD}?business={business.pk}").content.decode()
        assert f'<option value="{other_business.pk}"' not in page
        assert f'data-ajax--url="/admin/autocomplete/?business={business.pk}"' in page
        names = {"app_label": "appointments", "model_name": "appointment", "field_name": "customer"}
        for query, found in (
            ({"business": business.pk}, {str(own.pk)}),
            ({}, {str(own.pk), str(foreign.pk)}),
        ):
            rows = browser.get("/admin/autocomplete/", names | query | {"term": "asha"}).json()
            assert {row["id"] for row in rows["results"]} == found

    def test_is_one_of_the_persons_own(self, business, other_business):
        browser = Client()
        browser.force_login(make_user(business, role="staff"))
        for query in ("", f"?business={other_business.pk}"):
            page = browser.get(f"{self.ADD}{query}").content.decode()
            assert other_business.name not in page


class TestEventTypes:
    def test_are_all_or_single_ones(self):
        form_field = EventTypesField()
        assert form_field.clean(["*"]) == ["*"]
        assert form_field.clean(["call.missed"]) == ["call.missed"]
        with pytest.raises(ValidationError, match="not both"):
            form_field.clean(["*", "call.missed"])
