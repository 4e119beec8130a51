"""Erasure and export of one person, checked in the database's own files.

A person is written into every table under two identities, renamed in between, exported and erased.
Then the files of SQLite, or all that pg_dump would write, contain none of the values in any form. A
column that can hold text and holds nothing about the person is listed below with its reason.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection, models
from django.db.models.functions import Cast
from django.test import Client
from django.utils import timezone

from calls import ingestion, privacy
from calls.models import Call, ProviderMessage
from calls.tool_calls import record_tool_call
from calls.words import words_of
from customers.models import Customer
from kaivox.db.encrypted_fields import EncryptedTextField
from kaivox.db.folded_text import fold_for_search
from kaivox.db.write_ahead_log import truncate_wal
from staff.calendar_feeds import open_feed
from staff.models import StaffMember
from tests import factories
from tests.planted_person import BUSINESS_NUMBER, COPIES, CURRENT, FORMER, MARKS, plant
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)


# Columns that hold text of another kind. A new one is planted below, or listed here with its reason.
NOT_ABOUT_CALLERS = {
    "auth": "people of the business, who sign in",
    "contenttypes": "names of models",
    "sessions": "people of the business; signed and compressed, deleted after 8 hours",
    "otp_totp": "people of the business",
    "otp_static": "people of the business",
    "axes": "logins of people of the business, deleted after 30 days",
    "kaivox.Heartbeat": "names of processes",
    "businesses": "the business, its keys and its people",
    "ratelimits": "counts",
    "services": "the catalogue",
    "resources": "things",
    "appointments.Appointment.resource_ids": "ids",
    "appointments.Hold.resource_ids": "ids",
    "staff": "members of staff, who are deleted in the admin",
    "webhooks.Endpoint": "addresses and secrets of receivers",
    "webhooks.Event.uid": "random",
    "webhooks.Event.type": "a name of ours",
    "webhooks.Event.dedup_key": "ids and instants",
    "webhooks.Event.traceparent": "random",
    "request_log.RequestLogEntry.method": "a name of HTTP",
    "request_log.RequestLogEntry.error_code": "a name of ours",
    "request_log.RequestLogEntry.path_template": "the path, without ids",
    "request_log.RequestLogEntry.user_name": "people of the business",
    "webhooks.Event.actor_name": "a key or a person of the business",
    "webhooks.Delivery": "states",
    "webhooks.Attempt.url": "the address of a receiver",
    "webhooks.Attempt.request_headers": "headers of ours and masked ones",
    "webhooks.Attempt.error_message": "an error of the connection",
    "idempotency.IdempotencyRecord.fingerprint": "a hash",
    "idempotency.IdempotencyRecord.scopes": "names of ours",
    "admin.LogEntry.object_id": "an id",
    "customers.Customer.source": "the channel, which statistics are about",
    "appointments.Appointment.source": "the channel, which statistics are about",
    "appointments.Appointment.currency": "a code",
    "appointments.AppointmentSeries.weekdays": "numbers",
    "calls.Call.provider_call_id": "an id of the provider",
    "calls.Call.end_reason": "a code of the provider",
    "calls.Call.sentiment_source": "a name of ours",
    "calls.Call.reported": "times",
    "calls.AwaitedLink": "an id of the provider",
    "calls.ProviderAccount": "secrets of the business",
    "calls.UsedNonce": "hashes",
    "calls.ProviderMessage.content_type": "a media type",
    "calls.ProviderMessage.error": "a sentence of ours",
    "calls.ToolCall.source": "a name of ours",
    "calls.ToolCall.provider_call_id": "an id of the provider",
    "calls.ToolCall.tool_call_id": "an id of the provider",
    "calls.ToolCall.tool": "a name of ours",
    "calls.ToolCall.status": "a code",
}


def text_columns():
    """`(model, field)` of every column that holds free text or bytes, without fixed choices."""
    kinds = models.CharField | models.TextField | models.JSONField | models.BinaryField
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, kinds) and not field.choices:
                yield model, field


def is_listed(label):
    """Whether `app.Model.column`, its model or its app is in NOT_ABOUT_CALLERS."""
    app, model, _ = label.split(".")
    return bool({app, f"{app}.{model}", label} & NOT_ABOUT_CALLERS.keys())


def forms_of(identity):
    """Every form in which the values of `identity` may be stored, as lower-case bytes."""
    national = identity.phone[3:]
    numbers = [national, f"{national[:5]} {national[5:]}", f"{national[:5]}-{national[5:]}"]
    names = [identity.name, *identity.name.split()]
    words = words_of([identity.name]).split()
    texts = [*names, identity.email, *words, *map(fold_for_search, names), *numbers]
    for text in texts:
        raw = text.encode()
        yield from (raw, raw.hex().encode(), text.casefold().encode(), text.upper().encode())
        yield from (
            quote(text).encode(),
            quote_plus(text).encode(),
            json.dumps(text)[1:-1].encode(),
        )
        if len(raw) >= 9:
            # Whatever precedes it: the characters that all three offsets leave whole.
            yield from (base64.b64encode(b"\0" * at + raw)[4:-4] for at in range(3))


NEEDLES = {
    form.lower()
    for form in (*forms_of(FORMER), *forms_of(CURRENT), *(m.encode() for m in (*MARKS, *COPIES)))
}


def needles_in(content):
    lower = content.lower()
    return sorted(needle.decode(errors="replace") for needle in NEEDLES if needle in lower)


def column_contents(model, field):
    """The values of a column as they are read, joined: decrypted, decompressed, bytes as text."""
    for row in model._base_manager.all():
        value = getattr(row, field.attname)
        if model is ProviderMessage and field.name == "body":
            yield ingestion.body_of(row)
        elif isinstance(value, bytes | memoryview):
            yield bytes(value)
        elif isinstance(field, models.JSONField):
            yield json.dumps(value, ensure_ascii=False).encode()
        else:
            yield str(value).encode()


def columns_with_person():
    """`app.Model.column` of every column in which the person is found."""
    return {
        f"{model._meta.label}.{field.name}"
        for model, field in text_columns()
        if needles_in(b"\n".join(column_contents(model, field)))
    }


def database_files():
    """All bytes of SQLite's files, or the rows of every table of PostgreSQL, as pg_dump writes them."""
    if connection.vendor == "sqlite":
        name = connection.settings_dict["NAME"]
        files = [Path(f"{name}{suffix}") for suffix in ("", "-wal", "-journal")]
        return b"".join(path.read_bytes() for path in files if path.exists())
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            query = f"COPY {connection.ops.quote_name(table)} TO STDOUT"
            with cursor.copy(query) as copy:
                found.extend(bytes(part) for part in copy)
    return b"".join(found)


