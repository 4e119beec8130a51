"""A calendar feed of every control character, read with the libraries of JavaScript in common use.

Those of Python read it in tests/appointments/test_ical.py.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from staff.calendar_feeds import open_feed
from tests import factories
from tests.compat.environments import node_modules_of, require

SCRIPT = Path(__file__).parent / "clients" / "read_feed.js"
READERS = "calendar-readers"
CODES = (*range(1, 32), 127, *range(0x80, 0xA0), 0x2028, 0x2029)

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def feed(business):
    """A feed with an event for each control character, in names and notes."""
    person = factories.make_staff(business, name="Dr. A\x07B")
    service = factories.make_service(business, name="Cleaning; \\, polish")
    now = timezone.now()
    for number, code in enumerate(CODES):
        factories.make_appointment(
            service=service, staff=person, notes=f"A{chr(code)}B",
            customer=factories.make_customer(business, name=f"A{chr(code)}B"),
            start_time=now + timedelta(days=1 + number),
        )  # fmt: skip
    return Client().get(f"/calendar/{open_feed(staff=person, now=now)}.ics").content


@pytest.mark.parametrize("library", ("ical.js", "node-ical"))
def test_reads_every_event(feed, tmp_path, library):
    require(READERS)
    path = tmp_path / "feed.ics"
    path.write_bytes(feed)
    done = subprocess.run(
        ["node", SCRIPT, path], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "NODE_PATH": str(node_modules_of(READERS))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    events = json.loads(done.stdout)[library]
    assert len({uid for uid, *_ in events}) == len(CODES)
    for _, summary, description, _ in events:
        assert summary.startswith("Cleaning; \\, polish: A")
        assert description[0] + description[-1] == "AB"
