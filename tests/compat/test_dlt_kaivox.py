"""The dlt source in integrations/dlt loads every resource into DuckDB, and afterwards what changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from django.utils import timezone

from calls import privacy
from customers.operations import update_customer
from staff.models import Closure
from tests import factories
from tests.compat.environments import python_of, require

CLIENT = Path(__file__).parent / "clients" / "dlt_source_client.py"
README = Path(__file__).parents[2] / "integrations" / "dlt" / "README.md"
EXAMPLE = Path(__file__).parents[2] / "integrations" / "dlt" / "examples" / "to_duckdb.py"
DLT = "dlt"
TYPES = {
    ("appointments", "start_time"): "TIMESTAMP WITH TIME ZONE",
    ("appointments", "appointment_date"): "DATE",
    ("appointments", "price"): "DECIMAL(38,9)",
    ("appointments", "metadata"): "JSON",
    ("customers", "total_spent"): "DECIMAL(38,9)",
    ("customers", "last_visit_at"): "TIMESTAMP WITH TIME ZONE",
    ("calls", "sentiment_score"): "DOUBLE",
    ("calls__transcript", "offset_seconds"): "DOUBLE",
    ("closures", "first_date"): "DATE",
    ("services", "price"): "DECIMAL(38,9)",
    ("staff", "is_active"): "BOOLEAN",
    ("events", "data"): "JSON",
    ("deliveries", "next_attempt_at"): "TIMESTAMP WITH TIME ZONE",
}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def environment(folder):
    return {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": folder}


@pytest.fixture
def business(live_server):
    return factories.make_business(slug="warehouse", plan="enterprise")


@pytest.fixture
def load(business, live_server, tmp_path):
    """Loads what changed: the tables, and the number of rows that were written to each."""
    require(DLT)
    folder = str(tmp_path)
    command = [python_of(DLT), CLIENT, live_server.url, factories.make_key(business), folder]
    with subprocess.Popen(
        command, cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(folder),
    ) as process:  # fmt: skip

        def one_load():
            process.stdin.write("\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, process.stderr.read()[-3000:]
            result = json.loads(line)
            return result["tables"], result["loaded"]

        yield one_load
        process.stdin.close()


def rows_of(tables, name, **values):
    rows = tables[name]["rows"]
    return [row for row in rows if all(row[key] == value for key, value in values.items())]


def test_loads_everything_and_then_what_changed(business, load):
    service = factories.make_service(business, price="1200.50")
    person = factories.make_staff(business, services=[service])
    customer = factories.make_customer(business, name="Elodie Martin")
    factories.make_endpoint(business)
    factories.make_event(business, data={"id": customer.pk})
    appointment = factories.make_appointment(
        business, service=service, staff=person, customer=customer, metadata={"crm.id": "7"}
    )
    day = timezone.now().date()
    closure = Closure.objects.create(
        business=business, first_date=day, last_date=day, reason="Holiday"
    )
    turns = [("agent", "Hello."), ("caller", "A cleaning for Elodie, please.")]
    call = factories.make_call(
        business, customer=customer, transcript=turns, sentiment_score=1, sentiment="positive"
    )
    for number in range(120):  # more than a page
        factories.make_customer(business, name=f"Customer {number}")

    tables, _ = load()
    found = {
        key: tables[key[0]]["types"][key[1]] for key in TYPES if key[1] in tables[key[0]]["types"]
    }
    assert found == TYPES
    assert {name: len(table["rows"]) for name, table in tables.items()} == {
        "appointments": 1, "calls": 1, "calls__transcript": 2, "closures": 1, "customers": 121, "deliveries": 1,
        "events": 1, "services": 1, "services__staff_ids": 1, "staff": 1, "staff__services": 1,
        "staff__working_hours": 7, "webhooks": 1, "webhooks__event_types": 1,
    }  # fmt: skip
    [booked] = rows_of(tables, "appointments", id=appointment.pk)
    assert booked["price"] == "1200.500000000"
    assert json.loads(booked["metadata"]) == {"crm.id": "7"}
    assert [row["speaker"] for row in tables["calls__transcript"]["rows"]] == ["agent", "caller"]

    closure.delete()
    tables["closures"]["rows"] = []
    again, loaded = load()  # nothing changed: nothing is lost, and no event is read again
    assert again == tables
    assert loaded.get("events", 0) == 0

    update_customer(
        business=business,
        customer_id=customer.pk,
        changes={"name": "Elodie Durand"},
        now=timezone.now(),
    )
    factories.make_call(business)
    changed, loaded = load()
    assert len(changed["calls"]["rows"]) == 2
    assert len(changed["customers"]["rows"]) == 121
    assert [row["name"] for row in rows_of(changed, "customers", id=customer.pk)] == [
        "Elodie Durand"
    ]
    assert rows_of(changed, "appointments", customer_name="Elodie Durand")
    assert len(changed["events"]["rows"]) == 2
    assert len(changed["calls__transcript"]["rows"]) == 2

    privacy.erase_customer(
        business=business, customer_id=customer.pk, actor=None, now=timezone.now()
    )
    erased, _ = load()
    del erased["events"]  # documented: it has the bodies as they were
    assert "elodie" not in json.dumps(erased).lower()
    assert len(erased["calls"]["rows"]) == 2
    assert call.pk in {row["id"] for row in erased["calls"]["rows"]}


def run(command, folder, **variables):
    """What a program prints; elsewhere than here, where `kaivox` would be the server."""
    done = subprocess.run(
        command, cwd=folder, env={**environment(str(folder)), **variables},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_every_resource_is_in_the_readme(tmp_path):
    require(DLT)
    names = "kaivox_source('kv_live_1', base_url='http://127.0.0.1').resources"
    printed = run([python_of(DLT), "-c", f"from dlt_kaivox import *; print(*{names})"], tmp_path)
    tables = re.findall(r"^\| `(\w+)`", README.read_text(), re.M)
    assert sorted(printed.split()) == sorted(tables)


def test_the_example_runs_as_printed(business, live_server, tmp_path):
    require(DLT)
    factories.make_call(business, sentiment="positive")
    key = factories.make_key(business)
    configured = {"SOURCES__KAIVOX__API_KEY": key, "SOURCES__KAIVOX__BASE_URL": live_server.url}
    printed = run([python_of(DLT), EXAMPLE], tmp_path, **configured)
    assert "positive: 1" in printed
    assert key not in printed
