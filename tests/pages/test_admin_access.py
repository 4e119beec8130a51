"""Every URL of the admin, for whom: members see and touch rows of their own businesses, analysts only
look, others nothing. The URLs are read from the site, so a new page is in the table by existing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import BooleanField, DateField
from django.test import Client
from django.urls import URLResolver, get_resolver

from kaivox.admin.base import BusinessOwnedAdmin
from kaivox.admin.changelists import TenantFieldListFilter
from kaivox.businesses.models import Business, BusinessOwned
from kaivox.businesses.operations import issue_api_key
from tests import factories
from tests.object_graph import make_world

pytestmark = pytest.mark.once_in_production

MARK = "Zz-foreign"

# Pages without rows of a business, and the status that a member gets.
PLAIN = {
    "admin/": 200,
    "admin/login/": 302,
    "admin/logout/": 405,
    "admin/password_change/": 200,
    "admin/password_change/done/": 200,
    "admin/jsi18n/": 200,
    "admin/calendar/": 200,
    "admin/autocomplete/": 403,
    "admin/r/<path:content_type_id>/<path:object_id>/": 404,
    r"admin/^(?P<app_label>auth|axes|otp_static|businesses)/$": 404,
    "admin/(?P<url>.*)$": 404,
}


def routes(patterns: list[Any] | None = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """(route, model or None) of every URL below `/admin/`."""
    if patterns is None:
        patterns = [p for p in get_resolver().url_patterns if str(p.pattern) == "admin/"]
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, here)
        else:
            yield here, _model_of(here)


def _model_of(route: str) -> Any:
    found = re.match(r"admin/(\w+)/(\w+)/", route)
    return apps.all_models.get(found[1], {}).get(found[2]) if found else None


def url_of(route: str, row: Any) -> str:
    act = getattr(admin.site._registry[type(row)], "object_actions", ())
    name = act[0].name if act else "none"
    url = route.replace("<path:object_id>", str(row.pk)).replace("<slug:name>", name)
    return "/" + re.sub(r"<\w+:\w+>", str(row.pk), url)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def fill(business: Business) -> None:
    """Rows of every kind that has a page in the admin."""
    make_world(business)
    issue_api_key(business_id=business.pk, name="EMR", now=business.created_at)


@pytest.fixture
def theirs(other_business):
    """Another business whose names all begin with MARK."""
    fill(other_business)
    for model in admin.site._registry:
        names = {field.name for field in model._meta.fields}
        if issubclass(model, BusinessOwned) and "name" in names:
            for row in model._default_manager.filter(business=other_business):
                model._default_manager.filter(pk=row.pk).update(name=f"{MARK} {row.pk}")
    Business.objects.filter(pk=other_business.pk).update(name=f"{MARK} business")
    return other_business


def row_of(model: Any, business: Business) -> Any:
    """A row of `business` that `model`'s page shows, or None."""
    path = getattr(admin.site._registry.get(model), "business_path", None)
    if path is None:
        return None
    return model._default_manager.filter(**{path: business.pk}).first()


class TestMembers:
    @pytest.fixture
    def member(self, business):
        fill(business)
        return client_of(factories.make_user(business))

    def test_reach_no_row_of_others(self, member, theirs):
        walked = 0
        for route, model in routes():
            row = row_of(model, theirs) if model in admin.site._registry else None
            if row is None or "<" not in route:
                continue
            for method in ("get", "post"):
                response = getattr(member, method)(url_of(route, row))
                assert response.status_code in (302, 403, 404), (method, url_of(route, row))
                if response.status_code == 302:
                    assert not response["Location"].endswith(f"/{row.pk}/change/?"), route
                assert MARK not in response.content.decode(errors="replace")
                walked += 1
        assert walked > 60

    def test_see_no_row_of_others_in_any_list(self, member, theirs):
        for model in admin.site._registry:
            base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            for query in ("", f"?q={MARK}", f"?business__id__exact={theirs.pk}"):
                page = member.get(base + query)
                assert page.status_code in (200, 302, 403), base + query
                shown = re.sub(rf'(q=|q%3D|value="){MARK}', "", page.content.decode())
                assert MARK not in shown, base + query
                assert f"/{theirs.pk}/change/" not in page.content.decode() or model is not Business

    def test_are_offered_no_row_of_others(self, member, theirs):
        for model, page in admin.site._registry.items():
            options = model._meta
            form = member.get(f"/admin/{options.app_label}/{options.model_name}/add/")
            assert MARK not in form.content.decode(errors="replace"), options
            for field in page.autocomplete_fields:
                query = {
                    "app_label": options.app_label,
                    "model_name": options.model_name,
                    "field_name": field,
                    "term": MARK,
                }
                found = member.get("/admin/autocomplete/", query)
                assert found.status_code in (200, 403)
                assert MARK not in found.content.decode(), (options, field)

    def test_change_no_row_of_others_by_an_action(self, member, theirs):
        before = snapshot(theirs)
        for model, page in admin.site._registry.items():
            row = row_of(model, theirs)
            if row is None:
                continue
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            names = {getattr(action, "__name__", action) for action in page.actions or ()}
            for name in names | {"delete_selected"}:
                member.post(url, {"action": name, "_selected_action": [row.pk], "post": "yes"})
        assert snapshot(theirs) == before

    def test_pages_without_rows(self, member):
        for route, model in routes():
            if model is None and "<" not in route and "(" not in route:
                assert member.get(f"/{route}").status_code == PLAIN[route], route

    def test_see_nothing_of_logins(self, member):
        for app in (
            "auth/user",
            "auth/group",
            "axes/accessattempt",
            "businesses/authenticatordevice",
        ):
            assert member.get(f"/admin/{app}/").status_code == 403


