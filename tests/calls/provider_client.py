"""Shared by the tests of voice providers: accounts of every provider, and messages signed by them."""

from __future__ import annotations

from datetime import UTC, datetime

from rest_framework.test import APIClient

from calls.models import Call
from tests.calls.providers import sample, signature
from webhooks.models import Event
from webhooks.signing import new_secret

NOW = datetime(2026, 6, 2, 5, 0, tzinfo=UTC)
SECRETS = {
    "twilio": "0123456789abcdef0123456789abcdef",
    "vobiz": "vobiz-token",
    "vapi": "vapi-secret",
    "retell": "key_retell",
    "kaivox": new_secret(),
}


def post(provider, body, content_type="application/json", *, slug="smile", sign=True, **how):
    path = f"/voice/{provider}/{slug}"
    how = {"secret": SECRETS[provider], "url": f"http://testserver{path}"} | how
    headers = how.pop("headers", {})
    if sign:
        headers |= signature(provider, body, at=how.pop("at", NOW.timestamp()), **how)
    return APIClient().post(path, body, content_type=content_type, headers=headers)


def send(provider, name, **how) -> Call | None:
    response = post(provider, *sample(name), **how)
    body = response.json()
    assert response.status_code == 200, body
    assert body["success"] is True
    return Call.objects.filter(pk=body["data"]["call_id"]).first()


def call_events() -> list[str]:
    events = Event.objects.filter(type__startswith="call.").order_by("pk")
    return list(events.values_list("type", flat=True))
