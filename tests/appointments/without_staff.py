"""What tests of services that need no staff have in common; the fixtures are in `conftest`."""

from __future__ import annotations

import json

from webhooks.models import Event

URL = "/api/v1/appointments"
OPEN = [{"weekday": day, "start": "12:00", "end": "15:00"} for day in range(7)]
NOON = "2026-03-02T06:30:00Z"  # in Kolkata


def code_of(response) -> str | int:
    return response.json().get("code", response.status_code)


def last_event(type: str) -> dict:
    event = Event.objects.latest("pk")
    assert event.type == type
    return json.loads(bytes(event.body))["data"]


def refused_staff(response) -> bool:
    body = response.json()
    assert "needs no member of staff" in body["message"]
    return response.status_code == 422 and list(body["errors"]) == ["staff_id"]
