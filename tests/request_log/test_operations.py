from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from calls.privacy import erase_customer
from kaivox.request_log import operations, recording
from kaivox.request_log.models import RequestLogEntry
from tests.factories import make_customer

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def make_entry(business, **values) -> RequestLogEntry:
    return RequestLogEntry.objects.create(
        **{
            "business": business,
            "at": NOW,
            "method": "GET",
            "path": "/api/v1/staff",
            "path_template": "/api/v1/staff",
            "status": 200,
            "duration_ms": 3,
            "request_id": "req_1",
            **values,
        }
    )


class TestPrune:
    def test_deletes_entries_after_seven_days(self, business, monkeypatch):
        monkeypatch.setattr(operations, "_BATCH_SIZE", 2)
        for age in (9, 8, 7.1):
            make_entry(business, at=NOW - timedelta(days=age))
        recent = make_entry(business, at=NOW - timedelta(days=6.9))
        assert operations.prune(now=NOW) == 3
        assert RequestLogEntry.objects.get() == recent


class TestErasure:
    def test_empties_what_mentions_the_person(self, client, business, other_business):
        person = make_customer(
            business, name="Zebedee Moss", phone="+917391846205", email="zebedee@example.com"
        )
        client.get("/api/v1/customers?search=zebedee+moss")
        client.get("/api/v1/customers?phone=%2B91+73918+46205")
        client.post("/api/v1/customers", {"name": "Zebedee Moss", "colour": "red"})
        client.post("/api/v1/customers", {"name": "Ann", "phone": "073918-46205", "colour": "red"})
        client.get("/api/v1/customers?search=ann")
        client.get("/api/v1/customers/+917391846205", HTTP_X_REQUEST_ID="for-7391846205")
        recording.flush()
        foreign = make_entry(other_business, query="search=zebedee+moss")

        erase_customer(business=business, customer_id=person.pk, now=NOW)

        entries = RequestLogEntry.objects.for_business(business).order_by("pk")
        assert [entry.query for entry in entries] == ["", "", "", "", "search=ann", ""]
        assert {entry.request_body for entry in entries} == {""}
        assert [entry.path for entry in entries] == ["/api/v1/customers"] * 5 + ["erased"]
        assert entries[5].path_template == entries[5].request_id == "erased"
        foreign.refresh_from_db()
        assert foreign.query == "search=zebedee+moss"


class TestStatuses:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        (
            ("", [200, 404, 422, 500]),
            ("error", [404, 422, 500]),
            ("4", [404, 422]),
            ("404", [404]),
            ("nonsense", [200, 404, 422, 500]),
            ("٤", [200, 404, 422, 500]),
        ),
    )
    def test_are_filtered_by_class_or_number(self, business, wanted, found):
        for status in (200, 404, 422, 500):
            make_entry(business, status=status)
        rows = RequestLogEntry.objects.with_status(wanted).order_by("status")
        assert [row.status for row in rows] == found
