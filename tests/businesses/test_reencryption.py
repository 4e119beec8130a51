"""Rotation of SECRET_KEY: re-encryption, and secrets that cannot be decrypted."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from calls import ingestion
from calls.models import ProviderAccount, ProviderMessage
from calls.privacy import erase_customer, export_customer
from kaivox.businesses.models import AuthenticatorDevice
from kaivox.businesses.reencryption import encrypted_columns
from kaivox.celery import BEAT_SCHEDULE, app
from kaivox.db.encrypted_fields import DecryptionError, UndecryptableValue
from kaivox.idempotency.models import IdempotencyRecord
from tests.factories import (
    make_busy_calendar,
    make_call,
    make_customer,
    make_endpoint,
    make_event,
    make_staff,
    make_user,
)
from tests.object_graph import Route, make_world, routes
from tests.test_hostile import at
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db

OLD, NEW = "former" * 10, "newest" * 10


@pytest.fixture(autouse=True)
def old_key(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []


@pytest.fixture
def stored(business, old_key):
    """A row of every encrypted column."""
    endpoint = make_endpoint(
        business, secret="whsec_bmV3", previous_secret="whsec_b2xk", custom_headers='{"X-A": "1"}'
    )
    ProviderAccount.objects.create(business=business, provider="vapi", secret="s3cret")
    ProviderMessage.objects.create(
        business=business, provider="vapi", body=ingestion._seal(b"hello")
    )
    make_busy_calendar(make_staff(business))
    now = timezone.now()
    AuthenticatorDevice.objects.create(user=make_user(), seed="5e" * 20)
    IdempotencyRecord.objects.create(
        business=business,
        key="k",
        fingerprint="f",
        holder="00000000-0000-0000-0000-000000000000",
        held_until=now,
        created_at=now,
        status=200,
        answer="{}",
    )
    return endpoint


def values():
    return {
        f"{model._meta.label}.{name}": list(model._base_manager.values_list(name, flat=True))
        for model, name in encrypted_columns()
    }


def rotate():
    out = StringIO()
    call_command("rotate_secret_key", stdout=out)
    return out.getvalue()


class TestRotateSecretKey:
    def test_makes_every_column_readable_without_the_former_key(self, stored, settings):
        before, updated_at = values(), Endpoint.objects.get().updated_at
        assert all(before.values()), "a row of every encrypted column is needed here"
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
        said = rotate()
        assert said.count("1 encrypted again") == len(before)
        settings.SECRET_KEY_FALLBACKS = []
        assert values() == before
        assert Endpoint.objects.get().updated_at == updated_at

    def test_does_nothing_twice(self, stored, settings):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
        rotate()
        assert rotate().count("0 encrypted again, 1 were current") == len(values())

    def test_counts_what_it_cannot_read_and_leaves_it(self, stored, settings):
        settings.SECRET_KEY = NEW
        with pytest.raises(CommandError, match="8 secrets"):
            rotate()
        settings.SECRET_KEY = OLD
        assert Endpoint.objects.get().secret == "whsec_bmV3"


class TestUnreadable:
    @pytest.fixture(autouse=True)
    def lose_key(self, stored, settings):
        settings.SECRET_KEY = NEW

    def test_a_voice_message_is_sent_again_by_its_provider(self, business):
        client = Client(raise_request_exception=False)
        response = client.post(
            f"/voice/vapi/{business.slug}", b"{}", content_type="application/json"
        )
        assert response.status_code == 503
        assert response.json()["code"] == "service_unavailable"
        assert int(response["Retry-After"]) > 0

    def test_a_replay_shows_the_error(self, business):
        with pytest.raises(DecryptionError):
            ingestion.replay(message=ProviderMessage.objects.get(), now=timezone.now())
        browser = Client()
        browser.force_login(make_user(business))
        page = f"/admin/calls/providermessage/{ProviderMessage.objects.get().pk}/act/replay/"
        response = browser.post(page)
        assert response.status_code == 200
        assert "SECRET_KEY" in response.content.decode()

    def test_replaying_the_selected_shows_the_error(self, business):
        browser = Client()
        browser.force_login(make_user(business))
        form = {"action": "replay_selected", "_selected_action": [ProviderMessage.objects.get().pk]}
        response = browser.post("/admin/calls/providermessage/", form, follow=True)
        assert response.status_code == 200
        assert "SECRET_KEY" in response.content.decode()

    def test_erasing_deletes_undecryptable_messages(self, business):
        customer = make_customer(business)
        erase_customer(business=business, customer_id=customer.pk, now=timezone.now())
        assert not ProviderMessage.objects.exists()
        assert not IdempotencyRecord.objects.exists()

    def test_an_export_has_no_body(self, business):
        customer = make_customer(business)
        ProviderMessage.objects.update(call=make_call(business, customer=customer))
        found = export_customer(business=business, customer_id=customer.pk, now=timezone.now())
        assert found["voice_messages"] == [{"provider": "vapi", "body": None}]

    @pytest.mark.parametrize(
        "page", ("/admin/webhooks/endpoint/{}/change/", "/settings/webhooks/{}")
    )
    def test_the_pages_of_an_endpoint_say_so(self, business, stored, page):
        browser = Client()
        browser.force_login(make_user(business))
        response = browser.get(page.format(stored.pk))
        assert response.status_code == 200
        assert "be decrypted" in response.content.decode()

    def test_the_api_shows_that_it_is_unreadable(self, client, stored):
        shown = client.get(f"/api/v1/webhooks/{stored.pk}").json()["data"]
        assert (shown["headers"], shown["secret_readable"]) == (None, False)

    def test_a_new_secret_makes_it_readable_again(self, client, stored):
        client.post(f"/api/v1/webhooks/{stored.pk}/rotate-secret", {})
        client.patch(f"/api/v1/webhooks/{stored.pk}", {"headers": {}})
        shown = client.get(f"/api/v1/webhooks/{stored.pk}").json()["data"]
        assert (shown["headers"], shown["secret_readable"]) == ({}, True)

    def test_the_account_page_asks_for_the_secret_again(self, business):
        browser = Client()
        browser.force_login(make_user(business))
        account = ProviderAccount.objects.get()
        page = f"/admin/calls/provideraccount/{account.pk}/change/"
        response = browser.post(page, {"provider": "vapi", "secret": ""})
        assert response.status_code == 200
        assert "enter it again" in response.content.decode()
        assert isinstance(ProviderAccount.objects.get().secret, UndecryptableValue)
        browser.post(page, {"provider": "vapi", "secret": "fresh", "is_active": "on"})
        assert ProviderAccount.objects.get().secret == "fresh"

    def test_no_request_fails(self, client, business, stored):
        """Reading and using: what needs the secret is 503 or says so, all else works."""
        mine = make_world(business)
        mine.objects["webhook"] = stored
        mine.objects["delivery"] = Delivery.objects.get(endpoint=stored)
        uses = [(route, None) for route in routes() if route.method == "GET"]
        uses += [
            (Route(f"/api/v1/webhooks/{{id}}/{action}", "POST"), body)
            for action, body in (
                ("test", {"event_type": "customer.created"}),
                ("recover", {"since": "2026-01-01T00:00:00Z"}),
            )
        ]
        uses.append((Route("/api/v1/webhooks/deliveries/{id}/redeliver", "POST"), {}))
        failed = {}
        for route, body in uses:
            url = at(route, mine)
            response = client.get(url) if body is None else client.post(url, body)
            if response.status_code >= 500 and response.json()["code"] != "service_unavailable":
                failed[str(route)] = response.status_code
        assert failed == {}

    def test_no_page_of_the_admin_fails(self, business):
        browser = Client()
        browser.force_login(make_user(is_superuser=True))
        for model, _ in encrypted_columns():
            if not site.is_registered(model):
                continue
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            for url in (
                reverse(f"{name}_changelist"),
                reverse(f"{name}_change", args=[model._base_manager.first().pk]),
            ):
                assert browser.get(url).status_code == 200, url

    @pytest.mark.parametrize("name", BEAT_SCHEDULE)
    def test_no_periodic_task_fails(self, business, stored, name):
        make_event(business)
        app.loader.import_default_modules()
        app.tasks[BEAT_SCHEDULE[name]["task"]].apply(throw=True)
