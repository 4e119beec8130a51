"""Whole lists as CSV and NDJSON, on a resource that only inherits them."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re

import pytest

from kaivox.api.export import streaming
from tests import factories

pytestmark = [pytest.mark.urls("tests.api.sample_resource"), pytest.mark.django_db]

BOOKS = "/api/v1/books"


class TestWholeList:
    @pytest.mark.parametrize("asked", ({"HTTP_ACCEPT": "text/csv"}, {"QUERY_STRING": "format=csv"}))
    def test_as_csv_has_a_header_and_all_rows(self, client, books, asked, monkeypatch):
        monkeypatch.setattr(streaming, "CHUNK", 5)
        response = client.get(BOOKS, **asked)
        assert response["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert response["Content-Disposition"] == 'attachment; filename="books.csv"'
        rows = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
        assert [int(row["id"]) for row in rows] == [book.pk for book in books]
        assert rows[1]["expires_at"] == ""
        assert list(rows[0]) == ["id", "name", "expires_at", "created_at", "updated_at"]

    def test_as_csv_of_nothing_is_the_header(self, client):
        response = client.get(f"{BOOKS}?name=a&format=csv")
        assert response.getvalue() == b"id,name,expires_at,created_at,updated_at\r\n"

    @pytest.mark.parametrize(
        "text", ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1+1", "＋1", "＠x", "+1234567x")
    )
    def test_as_csv_runs_in_no_spreadsheet(self, client, business, text):
        factories.make_key(business, name=text)
        rows = csv.reader(
            io.StringIO(client.get(f"{BOOKS}?format=csv").getvalue().decode(), newline="")
        )
        assert [row[1] for row in rows][-1] == f"'{text}"

    @pytest.mark.parametrize("text", ("a;=1+1", "a; @x", "a\n=1", "a;＝1"))
    def test_as_csv_runs_in_no_spreadsheet_that_splits_at_semicolons(self, client, business, text):
        factories.make_key(business, name=text)
        [*_, row] = csv.reader(
            io.StringIO(client.get(f"{BOOKS}?format=csv").getvalue().decode(), newline="")
        )
        assert row[1].replace("'", "") == text
        assert not re.search(r"[;\n]\s*[=＝@]", row[1])

    @pytest.mark.parametrize("phone", ("+447700905001", "+919876543210"))
    def test_as_csv_writes_phone_numbers_as_the_api_does(self, client, business, phone):
        factories.make_key(business, name=phone)
        assert f",{phone},".encode() in client.get(f"{BOOKS}?format=csv").getvalue()

    def test_as_csv_for_excel_has_a_mark_and_local_times(self, client, books):
        content = client.get(f"{BOOKS}?format=csv&excel=1").getvalue()
        assert content.startswith(codecs.BOM_UTF8)
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        # Midnight UTC in Kolkata.
        assert {row["updated_at"] for row in rows[1:]} == {"2026-01-01 05:30:00"}
        assert rows[1]["expires_at"] == ""

    @pytest.mark.parametrize("query", ("excel=1", "format=ndjson&excel=1", "format=csv&excel=yes"))
    def test_only_csv_is_for_excel(self, client, query):
        response = client.get(f"{BOOKS}?{query}")
        assert response.status_code == 422
        assert list(response.json()["errors"]) == ["excel"]

    @pytest.mark.parametrize("text", ('a"b', "a,b", "a\r\nb", "ü😀", " x "))
    def test_as_csv_keeps_any_text(self, client, business, text):
        factories.make_key(business, name=text)
        rows = csv.reader(
            io.StringIO(client.get(f"{BOOKS}?format=csv").getvalue().decode(), newline="")
        )
        assert [row[1] for row in rows][-1] == text

    @pytest.mark.parametrize(
        "asked", ({"HTTP_ACCEPT": "application/x-ndjson"}, {"QUERY_STRING": "format=ndjson"})
    )
    def test_as_ndjson_has_the_rows_of_the_pages(self, client, books, asked):
        response = client.get(BOOKS, **asked)
        assert response["Content-Type"] == "application/x-ndjson"
        rows = [json.loads(line) for line in response.getvalue().splitlines()]
        assert rows == client.get(f"{BOOKS}?per_page=100").json()["data"]

    @pytest.mark.parametrize("ordering", ("name", "-expires_at", "expires_at"))
    @pytest.mark.parametrize("size", (1, 4, 12))
    def test_is_read_in_chunks(self, client, books, ordering, size, monkeypatch):
        monkeypatch.setattr(streaming.chunks, "__defaults__", (size,))
        response = client.get(f"{BOOKS}?format=ndjson&ordering={ordering}")
        rows = [json.loads(line) for line in response.getvalue().splitlines()]
        assert rows == client.get(f"{BOOKS}?per_page=100&ordering={ordering}").json()["data"]

    def test_keeps_to_the_filters(self, client, books):
        response = client.get(f"{BOOKS}?format=ndjson&search=book 0")
        assert len(response.getvalue().splitlines()) == 10

    @pytest.mark.parametrize("parameter", ("page=1", "per_page=5", "cursor="))
    def test_has_no_pages(self, client, parameter):
        response = client.get(f"{BOOKS}?format=csv&{parameter}")
        assert response.status_code == 422
        assert response["Content-Type"] == "application/json"
        assert list(response.json()["errors"]) == [parameter.partition("=")[0]]

    def test_of_one_row_is_not_there(self, client, books):
        response = client.get(f"{BOOKS}/{books[0].pk}", headers={"Accept": "text/csv"})
        assert response.status_code == 406
        assert response["Content-Type"] == "application/json"

    def test_is_one_request_of_quota(self, client, books):
        left = int(client.get(BOOKS)["X-RateLimit-Remaining"])
        response = client.get(f"{BOOKS}?format=csv")
        assert response.getvalue()
        assert int(response["X-RateLimit-Remaining"]) == left - 1
