"""Pages, cursors, tags and whole lists, on a resource that only inherits them."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from kaivox.api import bulk
from kaivox.businesses.models import ApiKey
from tests import factories

pytestmark = [pytest.mark.urls("tests.api.shelf"), pytest.mark.django_db]

BOOKS = "/api/v1/books"
T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def books(business, client):
    """Eleven rows beside the client's own key; every third without an end, some ends alike."""
    for number in range(11):
        end = None if number % 3 == 0 else T0 + timedelta(days=number // 2)
        factories.make_key(business, name=f"book {number:02}", expires_at=end)
    ApiKey.objects.exclude(name="Test").update(updated_at=T0)
    return list(ApiKey.objects.filter(business=business).order_by("pk"))


def walk(client, query):
    """All rows by cursor, page after page; the cursors too."""
    rows, cursor = [], ""
    while cursor is not None:
        body = client.get(f"{BOOKS}?{query}&cursor={cursor}").json()
        rows += body["data"]
        cursor = body["meta"]["next_cursor"]
    return rows


class TestPages:
    def test_tell_where_they_are(self, client, books):
        body = client.get(f"{BOOKS}?per_page=5&page=2").json()
        meta = body["meta"]
        assert len(body["data"]) == 5
        assert list(meta) == [
            "request_id",
            "page",
            "per_page",
            "total",
            "total_pages",
            "next_cursor",
        ]
        assert (meta["page"], meta["per_page"], meta["total"], meta["total_pages"]) == (2, 5, 12, 3)

    def test_have_20_rows_unless_told(self, client, books):
        assert client.get(BOOKS).json()["meta"]["per_page"] == 20

    @pytest.mark.parametrize("page", (4, 10**12, 2**63 - 1))
    def test_past_the_end_are_empty(self, client, books, page):
        body = client.get(f"{BOOKS}?per_page=5&page={page}").json()
        assert body["data"] == []
        assert body["meta"]["next_cursor"] is None
        assert body["meta"]["total"] == 12

    def test_of_an_empty_list(self, client):
        body = client.get(f"{BOOKS}?name=a").json()
        assert body["data"] == []
        assert (body["meta"]["total"], body["meta"]["total_pages"]) == (0, 0)

    def test_lead_on_by_cursor(self, client, books):
        first = client.get(f"{BOOKS}?per_page=5").json()
        second = client.get(f"{BOOKS}?per_page=5&cursor={first['meta']['next_cursor']}").json()
        by_number = client.get(f"{BOOKS}?per_page=5&page=2").json()
        assert second["data"] == by_number["data"]
        assert second["meta"]["page"] is second["meta"]["total"] is None
        assert second["meta"]["total_pages"] is None

    def test_never_show_anothers_rows(self, client, books, other_business):
        factories.make_key(other_business)
        assert client.get(BOOKS).json()["meta"]["total"] == 12

    @pytest.mark.parametrize(("per_page", "queries"), ((1, 2), (12, 2), (100, 1)))
    def test_cost_two_queries_at_most(
        self, client, books, per_page, queries, django_assert_num_queries
    ):
        for _ in range(2):  # the key is remembered
            client.get(BOOKS)
        with django_assert_num_queries(queries):
            client.get(f"{BOOKS}?per_page={per_page}")


class TestCursor:
    @pytest.mark.parametrize(
        "ordering",
        ("created_at", "-created_at", "name", "-name", "updated_at", "expires_at", "-expires_at"),
    )
    @pytest.mark.parametrize("per_page", (1, 3, 12))
    def test_walks_the_whole_list_once(self, client, books, ordering, per_page):
        rows = walk(client, f"ordering={ordering}&per_page={per_page}")
        assert sorted(row["id"] for row in rows) == [book.pk for book in books]
        whole = client.get(f"{BOOKS}?ordering={ordering}&per_page=100").json()["data"]
        assert rows == whole

    def test_skips_and_doubles_nothing_when_rows_change_in_between(self, client, books):
        query = f"{BOOKS}?ordering=name&per_page=4"
        first = client.get(f"{query}&cursor=").json()
        seen = [row["name"] for row in first["data"]]
        ApiKey.objects.filter(name=seen[-1]).delete()
        ApiKey.objects.filter(name=seen[0]).update(name="zzz")
        rest = client.get(
            f"{query}&per_page=100".replace("per_page=4&", "")
            + "&cursor="
            + first["meta"]["next_cursor"]
        ).json()
        names = [row["name"] for row in rest["data"]]
        assert names == [*sorted({book.name for book in books} - set(seen)), "zzz"]

    def test_belongs_to_its_ordering(self, client, books):
        cursor = client.get(f"{BOOKS}?per_page=5").json()["meta"]["next_cursor"]
        response = client.get(f"{BOOKS}?ordering=name&cursor={cursor}")
        assert response.status_code == 422
        assert response.json()["errors"] == {
            "cursor": ["This cursor belongs to ordering=created_at."]
        }

    @pytest.mark.parametrize(
        "forged",
        (
            '["created_at",null,1]',
            '["created_at","2026-01-01",1]',
            '["created_at","2026-01-01T00:00:00",1]',
            '["created_at","2026-01-01T00:00:00Z",0]',
            '["created_at","2026-01-01T00:00:00Z",true]',
            '["created_at","2026-01-01T00:00:00Z",1e3]',
            '["created_at",{},1]',
            '["created_at","\\u0000",1]',
            "[1,2,3]",
            "{}",
            '"text"',
        ),
    )
    def test_of_somebody_elses_making_is_refused(self, client, forged):
        import base64

        token = base64.urlsafe_b64encode(forged.encode()).decode().rstrip("=")
        response = client.get(f"{BOOKS}?cursor={token}")
        assert response.status_code == 422
        assert list(response.json()["errors"]) == ["cursor"]


class TestFilters:
    def test_local_days_are_the_businesss(self, client, business):
        # Midnight in Kolkata is 18:30 UTC of the day before.
        midnight = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)
        for moment in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(days=1)):
            factories.make_key(business, name="x")
            ApiKey.objects.filter(name="x").update(name="a", created_at=moment)
        assert client.get(f"{BOOKS}?name=a&date=2026-03-02").json()["meta"]["total"] == 1
        assert client.get(f"{BOOKS}?name=a&date_from=2026-03-02").json()["meta"]["total"] == 2
        assert client.get(f"{BOOKS}?name=a&date_to=2026-03-02").json()["meta"]["total"] == 2

    def test_updated_since_is_at_or_after(self, client, books):
        assert (
            client.get(f"{BOOKS}?updated_since=2026-01-01T00:00:00Z").json()["meta"]["total"] == 12
        )
        assert (
            client.get(f"{BOOKS}?updated_since=2026-01-01T00:00:01Z").json()["meta"]["total"] == 1
        )

    def test_several_values_with_commas(self, client, books):
        for name in "ab":
            ApiKey.objects.filter(name=f"book 0{'ab'.index(name)}").update(name=name)
        assert client.get(f"{BOOKS}?name=a,b").json()["meta"]["total"] == 2


