"""Two-factor authentication, account lock-out, and limits on login attempts."""

from __future__ import annotations

import re
import threading

import pytest
from django.db import connection
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken

from kaivox.businesses.auth.devices import recovery_token
from kaivox.businesses.models import AuthenticatorDevice
from kaivox.pages.settings import two_factor
from ratelimits import logins
from ratelimits.middleware import MAX_FAILURES
from tests import factories

pytestmark = pytest.mark.once_in_production


@pytest.fixture
def two_factor_required(settings):
    settings.TWO_FACTOR_REQUIRED = True


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def code_of(user) -> str:
    device = AuthenticatorDevice.objects.get(user=user)
    # Allows the same code again, and directly after a wrong one.
    AuthenticatorDevice.objects.filter(pk=device.pk).update(last_t=-1, throttling_failure_count=0)
    return f"{totp(device.bin_key, step=device.step, t0=device.t0):06}"


@pytest.fixture
def verified(business):
    """A client whose session is verified, and its user."""
    user = factories.make_user(business)
    AuthenticatorDevice.objects.create(user=user)
    client = logged_in(user)
    client.post("/two-factor", {"code": code_of(user)})
    return client, user


class TestTwoFactorAuthentication:
    @pytest.mark.parametrize("path", ("/admin/", "/settings", "/settings/keys", "/admin/calendar/"))
    def test_is_required_of_users_who_can_see_keys(self, business, two_factor_required, path):
        response = logged_in(factories.make_user(business)).get(path)
        assert response.status_code == 302
        assert response["Location"].startswith("/two-factor?next=")

    def test_is_not_required_of_an_analyst(self, business, two_factor_required):
        client = logged_in(factories.make_user(business, role="analyst"))
        assert client.get("/settings").status_code == 200

    def test_without_it_the_browsable_api_has_no_caller(self, business, two_factor_required):
        client = logged_in(factories.make_user(business))
        assert client.get("/api/v1/customers").json()["code"] == "missing_api_key"

    def test_is_set_up_once_and_asked_for_at_each_login(self, business, two_factor_required):
        user = factories.make_user(business)
        client = logged_in(user)
        page = client.get("/two-factor?next=/settings/keys").content.decode()
        assert "<svg" in page
        secret = re.search(r'id="totp-secret">([A-Z2-7]{32})<', page)
        assert secret
        assert "not valid" in client.post("/two-factor", {"code": "000000"}).content.decode()
        page = client.post("/two-factor", {"code": code_of(user)}).content.decode()
        recovery = re.findall(r"\b((?:[a-z2-7]{4}-){3}[a-z2-7]{4})$", page, re.M)
        assert len(recovery) == 10
        assert client.get("/settings/keys").status_code == 200

        client = logged_in(user)
        assert client.get("/settings/keys").status_code == 302
        response = client.post("/two-factor?next=/settings/keys", {"code": code_of(user)})
        assert response["Location"] == "/settings/keys"
        assert client.get("/settings/keys").status_code == 200

        client = logged_in(user)
        client.post("/two-factor", {"code": recovery[0]})
        assert client.get("/settings/keys").status_code == 200
        again = logged_in(user)
        again.post("/two-factor", {"code": recovery[0]})
        assert again.get("/settings/keys").status_code == 302

    @pytest.mark.parametrize("session", ("same", "read before", "both read before"))
    def test_that_is_set_up_twice_leads_to_new_recovery_codes(
        self, business, two_factor_required, session, monkeypatch
    ):
        user = factories.make_user(business)
        client, other = logged_in(user), logged_in(user)
        client.get("/two-factor")
        data = {"step": "set_up", "code": code_of(user)}
        assert "Store these recovery codes" in client.post("/two-factor", data).content.decode()
        stored = set(StaticToken.objects.values_list("token"))
        if session == "both read before":
            monkeypatch.setattr(two_factor, "user_has_device", lambda _: False)
        second = (client if session == "same" else other).post("/two-factor", data)
        monkeypatch.undo()
        assert second["Location"] == "/two-factor?next=/two-factor"
        client.cookies["messages"] = second.cookies["messages"].value
        page = client.get(second["Location"]).content.decode()
        assert "Two-factor authentication is on." in page
        assert "Generate new recovery codes" in page
        assert "not valid" not in page
        assert set(StaticToken.objects.values_list("token")) == stored
        assert AuthenticatorDevice.objects.count() == 1

    def test_that_is_removed_twice_is_removed(self, verified):
        client, user = verified
        data = {"change": "remove", "code": code_of(user)}
        pages = [client.post("/two-factor", data, follow=True).content.decode() for _ in range(2)]
        assert ["is removed" in page for page in pages] == [True, True]
        assert "not valid" not in pages[1]

    def test_a_code_that_is_sent_twice_leads_on(self, verified):
        client, user = verified
        data = {"step": "ask", "code": code_of(user)}
        response = client.post("/two-factor?next=/settings/keys", data)
        assert response["Location"] == "/settings/keys"

    def test_is_asked_of_a_user_with_a_device_where_it_is_not_required(self, business):
        user = factories.make_user(business)
        AuthenticatorDevice.objects.create(user=user)
        assert logged_in(user).get("/settings").status_code == 302

    def test_never_redirects_to_another_host(self, business):
        user = factories.make_user(business)
        AuthenticatorDevice.objects.create(user=user)
        data = {"code": code_of(user)}
        response = logged_in(user).post("/two-factor?next=https://evil.example/", data)
        assert response["Location"] == "/settings"

    def test_is_removed_with_a_code(self, verified):
        client, user = verified
        client.post("/two-factor", {"change": "remove", "code": code_of(user)})
        assert not AuthenticatorDevice.objects.exists()

    @pytest.mark.parametrize("change", ("remove", "codes"))
    @pytest.mark.parametrize("code", ("", "000000"))
    def test_is_not_changed_without_a_code(self, verified, change, code):
        client, _ = verified
        page = client.post("/two-factor", {"change": change, "code": code}).content.decode()
        assert "not valid" in page
        assert AuthenticatorDevice.objects.exists()
        assert not StaticToken.objects.exists()

    def test_new_recovery_codes_replace_the_old_ones(self, verified):
        client, user = verified
        pages = [
            client.post("/two-factor", {"change": "codes", "code": code_of(user)}).content.decode()
            for _ in range(2)
        ]
        codes = [
            set(re.findall(r"\b((?:[a-z2-7]{4}-){3}[a-z2-7]{4})$", page, re.M)) for page in pages
        ]
        assert len(codes[1]) == 10
        stored = set(StaticToken.objects.values_list("token", flat=True))
        assert stored == {recovery_token(code) for code in codes[1]}

    def test_stores_neither_seed_nor_recovery_codes_in_clear_text(self, verified):
        client, user = verified
        page = client.post("/two-factor", {"change": "codes", "code": code_of(user)})
        seed = AuthenticatorDevice.objects.get(user=user).seed
        with connection.cursor() as cursor:
            cursor.execute("SELECT seed FROM businesses_authenticatordevice")
            assert seed not in cursor.fetchone()[0]
        codes = page.content.decode()
        assert not any(row.token in codes for row in StaticToken.objects.all())

    def test_a_seed_of_an_unknown_key_is_no_crash(self, verified, settings):
        _, user = verified
        settings.SECRET_KEY = "another"
        response = logged_in(user).post("/two-factor", {"code": "123456"})
        assert response.status_code == 503
        assert "SECRET_KEY_FALLBACKS" in response.content.decode()


