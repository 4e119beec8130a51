"""Responses of the embedded server are compressed; production's are by nginx (tests/server/test_nginx.py)."""

from __future__ import annotations

import gzip
import json

import pytest
from django.conf import settings

from tests import factories

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not settings.EMBEDDED, reason="nginx compresses: tests/server/test_nginx.py"
    ),
]

URL = "/api/v1/customers"
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def many(business):
    for _ in range(20):
        factories.make_customer(business, notes="x" * 100)


def test_more_than_a_kilobyte_is_compressed(client, many):
    plain = client.get(URL)
    response = client.get(URL, headers=GZIP)
    assert response["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]
    assert int(response["Content-Length"]) < int(plain["Content-Length"]) / 3
    assert json.loads(gzip.decompress(response.content))["data"] == plain.json()["data"]
    assert "Content-Encoding" not in plain


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    (("gzip;q=0", False), ("identity, gzip; q=0.000", False), ("br, gzip;q=0.5", True)),
)
def test_a_client_may_refuse_it(client, many, accepted, is_compressed):
    for url in (URL, "/docs/search.json"):
        response = client.get(url, headers={"Accept-Encoding": accepted})
        assert ("Content-Encoding" in response) is is_compressed, url
        assert "Accept-Encoding" in response["Vary"]


@pytest.mark.parametrize("form", ("csv", "ndjson"))
def test_whole_lists_too(client, many, form):
    plain = b"".join(client.get(f"{URL}?format={form}").streaming_content)
    response = client.get(f"{URL}?format={form}", headers=GZIP)
    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(response.streaming_content)) == plain


def test_its_tag_stays_valid(client, many, business):
    tag = client.get(URL, headers=GZIP)["ETag"]
    assert client.get(URL, headers={**GZIP, "If-None-Match": tag}).status_code == 304
    assert client.get(URL, headers={"If-None-Match": tag}).status_code == 304
    row = factories.make_customer(business, notes="x" * 2000)
    tag = client.get(f"{URL}/{row.pk}", headers=GZIP)["ETag"]
    changed = client.patch(f"{URL}/{row.pk}", {"name": "New"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert (
        client.patch(f"{URL}/{row.pk}", {"name": "Newer"}, headers={"If-Match": tag}).status_code
        == 412
    )


@pytest.mark.parametrize("path", ("/login", "/api/docs", "/docs/api"))
def test_pages_and_little_are_not(client, path):
    assert "Content-Encoding" not in client.get(path, headers=GZIP)
    assert "Content-Encoding" not in client.get("/healthz", headers=GZIP)
