"""Quotas of the plans, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from redis import Redis

from kaivox.businesses.models import Business
from kaivox.businesses.operations import change_plan
from ratelimits.operations import clear_quota_override, set_quota_override
from tests.factories import make_business, make_key, make_user

URL = "/api/v1/appointments"


@pytest.fixture
def starter(db):
    return make_business(plan="starter")


@pytest.fixture
def call(starter, client_of):
    return client_of(make_key(starter)).get


def call_times(call, times):
    return [call(URL) for _ in range(times)]


class TestQuotaOfThePlan:
    def test_admits_thirty_a_minute_of_starter(self, call):
        responses = call_times(call, 32)

        assert [response.status_code for response in responses] == [200] * 30 + [429] * 2
        remaining = [int(response["X-RateLimit-Remaining"]) for response in responses]
        assert remaining == [*range(29, -1, -1), 0, 0]

    @pytest.mark.parametrize(
        ("plan", "per_minute", "per_day"),
        (("starter", 30, 5_000), ("pro", 100, 20_000), ("enterprise", 500, 100_000)),
    )
    def test_is_that_of_the_plan(self, client_of, db, plan, per_minute, per_day):
        response = client_of(make_key(make_business(plan=plan))).get(URL)

        assert response["X-RateLimit-Limit"] == str(per_minute)
        assert response["RateLimit-Policy"] == (
            f'"minute";q={per_minute};w=60, "day";q={per_day};w=86400'
        )
        assert response["RateLimit"].startswith(
            f'"minute";r={per_minute - 1};t=60, "day";r={per_day - 1};t='
        )

    def test_rejects_with_retry_after(self, call):
        rejected = call_times(call, 31)[-1]

        assert rejected.json()["code"] == "rate_limit_exceeded"
        assert "All 30 requests of a minute are used." in rejected.json()["message"]
        assert 30 <= int(rejected["Retry-After"]) <= 60
        now = timezone.now().timestamp()
        assert now < int(rejected["X-RateLimit-Reset"]) <= now + 61

    def test_is_shared_by_the_keys_of_a_business(self, call, starter, client_of):
        call_times(call, 30)

        assert client_of(make_key(starter)).get(URL).status_code == 429

    def test_is_not_shared_by_two_businesses(self, call, client_of):
        call_times(call, 31)
        response = client_of(make_key(make_business(plan="starter"))).get(URL)

        assert response["X-RateLimit-Remaining"] == "29"

    def test_another_plan_applies_at_the_next_request(self, call, starter):
        call_times(call, 31)
        change_plan(business_id=starter.pk, plan="pro", now=timezone.now())
        upgraded = call(URL)
        change_plan(business_id=starter.pk, plan="starter", now=timezone.now())

        assert upgraded["X-RateLimit-Remaining"] == "69"
        assert call(URL).status_code == 429

    def test_shadow_mode_rejects_nothing(self, call, settings):
        settings.RATE_LIMIT_SHADOW = True

        assert {response.status_code for response in call_times(call, 33)} == {200}


class TestWhatCounts:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        (
            ("get", "/api/v1/nothing-here", 404),
            ("get", "/api/v1/appointments/999999", 404),
            ("delete", "/api/v1/staff", 405),
            ("get", "/api/v1/appointments?surprise=1", 422),
            ("post", "/api/v1/appointments", 422),
            ("options", "/api/v1/appointments", 200),
            ("head", "/api/v1/appointments", 200),
        ),
    )
    def test_every_response_to_a_valid_key_does(self, starter, client_of, method, path, status):
        client = client_of(make_key(starter))
        response = getattr(client, method)(path)

        assert response.status_code == status
        assert response["X-RateLimit-Remaining"] == "29"
        assert "RateLimit" in response
        assert "RateLimit-Policy" in response

    def test_an_unsupported_body_does(self, starter, client_of):
        response = client_of(make_key(starter)).post(URL, "a=1", content_type="text/csv")

        assert (response.status_code, response["X-RateLimit-Remaining"]) == (415, "29")

    def test_a_missing_scope_does(self, starter, client_of):
        response = client_of(make_key(starter, scopes=["calls:read"])).get(URL)

        assert (response.status_code, response["X-RateLimit-Remaining"]) == (403, "29")

    def test_a_suspended_business_does(self, starter, client_of):
        client = client_of(make_key(starter))
        Business.objects.filter(pk=starter.pk).update(suspended_at=timezone.now())

        assert client.get(URL)["X-RateLimit-Remaining"] == "29"

    def test_a_crash_does(self, starter, client_of, monkeypatch):
        monkeypatch.setattr("appointments.views.AppointmentViewSet.list", None)
        client = client_of(make_key(starter))
        client.raise_request_exception = False
        response = client.get(URL)

        assert (response.status_code, response["X-RateLimit-Remaining"]) == (500, "29")

    def test_a_wrong_key_does_not(self, call, client_of):
        for _ in range(5):
            wrong = client_of("kv_live_wrong").get(URL)

        assert wrong.status_code == 401
        assert "X-RateLimit-Remaining" not in wrong
        assert call(URL)["X-RateLimit-Remaining"] == "29"

    def test_a_session_does_not(self, starter, client, call):
        client.credentials()
        client.force_login(make_user(starter))
        response = client.get(URL)

        assert response.status_code == 200
        assert call(URL)["X-RateLimit-Remaining"] == "29"


class TestBusinessView:
    URL = reverse("business")

    def test_shows_both_windows(self, call):
        call_times(call, 3)
        usage = call(self.URL).json()["data"]["usage"]

        assert (usage["minute"]["used"], usage["minute"]["remaining"]) == (3, 27)
        assert (usage["day"]["used"], usage["day"]["remaining"]) == (3, 4997)

    @pytest.mark.parametrize("method", ("get", "head"))
    def test_costs_nothing(self, starter, client_of, method):
        client = client_of(make_key(starter))
        for _ in range(40):
            response = getattr(client, method)(self.URL)

        assert response.status_code == 200
        assert client.get(URL)["X-RateLimit-Remaining"] == "29"

    def test_responds_when_the_quota_is_exhausted(self, call):
        call_times(call, 31)
        response = call(self.URL)

        assert response.status_code == 200
        assert response["X-RateLimit-Remaining"] == "0"

    def test_another_method_costs(self, starter, client_of):
        response = client_of(make_key(starter)).post(self.URL)

        assert (response.status_code, response["X-RateLimit-Remaining"]) == (405, "29")

    def test_shows_the_business_and_the_key(self, client_of, starter):
        data = client_of(make_key(starter, name="EMR", scopes=["calls:read"])).get(self.URL)
        data = data.json()["data"]

        assert data["name"] == starter.name
        assert data["quota"] == {"per_minute": 30, "per_day": 5000}
        assert (data["api_key"]["name"], data["api_key"]["scopes"]) == ("EMR", ["calls:read"])


class TestQuotaOverride:
    def test_applies_instead_of_the_plan_until_it_ends(self, call, starter):
        now = timezone.now()
        set_quota_override(
            business_id=starter.pk,
            per_minute=7,
            per_day=70,
            ends_at=now + timedelta(days=3),
            now=now,
        )
        overridden = call(URL)
        clear_quota_override(business_id=starter.pk, now=now)

        assert overridden["X-RateLimit-Limit"] == "7"
        assert call(URL)["X-RateLimit-Limit"] == "30"

    def test_costs_no_extra_query(self, call, starter, django_assert_num_queries):
        set_quota_override(
            business_id=starter.pk,
            per_minute=7,
            per_day=70,
            ends_at=timezone.now() + timedelta(days=3),
            now=timezone.now(),
        )
        with django_assert_num_queries(1):
            call("/api/v1/business")


@pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis")
class TestOneCommand:
    def test_charges_both_windows(self, call, monkeypatch):
        call(URL)
        commands = []
        execute = Redis.execute_command

        def record(self, *command, **options):
            commands.append(command[0])
            return execute(self, *command, **options)

        monkeypatch.setattr(Redis, "execute_command", record)
        call("/api/v1/services/1")

        assert commands == ["EVALSHA"]
