"""The search index of docs and reference. It queries no database."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from kaivox.pages.docs.articles import articles
from kaivox.pages.openapi_reader import operations

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def response():
    return Client().get("/docs/search.json")


class TestIndex:
    def test_has_every_page_and_operation(self, response):
        urls = {entry["url"] for entry in json.loads(response.content)}
        assert {article.url for article in articles()} <= urls
        anchors = {url.partition("#")[2] for url in urls}
        assert {operation.anchor for operation in operations()} <= anchors

    def test_every_url_exists(self, response):
        client, pages = Client(), {}
        for entry in json.loads(response.content):
            target, _, anchor = entry["url"].partition("#")
            if target not in pages:
                pages[target] = client.get(target).content.decode()
            assert not anchor or f'id="{anchor}"' in pages[target], entry["url"]

    def test_is_plain_text(self, response):
        for entry in json.loads(response.content):
            assert not any(mark in entry["title"] for mark in ("<", "&lt;", "`", "#")), entry

    def test_words_and_paths_are_whole(self, response):
        texts = {entry["url"]: entry["text"] for entry in json.loads(response.content)}
        text = texts["/docs/errors#slot_unavailable"]
        assert "or call GET /api/v1/appointments/slots again" in text
        assert not any(" , " in text for text in texts.values())

    def test_is_compressed_and_not_sent_twice(self, response):
        client = Client(headers={"Accept-Encoding": "gzip"})
        first = client.get("/docs/search.json")
        assert first["Content-Encoding"] == "gzip"
        assert len(first.content) < 64_000
        again = client.get("/docs/search.json", headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304
