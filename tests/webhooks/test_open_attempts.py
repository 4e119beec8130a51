"""A delivery is readable while an attempt is in flight, and after its worker was lost."""

from __future__ import annotations

import importlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.factories import make_endpoint, make_event, make_user
from webhooks.delivery_queue import claim_due, release_expired_leases
from webhooks.models import Attempt, Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivery(business):
    """A delivery with an attempt in flight."""
    make_endpoint(business)
    make_event(business)
    claim_due(limit=1, now=timezone.now())
    return Delivery.objects.get()


@pytest.fixture
def browser(business):
    browser = Client()
    browser.force_login(make_user(business))
    return browser


PAGES = ("/admin/webhooks/delivery/{}/change/", "/settings/deliveries/{}")


@pytest.mark.parametrize("is_lost", (False, True))
class TestOpenAttempt:
    @pytest.fixture(autouse=True)
    def lose(self, delivery, is_lost):
        if is_lost:
            release_expired_leases(now=timezone.now() + timedelta(days=1))

    def test_is_shown_by_the_api(self, client, delivery):
        response = client.get(f"/api/v1/webhooks/deliveries/{delivery.pk}")
        assert response.status_code == 200
        (attempt,) = response.json()["data"]["attempts"]
        assert attempt["response_body"] == ""

    @pytest.mark.parametrize("path", PAGES)
    def test_is_shown_by_the_pages(self, browser, delivery, path):
        assert browser.get(path.format(delivery.pk)).status_code == 200


def test_the_migration_repairs_rows_that_hold_text(client, delivery):
    migration = importlib.import_module("webhooks.migrations.0003_response_bodies_are_bytes")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE webhooks_attempt SET response_body = ''")
        assert Attempt.objects.get().response_body == ""
    editor = SimpleNamespace(connection=connection, execute=connection.cursor().execute)
    migration.convert_text_to_bytes(apps, editor)
    assert bytes(Attempt.objects.get().response_body) == b""
    assert client.get(f"/api/v1/webhooks/deliveries/{delivery.pk}").status_code == 200
