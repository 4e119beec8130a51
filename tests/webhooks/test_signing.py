from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
import svix.webhooks
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks import signing

pytestmark = pytest.mark.once

BODY = '{"id":"evt_01","data":{"caller":"Zoë ☎"}}'.encode()


def headers(*secrets: str, at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    return signing.signature_headers(BODY, event_id="evt_01", timestamp=moment, secrets=secrets)


class TestNewSecret:
    def test_is_32_bytes_in_standard_base64(self):
        secret = signing.new_secret()
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32

    def test_is_different_each_time(self):
        assert len({signing.new_secret() for _ in range(100)}) == 100


class TestSignatureHeaders:
    def test_match_an_independent_computation(self):
        secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
        found = headers(secret, at=1_767_225_600)
        ours = hmac.new(secret.encode(), b"1767225600." + BODY, hashlib.sha256).hexdigest()
        standard = hmac.new(bytes(range(32)), b"evt_01.1767225600." + BODY, hashlib.sha256)
        assert found == {
            "X-KaiVox-Signature": f"t=1767225600,v1={ours}",
            "webhook-id": "evt_01",
            "webhook-timestamp": "1767225600",
            "webhook-signature": "v1," + base64.b64encode(standard.digest()).decode(),
        }

    @pytest.mark.parametrize("library", (Webhook, svix.webhooks.Webhook))
    @pytest.mark.parametrize("known", (0, 1))
    def test_satisfy_stock_verifiers_that_know_either_secret(self, library, known):
        secrets = [signing.new_secret(), signing.new_secret()]
        library(secrets[known]).verify(BODY, headers(*secrets))  # raises where it does not verify

    @pytest.mark.parametrize("library", (Webhook, svix.webhooks.Webhook))
    def test_fail_stock_verifiers_for_another_body(self, library):
        secret = signing.new_secret()
        errors = (WebhookVerificationError, svix.webhooks.WebhookVerificationError)
        with pytest.raises(errors):
            library(secret).verify(BODY + b" ", headers(secret))


class TestVerify:
    def test_accepts_valid_signatures(self):
        secret, older = signing.new_secret(), signing.new_secret()
        header = headers(secret, older, at=1000)["X-KaiVox-Signature"]
        assert signing.verify(BODY, header, secret, now=1000)
        assert signing.verify(BODY, header, older, now=1299)

    @pytest.mark.parametrize(
        "change",
        (
            lambda h: h.replace("t=1000", "t=1001"),
            lambda h: h.replace("v1=", "v0="),
            lambda h: h + ",t=1000",
            lambda h: h[:-1] + ("0" if h[-1] != "0" else "1"),
            lambda h: h.replace("t=1000", "t=-1"),
            lambda h: h.replace("t=1000", "t=١٠٠٠"),
            lambda h: h.replace("t=1000", f"t={'1' * 5000}"),
            lambda h: h.partition(",")[2],
            lambda h: "",
        ),
    )
    def test_rejects_a_changed_header(self, change):
        secret = signing.new_secret()
        header = headers(secret, at=1000)["X-KaiVox-Signature"]
        assert not signing.verify(BODY, change(header), secret, now=1000)

    @pytest.mark.parametrize("now", (699, 1301))
    def test_rejects_an_old_or_future_one(self, now):
        secret = signing.new_secret()
        header = headers(secret, at=1000)["X-KaiVox-Signature"]
        assert not signing.verify(BODY, header, secret, now=now)
