"""What every response under /api/ has in common: envelope, request id, errors, headers."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.test import Client

from kaivox.businesses.models import ApiKey
from tests import factories

pytestmark = [pytest.mark.urls("tests.api.sample_resource"), pytest.mark.django_db]

BOOKS = "/api/v1/books"


def error_of(response, status, code):
    """The body of an error response, after the envelope was checked."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert list(body) == ["success", "code", "message", "errors", "doc_url", "meta"]
    assert body["success"] is False
    assert body["code"] == code
    assert body["meta"]["request_id"] == response["X-Request-ID"]
    assert body["doc_url"] == f"{settings.PUBLIC_URL}/docs/errors#{code}"
    return body


class TestSuccess:
    def test_has_the_envelope(self, client, business):
        body = client.get("/api/v1/business").json()
        assert list(body) == ["success", "data", "meta"]
        assert body["success"] is True
        assert body["data"]["slug"] == business.slug

    def test_accepts_both_spellings_of_a_path_alike(self, client):
        assert client.get(BOOKS).status_code == 200
        assert client.get(BOOKS + "/").status_code == 200
        assert client.post(BOOKS + "/", {"name": "x"}).status_code == 201

    def test_supports_head(self, client):
        response = client.head(BOOKS)
        assert response.status_code == 200
        assert response.content == b""

    def test_lists_at_options_the_methods(self, client):
        response = client.options(BOOKS)
        assert response.status_code == 200
        assert "POST" in response["Allow"]
        assert "POST" in response.json()["data"]["methods"]

    def test_takes_at_options_the_query_of_the_other_methods(self, client):
        assert client.options(f"{BOOKS}?name=x&page=2").status_code == 200


class TestRequestId:
    def test_sends_back_the_one_that_came(self, client):
        response = client.get(BOOKS, headers={"X-Request-ID": "trace-1.A_b"})
        assert response["X-Request-ID"] == "trace-1.A_b"
        assert response.json()["meta"]["request_id"] == "trace-1.A_b"

    @pytest.mark.parametrize("bad", ("", "a b", "x" * 129, "ü", "a\tb", "<script>"))
    def test_makes_one_instead_of_a_bad_one(self, client, bad):
        response = client.get(BOOKS, headers={"X-Request-ID": bad})
        assert response["X-Request-ID"].startswith("req_")


class TestErrors:
    def test_over_http_is_rejected_never_redirected(self, client, settings):
        settings.SECURE_SSL_REDIRECT = True
        error_of(client.post(BOOKS, {"name": "x"}), 403, "https_required")
        error_of(client.get("/api"), 403, "https_required")
        error_of(client.post("/voice/twilio/smile"), 403, "https_required")
        assert client.post(BOOKS, {"name": "x"}, secure=True).status_code == 201

    @pytest.mark.parametrize("path", ("/api", "/api/", "/api/v2/x", "/api/v1/nothing", "/api/v1//"))
    def test_an_unknown_path_is_an_error_in_json(self, client, path):
        error_of(client.get(path), 404, "not_found")
        error_of(client.post(path, {}), 404, "not_found")
        error_of(Client().get(path), 404, "not_found")

    def test_a_wrong_method_names_the_right_ones(self, client):
        response = client.delete(BOOKS)
        error_of(response, 405, "method_not_allowed")
        assert response["Allow"] == "GET, POST, HEAD, OPTIONS"

    @pytest.mark.parametrize("path", ("docs", "redoc", "redoc/redoc.js", "schema"))
    def test_a_wrong_method_of_a_page_names_the_right_ones(self, db, path):
        strict = Client(enforce_csrf_checks=True)
        response = strict.post(f"/api/{path}", {}, content_type="application/json")
        error_of(response, 405, "method_not_allowed")
        assert response["Allow"] == "GET, HEAD, OPTIONS"
        methods = strict.options(f"/api/{path}").json()["data"]["methods"]
        assert methods == ["GET", "HEAD", "OPTIONS"]

    def test_a_wrong_method_without_a_key_is_a_missing_key(self):
        error_of(Client().delete(BOOKS), 401, "missing_api_key")

    def test_the_method_override_header_is_not_believed(self, client):
        response = client.post(BOOKS, {}, headers={"X-HTTP-Method-Override": "DELETE"})
        error_of(response, 422, "validation_error")

    def test_a_crash_is_an_error_in_json(self, client, monkeypatch):
        monkeypatch.setattr(
            "tests.api.sample_resource.BookViewSet.get_queryset", lambda self: 1 / 0
        )
        client.raise_request_exception = False
        error_of(client.get(BOOKS), 500, "internal_error")

    def test_a_database_that_is_away_is_503_with_retry_after(self, client, monkeypatch):
        from django.db import OperationalError

        def away(self):
            raise OperationalError("connection refused")

        monkeypatch.setattr("tests.api.sample_resource.BookViewSet.get_queryset", away)
        response = client.get(BOOKS)
        error_of(response, 503, "service_unavailable")
        assert response["Retry-After"] == "1"

    @pytest.mark.parametrize(
        "absurd", ("0", "-1", str(2**63), "1" * 30, "1 OR 1=1", "x", "٣", "1.0")
    )
    def test_an_absurd_id_is_not_found(self, client, absurd):
        error_of(client.get(f"{BOOKS}/{absurd}"), 404, "not_found")

    def test_anothers_id_and_a_gone_one_look_alike(self, client, other_business):
        factories.make_key(other_business)
        foreign = client.get(f"{BOOKS}/{ApiKey.objects.get(business=other_business).pk}")
        gone = client.get(f"{BOOKS}/999999")
        foreign_body, gone_body = (error_of(r, 404, "not_found") for r in (foreign, gone))
        del foreign_body["meta"], gone_body["meta"]
        assert foreign_body == gone_body

    def test_a_thousand_and_one_parameters_are_rejected(self, client):
        query = "&".join(f"p{number}=1" for number in range(1001))
        error_of(client.get(f"{BOOKS}?{query}"), 400, "bad_request")


