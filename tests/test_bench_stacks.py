"""The stacks beside which `make bench ARGS=appointment_list` measures ours show what ours shows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from appointments.serializers import AppointmentSerializer
from tests.bench.fastapi_stack import app
from tests.bench.plain.api import AppointmentSerializer as PlainSerializer

pytestmark = pytest.mark.once

FIELDS = list(AppointmentSerializer().fields)
# The plain stack names a related object's id and name as Django names them, and no local time.
PLAIN_NAMES = {
    "customer": "customer_id",
    "staff": "staff_id",
    "service": "service_id",
    "service_name": "service",
    "series": "series_id",
    "visit": "visit_id",
}
LOCAL_TIME = {"appointment_date", "appointment_time", "timezone"}


def test_fastapi():
    now = datetime(2026, 6, 1, 9, tzinfo=UTC)
    instants = {7: now, 8: now, 23: now, 24: now, 12: Decimal("1.00")}
    row = [instants.get(column) for column in range(25)]
    assert list(app.shown(row, "Asia/Kolkata", ZoneInfo("Asia/Kolkata"))) == FIELDS


def test_plain():
    shown = [PLAIN_NAMES.get(name, name) for name in PlainSerializer.Meta.fields]
    assert shown == [name for name in FIELDS if name not in LOCAL_TIME]
