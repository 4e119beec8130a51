"""Export of the audit in the admin."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.test import Client
from django.utils import timezone

from kaivox.businesses.audit import record_audit
from kaivox.businesses.models import AuditEntry
from tests.factories import make_user

pytestmark = pytest.mark.once_in_production

LIST = "/admin/businesses/auditentry/"


def record(business, action="business.changed", **values):
    record_audit(
        **{"subject": business, **values},
        business=business,
        actor=None,
        action=action,
        now=timezone.now(),
    )


def as_user(user) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def body(response) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


@pytest.fixture
def owner(business) -> Client:
    return as_user(make_user(business))


class TestExport:
    def test_writes_csv_without_formulas(self, business, owner):
        record(business, subject="=1+1", changes={"name": ["A", "B"]})
        response = owner.get(f"{LIST}export.csv")
        rows = list(csv.DictReader(io.StringIO(body(response))))
        assert response["Content-Disposition"].startswith('attachment; filename="kaivox-audit-')
        assert "no-store" in response["Cache-Control"]
        assert [row["subject"] for row in rows] == ["'=1+1"]
        assert json.loads(rows[0]["changes"]) == {"name": ["A", "B"]}

    @pytest.mark.parametrize("query", ("at__year=99999", "at__gte=yesterday", "at__date=yesterday"))
    def test_leads_back_to_the_list_where_the_filter_is_not_valid(self, owner, query):
        response = owner.get(f"{LIST}export.csv?{query}", follow=True)
        assert response.redirect_chain == [(LIST, 302)]
        assert "The filter of the list is not valid." in response.content.decode()

    def test_writes_ndjson(self, business, owner):
        record(business, changes={"name": ["A", "B"]})
        (line,) = body(owner.get(f"{LIST}export.ndjson")).splitlines()
        entry = json.loads(line)
        assert entry["id"] == AuditEntry.objects.earliest("pk").pk
        assert (entry["business"], entry["action"]) == (business.slug, "business.changed")
        assert entry["changes"] == {"name": ["A", "B"]}

    def test_applies_the_search_of_the_list(self, business, owner):
        record(business)
        record(business, action="api_key.issued")
        lines = body(owner.get(f"{LIST}export.ndjson?q=api_key")).splitlines()
        assert [json.loads(line)["action"] for line in lines] == ["api_key.issued"]

    def test_has_no_entries_of_other_businesses(self, other_business, owner):
        record(other_business)
        assert body(owner.get(f"{LIST}export.ndjson")) == ""

    @pytest.mark.parametrize("role", ("staff", "analyst"))
    def test_is_for_owners_only(self, business, role):
        assert as_user(make_user(business, role=role)).get(f"{LIST}export.csv").status_code == 403

    def test_has_no_other_formats(self, owner):
        assert owner.get(f"{LIST}export.xlsx").status_code == 404

    def test_is_linked_from_the_list(self, business, owner):
        page = owner.get(f"{LIST}?q=plan").content.decode()
        assert "export.csv?q=plan" in page
        assert "export.ndjson?q=plan" in page


class TestList:
    def test_names_who_made_the_change(self, business, owner):
        record(business)
        assert "the command line" in owner.get(LIST).content.decode()