class TestBody:
    @pytest.mark.parametrize(
        "body",
        (
            b"{",
            b"[]",
            b'"text"',
            b"null",
            b'{"name": NaN}',
            b'{"name": -Infinity}',
            b'{"name": 1e999}',
            b'{"name": "a", "name": "b"}',
            b'{"metadata": {"a": "1", "a": "2"}}',
            b'{"name": "\\u0000"}',
            b'{"name": "\\ud800"}',
            b'{"\\u0000": 1}',
            b'{"name": "\xff"}',
            b'{"name": ' + b"9" * 5000 + b"}",
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b"[" * 100_000,
        ),
    )
    def test_what_is_no_json_object_is_rejected(self, client, body):
        response = client.generic("POST", BOOKS, body, content_type="application/json")
        error_of(response, 400, "invalid_json")

    @pytest.mark.parametrize(
        "content_type",
        ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""),
    )
    def test_another_content_type_is_415(self, client, content_type):
        response = client.generic("POST", BOOKS, b'{"name": "x"}', content_type=content_type)
        error_of(response, 415, "unsupported_media_type")

    @pytest.mark.parametrize("charset", ("utf-16", "latin-1", "bz2_codec", "nonsense"))
    def test_another_charset_is_415(self, client, charset):
        content_type = f"application/json; charset={charset}"
        response = client.generic("POST", BOOKS, b'{"name": "x"}', content_type=content_type)
        error_of(response, 415, "unsupported_media_type")

    @pytest.mark.parametrize("charset", ("utf-16", "bz2_codec", "idna", "nonsense"))
    def test_the_charset_of_no_body_does_not_matter(self, client, charset):
        content_type = f"text/plain; charset={charset}"
        response = client.get(f"{BOOKS}?search=%C3%BC", CONTENT_TYPE=content_type)
        assert response.status_code == 200

    def test_utf_8_may_be_said(self, client):
        response = client.generic(
            "POST",
            BOOKS,
            '{"name": "Ünï 😀"}'.encode(),
            content_type="Application/JSON; charset=UTF-8",
        )
        assert response.status_code == 201
        assert response.json()["data"]["name"] == "Ünï 😀"

    def test_a_byte_more_than_a_mebibyte_is_413(self, client):
        body = b'{"name": "%s"}' % (b"x" * (1024 * 1024 - 11))
        assert len(body) == 1024 * 1024 + 1
        response = client.generic("POST", BOOKS, body, content_type="application/json")
        error_of(response, 413, "body_too_large")
        whole = client.generic("POST", BOOKS, body[:-3] + b'"}', content_type="application/json")
        error_of(whole, 422, "validation_error")

    def test_a_chunked_body_that_the_server_hands_on_is_411(self, client):
        response = client.generic("POST", BOOKS, b"", HTTP_TRANSFER_ENCODING="chunked")
        error_of(response, 411, "length_required")

    def test_an_unknown_field_is_named(self, client):
        body = error_of(client.post(BOOKS, {"name": "x", "nmae": "y"}), 422, "validation_error")
        assert body["errors"]["nmae"][0].startswith("There is no such field here.")

    @pytest.mark.parametrize("value", (None, 1, True, ["x"], {}, "", "   ", "\t\n", "x" * 21))
    def test_a_text_is_a_text(self, client, value):
        body = error_of(client.post(BOOKS, {"name": value}), 422, "validation_error")
        assert list(body["errors"]) == ["name"]

    def test_errors_of_several_fields_come_together(self, client):
        bad = {"shelf_id": 2**63, "lent_until": "2026-01-01T00:00:00", "metadata": {"a": 1}}
        body = error_of(client.post(BOOKS, bad), 422, "validation_error")
        assert set(body["errors"]) == {"name", "shelf_id", "lent_until", "metadata"}

    def test_anothers_id_is_named_as_the_callers_mistake(self, client, other_business):
        factories.make_key(other_business)
        foreign = ApiKey.objects.get(business=other_business).pk
        for number in (foreign, 999_999):
            body = error_of(
                client.post(BOOKS, {"name": "x", "copy_of": number}), 422, "validation_error"
            )
            assert body["errors"] == {"copy_of": ["There is no book with this id."]}


