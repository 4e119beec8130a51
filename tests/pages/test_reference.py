"""The API reference, read without a browser. It queries no database."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client

from kaivox.pages.docs.reference import resources
from kaivox.pages.openapi_reader import operations

pytestmark = pytest.mark.once

_HREF = re.compile(r'href="(/docs[^"]*|#[^"]*)"')
PAGES = [resource.url for resource in resources()]


@pytest.fixture(scope="module")
def pages():
    client = Client()
    return {url: client.get(url).content.decode() for url in ("/docs/reference", *PAGES)}


class TestReference:
    def test_shows_every_operation_once(self, pages):
        shown = [
            anchor
            for page in pages.values()
            for anchor in re.findall(r'class="operation" aria-labelledby="(\w+)"', page)
        ]
        assert sorted(shown) == sorted(operation.anchor for operation in operations())

    @pytest.mark.parametrize("url", PAGES)
    def test_pages_are_small(self, pages, url):
        assert len(pages[url].encode()) <= 100_000

    @pytest.mark.parametrize("url", PAGES)
    def test_ids_are_unique(self, pages, url):
        ids = re.findall(r'\sid="([^"]+)"', pages[url])
        assert sorted(ids) == sorted(set(ids))

    def test_every_link_works(self, pages):
        client = Client()
        for url, page in pages.items():
            for href in set(_HREF.findall(page)):
                target, _, anchor = href.partition("#")
                target = target or url
                if target not in pages:
                    pages = {**pages, target: client.get(target).content.decode()}
                assert not anchor or f'id="{anchor}"' in pages[target], f"{url} links to {href}"

    def test_every_field_has_a_description(self, pages):
        for url, page in pages.items():
            bare = re.findall(r"<div><dt><code>(\w+)</code>(?:(?!<dd>|</div>).)*</div>", page)
            assert not bare, f"{url}: {bare}"

    def test_every_operation_can_be_tried_but_the_signed_one(self, pages):
        tried = {
            anchor for page in pages.values() for anchor in re.findall(r'id="try-(\w+)"', page)
        }
        assert {operation.anchor for operation in operations()} - tried == {"notify_call"}

    def test_fields_of_a_booking_are_filled_with_rows_of_the_business(self, pages):
        form = re.search(r'id="try-create_appointment".*?</form>', pages[PAGES[0]], re.S)[0]
        filled = dict(re.findall(r'name="(\w+)"[^>]*data-fill="(\w+)"', form))
        assert filled == {"customer_id": "customer", "service_id": "service", "start_time": "slot"}

    def test_specific_errors_are_linked(self, pages):
        text = html.unescape(pages[PAGES[0]])
        for code in ("slot_unavailable", "hold_expired", "precondition_failed"):
            assert f'href="/docs/errors#{code}"' in text

    def test_an_unknown_resource_is_not_found(self):
        assert Client().get("/docs/reference/nothing").status_code == 404
