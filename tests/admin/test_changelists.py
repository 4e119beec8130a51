"""Changelists of the whole admin site, also of models of other packages."""

from __future__ import annotations

import itertools

import pytest
from django.contrib import admin
from django.db.models import DateTimeField, ForeignKey
from django.test import Client
from django.urls import reverse

from tests.factories import make_user

LOOKUPS = ("year=99999", "year__gte=99999", "date=9999-12-31")
NUMBERS = (f"exact={10**30}", f"gte=-{10**30}")


@pytest.fixture
def root(db) -> Client:
    browser = Client()
    browser.force_login(make_user(is_superuser=True))
    return browser


class TestLookups:
    def test_out_of_range_are_no_crash(self, root):
        for model in admin.site._registry:
            url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            fields = model._meta.concrete_fields
            dates = [f.name for f in fields if isinstance(f, DateTimeField)]
            relations = [f.name for f in fields if isinstance(f, ForeignKey)]
            for name, lookup in (
                *itertools.product(dates, LOOKUPS),
                *itertools.product(relations, NUMBERS),
            ):
                response = root.get(f"{url}?{name}__{lookup}")
                assert response.status_code in (200, 302), f"{url}?{name}__{lookup}"


class TestEmptyLists:
    def test_say_whether_a_search_is_the_reason(self, root):
        assert b"No customers yet." in root.get("/admin/customers/customer/").content
        found = root.get("/admin/customers/customer/?q=asha")
        assert b"No customers match the search and the filters." in found.content


class TestFilters:
    def test_have_titles_in_english(self, root):
        titles = {
            str(one.title)
            for model in admin.site._registry
            for one in root.get(
                reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            )
            .context["cl"]
            .filter_specs
        }
        assert "active or not" in titles
        assert {one for one in titles if one.startswith("is ") or one == "livemode"} == set()
