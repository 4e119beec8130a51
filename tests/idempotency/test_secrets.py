"""A response that showed a secret is replayed without it, and only to callers who may see it."""

from __future__ import annotations

import pytest

from kaivox.businesses.auth.scopes import ALL_SCOPES
from kaivox.idempotency.models import IdempotencyRecord
from tests.factories import make_key
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db

HOOK = "/api/v1/webhooks"
BODY = {"url": "http://127.0.0.1:9/hook", "event_types": ["customer.created"]}


@pytest.fixture(autouse=True)
def private_receivers(settings):
    settings.WEBHOOK_ALLOW_PRIVATE, settings.WEBHOOK_HTTPS_ONLY = True, False
    settings.WEBHOOK_PORTS = []


def post(client, path=HOOK, body=BODY):
    return client.post(path, body, headers={"Idempotency-Key": "k-1"})


def test_a_repeat_shows_no_secret(client):
    first, again = post(client), post(client)
    assert again["Idempotent-Replayed"] == "true"
    secret = first.json()["data"]["secret"]
    assert again.json()["data"] == {
        name: value for name, value in first.json()["data"].items() if name != "secret"
    }
    assert secret not in IdempotencyRecord.objects.get().answer
    assert Endpoint.objects.count() == 1


def test_nor_does_the_repeat_of_a_rotation(client):
    endpoint = client.post(HOOK, BODY).json()["data"]["id"]
    path = f"{HOOK}/{endpoint}/rotate-secret"
    assert "secret" in post(client, path, {}).json()["data"]
    assert "secret" not in post(client, path, {}).json()["data"]


@pytest.mark.parametrize(
    ("scopes", "status"),
    ((ALL_SCOPES, 201), ((*ALL_SCOPES[:-2], "webhooks:write"), 422)),
)
def test_only_a_key_with_the_same_scopes_gets_it(client, client_of, business, scopes, status):
    post(client)
    response = post(client_of(make_key(business, scopes=list(scopes))))
    assert response.status_code == status
    if status == 422:
        assert response.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("first", "second", "status"),
    (
        (["customers:write"], ["customers:write", "customers:read"], 201),
        (["customers:write", "customers:read"], ["customers:write"], 422),
    ),
)
def test_others_are_replayed_to_whoever_may_read_as_much(
    business, client_of, first, second, status
):
    body = {"name": "Asha Rao", "email": "asha@example.com"}
    one, two = (client_of(make_key(business, scopes=scopes)) for scopes in (first, second))
    assert post(one, "/api/v1/customers", body).status_code == 201
    assert post(two, "/api/v1/customers", body).status_code == status


def test_one_that_cannot_be_decrypted_is_an_error_and_not_repeated(client, settings):
    post(client)
    settings.SECRET_KEY = "another" * 10
    client.raise_request_exception = False
    response = post(client)
    assert response.status_code == 422
    assert response.json()["code"] == "idempotency_key_reused"
    assert Endpoint.objects.count() == 1