class TestQuery:
    def test_an_unknown_parameter_is_named(self, client):
        body = error_of(client.get(f"{BOOKS}?stauts=x&page=1"), 422, "validation_error")
        assert body["errors"]["stauts"][0].startswith("There is no such parameter here.")

    def test_an_unknown_parameter_of_one_row_is_named_too(self, client):
        body = error_of(client.get(f"{BOOKS}/1?page=1"), 422, "validation_error")
        assert list(body["errors"]) == ["page"]

    def test_a_parameter_given_twice_is_rejected(self, client):
        body = error_of(client.get(f"{BOOKS}?page=1&page=2"), 422, "validation_error")
        assert body["errors"] == {"page": ["Sent more than once."]}

    def test_api_key_and_format_are_always_allowed(self, client, api_key):
        assert client.get(f"{BOOKS}?api_key={api_key}&format=json").status_code == 200

    @pytest.mark.parametrize(
        "query",
        (
            "name=x", "name=", "name=a,,b", "search=", "search=" + "x" * 201, "twin_id=0",
            "twin_id=1e3", "least=-1", "least=1.5", f"least={2**31}", "expires_before=2026-01-01",
            "expires_before=2026-01-01T00:00:00", "updated_since=now", "date=2026-02-30",
            "date=0001-01-01", "date=9999-12-31", "date_from=1-1-2026", "name[]=a", "page=0",
            "page=-1", "page=x", "page=" + "9" * 30, "per_page=0", "per_page=101", "per_page=",
            "ordering=", "ordering=id;drop", "ordering=--name", "ordering=business__slug",
            "cursor=x", "cursor=%00", "cursor=W10", "search=%00", "cursor=a&page=1",
        ),
    )  # fmt: skip
    def test_a_bad_value_names_its_parameter(self, client, query):
        body = error_of(client.get(f"{BOOKS}?{query}"), 422, "validation_error")
        assert body["errors"]

    @pytest.mark.parametrize("query", ("search=%ff", "%ff=1", "name=%c3%28"))
    def test_what_is_not_utf_8_is_rejected(self, client, query):
        error_of(client.get(f"{BOOKS}?{query}"), 422, "validation_error")

    def test_anothers_id_in_a_filter_is_named(self, client, other_business):
        factories.make_key(other_business)
        foreign = ApiKey.objects.get(business=other_business).pk
        body = error_of(client.get(f"{BOOKS}?twin_id={foreign}"), 422, "validation_error")
        assert body["errors"] == {"twin_id": ["There is no book with this id."]}

    def test_an_unescaped_plus_of_an_offset_is_understood(self, client):
        assert client.get(f"{BOOKS}?updated_since=2026-01-01T00:00:00+05:30").status_code == 200


class TestForm:
    @pytest.mark.parametrize(
        "accept",
        (
            "*/*",
            "",
            "application/*",
            "application/json;q=0.1, x",
            "text/html;q=0.5, application/json",
        ),
    )
    def test_is_json_unless_asked_otherwise(self, client, accept):
        response = client.get(BOOKS, headers={"Accept": accept})
        assert response["Content-Type"] == "application/json"
        assert response.status_code == 200

    @pytest.mark.parametrize(
        "accept", ("image/png", "application/xml", "text/html;q=0", "nonsense")
    )
    def test_an_accept_that_nothing_satisfies_is_406_in_json(self, client, accept):
        error_of(client.get(BOOKS, headers={"Accept": accept}), 406, "not_acceptable")

    @pytest.mark.parametrize("wanted", ("exe", "", "JSON", "xml", "admin", "%00"))
    def test_a_format_that_is_not_there_is_406_in_json(self, client, wanted):
        body = error_of(client.get(f"{BOOKS}?format={wanted}"), 406, "not_acceptable")
        assert list(body["errors"]) == ["format"]

    def test_responses_vary_by_format_and_key(self, client):
        assert client.get(BOOKS)["Vary"].startswith("Accept, Authorization, X-API-Key")

    def test_no_response_may_be_stored_by_a_shared_cache(self, client):
        assert client.get(BOOKS)["Cache-Control"] == "private, no-cache"


class TestDeprecation:
    def test_announces_the_end_of_a_view(self, client, monkeypatch):
        from datetime import UTC, datetime

        view = "tests.api.sample_resource.BookViewSet"
        monkeypatch.setattr(f"{view}.deprecated_since", datetime(2026, 1, 1, tzinfo=UTC))
        monkeypatch.setattr(f"{view}.sunset_at", datetime(2027, 1, 1, tzinfo=UTC))
        response = client.get(BOOKS)
        assert response["Deprecation"] == "@1767225600"
        assert response["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
        assert 'rel="deprecation"' in response["Link"]