class TestLockOut:
    @pytest.fixture
    def user(self, business):
        user = factories.make_user(business, username="meera")
        user.set_password("right-enough")
        user.save()
        return user

    @pytest.mark.parametrize("path", ("/login", "/admin/login/"))
    def test_five_wrong_passwords_lock_the_account(self, user, path):
        client = Client()
        wrong = {"username": "meera", "password": "wrong"}
        statuses = [client.post(path, wrong).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 200, 429]
        right = {"username": "meera", "password": "right-enough"}
        response = client.post(path, right)
        assert response.status_code == 429
        assert "15 minutes" in response.content.decode()

    def test_another_address_can_log_in(self, user):
        client = Client()
        for _ in range(5):
            client.post("/login", {"username": "meera", "password": "wrong"})
        elsewhere = Client(REMOTE_ADDR="203.0.113.9")
        right = {"username": "meera", "password": "right-enough"}
        assert elsewhere.post("/login", right)["Location"] == "/settings"

    def test_a_login_never_redirects_to_another_host(self, user):
        right = {"username": "meera", "password": "right-enough", "next": "https://evil.example/"}
        assert Client().post("/login", right)["Location"] == "/settings"


class TestLimits:
    """Limits that apply before a password is hashed."""

    @pytest.fixture
    def hashed(self, monkeypatch):
        """Names whose password was hashed."""
        seen = []
        plain = logins.ModelBackend.authenticate

        def authenticate(backend, request, username=None, password=None, **kwargs):
            seen.append(username)
            return plain(backend, request, username, password, **kwargs)

        monkeypatch.setattr(logins.ModelBackend, "authenticate", authenticate)
        return seen

    @pytest.mark.parametrize("path", ("/login", "/admin/login/"))
    def test_one_address_tries_many_names(self, db, hashed, path):
        for number in range(25):
            response = Client().post(path, {"username": f"name{number}", "password": "x"})
        assert "Too many attempts" in response.content.decode()
        assert len(hashed) == logins.PER_ADDRESS.per_minute

    def test_one_name_is_tried_from_many_addresses(self, db, hashed):
        for number in range(15):
            response = Client(REMOTE_ADDR=f"203.0.113.{number}").post(
                "/login", {"username": "Owner" if number % 2 else "owner ", "password": "x"}
            )
        assert "Too many attempts" in response.content.decode()
        assert len(hashed) == logins.PER_NAME.per_minute

    def test_concurrent_logins_block_no_thread(self, db, hashed, monkeypatch):
        monkeypatch.setattr(logins, "_hashing", threading.BoundedSemaphore(1))
        with logins._hashing:
            response = Client().post("/login", {"username": "owner", "password": "x"})
        assert "Too many people are logging in" in response.content.decode()
        assert not hashed

    @pytest.fixture
    def changer(self, business):
        """A client of a user, and a function that sends the form of the password page."""
        user = factories.make_user(business)
        user.set_password("a long pass phrase")
        user.save()
        client = logged_in(user)

        def change(old):
            form = {
                "old_password": old,
                "new_password1": "another phrase",
                "new_password2": "another phrase",
            }
            return client.post("/admin/password_change/", form, follow=True).content.decode()

        return user, change

    def test_guesses_at_the_password_page_are_limited(self, changer):
        _, change = changer
        pages = [change("wrong") for _ in range(logins.PER_NAME.per_minute + 1)]
        assert all("entered incorrectly" in page for page in pages[:-1])
        assert "Too many attempts" in pages[-1]

    def test_concurrent_changes_of_passwords_block_no_thread(self, changer, monkeypatch):
        user, change = changer
        monkeypatch.setattr(logins, "_hashing", threading.BoundedSemaphore(1))
        with logins._hashing:
            assert "Too many people" in change("a long pass phrase")
        assert "was changed" in change("a long pass phrase")
        user.refresh_from_db()
        assert user.check_password("another phrase")

    def test_the_right_password_still_logs_in(self, business):
        user = factories.make_user(business)
        user.set_password("a long pass phrase")
        user.save()
        response = Client().post(
            "/login", {"username": user.username, "password": "a long pass phrase"}
        )
        assert response.status_code == 302

    def test_bad_keys_of_a_browser_count_as_bad_keys(self, db):
        client = Client()
        for _ in range(MAX_FAILURES.per_minute):
            assert client.post("/session/key", {"key": "kv_live_no"}).status_code == 302
        rejected = client.post("/session/key", {"key": "kv_live_no"})
        assert rejected.status_code == 429
        assert int(rejected["Retry-After"]) > 0

    @pytest.mark.parametrize("path", ("key", "key/forget", "business"))
    @pytest.mark.parametrize("wanted", ("foo", "//evil.example", "", "admin:index"))
    def test_an_invalid_next_is_ignored(self, db, path, wanted):
        response = Client().post(f"/session/{path}", {"next": wanted})
        assert response.status_code == 302
        assert "evil" not in response["Location"]
