"""What lists and single rows read by a compiled query is what the view's queryset would read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.views import CallViewSet
from customers.views import CustomerViewSet
from kaivox.api import viewsets
from services.models import Service
from tests import factories
from tests.api.changes import API

LISTS = ("appointments", "customers", "calls", "services", "staff", "webhooks")
QUERIES = ("", "?per_page=2", "?cursor=&per_page=2")


@pytest.fixture(autouse=True)
def rows(business, other_business):
    for owner in (business, other_business):
        booked = factories.make_appointment(owner)
        for number in range(1, 4):
            factories.make_appointment(
                owner,
                staff=booked.staff,
                service=booked.service,
                customer=booked.customer,
                start_time=booked.start_time + timedelta(days=number),
            )
            factories.make_call(owner, customer=booked.customer, transcript=[("caller", "hello")])
            factories.make_customer(owner, last_visit_at=timezone.now() if number > 1 else None)
    Service.objects.create(business=business, name="Old", duration_minutes=5, is_active=False)


def orderings():
    yield from ((name, "") for name in LISTS)
    for name, view in (("customers", CustomerViewSet), ("calls", CallViewSet)):
        for field in view.ordering_fields:
            if field != "updated_at":  # bounded by the commit horizon, another in each request
                yield name, field
            yield name, f"-{field}"


def read(client, path):
    """The body, and the queries without what compares versions."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(path)
    assert response.status_code == 200, response.content
    body = response.json()
    del body["meta"]["request_id"]
    return body, [one["sql"] for one in queries if "COUNT(" not in one["sql"]]


@pytest.mark.parametrize(("name", "ordering"), list(orderings()))
@pytest.mark.parametrize("query", QUERIES)
def test_list(client, monkeypatch, name, ordering, query):
    path = f"{API}/{name}{query}"
    if ordering:
        path += f"{'&' if query else '?'}ordering={ordering}"
    for _ in range(2):  # compiled, and run again
        compiled = read(client, path)
    monkeypatch.setattr(viewsets, "is_compiled", lambda view: False)
    assert compiled == read(client, path)


@pytest.mark.parametrize("name", LISTS[:-1])
def test_single_row(client, monkeypatch, name):
    ids = [row["id"] for row in client.get(f"{API}/{name}").json()["data"]]
    assert ids
    compiled = [read(client, f"{API}/{name}/{row_id}") for row_id in ids]
    monkeypatch.setattr(viewsets, "is_compiled", lambda view: False)
    assert compiled == [read(client, f"{API}/{name}/{row_id}") for row_id in ids]
