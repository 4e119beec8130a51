"""The second factor, and the pause after wrong passwords."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests import factories


@pytest.fixture
def two_factors(settings):
    settings.TWO_FACTOR_REQUIRED = True


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def code_of(user) -> str:
    device = TOTPDevice.objects.get(user=user)
    # Here the same code serves twice, and at once after a wrong one.
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1, throttling_failure_count=0)
    return f"{totp(device.bin_key, step=device.step, t0=device.t0):06}"


class TestSecondFactor:
    @pytest.mark.parametrize("path", ("/admin/", "/settings", "/settings/keys", "/admin/calendar/"))
    def test_is_asked_of_whoever_can_see_keys(self, business, two_factors, path):
        answer = logged_in(factories.make_user(business)).get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/two-factor?next=")

    def test_is_not_asked_of_those_who_cannot(self, business, two_factors):
        client = logged_in(factories.make_user(business, role="analyst"))
        assert client.get("/settings").status_code == 200

    def test_without_it_the_browsable_api_knows_nobody(self, business, two_factors):
        client = logged_in(factories.make_user(business))
        assert client.get("/api/v1/customers").json()["code"] == "missing_api_key"

    def test_is_set_up_once_and_asked_for_at_each_login(self, business, two_factors):
        user = factories.make_user(business)
        client = logged_in(user)
        page = client.get("/two-factor?next=/settings/keys").content.decode()
        assert "<svg" in page
        secret = re.search(r'id="totp-secret">([A-Z2-7]{32})<', page)
        assert secret
        assert "not right" in client.post("/two-factor", {"code": "000000"}).content.decode()
        page = client.post("/two-factor", {"code": code_of(user)}).content.decode()
        recovery = re.findall(r"\b([a-z2-7]{8})$", page, re.M)
        assert len(recovery) == 10
        assert client.get("/settings/keys").status_code == 200

        client = logged_in(user)
        assert client.get("/settings/keys").status_code == 302
        answer = client.post("/two-factor?next=/settings/keys", {"code": code_of(user)})
        assert answer["Location"] == "/settings/keys"
        assert client.get("/settings/keys").status_code == 200

        client = logged_in(user)
        client.post("/two-factor", {"code": recovery[0]})
        assert client.get("/settings/keys").status_code == 200
        again = logged_in(user)
        again.post("/two-factor", {"code": recovery[0]})
        assert again.get("/settings/keys").status_code == 302

    def test_whoever_has_one_shows_it_where_none_is_required(self, business):
        user = factories.make_user(business)
        TOTPDevice.objects.create(user=user)
        assert logged_in(user).get("/settings").status_code == 302

    def test_never_leads_to_another_site(self, business):
        user = factories.make_user(business)
        TOTPDevice.objects.create(user=user)
        data = {"code": code_of(user)}
        answer = logged_in(user).post("/two-factor?next=https://evil.example/", data)
        assert answer["Location"] == "/settings"

    def test_can_be_removed_by_whoever_has_shown_it(self, business):
        user = factories.make_user(business)
        TOTPDevice.objects.create(user=user)
        client = logged_in(user)
        client.post("/two-factor", {"act": "remove"})
        assert TOTPDevice.objects.exists()
        client.post("/two-factor", {"code": code_of(user)})
        client.post("/two-factor", {"act": "remove"})
        assert not TOTPDevice.objects.exists()


class TestLockOut:
    @pytest.fixture
    def user(self, business, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        user = factories.make_user(business, username="meera")
        user.set_password("right-enough")
        user.save()
        return user

    @pytest.mark.parametrize("path", ("/login", "/admin/login/"))
    def test_five_wrong_passwords_make_a_pause(self, user, path):
        client = Client()
        wrong = {"username": "meera", "password": "wrong"}
        statuses = [client.post(path, wrong).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 200, 429]
        right = {"username": "meera", "password": "right-enough"}
        answer = client.post(path, right)
        assert answer.status_code == 429
        assert "quarter of an hour" in answer.content.decode()

    def test_another_address_gets_in(self, user):
        client = Client()
        for _ in range(5):
            client.post("/login", {"username": "meera", "password": "wrong"})
        elsewhere = Client(REMOTE_ADDR="203.0.113.9")
        right = {"username": "meera", "password": "right-enough"}
        assert elsewhere.post("/login", right)["Location"] == "/settings"

    def test_a_login_never_leads_to_another_site(self, user):
        right = {"username": "meera", "password": "right-enough", "next": "https://evil.example/"}
        assert Client().post("/login", right)["Location"] == "/settings"
