"""GitHub's reports of leaked API keys, as its partner programme specifies them."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core import mail
from django.test import Client
from django.utils import timezone

from kaivox.businesses.auth.key_format import make_key
from kaivox.businesses.models import ApiKey, AuditEntry
from kaivox.businesses.operations import issue_api_key
from kaivox.businesses.security_notices import send_security_notices
from kaivox.pages import secret_scanning
from kaivox.pages.secret_scanning import PublicKeys
from tests.webhooks.receivers import Reply, running_receiver

PATH = "/secret-scanning/github"
FOUND = (
    "https://github.com/octocat/Hello-World/blob/12345600b9cbe38a219f39a9941c9319b600c002/foo.txt"
)
SIGNING_KEY = ec.generate_private_key(ec.SECP256R1())


def document(*keys: tuple[str, ec.EllipticCurvePrivateKey]) -> bytes:
    """As GitHub publishes its public keys."""
    public_keys = [
        {
            "key_identifier": identifier,
            "key": key.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "is_current": True,
        }
        for identifier, key in keys
    ]
    return json.dumps({"public_keys": public_keys}).encode()


@pytest.fixture
def github(settings):
    """GitHub's address of its public keys."""
    settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_PORTS = True, []
    with running_receiver() as server:
        server.respond_with(Reply(body=document(("one", SIGNING_KEY))))
        settings.GITHUB_SECRET_SCANNING_KEYS = server.url
        yield server


@pytest.fixture(autouse=True)
def no_known_keys(monkeypatch):
    keys = PublicKeys(secret_scanning._fetch_keys)
    monkeypatch.setattr(secret_scanning, "public_keys", keys)


def report(*tokens: str, body: bytes | None = None, identifier: str = "one", signed=None):
    if body is None:
        rows = [
            {"token": token, "type": "kaivox_api_key", "url": FOUND, "source": "content"}
            for token in tokens
        ]
        body = json.dumps(rows).encode()
    signature = SIGNING_KEY.sign(body if signed is None else signed, ec.ECDSA(SHA256()))
    return Client().post(
        PATH,
        body,
        content_type="application/json",
        headers={
            "Github-Public-Key-Identifier": identifier,
            "Github-Public-Key-Signature": base64.b64encode(signature).decode(),
        },
    )


@pytest.mark.django_db
class TestReport:
    @pytest.fixture
    def issued(self, business):
        business.contact_email = "desk@example.com"
        business.save()
        return issue_api_key(business_id=business.pk, name="POS", now=timezone.now())

    def test_revokes_the_key_and_says_which_are_ours(self, github, issued, other_business):
        other = issue_api_key(business_id=other_business.pk, name="Safe", now=timezone.now())
        stranger = make_key(livemode=True)
        found = report(issued.secret, stranger, "AKIA0000")
        assert found.status_code == 200
        assert found.json() == [
            {
                "token_hash": hashlib.sha256(token.encode()).hexdigest(),
                "token_type": "kaivox_api_key",
                "label": label,
            }
            for token, label in (
                (issued.secret, "true_positive"),
                (stranger, "false_positive"),
                ("AKIA0000", "false_positive"),
            )
        ]
        revoked = Client().get("/api/v1/business", headers={"X-API-Key": issued.secret})
        assert (revoked.status_code, revoked.json()["code"]) == (401, "invalid_api_key")
        assert ApiKey.objects.get(pk=other.key.pk).revoked_at is None

    def test_tells_the_owner_and_the_audit(self, github, issued):
        send_security_notices(now=timezone.now())
        mail.outbox.clear()
        report(issued.secret)
        send_security_notices(now=timezone.now())
        [message] = mail.outbox
        assert message.to == ["desk@example.com"]
        assert FOUND in message.body
        assert issued.secret not in message.body
        leaked = AuditEntry.objects.get(action="api_key.leaked")
        assert (leaked.subject_id, leaked.changes) == (issued.key.pk, {"found_at": FOUND})

    def test_repeated_changes_nothing(self, github, issued):
        for _ in range(2):
            [row] = report(issued.secret).json()
            assert row["label"] == "true_positive"
        assert AuditEntry.objects.filter(action="api_key.leaked").count() == 1

    @pytest.mark.parametrize("body", (b"", b"{}", b"[1]", b'["x"]', b"\xff", b"[" * 100_000))
    def test_that_is_no_report_is_rejected(self, github, body):
        found = report(body=body)
        assert (found.status_code, found.json()["code"]) == (400, "invalid_json")

    def test_with_unusual_values_is_no_crash(self, github, issued):
        rows = [
            {"token": "\ud800"},
            {"token": None, "type": [], "url": None},
            {"token": issued.secret, "url": "https://example.com/\x00\r\nBcc: a@b.example"},
        ]
        found = report(body=json.dumps(rows).encode())
        assert [row["label"] for row in found.json()] == [
            "false_positive",
            "false_positive",
            "true_positive",
        ]


@pytest.mark.django_db
class TestSignature:
    def rejected(self, found):
        return (found.status_code, found.json()["code"]) == (401, "invalid_signature")

    def test_of_another_body(self, github):
        assert self.rejected(report("x", signed=b"[]"))

    def test_of_an_unknown_key(self, github):
        assert self.rejected(report("x", identifier="two"))

    def test_by_another_key(self, github):
        other = ec.generate_private_key(ec.SECP256R1())
        github.respond_with(Reply(body=document(("one", other))))
        assert self.rejected(report("x"))

    @pytest.mark.parametrize("headers", ({}, {"Github-Public-Key-Signature": "é§="}))
    def test_missing_or_unreadable(self, github, headers):
        headers = {"Github-Public-Key-Identifier": "one", **headers}
        found = Client().post(PATH, b"[]", content_type="application/json", headers=headers)
        assert self.rejected(found)

    @pytest.mark.parametrize("reply", (500, Reply(body=b"<html>"), Reply(body=b"[]")))
    def test_without_github_nothing_is_accepted(self, github, reply):
        github.respond_with(reply)
        assert self.rejected(report("x"))

    def test_too_large_is_not_read(self, github):
        found = report(body=b" " * (secret_scanning.MAX_BODY + 1))
        assert (found.status_code, found.json()["code"]) == (413, "body_too_large")


@pytest.mark.django_db
def test_is_off_without_configuration(settings):
    settings.GITHUB_SECRET_SCANNING_KEYS = ""
    assert report("x").status_code == 404


class TestPublicKeys:
    def test_are_fetched_once_and_again_for_a_new_one(self):
        now = [0.0]
        documents = [document(("one", SIGNING_KEY)), None, document(("two", SIGNING_KEY))]
        keys = PublicKeys(lambda: documents.pop(0), timer=lambda: now[0])
        assert keys.get("one") is not None
        assert keys.get("two") is None  # within a minute of the last request
        now[0] = 61
        assert keys.get("two") is None  # the request failed
        assert keys.get("one") is not None
        now[0] = 122
        assert keys.get("two") is not None
        assert keys.get("one") is None
        assert documents == []
