from __future__ import annotations

import pytest

from kaivox.db.encrypted_fields import DecryptionError, UndecryptableValue, decrypt, encrypt
from webhooks.models import Endpoint

pytestmark = pytest.mark.once


class TestEncrypt:
    def test_is_read_again(self):
        assert decrypt(encrypt("whsec_Zoë")) == "whsec_Zoë"

    def test_looks_different_each_time(self):
        assert encrypt("same") != encrypt("same")

    def test_survives_a_rotation_of_the_secret_key(self, settings):
        token = encrypt("text")
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another" * 10
        assert decrypt(token) == "text"

    def test_is_unreadable_without_the_key(self, settings):
        token = encrypt("text")
        settings.SECRET_KEY = "another" * 10
        with pytest.raises(DecryptionError):
            decrypt(token)


class TestUnreadable:
    def test_raises_whatever_uses_it(self):
        for use in (str, lambda secret: secret.encode(), lambda secret: secret.strip()):
            with pytest.raises(DecryptionError):
                use(UndecryptableValue())


class TestEncryptedTextField:
    def test_cannot_be_searched(self):
        with pytest.raises(TypeError):
            Endpoint.objects.filter(secret="whsec_x")
