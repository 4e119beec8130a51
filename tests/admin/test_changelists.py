"""Changelists of the whole admin site, also of models of other packages."""

from __future__ import annotations

import itertools

import pytest
from django.contrib import admin
from django.db.models import DateTimeField, ForeignKey
from django.test import Client
from django.urls import reverse

from tests.factories import make_customer, make_user

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

    def test_by_regular_expression_are_rejected(self, business):
        """`(a+)+$` backtracks: each further letter doubles the time."""
        make_customer(business, name="a" * 40 + "!")
        browser = Client()
        browser.force_login(make_user(business, role="analyst"))
        for lookup in ("regex", "iregex", "lower__regex"):
            response = browser.get(f"/admin/customers/customer/?name__{lookup}=(a%2B)%2B$")
            assert response.status_code == 400

    @pytest.mark.parametrize(
        "query",
        (
            "id__range=1",
            "name__search=x",
            "name__unaccent=x",
            "name__trigram_similar=x",
            "metadata__contains=x",
            "business__slug__regex=x",
            "search_text__length__foo=1",
        ),
    )
    def test_of_one_database_alone_are_no_crash(self, root, query):
        assert root.get(f"/admin/customers/customer/?{query}").status_code < 500

    @pytest.mark.parametrize(
        ("query", "status"),
        (
            ("business__id__exact=1", 200),
            ("pk__in=1,2", 200),
            ("created_at__date__gte=2026-01-01", 200),
            ("segment__exact=vip&name__icontains=asha", 200),
            ("nonsense=1", 302),
        ),
    )
    def test_of_columns_are_applied(self, root, query, status):
        assert root.get(f"/admin/customers/customer/?{query}").status_code == status


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
