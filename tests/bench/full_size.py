"""Every table that grows with time, at full size: one object of each kind of ten businesses, and copies of it.

The copy number n of a row has an id, references to other large tables and times that are shifted by n, so the
copies refer to each other as the rows do. The first business has two fifths of all rows.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Final

from django.db import connection, models
from django.utils import timezone

from appointments.models import Appointment
from calls.models import Call, Provider, ProviderMessage, ToolCall
from customers.models import Customer
from kaivox.idempotency.models import IdempotencyRecord
from kaivox.request_log.models import RequestLogEntry
from ratelimits.models import QuotaOverride
from tests import factories
from tests.bench.data import FAR_AWAY
from tests.object_graph import World, make_world
from webhooks.models import Attempt, AttemptOutcome, AttemptTrigger, Delivery, DeliveryStatus, Event

BUSINESSES: Final = 10
# Distance of the ids of two copies of one row.
_STRIDE: Final = 1_000
# Time between two copies: a person has one appointment at a time, and what is pruned is of the last day.
_STEPS: Final = {
    "appointments_appointment": "1 hour",
    "calls_call": "1 minute",
    "customers_customer": "1 minute",
}
_STEP: Final = "200 milliseconds"
_AHEAD: Final = 1_000  # copies of appointments in the future

GROWING: Final[tuple[type[models.Model], ...]] = (
    Customer,
    Call,
    Appointment,
    Event,
    Delivery,
    Attempt,
    ToolCall,
    ProviderMessage,
    IdempotencyRecord,
    RequestLogEntry,
)
# Columns that must differ between the copies of a row beside ids and times; {n} is the copy's number.
_DISTINCT: Final = {
    # A series and a visit have few appointments: copies belong to none.
    (Appointment, "series"): "NULL::bigint",
    (Appointment, "visit"): "NULL::bigint",
    (Customer, "phone"): "'+91' || lpad((id * 1000000 + {n})::text, 12, '0')",
    (Customer, "name"): "name || ' ' || {n}",
    (Call, "provider_call_id"): "provider_call_id || '-' || {n}",
    (Event, "uid"): "gen_random_uuid()",
    (IdempotencyRecord, "key"): "key || '-' || {n}",
}


def make_worlds(rows: int) -> list[World]:
    """Ten businesses with `rows` rows in each growing table together; the largest business is the first."""
    worlds = [_make_world() for _ in range(BUSINESSES)]
    for model in GROWING:
        started = time.perf_counter()
        _copy(model, worlds, rows)
        print(f"  {model._meta.db_table}: {time.perf_counter() - started:.0f} s", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return worlds


def _make_world() -> World:
    now = timezone.now()
    business = factories.make_business()
    QuotaOverride.objects.create(
        business=business, per_minute=FAR_AWAY, per_day=FAR_AWAY, ends_at=now + timedelta(days=1)
    )
    world = make_world(business)
    delivery, customer = world.objects["delivery"], world.objects["customer"]
    Delivery.objects.filter(pk=delivery.pk).update(
        status=DeliveryStatus.SUCCEEDED, delivered_at=now
    )
    # Recorded with the objects: they have deliveries of their own.
    Event.objects.for_business(business).exclude(pk=delivery.event_id).delete()
    Attempt.objects.create(
        business=business, delivery=delivery, endpoint=delivery.endpoint, number=1,
        trigger=AttemptTrigger.AUTO, url=delivery.endpoint.url, outcome=AttemptOutcome.SUCCEEDED,
        started_at=now, request_headers={},
    )  # fmt: skip
    ToolCall.objects.create(
        business=business, source="mcp", tool="find_slots", arguments="{}", status="ok", result="{}",
        duration_ms=10, customer=customer,
    )  # fmt: skip
    ProviderMessage.objects.create(
        business=business, provider=Provider.VAPI, body="e30=", state=ProviderMessage.State.READ,
        call=world.objects["call"],
    )  # fmt: skip
    IdempotencyRecord.objects.create(
        business=business, key="bench", fingerprint="0" * 64, holder=uuid.uuid4(), held_until=now,
        status=201, answer="{}", created_at=now,
    )  # fmt: skip
    RequestLogEntry.objects.create(
        business=business, at=now, method="GET", path="/api/v1/staff", path_template="/api/v1/staff",
        status=200,
        duration_ms=5,
    )  # fmt: skip
    return world


def _copy(model: type[models.Model], worlds: list[World], rows: int) -> None:
    table = model._meta.db_table
    ahead = _AHEAD if model is Appointment else 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
            " AND table_schema = current_schema() AND is_generated = 'NEVER'",
            [table],
        )
        columns = [name for (name,) in cursor.fetchall()]
        values = ", ".join(_value(model, column, ahead) for column in columns)
        names = ", ".join(f'"{one}"' for one in columns)
        cursor.execute("SET statement_timeout = 0")
        # Copies of a valid row are valid: neither foreign keys nor triggers are checked.
        cursor.execute("SET session_replication_role = replica")
        for number, world in enumerate(worlds):
            share = rows * 4 // 10 if number == 0 else rows * 6 // 10 // (BUSINESSES - 1)
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {values}"  # noqa: S608 - names of ours
                f" FROM {table}, generate_series(1, %s) AS n WHERE business_id = %s",
                [share, world.business.pk],
            )
        cursor.execute("RESET session_replication_role")
        cursor.execute("RESET statement_timeout")
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {table}",  # noqa: S608
            [table],
        )


def _value(model: type[models.Model], column: str, ahead: int) -> str:
    """SQL of a column of copy `n`."""
    fields = {one.column: one for one in model._meta.concrete_fields}
    field = fields.get(column)
    if field is None:
        return f'"{column}"'
    if distinct := _DISTINCT.get((model, field.name)):
        return distinct.format(n="n")
    if field.primary_key or (field.is_relation and field.related_model in GROWING):
        return f'"{column}" + n * {_STRIDE}'
    if isinstance(field, models.DateTimeField):
        step = _STEPS.get(model._meta.db_table, _STEP)
        return f"\"{column}\" - interval '30 minutes' - (n - {ahead}) * interval '{step}'"
    return f'"{column}"'
