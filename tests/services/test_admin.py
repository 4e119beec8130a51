"""Admin of services: the same operations as the API."""

from __future__ import annotations

import pytest
from django.test import Client

from services.models import Service
from tests import factories
from webhooks.models import Event

pytestmark = pytest.mark.once_in_production

PAGE = "/admin/services/service"


@pytest.fixture
def owner(business) -> Client:
    client = Client()
    client.force_login(factories.make_user(business))
    return client


@pytest.fixture
def form(business):
    return {
        "business": business.pk,
        "name": "Cleaning",
        "description": "",
        "duration_minutes": 30,
        "buffer_before_minutes": 0,
        "buffer_after_minutes": 0,
        "price": "10.00",
        "capacity": 1,
        "resource_kinds": "",
        "needs_staff": "on",
        "is_active": "on",
    }


def events():
    return list(Event.objects.order_by("pk").values_list("type", flat=True))


def test_adding_and_changing_record_one_event_each(owner, form):
    assert owner.post(f"{PAGE}/add/", form).status_code == 302
    service = Service.objects.get()
    assert events() == ["service.updated"]
    change = f"{PAGE}/{service.pk}/change/"
    assert owner.post(change, form).status_code == 302  # changes nothing
    assert events() == ["service.updated"]
    assert owner.post(change, form | {"price": "12.00"}).status_code == 302
    assert events() == ["service.updated"] * 2
    rules = {"price": "12.00", "horizon_days": "30", "cancellation_window_minutes": "60"}
    assert owner.post(change, form | rules).status_code == 302
    service.refresh_from_db()
    assert (service.horizon_days, service.cancellation_window_minutes) == (30, 60)
    assert service.minimum_notice_minutes is service.daily_cap is None
    assert (service.name, str(service.price)) == ("Cleaning", "12.00")


def test_kinds_of_resources_are_lines(owner, form):
    kinds = {"resource_kinds": "chair\r\n\r\n x_ray \r\n"}
    assert owner.post(f"{PAGE}/add/", form | kinds).status_code == 302
    service = Service.objects.get()
    assert service.resource_kinds == ["chair", "x_ray"]
    page = owner.get(f"{PAGE}/{service.pk}/change/").content.decode()
    assert "chair\nx_ray</textarea>" in page


@pytest.mark.parametrize(
    ("field", "value"),
    (
        ("duration_minutes", "0"),
        ("capacity", "0"),
        ("resource_kinds", "Big table"),
        ("price", "-1"),
        ("name", "\u200b"),
        ("daily_cap", "0"),
        ("minimum_notice_minutes", 365 * 1440),  # no less than the horizon of the business
    ),
)
def test_a_bad_value_is_an_error_of_the_form(owner, form, field, value):
    response = owner.post(f"{PAGE}/add/", form | {field: value})
    assert response.status_code == 200
    assert not Service.objects.exists()
    assert events() == []