def snapshot(business: Business) -> dict[Any, Any]:
    return {
        (model, row.pk): getattr(row, "updated_at", None)
        for model in admin.site._registry
        if issubclass(model, BusinessOwned)
        for row in model._default_manager.filter(business=business)
    }


class TestSpeed:
    """What `tests/bench/admin_lists.py` measures with a million rows, as rules."""

    def test_a_filter_never_looks_for_its_choices_in_the_whole_table(self, db, rf):
        request = rf.get("/")
        request.user = factories.make_user(is_superuser=True)
        for model, page in _of_businesses():
            for name in page.get_list_filter(request):
                if isinstance(name, str) and "__" not in name:
                    field = model._meta.get_field(name)
                    date = isinstance(field, (DateField, BooleanField))
                    assert field.choices or date or field.is_relation, (model, name)
                else:
                    kind = name[1] if isinstance(name, tuple) else name
                    assert issubclass(kind, (TenantFieldListFilter, admin.SimpleListFilter)), (
                        model,
                        name,
                    )

    @pytest.mark.parametrize("rows", (1, 5))
    def test_a_list_asks_the_database_at_most_fifteen_times(
        self, business, rows, django_assert_max_num_queries
    ):
        for _ in range(rows):
            fill(business)
        for user in (factories.make_user(business), factories.make_user(is_superuser=True)):
            client = client_of(user)
            for model, _ in _of_businesses():
                options = model._meta
                with django_assert_max_num_queries(15, info=str(model)):
                    client.get(f"/admin/{options.app_label}/{options.model_name}/")


def _of_businesses() -> list[tuple[Any, Any]]:
    pages = admin.site._registry.items()
    return [(model, page) for model, page in pages if isinstance(page, BusinessOwnedAdmin)]


class TestPolicy:
    def test_no_admin_page_has_an_inline_script(self, business):
        """The browser would refuse it: script-src is 'self'. Nor does one ask another host."""
        fill(business)
        root = client_of(factories.make_user(is_superuser=True))
        for route, model in routes():
            row = row_of(model, business) if model in admin.site._registry else None
            if row is None or "/r/" in route:
                continue
            page = root.get(url_of(route, row), follow=True).content.decode()
            assert not re.search(r"<script(?![^>]*(src=|type=\"application/json))", page), route
            assert not re.search(r"<[^>]+\son\w+=", page), route
            assert not re.search(r"(src|action)=\"(https?:)?//", page), route


class TestAnalysts:
    def test_look_and_touch_nothing(self, business):
        fill(business)
        analyst = client_of(factories.make_user(business, role="analyst"))
        before = snapshot(business)
        for route, model in routes():
            row = row_of(model, business) if model in admin.site._registry else None
            if row is None:
                continue
            url = url_of(route, row)
            if route.endswith(("/add/", "/delete/", "/act/<slug:name>/")):
                assert analyst.get(url).status_code in (302, 403, 404), url
            response = analyst.post(url, {"post": "yes"})
            assert response.status_code in (200, 302, 403, 404, 405), url
        assert snapshot(business) == before


class TestStrangers:
    @pytest.mark.parametrize("staff", (True, False))
    def test_get_in_nowhere(self, business, staff):
        fill(business)
        clients = (Client(), client_of(factories.make_user(is_staff=staff)))
        for route, model in routes():
            row = row_of(model, business) if model in admin.site._registry else None
            if row is None:
                continue
            for client in clients:
                response = client.get(url_of(route, row))
                assert business.name not in response.content.decode(errors="replace")
                if "<" in route or client is clients[0]:
                    assert response.status_code in (302, 403, 404), url_of(route, row)
