"""A 304 authenticates, permits and charges its caller as any other response does.

That it is sent only where nothing has changed: `test_collection_version`."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from kaivox.api.etags import make_etag, names_etag
from kaivox.businesses.models import ApiKey
from kaivox.businesses.operations import (
    change_api_key,
    issue_api_key,
    revoke_api_key,
    suspend_business,
)
from ratelimits.backends import current_limiter, of_business
from ratelimits.limiter import Quota
from ratelimits.throttling import EnterpriseThrottle
from tests import factories


@pytest.fixture
def issued(business):
    return issue_api_key(business_id=business.pk, name="Poller", now=timezone.now())


@pytest.fixture
def appointment(business):
    return factories.make_appointment(business)


class Poller:
    """Has read a resource, and asks again whether it is still the same."""

    def __init__(self, client, path: str) -> None:
        self.client = client
        self.path = path
        self.tag = client.get(path)["ETag"]
        assert self.ask().status_code == 304

    def ask(self, **headers: str):
        return self.client.get(self.path, headers={"If-None-Match": self.tag, **headers})


@pytest.fixture(params=("", "/{pk}"), ids=("list", "row"))
def path(request, appointment):
    return f"/api/v1/appointments{request.param.format(pk=appointment.pk)}"


@pytest.fixture
def poller(issued, path, client_of):
    return Poller(client_of(issued.secret), path)


def used(business) -> int:
    """Of the quota of today."""
    return current_limiter().take(of_business(business.pk), Quota(1, 100_000), cost=0).day_used


def code_of(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


class TestCaller:
    def test_whose_key_was_revoked(self, poller, issued, business):
        before = used(business)
        revoke_api_key(key_id=issued.key.pk, now=timezone.now())
        assert code_of(poller.ask()) == (401, "invalid_api_key")
        assert used(business) == before

    def test_whose_key_was_narrowed(self, poller, issued):
        change_api_key(key_id=issued.key.pk, scopes=["calls:read"], now=timezone.now())
        assert code_of(poller.ask()) == (403, "insufficient_scope")

    def test_who_calls_from_elsewhere(self, poller, issued):
        change_api_key(key_id=issued.key.pk, allowed_cidrs=["203.0.113.0/24"], now=timezone.now())
        assert code_of(poller.ask()) == (403, "ip_not_allowed")

    def test_whose_business_is_suspended(self, poller, business):
        suspend_business(business_id=business.pk, now=timezone.now())
        assert code_of(poller.ask()) == (403, "business_suspended")

    def test_with_no_key(self, poller):
        poller.client = APIClient()
        assert code_of(poller.ask()) == (401, "missing_api_key")

    def test_with_a_session_in_a_browser(self, poller):
        poller.client = APIClient()
        poller.client.force_login(User.objects.create_superuser("root", "root@example.org", "pw"))
        assert poller.ask().status_code == 304


class TestCost:
    def test_is_one_however_it_ends(self, poller, appointment, business):
        first = used(business)
        assert poller.ask().status_code == 304
        appointment.notes = "changed"
        appointment.save()
        assert poller.ask().status_code == 200
        poller.tag = '"another"'
        assert poller.ask().status_code == 200
        assert used(business) == first + 3

    def test_past_the_quota_it_is_rejected_once(
        self, issued, appointment, path, client_of, monkeypatch
    ):
        monkeypatch.setattr(EnterpriseThrottle, "per_minute", 3)
        poller = Poller(client_of(issued.secret), path)
        poller.ask()
        rejected = poller.ask()
        assert code_of(rejected) == (429, "rate_limit_exceeded")
        assert rejected["X-RateLimit-Remaining"] == "0"
        subject = of_business(appointment.business_id)
        assert current_limiter().usage([subject])[subject][-1][1:3] == (3, 1)

    def test_is_seen_in_the_headers(self, poller):
        left = [int(poller.ask()["X-RateLimit-Remaining"]) for _ in range(2)]
        assert left[0] - left[1] == 1

    def test_of_the_use_of_the_key(self, poller, settings):
        settings.KEY_USE_FLUSH_SECONDS = 60.0
        poller.ask()
        assert ApiKey.objects.get(last_used_at__isnull=False)


class TestRequest:
    def test_of_another_host_is_rejected(self, poller, settings):
        settings.ALLOWED_HOSTS = ["testserver"]
        assert poller.ask(Host="evil.example").status_code == 400

    def test_that_accepts_no_json_is_rejected(self, poller):
        assert poller.ask(Accept="image/png").status_code == 406

    def test_has_its_own_request_id(self, poller):
        assert poller.ask(**{"X-Request-ID": "mine-1"})["X-Request-ID"] == "mine-1"
        assert poller.ask()["X-Request-ID"] != "mine-1"


def test_tags_match_as_proxies_change_them():
    tag = make_etag(b"{}")
    for sent in (tag, f"W/{tag}", f'{tag[:-1]}-gzip"', f'W/{tag[:-1]}-br"', f'"x", {tag}'):
        assert names_etag(sent, tag)
        assert names_etag(sent, f"W/{tag}")
    assert not names_etag(f'{tag[:-1]}-other"', tag)
