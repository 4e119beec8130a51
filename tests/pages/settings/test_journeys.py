"""Tasks of members in Settings, in a real browser, by role and label only."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.utils import timezone

from kaivox.businesses.models import Membership
from kaivox.businesses.security_notices import send_security_notices
from kaivox.request_log import recording
from tests import factories
from tests.pages.conftest import follow
from webhooks.models import Delivery, Endpoint

pytestmark = [pytest.mark.browser, pytest.mark.once]

PASSWORD = "a-long-passphrase-7"


@pytest.fixture
def owner(visit, business):
    """The page of an owner, at the settings."""
    visitor = visit()
    visitor.log_in(factories.make_user(business, username="olivia"))
    return visitor.open("/settings")


@pytest.fixture(autouse=True)
def private_receivers(settings):
    settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
    settings.WEBHOOK_PORTS = []


def open_section(page, name: str) -> None:
    follow(page.get_by_role("navigation", name="Settings").get_by_role("link", name=name))


def click(page, name: str) -> None:
    follow(page.get_by_role("button", name=name, exact=True))


class TestMembers:
    def test_invite_a_developer_who_rotates_a_key(self, owner, visit, business):
        factories.make_key(business, name="EMR")
        open_section(owner, "Members")
        owner.get_by_label("E-mail").fill("ann@example.com")
        owner.get_by_label("Role", exact=True).select_option("developer")
        click(owner, "Send the invitation")
        assert owner.get_by_role("status").inner_text() == "ann@example.com is invited by e-mail."

        send_security_notices(now=timezone.now())
        link = re.search(r"/invitations/\S+", mail.outbox[-1].body)[0]
        visitor = visit()
        ann = visitor.open(link)
        assert visitor.violations() == []
        ann.get_by_label("New password", exact=True).fill(PASSWORD)
        ann.get_by_label("New password confirmation").fill(PASSWORD)
        click(ann, "Join")
        assert "You are a member of Smile Dental now." in ann.get_by_role("status").inner_text()
        assert ann.get_by_role("link", name="Members").count() == 0

        open_section(ann, "API keys")
        follow(ann.get_by_role("link", name="Rotate EMR"))
        ann.get_by_label("The old key stays active for").select_option("24")
        click(ann, "Issue the new key")
        assert ann.get_by_role("heading", name="Copy the API key now").is_visible()

        open_section(owner, "Members")
        owner.on("dialog", lambda dialog: dialog.accept())
        click(owner, "Remove ann@example.com")
        assert not Membership.objects.filter(user__username="ann@example.com").exists()
        ann.goto("/settings")
        assert ann.get_by_role("heading", name="No business yet").is_visible()


class TestRequestLog:
    def test_find_out_why_a_request_failed(self, owner, client, business):
        client.get("/api/v1/staff")
        failed = client.post("/api/v1/customers", {"name": "Ann", "colour": "red"})
        recording.flush()

        owner.reload()
        follow(owner.get_by_role("link", name="POST /api/v1/customers"))
        assert owner.get_by_label("Status", exact=True).input_value() == "422"
        follow(owner.get_by_role("link", name="Clear"))
        owner.get_by_label("Request id").fill(failed.json()["meta"]["request_id"])
        click(owner, "Search")
        assert owner.get_by_role("link", name="GET /api/v1/staff").count() == 0
        follow(owner.get_by_role("link", name="POST /api/v1/customers"))
        assert owner.get_by_role("heading", name="POST /api/v1/customers").is_visible()
        assert owner.get_by_text('"colour": "red"').is_visible()
        follow(owner.get_by_role("link", name="validation_error"))
        assert owner.get_by_role("heading", name="validation_error").is_visible()


class TestWebhooks:
    def test_edit_an_endpoint_and_replay_what_it_missed(self, owner, business):
        endpoint = factories.make_endpoint(business)
        factories.make_event(business)
        Delivery.objects.update(status="exhausted")

        open_section(owner, "Webhooks")
        follow(owner.get_by_role("link", name=endpoint.url))
        owner.get_by_label("Show").select_option(label="Failing")
        click(owner, "Filter")
        assert owner.get_by_role("row", name=re.compile("customer.created")).is_visible()

        follow(owner.get_by_role("link", name="Edit the endpoint"))
        every = owner.get_by_label("All events")
        assert every.is_checked()
        owner.get_by_label("customer.created").check()
        assert not every.is_checked()
        owner.get_by_label("Description").fill("EMR")
        click(owner, "Save")
        assert Endpoint.objects.get().event_types == ["customer.created"]

        owner.on("dialog", lambda dialog: dialog.accept())
        owner.get_by_label("What it missed in").select_option(label="the last 24 hours")
        click(owner, "Replay")
        assert "1 deliveries were queued" in owner.get_by_role("status").inner_text()
        assert Delivery.objects.get().status == "pending"


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_the_pages_are_accessible_and_fit_a_phone(visit, business, client, scheme):
    client.get("/api/v1/staff?per_page=20&search=a-rather-long-search-text")
    client.post("/api/v1/customers", {"name": "Ann", "colour": "red"})
    recording.flush()
    user = factories.make_user(business)
    endpoint = factories.make_endpoint(business)
    factories.make_endpoint(business, is_active=False, disabled_reason="key_revoked")
    entry = recording.RequestLogEntry.objects.latest("pk")
    visitor = visit(color_scheme=scheme, viewport={"width": 390, "height": 800})
    visitor.log_in(user)
    for path in (
        "",
        "/keys",
        f"/keys/{client_key(business)}/rotate",
        "/requests",
        f"/requests/{entry.pk}",
        "/members",
        "/sandbox",
        f"/webhooks/{endpoint.pk}",
        f"/webhooks/{endpoint.pk}/edit",
    ):
        page = visitor.open(f"/settings{path}")
        assert visitor.violations() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def client_key(business) -> int:
    """The id of the only key of `business`."""
    return factories.ApiKey.objects.get(business=business).pk
