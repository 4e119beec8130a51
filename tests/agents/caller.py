"""A scripted caller, and what must be in the database after a call."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from appointments.models import Appointment

PHONE = "098765 43210"
E164 = "+919876543210"
ID = re.compile(r"\b(?:id|ID)\b|\d{5,}|[0-9a-f]{8}-[0-9a-f]{4}")
_MARKUP = re.compile(r"[*_#`<>|\[\]{}\n\r\t]")


def check_say(result: dict) -> dict:
    """The rules of `say`: what a voice can read aloud, and a caller keep in mind."""
    said = result["say"]
    assert 0 < len(said) <= 250, said
    assert not _MARKUP.search(said), said
    assert not ID.search(said), said
    assert len(re.findall(r"\b\d{1,2}(?::\d\d)? (?:AM|PM)\b", said)) <= 4, (
        said
    )  # one asked, three offered
    return result


class Caller:
    """Says what a script says, and checks every answer."""

    def __init__(self, way, clinic, **how):
        self.clinic = clinic
        self.line = way(clinic.business, **({"phone": E164} | how))

    def __call__(self, tool, **arguments):
        return check_say(self.line.call(tool, **arguments))

    def ok(self, tool, **arguments):
        result = self(tool, **arguments)
        assert result["status"] == "ok", result
        return result

    def fails(self, status, tool, **arguments):
        result = self(tool, **arguments)
        assert result["status"] == status, result
        return result

    def retry(self):
        return check_say(self.line.retry())


def booked(**where):
    return list(
        Appointment.objects.filter(status="scheduled", **where).order_by("start_time", "id")
    )


def at(hour, minute=0, day=3):
    """An instant of June 2026 in Kolkata, as UTC."""
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC) - timedelta(hours=5, minutes=30)
