"""The columnar export of a list has the values of its pages, for every type of value."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from appointments.models import Appointment
from calls.models import Call
from customers.models import Customer
from kaivox.api.export.streaming import _cell
from tests import factories
from tests.api.changes import World

pytestmark = pytest.mark.django_db

LISTS = (
    "appointments",
    "appointments?ordering=-updated_at",
    "appointments?status=no_show",
    "calls",
    "customers",
    "services",
    "staff",
    "webhooks",
    "webhooks/deliveries",
)
TEXTS = ("", "=1+1", 'a "quote", \\ and 100 %s', "ü\u2028😀\r\n\x7f", "null")
METADATA = ({}, {"b": "100 %d", "a": "ü"}, {"long": "x" * 500})


@pytest.fixture
def world(client, business):
    """Rows that have every kind of value, and instants to the microsecond."""
    business.timezone = "Asia/Kathmandu"
    business.save()
    world = World(client, business)
    factories.make_endpoint(business)
    factories.make_event(business)
    instant = datetime(2026, 3, 29, 18, 14, 59, 999_999, tzinfo=UTC)
    for number, text in enumerate(TEXTS):
        made = factories.make_appointment(
            business, start_time=datetime(2027, 1, 1, 18, tzinfo=UTC) + timedelta(days=number)
        )
        metadata = METADATA[number % len(METADATA)]
        at = instant + timedelta(microseconds=number)
        Appointment.objects.filter(pk=made.pk).update(
            notes=text, metadata=metadata, price=Decimal(number) / 4, updated_at=at, created_at=at
        )
        Customer.objects.filter(pk=made.customer_id).update(
            name=text or "n", metadata=metadata, email="", created_at=at
        )
        factories.make_call(business, customer=made.customer, started_at=at)
    Call.objects.filter(pk=world.call.pk).update(from_number="", recording_url="")
    return world


@pytest.mark.parametrize("path", LISTS)
def test_ndjson_says_what_the_pages_say(world, path):
    rows = _rows(world, path)
    assert rows or "status" in path
    lines = _whole(world, path, "ndjson").splitlines()
    assert [json.loads(line) for line in lines] == rows
    # To the byte: a number must not become a text, nor spaces come in.
    assert lines == [
        json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows
    ]


@pytest.mark.parametrize("path", LISTS)
def test_csv_says_what_the_pages_say(world, path):
    text = _whole(world, path, "csv").decode()
    shown = [
        ["" if value is None else str(_cell(value)) for value in row.values()]
        for row in _rows(world, path)
    ]
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == shown


def _rows(world, path):
    return world.client.get(_asking(path, "per_page=100")).json()["data"]


def _whole(world, path, form):
    return world.client.get(_asking(path, f"format={form}")).getvalue()


def _asking(path, query):
    return f"/api/v1/{path}{'&' if '?' in path else '?'}{query}"
