"""Writes of a browser session without a CSRF token."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.businesses.models import ApiKey
from tests.factories import make_user

pytestmark = pytest.mark.django_db

BODY = {"name": "Asha", "email": "asha@example.com"}


@pytest.fixture
def browser():
    return Client(enforce_csrf_checks=True)


def post_customer(browser):
    return browser.post("/api/v1/customers", BODY, content_type="application/json")


class TestCsrf:
    def test_rejects_a_write_of_a_staff_session(self, browser, business):
        browser.force_login(make_user(business))
        response = post_customer(browser)
        assert response.status_code == 403
        assert response.json()["code"] == "csrf_failed"

    def test_rejects_a_write_of_a_session_with_a_key(self, browser, business, api_key):
        key = ApiKey.objects.live(timezone.now()).get(business=business)
        session = browser.session
        session["api_key_id"] = key.pk
        session.save()
        assert browser.get("/api/v1/customers").status_code == 200
        response = post_customer(browser)
        assert response.status_code == 403
        assert response.json()["code"] == "csrf_failed"

    def test_is_not_checked_for_a_key_in_a_header(self, browser, api_key):
        response = browser.post(
            "/api/v1/customers",
            BODY,
            content_type="application/json",
            headers={"X-API-Key": api_key},
        )
        assert response.status_code == 201