def cached_values():
    """Everything in Django's cache."""
    if isinstance(cache._cache, dict):
        return b"\n".join(cache._cache.values())
    client = cache._cache.get_client()
    names = [name for name in client.scan_iter() if client.type(name) == b"string"]
    return b"\n".join(client.get(name) or b"" for name in names)


@pytest.fixture
def person(client, business, settings):
    """Someone who has called, booked, written and been written about, under two identities."""
    settings.VOICE_ALLOW_UNSIGNED = True
    factories.make_endpoint(business)
    customer = plant(client, business, None, FORMER)
    changes = {"name": CURRENT.name, "phone": CURRENT.phone, "email": CURRENT.email}
    assert client.patch(f"/api/v1/customers/{customer.pk}", changes).status_code == 200
    return plant(client, business, customer, CURRENT)


def erase(business, person):
    privacy.erase_customer(business=business, customer_id=person.pk, now=timezone.now())


class TestErase:
    def test_leaves_no_form_of_any_value_in_the_database(self, business, person):
        planted = columns_with_person()
        labels = {f"{model._meta.label}.{field.name}" for model, field in text_columns()}
        uncovered = {label for label in labels - planted if not is_listed(label)}
        assert not uncovered, (
            f"{sorted(uncovered)} can hold text about a person. Write them into it in `plant`, and "
            "erase and export it in calls.privacy; or list it in NOT_ABOUT_CALLERS with the reason."
        )
        assert {label for label in planted if is_listed(label)} == set()
        truncate_wal()
        assert len(needles_in(database_files())) > 40

        erase(business, person)

        assert columns_with_person() == set()
        assert needles_in(database_files()) == []

    def test_leaves_nothing_in_what_is_shown(self, client, business, person):
        tokens = [
            open_feed(staff=staff, now=timezone.now())
            for staff in StaffMember.objects.for_business(business)
        ]
        browser = Client()
        browser.force_login(factories.make_user(business))
        pages = [browser.get(path) for path in ("/admin/", "/admin/customers/customer/")]
        assert needles_in(pages[1].content)
        erase(business, person)
        shown = [Client().get(f"/calendar/{token}.ics").content for token in tokens]
        shown += [cached_values(), browser.get("/admin/customers/customer/").content]
        paths = (
            "customers", f"customers/{person.pk}", "appointments", "calls", "events",
            "customers?format=csv", "appointments?format=ndjson", "calls?format=csv",
            *(f"calls/{call.pk}" for call in Call.objects.all()),
        )  # fmt: skip
        for path in paths:
            response = client.get(f"/api/v1/{path}")
            assert response.status_code == 200
            shown.append(b"".join(response) if response.streaming else response.content)
        for search in (FORMER.name, CURRENT.phone, FORMER.email):
            found = client.get("/api/v1/customers", {"search": search}).json()
            assert found["data"] == []
        repeat = client.post(
            "/api/v1/customers",
            {"name": FORMER.name, "phone": FORMER.phone},
            headers={"Idempotency-Key": f"customer {FORMER.email}"},
        )
        assert repeat.status_code == 201  # a new customer, not the stored response
        assert "Idempotent-Replayed" not in repeat
        assert [needles_in(content) for content in shown if needles_in(content)] == []

    def test_keeps_rows_and_figures(self, business, person):
        counts = {model: model.objects.count() for model in (Customer, Call, Event, Delivery)}
        erase(business, person)
        counts[Event] += 1  # customer.erased
        counts[Delivery] += 1
        assert {model: model.objects.count() for model in counts} == counts
        outbound = Call.objects.filter(direction="outbound")
        assert {(call.from_number, call.to_number) for call in outbound} == {(BUSINESS_NUMBER, "")}

    def test_leaves_every_other_person(self, client, business, person):
        other = factories.make_customer(business, name="Ben Okafor", notes="Ben Okafor is kind.")
        said = [("caller", "Ben Okafor")]
        call = factories.make_call(
            business, customer=other, from_number=other.phone, transcript=said
        )
        stranger = factories.make_call(business, to_number=BUSINESS_NUMBER, transcript=said)
        record_tool_call(
            business=business, source="mcp", tool="find_caller", status="ok", duration_ms=1,
            customer_id=other.pk, arguments={"name": "Ben Okafor"}, result={},
        )  # fmt: skip
        before = database_files().count(b"Ben Okafor")
        erase(business, person)
        truncate_wal()
        for row in (other, call, stranger):
            row.refresh_from_db()
        assert other.notes == "Ben Okafor is kind."
        assert call.transcript[0]["text"] == stranger.transcript[0]["text"] == "Ben Okafor"
        assert before
        assert database_files().count(b"Ben Okafor") > 0


class TestExport:
    def test_has_everything_that_an_erasure_removes(self, business, person):
        found = privacy.export_customer(
            business=business, customer_id=person.pk, now=timezone.now()
        )
        text = json.dumps(found, ensure_ascii=False)
        assert [mark for mark in MARKS if mark not in text] == []
        for identity in (FORMER, CURRENT):
            for value in (identity.name, identity.phone, identity.email):
                assert value in text


class TestEncryptedColumns:
    def test_show_nothing_in_the_database(self, business, person):
        """A dump alone, without SECRET_KEY, shows no voice message and no stored response."""
        columns = [
            (model, field)
            for model, field in text_columns()
            if isinstance(field, EncryptedTextField)
        ]
        assert len(columns) >= 7
        for model, field in columns:
            stored = model._base_manager.annotate(token=Cast(field.name, models.TextField()))
            for token in stored.values_list("token", flat=True):
                assert token is None or re.fullmatch(r"gAAAA[\w=-]+", token)
