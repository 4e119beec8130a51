"""CORS with an allow-list of origins per business."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.businesses.operations import change_business
from tests.factories import make_key

URL = "/api/v1/appointments"
PAGE = "https://book.example.com"


@pytest.fixture
def http():
    return Client()


@pytest.fixture
def named(business):
    return change_business(business_id=business.pk, cors_origins=[PAGE], now=timezone.now())


def preflight(http, origin, method="POST"):
    return http.options(
        URL,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "x-api-key, idempotency-key",
        },
    )


class TestPreflight:
    def test_passes_for_a_named_page_without_a_key(self, http, named):
        response = preflight(http, PAGE)

        assert response.status_code == 200
        assert response["Access-Control-Allow-Origin"] == PAGE
        allowed = response["Access-Control-Allow-Headers"].lower()
        for header in ("x-api-key", "authorization", "idempotency-key", "if-match"):
            assert header in allowed
        for method in ("GET", "POST", "PATCH", "DELETE"):
            assert method in response["Access-Control-Allow-Methods"]
        assert int(response["Access-Control-Max-Age"]) > 0

    @pytest.mark.parametrize(
        "origin", ("https://evil.example", "null", "https://book.example.com.evil", "http://[")
    )
    def test_does_not_pass_for_another(self, http, named, origin):
        assert "Access-Control-Allow-Origin" not in preflight(http, origin)

    def test_is_off_until_a_business_names_a_page(self, http, business):
        assert "Access-Control-Allow-Origin" not in preflight(http, PAGE)

    def test_costs_no_quota(self, http, named, client_of):
        for _ in range(3):
            preflight(http, PAGE)
        response = client_of(make_key(named)).get("/api/v1/business")

        assert response.json()["data"]["usage"]["day"]["used"] == 0


class TestAnswer:
    def test_is_readable_by_a_page_of_the_keys_own_business(self, client_of, named):
        response = client_of(make_key(named)).get(URL, HTTP_ORIGIN=PAGE)

        assert response["Access-Control-Allow-Origin"] == PAGE
        assert "origin" in response["Vary"].lower()
        assert "Access-Control-Allow-Credentials" not in response
        exposed = response["Access-Control-Expose-Headers"].lower()
        for header in ("x-ratelimit-remaining", "ratelimit", "retry-after", "etag", "x-request-id"):
            assert header in exposed

    def test_is_not_readable_by_a_page_of_another_business(self, client_of, named, other_business):
        response = client_of(make_key(other_business)).get(URL, HTTP_ORIGIN=PAGE)

        assert response.status_code == 200
        assert "Access-Control-Allow-Origin" not in response

    def test_of_a_wrong_key_is_readable_by_a_page_that_any_business_names(self, http, named):
        response = http.get(URL, headers={"Origin": PAGE, "X-API-Key": "wrong"})

        assert (response.status_code, response["Access-Control-Allow-Origin"]) == (401, PAGE)

    @pytest.mark.parametrize("origin", ({}, {"HTTP_ORIGIN": "https://evil.example"}))
    def test_varies_by_origin_in_any_case(self, client_of, named, origin):
        vary = client_of(make_key(named)).get(URL, **origin)["Vary"].lower()

        assert "origin" in vary
        assert "accept" in vary

    def test_pages_outside_the_api_have_none(self, http, named):
        assert "Access-Control-Allow-Origin" not in http.get("/admin/", headers={"Origin": PAGE})


class TestHeaders:
    @pytest.mark.parametrize(
        "asked",
        ("traceparent, tracestate, baggage", "sentry-trace", "cache-control", "x-requested-with",
         "idempotency-key, if-match, if-none-match, content-type"),
    )  # fmt: skip
    def test_that_browsers_tools_add_pass_the_preflight(self, http, named, asked):
        response = http.options(
            URL,
            headers={
                "Origin": PAGE,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": asked,
            },
        )
        allowed = response["Access-Control-Allow-Headers"].split(", ")
        assert set(asked.split(", ")) <= set(allowed)

    def test_of_ours_can_be_read_by_the_page(self, http, named):
        key = make_key(named)
        response = http.get(URL, headers={"Origin": PAGE, "X-API-Key": key})
        shown = set(response["Access-Control-Expose-Headers"].split(", "))
        assert {"Link", "Content-Disposition", "WWW-Authenticate", "Deprecation", "Sunset"} <= shown
        ours = {name for name in response.headers if name.lower().startswith(("x-r", "ratelimit"))}
        assert ours <= shown
        assert ours

    def test_of_the_schema_let_any_page_read_it(self, http, db):
        first = http.get("/api/schema", headers={"Origin": "https://editor.example"})
        again = http.get(
            "/api/schema",
            headers={"Origin": "https://editor.example", "If-None-Match": first["ETag"]},
        )
        assert (first.status_code, again.status_code) == (200, 304)
        for response in (first, again):
            assert response["Access-Control-Allow-Origin"] == "*"
