"""Authentication with an API key in three places, and the error of each failure."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from kaivox.businesses.auth import key_format
from kaivox.businesses.models import ApiKey, Business, Plan
from kaivox.businesses.operations import (
    change_api_key,
    issue_api_key,
    revoke_api_key,
    rotate_api_key,
    suspend_business,
)
from tests.factories import make_business, make_key, make_user

URL = "/api/v1/appointments"


@pytest.fixture
def http():
    """A client without a key."""
    return Client()


def code_of(response):
    return response.status_code, response.json().get("code")


class TestTheThreeWays:
    @pytest.mark.parametrize("scheme", ("Bearer", "bearer", "BEARER"))
    def test_bearer(self, http, api_key, scheme):
        response = http.get(URL, headers={"Authorization": f"{scheme} {api_key}"})

        assert response.status_code == 200

    def test_header(self, http, api_key):
        assert http.get(URL, headers={"X-API-Key": api_key}).status_code == 200

    def test_query(self, http, api_key):
        response = http.get(URL, {"api_key": api_key})

        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"
        assert api_key not in response.content.decode()

    def test_header_decides_over_bearer_and_query(self, http, business, other_business):
        mine, theirs = make_key(business), make_key(other_business)
        response = http.get(
            "/api/v1/business",
            {"api_key": theirs},
            headers={"X-API-Key": mine, "Authorization": f"Bearer {theirs}"},
        )

        assert response.json()["data"]["slug"] == business.slug

    def test_bearer_decides_over_query(self, http, business, other_business):
        response = http.get(
            "/api/v1/business",
            {"api_key": make_key(other_business)},
            headers={"Authorization": f"Bearer {make_key(business)}"},
        )

        assert response.json()["data"]["slug"] == business.slug

    def test_a_wrong_header_is_not_mended_by_a_right_bearer(self, http, api_key):
        response = http.get(
            URL, headers={"X-API-Key": "kv_live_nonsense", "Authorization": f"Bearer {api_key}"}
        )

        assert code_of(response) == (401, "invalid_api_key")

    @pytest.mark.parametrize("foreign", ("Basic dXNlcjpwYXNz", "Bearer foreign", "Negotiate x"))
    def test_a_foreign_authorization_does_not_matter_beside_the_header(
        self, http, api_key, foreign
    ):
        response = http.get(URL, headers={"X-API-Key": api_key, "Authorization": foreign})

        assert response.status_code == 200

    def test_basic_leaves_the_word_to_the_query(self, http, api_key):
        response = http.get(URL, {"api_key": api_key}, headers={"Authorization": "Basic dTpw"})

        assert response.status_code == 200


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        "headers",
        ({}, {"Authorization": "Basic dTpw"}, {"X-API-Key": ""}, {"Authorization": "Bearer"}),
    )
    def test_no_key(self, http, headers):
        response = http.get(URL, headers=headers)

        assert code_of(response) == (401, "missing_api_key")
        assert response["WWW-Authenticate"] == 'Bearer realm="KaiVox"'

    def test_unknown_malformed_and_revoked_keys_get_one_and_the_same_answer(self, http, business):
        revoked = issue_api_key(business_id=business.pk, name="Old", now=timezone.now())
        revoke_api_key(key_id=revoked.key.pk, now=timezone.now())
        header_only = make_key(business, query_allowed=False)
        responses = [
            http.get(URL, headers={"X-API-Key": secret, "X-Request-ID": "same"})
            for secret in (
                key_format.make_key(livemode=True),
                key_format.make_key(livemode=True)[:-1],
                "é",
                "x" * 5000,
                revoked.secret,
            )
        ]
        responses.append(http.get(URL, {"api_key": header_only}, headers={"X-Request-ID": "same"}))

        assert {code_of(response) for response in responses} == {(401, "invalid_api_key")}
        assert len({response.content for response in responses}) == 1
        assert {response["WWW-Authenticate"] for response in responses} == {'Bearer realm="KaiVox"'}

    def test_an_expired_key_has_its_own_code(self, http, business):
        secret = make_key(business, expires_at=timezone.now() - timedelta(seconds=1))
        response = http.get(URL, headers={"X-API-Key": secret})

        assert code_of(response) == (401, "expired_api_key")
        assert response["WWW-Authenticate"] == 'Bearer realm="KaiVox"'

    def test_a_suspended_business(self, http, business, api_key):
        suspend_business(business_id=business.pk, now=timezone.now())

        assert code_of(http.get(URL, headers={"X-API-Key": api_key})) == (
            403,
            "business_suspended",
        )

    def test_another_address(self, http, business):
        secret = make_key(business, allowed_cidrs=["203.0.113.0/24", "2001:db8::/32"])
        headers = {"X-API-Key": secret}

        assert code_of(http.get(URL, headers=headers)) == (403, "ip_not_allowed")
        assert http.get(URL, headers=headers, REMOTE_ADDR="203.0.113.77").status_code == 200
        assert http.get(URL, headers=headers, REMOTE_ADDR="2001:db8::1").status_code == 200

    def test_a_malformed_key_costs_no_query(self, http, django_assert_num_queries):
        with django_assert_num_queries(0):
            http.get(URL, headers={"X-API-Key": key_format.make_key(livemode=True)[:-1] + "?"})

    def test_a_wrong_secret_costs_what_an_unknown_one_costs(
        self, http, business, django_assert_num_queries
    ):
        """One query and one comparison each; `make drill-quotas` measures the time."""
        body = make_key(business)[:16] + key_format.make_key(livemode=True)[16:-6]
        for secret in (body + key_format._checksum(body), key_format.make_key(livemode=True)):
            with django_assert_num_queries(1):
                response = http.get(URL, headers={"X-API-Key": secret})
            assert code_of(response) == (401, "invalid_api_key")


class TestScopes:
    def test_the_error_names_the_scope(self, client_of, business):
        client = client_of(make_key(business, scopes=["customers:read"]))
        response = client.get(URL)

        assert code_of(response) == (403, "insufficient_scope")
        assert "appointments:read" in response.json()["message"]

    def test_reading_does_not_allow_writing(self, client_of, business):
        client = client_of(make_key(business, scopes=["appointments:read"]))

        assert client.get(URL).status_code == 200
        assert code_of(client.post(URL, {})) == (403, "insufficient_scope")

    def test_a_wrong_method_is_405_whatever_the_scopes(self, client_of, business):
        client = client_of(make_key(business, scopes=["staff:read"]))
        response = client.delete("/api/v1/staff")

        assert response.status_code == 405
        assert "GET" in response["Allow"]

    def test_no_scope_is_needed_to_see_oneself(self, client_of, business):
        assert (
            client_of(make_key(business, scopes=["calls:read"])).get("/api/v1/business").status_code
            == 200
        )


class TestAtTheNextRequest:
    """A key that has just been used is read again for the next request."""

    @pytest.fixture
    def issued(self, business):
        return issue_api_key(business_id=business.pk, name="POS", now=timezone.now())

    @pytest.fixture
    def client(self, issued, client_of):
        client = client_of(issued.secret)
        for _ in range(3):
            assert client.get(URL).status_code == 200
        return client

    def test_authenticates_with_one_query(self, client, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert client.get("/api/v1/business").status_code == 200

    def test_revoked(self, client, issued):
        revoke_api_key(key_id=issued.key.pk, now=timezone.now())

        assert code_of(client.get(URL)) == (401, "invalid_api_key")

    def test_rotated_without_grace(self, client, issued, client_of):
        new = rotate_api_key(key_id=issued.key.pk, grace=timedelta(0), now=timezone.now())

        assert code_of(client.get(URL)) == (401, "invalid_api_key")
        assert client_of(new.secret).get(URL).status_code == 200

    def test_rotated_with_grace(self, client, issued, client_of):
        new = rotate_api_key(key_id=issued.key.pk, grace=timedelta(hours=1), now=timezone.now())

        assert client.get(URL).status_code == 200
        assert client_of(new.secret).get(URL).status_code == 200

    def test_narrowed(self, client, issued):
        change_api_key(key_id=issued.key.pk, scopes=["calls:read"], now=timezone.now())

        assert code_of(client.get(URL)) == (403, "insufficient_scope")

    def test_expired(self, client, issued):
        now = timezone.now()
        change_api_key(key_id=issued.key.pk, expires_at=now + timedelta(hours=1), now=now)
        assert client.get(URL).status_code == 200

        with time_machine.travel(now + timedelta(hours=1)):
            assert code_of(client.get(URL)) == (401, "expired_api_key")

    def test_suspended(self, client, business):
        suspend_business(business_id=business.pk, now=timezone.now())

        assert code_of(client.get(URL)) == (403, "business_suspended")

    def test_changed_in_bulk_by_the_orm(self, client, issued):
        ApiKey.objects.filter(pk=issued.key.pk).update(revoked_at=timezone.now())

        assert code_of(client.get(URL)) == (401, "invalid_api_key")

    def test_changed_by_sql(self, client, issued):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE businesses_apikey SET revoked_at = created_at")

        assert code_of(client.get(URL)) == (401, "invalid_api_key")

    def test_on_another_plan(self, client, business):
        assert client.get(URL)["X-RateLimit-Limit"] == "500"
        Business.objects.filter(pk=business.pk).update(plan=Plan.STARTER)

        assert client.get(URL)["X-RateLimit-Limit"] == "30"

    def test_deleted(self, client, issued):
        issued.key.delete()

        assert code_of(client.get(URL)) == (401, "invalid_api_key")


class TestStaffSession:
    @pytest.fixture
    def person(self, business):
        return make_user(business)

    def test_acts_as_their_first_business(self, http, person, business):
        http.force_login(person)
        response = http.get("/api/v1/business").json()["data"]

        assert response["slug"] == business.slug
        assert response["api_key"] is None

    def test_acts_as_the_chosen_one(self, http, person, other_business):
        other_business.memberships.create(user=person)
        http.force_login(person)
        session = http.session
        session["acting_business_id"] = other_business.pk
        session.save()

        assert http.get("/api/v1/business").json()["data"]["slug"] == other_business.slug

    def test_never_as_a_strangers(self, http, person, business, other_business):
        http.force_login(person)
        session = http.session
        session["acting_business_id"] = other_business.pk
        session.save()

        assert http.get("/api/v1/business").json()["data"]["slug"] == business.slug

    def test_an_analyst_only_reads(self, http, business):
        http.force_login(make_user(business, role="analyst"))

        assert http.get(URL).status_code == 200
        assert code_of(http.post(URL, {}, content_type="application/json"))[0] == 403

    @pytest.mark.parametrize("values", ({"is_staff": False}, {"is_active": False}))
    def test_other_callers_are_rejected(self, http, business, values):
        person = make_user(business, **values)
        http.force_login(person)

        assert http.get(URL).status_code == 401

    def test_a_superuser_acts_as_any(self, http, business):
        http.force_login(make_user(is_superuser=True))

        assert http.get("/api/v1/business").json()["data"]["slug"] == business.slug

    def test_writes_need_the_csrf_token(self, person):
        http = Client(enforce_csrf_checks=True)
        http.force_login(person)
        response = http.post(URL, {}, content_type="application/json")

        assert response.status_code == 403
        assert response.json()["success"] is False

    def test_a_key_decides_over_a_session(self, http, person, other_business):
        http.force_login(person)
        response = http.get("/api/v1/business", headers={"X-API-Key": make_key(other_business)})

        assert response.json()["data"]["slug"] == other_business.slug


class TestSandboxKeys:
    def test_reach_the_sandbox_alone(self, client_of, business):
        sandbox = make_business(livemode=False, sandbox_of=business, slug="twin")
        secret = make_key(sandbox)
        response = client_of(secret).get("/api/v1/business").json()["data"]

        assert secret.startswith("kv_test_")
        assert (response["slug"], response["livemode"]) == ("twin", False)
        assert Business.objects.count() == 2
