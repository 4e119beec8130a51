"""Settings → Request log."""

from __future__ import annotations

import pytest
from django.test import Client

from kaivox.businesses.models import ApiKey
from kaivox.pages.settings import request_log
from kaivox.request_log import recording
from tests import factories
from tests.request_log.test_operations import make_entry

pytestmark = pytest.mark.once_in_production


@pytest.fixture
def owner(business) -> Client:
    client = Client()
    client.force_login(factories.make_user(business))
    return client


def shown(owner, query: str = "") -> str:
    page = owner.get(f"/settings/requests{query}")
    assert page.status_code == 200
    return page.content.decode()


class TestRequestLog:
    def test_a_failed_request_is_found_by_its_id(self, client, owner):
        failed = client.post("/api/v1/customers", {"name": "Ann", "colour": "red"})
        client.get("/api/v1/staff")
        recording.flush()
        request_id = failed.json()["meta"]["request_id"]

        page = shown(owner, f"?request_id={request_id}")
        assert page.count("POST /api/v1/customers") == 1
        assert "/api/v1/staff" not in page
        entry = request_log.RequestLogEntry.objects.get(request_id=request_id)
        detail = owner.get(f"/settings/requests/{entry.pk}").content.decode()
        for text in ("validation_error", request_id, "&quot;colour&quot;: &quot;red&quot;"):
            assert text in detail

    @pytest.mark.parametrize(
        ("query", "found"),
        (
            ("", ["one", "two", "three"]),
            ("?status=error", ["two", "three"]),
            ("?status=4", ["two"]),
            ("?status=500", []),
            ("?status=5", ["three"]),
            ("?path=/api/v1/t", ["two", "three"]),
            ("?path={id}", ["three"]),
            ("?request_id=nonsense", []),
            ("?key=x", ["one", "two", "three"]),
            ("?before=x", ["one", "two", "three"]),
        ),
    )
    def test_filters(self, business, owner, query, found):
        make_entry(business, path="/api/v1/one")
        make_entry(business, path="/api/v1/two", status=404)
        make_entry(business, path="/api/v1/three/7", path_template="/api/v1/three/{id}", status=503)
        page = shown(owner, query).partition("<h2>Requests</h2>")[2]
        assert [name for name in ("one", "two", "three") if f"/api/v1/{name}" in page] == found

    def test_filters_by_key(self, business, other_business, owner):
        factories.make_key(business, name="EMR")
        factories.make_key(other_business, name="Theirs")
        emr, theirs = ApiKey.objects.order_by("pk")
        make_entry(business, path="/api/v1/one", key=emr)
        make_entry(business, path="/api/v1/two")
        page = shown(owner, f"?key={emr.pk}")
        assert "/api/v1/one" in page
        assert "/api/v1/two" not in page
        assert "Theirs" not in shown(owner, f"?key={theirs.pk}")

    def test_pages_by_id(self, business, owner, monkeypatch):
        monkeypatch.setattr(request_log, "PER_PAGE", 2)
        entries = [make_entry(business, path=f"/api/v1/{name}") for name in ("one", "two", "three")]
        first = shown(owner, "?status=2")
        assert f"status=2&amp;before={entries[1].pk}" in first
        assert "/api/v1/one" not in first
        second = shown(owner, f"?status=2&before={entries[1].pk}")
        assert "/api/v1/one" in second
        assert "Older" not in second

    def test_groups_recent_errors(self, business, owner):
        for number in range(3):
            make_entry(
                business,
                path=f"/api/v1/calls/{number}",
                path_template="/api/v1/calls/{id}",
                status=404,
                error_code="not_found",
            )
        make_entry(business, status=500, error_code="internal_error")
        groups = request_log.error_groups(business)
        assert [(group["path_template"], group["count"]) for group in groups] == [
            ("/api/v1/calls/{id}", 3),
            ("/api/v1/staff", 1),
        ]
        page = shown(owner)
        assert 'href="/docs/errors#not_found"' in page
        assert "GET /api/v1/calls/{id}" in owner.get("/settings").content.decode()

    def test_an_error_in_the_browsable_api_links_to_it(self, owner):
        page = owner.get("/api/v1/customers/999", headers={"Accept": "text/html"}).content.decode()
        assert "/settings/requests?request_id=req_" in page
        fine = owner.get("/api/v1/customers", headers={"Accept": "text/html"}).content.decode()
        assert "/settings/requests?request_id" not in fine


class TestAdmin:
    def test_lists_entries_of_the_own_business_alone(self, business, other_business, owner):
        mine = make_entry(business, path="/api/v1/mine", request_id="req_mine", status=404)
        theirs = make_entry(other_business, path="/api/v1/theirs")
        base = "/admin/request_log/requestlogentry/"
        page = owner.get(f"{base}?q=req_mine&status_class=4").content.decode()
        assert "/<wbr>mine" in page
        assert "theirs" not in page
        assert owner.get(f"{base}{mine.pk}/change/").status_code == 200
        assert owner.get(f"{base}{theirs.pk}/change/").status_code == 302
        assert owner.get(f"{base}add/").status_code == 403

    @pytest.mark.parametrize("role", ("staff", "analyst"))
    def test_is_for_owners_and_developers(self, business, role):
        client = Client()
        client.force_login(factories.make_user(business, role=role))
        assert client.get("/admin/request_log/requestlogentry/").status_code == 403