class TestETag:
    def test_of_one_row_changes_with_it(self, client, books):
        url = f"{BOOKS}/{books[3].pk}"
        tag = client.get(url)["ETag"]
        assert client.get(url)["ETag"] == tag
        client.patch(url, {"name": "new"})
        assert client.get(url)["ETag"] != tag

    @pytest.mark.parametrize("path", (BOOKS, f"{BOOKS}?per_page=3"))
    def test_that_still_holds_is_304_without_a_body(self, client, books, path):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": f'"other", {first["ETag"]}'})
        assert again.status_code == 304
        assert again.content == b""
        assert again["ETag"] == first["ETag"]
        assert "Content-Type" not in again
        assert again["X-RateLimit-Limit"]

    def test_of_another_page_differs(self, client, books):
        tags = {client.get(f"{BOOKS}?name=a&page={page}")["ETag"] for page in (1, 2)}
        assert len(tags) == 2

    def test_weakened_by_a_proxy_still_counts(self, client, books):
        url = f"{BOOKS}/{books[3].pk}"
        tag = client.get(url)["ETag"]
        assert client.get(url, headers={"If-None-Match": f"W/{tag}"}).status_code == 304
        assert client.patch(url, {"name": "n"}, headers={"If-Match": f"W/{tag}"}).status_code == 200

    def test_that_was_overtaken_is_412(self, client, books):
        url = f"{BOOKS}/{books[3].pk}"
        tag = client.get(url)["ETag"]
        changed = client.patch(url, {"name": "first"}, headers={"If-Match": tag})
        assert changed.status_code == 200
        late = client.patch(url, {"name": "second"}, headers={"If-Match": tag})
        assert late.status_code == 412
        assert late.json()["code"] == "precondition_failed"
        assert client.get(url).json()["data"]["name"] == "first"
        tagged = client.patch(url, {"name": "second"}, headers={"If-Match": changed["ETag"]})
        assert tagged.status_code == 200

    def test_star_matches_whatever_is_there(self, client, books):
        url = f"{BOOKS}/{books[3].pk}"
        assert client.patch(url, {"name": "n"}, headers={"If-Match": "*"}).status_code == 200
        assert client.get(url, headers={"If-None-Match": "*"}).status_code == 304


class TestWholeList:
    @pytest.mark.parametrize("asked", ({"HTTP_ACCEPT": "text/csv"}, {"QUERY_STRING": "format=csv"}))
    def test_as_csv_has_a_header_and_all_rows(self, client, books, asked, monkeypatch):
        monkeypatch.setattr(bulk, "CHUNK", 5)
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

    @pytest.mark.parametrize("text", ("=1+1", "+1", "-1", "@x", "\tx", "\rx"))
    def test_as_csv_runs_in_no_spreadsheet(self, client, business, text):
        factories.make_key(business, name=text)
        rows = csv.reader(
            io.StringIO(client.get(f"{BOOKS}?format=csv").getvalue().decode(), newline="")
        )
        assert [row[1] for row in rows][-1] == f"'{text}"

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
        monkeypatch.setattr(bulk.chunks, "__defaults__", (size,))
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
        assert int(client.get(f"{BOOKS}?format=csv")["X-RateLimit-Remaining"]) == left - 1


class TestPlans:
    def test_are_made_for_the_values_of_a_filter(self, client, books):
        for _ in range(10):
            client.get(BOOKS, {"name": "a", "per_page": "7"})
        assert not [sql for sql in prepared_statements() if "LIMIT 7" in sql]


def prepared_statements() -> list[str]:
    """Those that PostgreSQL keeps for this connection."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [sql for (sql,) in cursor.fetchall()]
