"""Busy times of calendars as programs in use write them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from staff.busy_times import busy_times
from staff.ical_text import UnreadableCalendar, essential_text
from tests.staff.calendars import NINE, READABLE, UNREADABLE, calendar

pytestmark = pytest.mark.once

FIRST, LAST = date(2026, 12, 1), date(2026, 12, 31)
SPAN = (
    int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()),
    int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()),
)


def read(data: bytes) -> list[str]:
    text = essential_text(data, first=FIRST, last=LAST)
    ranges = busy_times(text, ZoneInfo("Asia/Kolkata"), SPAN)
    return [
        "/".join(f"{datetime.fromtimestamp(at, UTC):%-dT%H:%M}" for at in one) for one in ranges
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")
class TestBusyTimes:
    @pytest.mark.parametrize("name", READABLE)
    def test_reads(self, name):
        data, expected = READABLE[name]
        assert read(data) == expected

    @pytest.mark.parametrize("name", UNREADABLE)
    def test_refuses_as_a_whole(self, name):
        with pytest.raises(UnreadableCalendar):
            read(UNREADABLE[name])

    def test_bounds_the_number(self, monkeypatch):
        monkeypatch.setattr("staff.busy_times.MAX_BUSY_TIMES", 3)
        with pytest.raises(UnreadableCalendar, match="more than 3 busy times"):
            read(calendar(NINE + "\nRRULE:FREQ=DAILY;COUNT=4"))

    def test_never_sees_what_an_event_is_about(self):
        text = essential_text(
            calendar(NINE + "\nSUMMARY:Asha\nATTENDEE:mailto:a@b.c\nDESCRIPTION:x"),
            first=FIRST,
            last=LAST,
        )
        assert not any(word in text for word in ("Asha", "mailto", "DESCRIPTION"))

    def test_is_linear_in_the_file(self):
        """Events that are over and long descriptions are dropped line by line."""
        past = calendar(*(["DTSTART:20200101T090000Z\nDTEND:20200101T100000Z\nSUMMARY:x"] * 20_000))
        assert essential_text(past, first=FIRST, last=LAST).count("VEVENT") == 0
        assert read(calendar(NINE + "\nDESCRIPTION:" + "x" * 2_000_000)) == ["1T09:00/1T10:00"]


class TestProgram:
    def test_writes_ranges_or_the_problem(self):
        def run(**request):
            done = subprocess.run(
                [sys.executable, "-m", "staff.busy_times"],
                input=json.dumps(request), capture_output=True, text=True, check=True,
            )  # fmt: skip
            return json.loads(done.stdout)

        text = calendar(NINE).decode()
        begin = SPAN[0] + 9 * 3600
        assert run(text=text, zone="Asia/Kolkata", span=SPAN) == {"ranges": [[begin, begin + 3600]]}
        broken = text.replace("T100000Z", "T1")
        assert "cannot be read" in run(text=broken, zone="Asia/Kolkata", span=SPAN)["problem"]
