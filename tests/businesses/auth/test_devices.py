"""Authenticator apps and recovery codes at rest."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from kaivox.businesses.auth.devices import device_to_set_up, new_recovery_codes, verify_code
from kaivox.businesses.models import AuthenticatorDevice
from tests.appointments.faults import at_statement
from tests.factories import make_user


@pytest.fixture
def user(db):
    return make_user()


def code_of(device) -> str:
    return f"{totp(device.bin_key, step=device.step, t0=device.t0):06}"


class TestDeviceToSetUp:
    @pytest.mark.django_db(transaction=True)
    def test_is_one_for_two_pages_that_are_opened_at_once(self):
        user = make_user()
        both_look = threading.Barrier(2)

        def found_late():
            with suppress(threading.BrokenBarrierError):  # the other one waits for its turn
                both_look.wait(timeout=0.5)

        def open_page(_):
            try:
                with at_statement("INSERT", before=found_late, times=2):
                    return device_to_set_up(user).pk
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert len(set(pool.map(open_page, range(2)))) == 1


class TestVerifyCode:
    def test_accepts_a_code_of_the_app_once(self, user):
        device = AuthenticatorDevice.objects.create(user=user)
        code = code_of(device)
        assert verify_code(user, f"{code[:3]} {code[3:]}") == device
        assert verify_code(user, code) is None

    @pytest.mark.parametrize("typed", (str, str.upper, lambda code: code.replace("-", " ")))
    def test_accepts_a_recovery_code_once_in_any_spelling(self, user, typed):
        code = new_recovery_codes(user)[3]
        assert isinstance(verify_code(user, typed(code)), StaticDevice)
        assert StaticToken.objects.count() == 9
        assert verify_code(user, typed(code)) is None

    def test_the_stored_digest_is_no_code(self, user):
        new_recovery_codes(user)
        assert verify_code(user, StaticToken.objects.first().token) is None

    def test_a_code_of_the_app_does_not_slow_down_recovery_codes(self, user):
        codes = new_recovery_codes(user)
        device = AuthenticatorDevice.objects.create(user=user)
        assert verify_code(user, code_of(device)) == device
        assert verify_code(user, "000000") is None
        assert verify_code(user, codes[0]) is not None

    def test_ignores_codes_of_other_users(self, user):
        assert verify_code(user, new_recovery_codes(make_user())[0]) is None


class TestMigration:
    """`0008_two_factor_secrets_at_rest`."""

    @pytest.fixture
    def migration(self):
        return import_module("kaivox.businesses.migrations.0008_two_factor_secrets_at_rest")

    def test_moves_seeds_and_digests_codes(self, user, migration):
        before = TOTPDevice.objects.create(user=user, name="App", last_t=7)
        StaticToken.objects.create(device=StaticDevice.objects.create(user=user), token="abcdefgh")
        migration.protect(apps, None)
        after = AuthenticatorDevice.objects.get()
        assert not TOTPDevice.objects.exists()
        assert after.bin_key == before.bin_key
        assert (after.user, after.name, after.last_t) == (user, "App", 7)
        assert StaticToken.objects.get().token != "abcdefgh"
        assert verify_code(user, "abcdefgh") is not None

    def test_restores_seeds(self, user, migration):
        before = AuthenticatorDevice.objects.create(user=user)
        migration.restore(apps, None)
        assert TOTPDevice.objects.get().bin_key == before.bin_key
        assert not AuthenticatorDevice.objects.exists()

    def test_leaves_devices_of_other_kinds_to_django_otp(self, user, migration):
        TOTPDevice.objects.create(user=user, digits=8)
        migration.protect(apps, None)
        assert TOTPDevice.objects.exists()
