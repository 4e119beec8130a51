"""dlt loads every row once, without any configuration of its paginator: it follows `Link` headers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import factories
from tests.compat.environments import python_of, require

CLIENT = Path(__file__).parent / "clients" / "dlt_client.py"
DLT = "dlt"
ROWS = {"customers": 45, "calls": 41, "services": 23, "staff": 20}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_loads_every_row_once(live_server, tmp_path):
    require(DLT)
    business = factories.make_business(slug="compat")
    for number in range(ROWS["customers"]):
        factories.make_customer(business, name=f"Customer {number}")
    for _ in range(ROWS["calls"]):
        factories.make_call(business)
    for number in range(ROWS["services"]):
        factories.make_service(business, name=f"Service {number}")
    for number in range(ROWS["staff"]):
        factories.make_staff(business, name=f"Person {number}")
    command = [
        python_of(DLT),
        CLIENT,
        live_server.url,
        factories.make_key(business),
        tmp_path,
        *ROWS,
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {name: [count, count] for name, count in ROWS.items()}
