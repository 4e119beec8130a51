"""Pages, links, cursors, filters and ETags of lists, on a resource that only inherits them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from requests.utils import parse_header_links

from kaivox.api.ordering import seal
from kaivox.businesses.models import ApiKey
from tests import factories

pytestmark = [pytest.mark.urls("tests.api.sample_resource"), pytest.mark.django_db]

BOOKS = "/api/v1/books"


def walk(client, query):
    """All rows by cursor, page after page; the cursors too."""
    rows, cursor = [], ""
    while cursor is not None:
        body = client.get(f"{BOOKS}?{query}&cursor={cursor}").json()
        rows += body["data"]
        cursor = body["meta"]["next_cursor"]
    return rows


class TestPages:
    def test_state_their_position(self, client, books):
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

    def test_have_20_rows_by_default(self, client, books):
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

    @pytest.mark.parametrize(("per_page", "queries"), ((1, 3), (12, 3), (100, 2)))
    def test_cost_three_queries_at_most(
        self, client, books, per_page, queries, django_assert_num_queries
    ):
        client.get(BOOKS)
        with django_assert_num_queries(queries):  # the key, the page, the total
            client.get(f"{BOOKS}?per_page={per_page}")


class TestLinks:
    """The header `Link` (RFC 8288), which generic clients follow by themselves."""

    def test_lead_from_the_start_through_the_whole_list(self, client, books, api_key):
        url, rows = f"{BOOKS}?per_page=5&ordering=-name&api_key={api_key}", []
        while url:
            response = client.get(url)
            rows += response.json()["data"]
            assert api_key not in response.headers.get("Link", "")
            links = parse_header_links(response.headers.get("Link", ""))
            url = next((one["url"] for one in links if one["rel"] == "next"), None)
            assert url is None or url.startswith(f"http://testserver{BOOKS}?")
        assert [row["id"] for row in rows] == [
            row["id"] for row in client.get(f"{BOOKS}?per_page=100&ordering=-name").json()["data"]
        ]

    @pytest.mark.parametrize(
        ("page", "expected"),
        (
            (1, {"next": "2", "first": "1"}),
            (2, {"next": "3", "prev": "1", "first": "1"}),
            (3, {"prev": "2", "first": "1"}),
            (9, {"prev": "3", "first": "1"}),
        ),
    )
    def test_of_a_page_name_pages(self, client, books, page, expected):
        response = client.get(f"{BOOKS}?per_page=5&page={page}")
        links = parse_header_links(response["Link"])
        found = {one["rel"]: QueryDict(one["url"].partition("?")[2]) for one in links}
        assert {rel: query["page"] for rel, query in found.items()} == expected
        assert {query["per_page"] for query in found.values()} == {"5"}

    def test_are_absent_from_the_last_page_and_from_a_304(self, client, books):
        assert "Link" not in client.get(f"{BOOKS}?per_page=100")
        first = client.get(f"{BOOKS}?per_page=5")
        again = client.get(f"{BOOKS}?per_page=5", headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304
        assert "Link" not in again


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
            "cursor": [
                "This cursor belongs to ordering=created_at. Send that too, or an empty cursor to begin again."
            ]
        }

    def test_cannot_be_read(self, client, books):
        cursor = client.get(f"{BOOKS}?per_page=5&ordering=name").json()["meta"]["next_cursor"]
        assert b"book" not in base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    def test_is_the_same_for_the_same_page(self, client, books):
        """Else the ETag of a page would change at each request."""
        cursors = {
            client.get(f"{BOOKS}?per_page=5").json()["meta"]["next_cursor"] for _ in range(3)
        }
        assert len(cursors) == 1

    @pytest.mark.parametrize("place", (0, 20, -2))
    def test_that_was_changed_is_an_error(self, client, books, place):
        cursor = client.get(f"{BOOKS}?per_page=5").json()["meta"]["next_cursor"]
        changed = list(cursor)
        changed[place] = "A" if changed[place] != "A" else "B"
        for token in ("".join(changed), cursor[:-4], f"{cursor}AAAA", "é", "*"):
            response = client.get(BOOKS, {"cursor": token})
            assert response.status_code == 422
            assert list(response.json()["errors"]) == ["cursor"]
            assert "Send meta.next_cursor unchanged" in response.json()["errors"]["cursor"][0]

    def test_outlives_a_new_secret_key(self, client, books, settings):
        cursor = client.get(f"{BOOKS}?per_page=5").json()["meta"]["next_cursor"]
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "another-secret-key-that-is-long-enough-to-be-one"
        assert client.get(f"{BOOKS}?per_page=5&cursor={cursor}").status_code == 200

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
    def test_with_values_that_no_row_has_is_an_error(self, client, forged):
        token = seal(forged)
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

    def test_that_is_outdated_is_412(self, client, books):
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


class TestPlans:
    def test_are_made_for_the_values_of_a_filter(self, client, books):
        for _ in range(10):
            client.get(BOOKS, {"name": "a", "per_page": "7"})
        assert not [sql for sql in prepared_statements() if "LIMIT 7" in sql]


def prepared_statements() -> list[str]:
    """Those that PostgreSQL has prepared for this connection."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [sql for (sql,) in cursor.fetchall()]
