"""Settings → Members, the page of an invitation, and the sandbox."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.core import mail
from django.test import Client
from django.utils import timezone

from customers.models import Customer
from kaivox.businesses.models import (
    ApiKey,
    AuditEntry,
    Business,
    Invitation,
    Membership,
)
from kaivox.businesses.security_notices import send_security_notices
from kaivox.demo.wipe import WIPED
from tests import factories
from webhooks.models import Endpoint

pytestmark = pytest.mark.once_in_production

PASSWORD = "a-long-passphrase-7"


def as_(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(business) -> Client:
    return as_(factories.make_user(business, username="olivia"))


def invite(owner, role: str = "staff", email: str = "ann@example.com") -> str:
    """Invites and returns the path of the link in the e-mail."""
    assert owner.post("/settings/members", {"email": email, "role": role}).status_code == 302
    send_security_notices(now=timezone.now())
    return re.search(r"/invitations/\S+", mail.outbox[-1].body)[0]


def join(path: str, password: str = PASSWORD) -> Client:
    """A browser that set a password on the page of the invitation."""
    browser = Client()
    assert browser.get(path).status_code == 200
    form = {"new_password1": password, "new_password2": password}
    assert browser.post(path, form)["Location"] == "/settings"
    return browser


class TestInvitation:
    @pytest.mark.parametrize(
        ("role", "allowed"),
        (
            ("owner", (200, 200, 200, 200, 201)),
            ("developer", (200, 403, 200, 403, 201)),
            ("staff", (403, 403, 403, 403, 201)),
            ("analyst", (403, 403, 403, 403, 403)),
        ),
    )
    def test_leads_to_a_login_for_what_the_role_may_do(self, business, owner, role, allowed):
        browser = join(invite(owner, role))
        paths = (
            "/settings/keys",
            "/settings/members",
            "/admin/businesses/apikey/add/",
            "/admin/businesses/auditentry/",
        )
        found = [browser.get(path).status_code for path in paths]
        found.append(
            browser.post(
                "/api/v1/customers",
                {"name": "Bo", "phone": "+919812345678"},
                content_type="application/json",
            ).status_code
        )
        assert tuple(found) == allowed
        for path in ("/settings", "/admin/", "/admin/appointments/appointment/", "/api/v1/staff"):
            assert browser.get(path).status_code == 200

    def test_login_works_again_with_the_password(self, owner):
        join(invite(owner))
        again = Client()
        form = {"username": "ann@example.com", "password": PASSWORD}
        assert again.post("/login", form)["Location"] == "/settings"
        assert again.get("/settings").status_code == 200

    def test_removal_ends_all_access_at_the_next_request(self, business, owner):
        browser = join(invite(owner))
        member = Membership.objects.get(user__username="ann@example.com")
        owner.post(f"/settings/members/{member.pk}/remove")
        assert "not a member of a business" in browser.get("/settings").content.decode()
        assert browser.get("/api/v1/staff").status_code == 401
        page = browser.get("/admin/appointments/appointment/")
        assert page.status_code == 403

    def test_a_weak_password_is_rejected(self, owner):
        path = invite(owner)
        form = {"new_password1": "12345", "new_password2": "12345"}
        page = Client().post(path, form).content.decode()
        assert "too short" in page
        assert Invitation.objects.get().accepted_at is None

    def test_the_link_works_once_and_not_after_revocation(self, owner):
        used = invite(owner)
        join(used)
        revoked = invite(owner, email="bo@example.com")
        invitation = Invitation.objects.get(email="bo@example.com")
        owner.post(f"/settings/invitations/{invitation.pk}/revoke")
        for path in (used, revoked, "/invitations/nonsense"):
            page = Client().get(path)
            assert page.status_code == 404
            assert "does not work" in page.content.decode()
            assert page["Referrer-Policy"] == "same-origin"  # the URL contains the token

    def test_a_person_with_a_login_joins_with_it(self, business, owner, other_business):
        person = factories.make_user(other_business, username="ann", email="ann@example.com")
        path = invite(owner, "analyst")
        assert "Log in with it" in Client().get(path).content.decode()
        stranger = as_(factories.make_user(other_business))
        assert "the invitation is for" in stranger.get(path).content.decode()
        stranger.post(path)
        assert Invitation.objects.get().accepted_at is None

        browser = as_(person)
        assert "Join as ann" in browser.get(path).content.decode()
        assert browser.post(path)["Location"] == "/settings"
        assert business.name in browser.get("/settings").content.decode()
        assert Membership.objects.get(user=person, business=business).role == "analyst"


class TestMembers:
    def test_change_of_a_role(self, business, owner):
        person = factories.make_user(business, role="staff")
        membership = Membership.objects.get(user=person)
        path = f"/settings/members/{membership.pk}/role"
        owner.post(path, {"role": "analyst"})
        membership.refresh_from_db()
        assert membership.role == "analyst"
        assert AuditEntry.objects.get().action == "membership.set"
        page = owner.post(path, {"role": "king"}, follow=True).content.decode()
        assert "Unknown role king" in page

    def test_the_last_owner_stays(self, business, owner):
        membership = Membership.objects.get()
        page = owner.post(f"/settings/members/{membership.pk}/remove", follow=True)
        assert "needs an owner" in page.content.decode()

    def test_errors_of_the_form_are_shown(self, business, owner):
        factories.make_user(business, email="ann@example.com")
        form = {"email": "ann@example.com", "role": "staff"}
        assert "member already" in owner.post("/settings/members", form).content.decode()

    @pytest.mark.parametrize("role", ("developer", "staff", "analyst"))
    def test_others_cannot_invite_or_change(self, business, role):
        client = as_(factories.make_user(business, role=role))
        membership = Membership.objects.get()
        form = {"email": "ann@example.com", "role": "owner"}
        for path in (
            "/settings/members",
            f"/settings/members/{membership.pk}/role",
            f"/settings/members/{membership.pk}/remove",
            "/settings/sandbox/create",
            "/settings/sandbox/reset",
        ):
            assert client.post(path, form).status_code == 403
        assert not Invitation.objects.exists()


class TestSandbox:
    def test_is_created_and_reset(self, business, owner):
        owner.post("/settings/sandbox/create")
        sandbox = Business.objects.get(sandbox_of=business)
        assert "Switch to the sandbox" in owner.get("/settings/sandbox").content.decode()
        secret = factories.make_key(sandbox)
        mine = factories.make_endpoint(sandbox, created_by_key=ApiKey.objects.get())
        live = factories.make_customer(business)
        factories.make_customer(sandbox, name="Added by a test")
        of_sandbox = Customer.objects.for_business(sandbox)
        count = of_sandbox.count()

        owner.post("/settings/sandbox/reset")

        assert of_sandbox.count() == count - 1
        assert not of_sandbox.filter(name="Added by a test").exists()
        assert Customer.objects.for_business(business).get() == live
        client = Client(headers={"X-API-Key": secret})
        assert client.get("/api/v1/appointments").json()["meta"]["total"] > 0
        assert Endpoint.objects.filter(pk=mine.pk).exists()
        assert Endpoint.objects.for_business(sandbox).count() == 3  # with the two of the demo
        assert AuditEntry.objects.filter(action="business.sandbox_reset").count() == 1

    def test_a_reset_without_one_says_so(self, business, owner):
        page = owner.post("/settings/sandbox/reset", follow=True)
        assert page.status_code == 200
        assert not Business.objects.filter(sandbox_of=business).exists()

    def test_a_reset_knows_every_model_of_a_business(self):
        not_wiped = {
            "businesses.Membership",
            "businesses.Invitation",
            "businesses.ApiKey",
            "businesses.AuditEntry",
            "ratelimits.QuotaOverride",
            "webhooks.Endpoint",
            "calls.ProviderAccount",
        }
        owned = {
            model._meta.label
            for model in apps.get_models()
            if any(field.name == "business" for field in model._meta.concrete_fields)
        }
        wiped = {model._meta.label for model in WIPED}
        assert owned == wiped | not_wiped, (
            "Add the model to kaivox.demo.wipe.WIPED, or to `not_wiped` here."
        )
