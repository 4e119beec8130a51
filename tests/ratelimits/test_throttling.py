"""What a caller sees of its quota, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from kaivox.businesses import marks
from kaivox.businesses.models import ApiKey, Business
from kaivox.businesses.operations import change_plan
from kaivox.redis_store import Line
from ratelimits.operations import agree_quota, end_agreed_quota
from ratelimits.stores import current_window, of_business
from ratelimits.window import Quota
from tests.factories import make_business, make_key, make_user

URL = "/api/v1/appointments"


@pytest.fixture
def starter(db):
    return make_business(plan="starter")


@pytest.fixture
def call(starter, client_of):
    return client_of(make_key(starter)).get


def use_up(call, times):
    return [call(URL) for _ in range(times)]


class TestQuotaOfThePlan:
    def test_admits_thirty_a_minute_of_starter(self, call):
        answers = use_up(call, 32)

        assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 2
        remaining = [int(answer["X-RateLimit-Remaining"]) for answer in answers]
        assert remaining == [*range(29, -1, -1), 0, 0]

    @pytest.mark.parametrize(
        ("plan", "per_minute", "per_day"),
        (("starter", 30, 5_000), ("pro", 100, 20_000), ("enterprise", 500, 100_000)),
    )
    def test_is_the_plans(self, client_of, db, plan, per_minute, per_day):
        answer = client_of(make_key(make_business(plan=plan))).get(URL)

        assert answer["X-RateLimit-Limit"] == str(per_minute)
        assert answer["RateLimit-Policy"] == (
            f'"minute";q={per_minute};w=60, "day";q={per_day};w=86400'
        )
        assert answer["RateLimit"].startswith(
            f'"minute";r={per_minute - 1};t=60, "day";r={per_day - 1};t='
        )

    def test_refuses_with_when_to_come_back(self, call):
        refused = use_up(call, 31)[-1]

        assert refused.json()["code"] == "rate_limit_exceeded"
        assert "All 30 requests of a minute are used." in refused.json()["message"]
        assert 30 <= int(refused["Retry-After"]) <= 60
        now = timezone.now().timestamp()
        assert now < int(refused["X-RateLimit-Reset"]) <= now + 61

    def test_is_shared_by_the_keys_of_a_business(self, call, starter, client_of):
        use_up(call, 30)

        assert client_of(make_key(starter)).get(URL).status_code == 429

    def test_is_not_shared_by_two_businesses(self, call, client_of):
        use_up(call, 31)
        answer = client_of(make_key(make_business(plan="starter"))).get(URL)

        assert answer["X-RateLimit-Remaining"] == "29"

    def test_another_plan_holds_at_the_next_request(self, call, starter):
        use_up(call, 31)
        change_plan(business_id=starter.pk, plan="pro", now=timezone.now())
        upgraded = call(URL)
        change_plan(business_id=starter.pk, plan="starter", now=timezone.now())

        assert upgraded["X-RateLimit-Remaining"] == "69"
        assert call(URL).status_code == 429

    def test_shadow_mode_refuses_nothing(self, call, settings):
        settings.RATE_LIMIT_SHADOW = True

        assert {answer.status_code for answer in use_up(call, 33)} == {200}


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
    def test_every_answer_to_a_valid_key_does(self, starter, client_of, method, path, status):
        client = client_of(make_key(starter))
        answer = getattr(client, method)(path)

        assert answer.status_code == status
        assert answer["X-RateLimit-Remaining"] == "29"
        assert "RateLimit" in answer
        assert "RateLimit-Policy" in answer

    def test_an_unsupported_body_does(self, starter, client_of):
        answer = client_of(make_key(starter)).post(URL, "a=1", content_type="text/csv")

        assert (answer.status_code, answer["X-RateLimit-Remaining"]) == (415, "29")

    def test_a_missing_scope_does(self, starter, client_of):
        answer = client_of(make_key(starter, scopes=["calls:read"])).get(URL)

        assert (answer.status_code, answer["X-RateLimit-Remaining"]) == (403, "29")

    def test_a_suspended_business_does(self, starter, client_of):
        client = client_of(make_key(starter))
        Business.objects.filter(pk=starter.pk).update(suspended_at=timezone.now())

        assert client.get(URL)["X-RateLimit-Remaining"] == "29"

    def test_a_crash_does(self, starter, client_of, monkeypatch):
        monkeypatch.setattr("appointments.views.AppointmentViewSet.list", None)
        client = client_of(make_key(starter))
        client.raise_request_exception = False
        answer = client.get(URL)

        assert (answer.status_code, answer["X-RateLimit-Remaining"]) == (500, "29")

    def test_a_wrong_key_does_not(self, call, client_of):
        for _ in range(5):
            wrong = client_of("kv_live_wrong").get(URL)

        assert wrong.status_code == 401
        assert "X-RateLimit-Remaining" not in wrong
        assert call(URL)["X-RateLimit-Remaining"] == "29"

    def test_a_person_in_a_browser_does_not(self, starter, client, call):
        client.credentials()
        client.force_login(make_user(starter))
        answer = client.get(URL)

        assert answer.status_code == 200
        assert call(URL)["X-RateLimit-Remaining"] == "29"


class TestBusinessView:
    URL = reverse("business")

    def test_tells_both_windows(self, call):
        use_up(call, 3)
        usage = call(self.URL).json()["data"]["usage"]

        assert (usage["minute"]["used"], usage["minute"]["remaining"]) == (3, 27)
        assert (usage["day"]["used"], usage["day"]["remaining"]) == (3, 4997)

    @pytest.mark.parametrize("method", ("get", "head"))
    def test_costs_nothing(self, starter, client_of, method):
        client = client_of(make_key(starter))
        for _ in range(40):
            answer = getattr(client, method)(self.URL)

        assert answer.status_code == 200
        assert client.get(URL)["X-RateLimit-Remaining"] == "29"

    def test_answers_when_the_quota_is_used_up(self, call):
        use_up(call, 31)
        answer = call(self.URL)

        assert answer.status_code == 200
        assert answer["X-RateLimit-Remaining"] == "0"

    def test_another_method_costs(self, starter, client_of):
        answer = client_of(make_key(starter)).post(self.URL)

        assert (answer.status_code, answer["X-RateLimit-Remaining"]) == (405, "29")

    def test_shows_the_business_and_the_key(self, client_of, starter):
        data = client_of(make_key(starter, name="EMR", scopes=["calls:read"])).get(self.URL)
        data = data.json()["data"]

        assert data["name"] == starter.name
        assert data["quota"] == {"per_minute": 30, "per_day": 5000}
        assert (data["api_key"]["name"], data["api_key"]["scopes"]) == ("EMR", ["calls:read"])


class TestAgreedQuota:
    def test_holds_instead_of_the_plans_until_it_ends(self, call, starter):
        now = timezone.now()
        agree_quota(
            business_id=starter.pk,
            per_minute=7,
            per_day=70,
            ends_at=now + timedelta(days=3),
            now=now,
        )
        agreed = call(URL)
        end_agreed_quota(business_id=starter.pk, now=now)

        assert agreed["X-RateLimit-Limit"] == "7"
        assert call(URL)["X-RateLimit-Limit"] == "30"

    def test_costs_no_query_of_its_own(self, call, starter, django_assert_num_queries):
        agree_quota(
            business_id=starter.pk,
            per_minute=7,
            per_day=70,
            ends_at=timezone.now() + timedelta(days=3),
            now=timezone.now(),
        )
        with django_assert_num_queries(1):
            call("/api/v1/business")
        call("/api/v1/business")
        with django_assert_num_queries(0):
            call("/api/v1/business")


@pytest.mark.skipif(not settings.REDIS_URL, reason="the embedded profile has no Redis")
class TestOneQuestion:
    """Whether a remembered key still holds and what is left of its quota are asked at once."""

    @pytest.fixture
    def secret(self, starter, client_of):
        secret = make_key(starter)
        for _ in range(2):  # the second time it is remembered
            client_of(secret).get(URL)
        return secret

    @pytest.fixture
    def asked(self, secret, monkeypatch):
        asked = []
        line_ask, read_mark = Line.ask, marks._InRedis.read
        monkeypatch.setattr(Line, "ask", lambda *a: asked.append("quota") or line_ask(*a))
        monkeypatch.setattr(
            marks._InRedis, "read", lambda *a: asked.append("mark") or read_mark(*a)
        )
        return asked

    def used(self, starter):
        return current_window().take(of_business(starter.pk), Quota(30, 5_000), cost=0).day_used

    def changed_elsewhere(self, starter, **changes):
        """As another process: past our models, which would tell ours by themselves."""
        ApiKey._base_manager.filter(business=starter).update(**changes)
        marks._marks().leave(starter.pk)

    def test_for_a_remembered_key(self, secret, client_of, asked, django_assert_num_queries):
        with django_assert_num_queries(0):
            answer = client_of(secret).get("/api/v1/business")

        assert answer.json()["data"]["usage"]["day"]["used"] == 2
        assert asked == ["quota"]
        assert client_of(secret).get(URL)["X-RateLimit-Remaining"] == "27"

    def test_a_key_revoked_meanwhile_is_not_charged(self, secret, starter, client_of):
        self.changed_elsewhere(starter, revoked_at=timezone.now())

        assert client_of(secret).get(URL).status_code == 401
        assert self.used(starter) == 2

    def test_a_key_changed_meanwhile_is_charged_once(self, secret, starter, client_of):
        self.changed_elsewhere(starter, name="Another name")

        assert client_of(secret).get(URL)["X-RateLimit-Remaining"] == "27"
        assert self.used(starter) == 3

    def test_a_key_that_expired_meanwhile_is_not_charged(self, secret, starter, client_of):
        self.changed_elsewhere(starter, expires_at=timezone.now() + timedelta(seconds=60))
        client_of(secret).get(URL)
        with time_machine.travel(timezone.now() + timedelta(seconds=61)):
            answer = client_of(secret).get(URL)

        assert answer.json()["code"] == "expired_api_key"
        assert self.used(starter) == 3
