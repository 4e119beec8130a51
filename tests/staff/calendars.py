"""Calendars as programs in use write them, correct or not, with the busy times that each means.

The window is December 2026; the business is in Asia/Kolkata (+05:30). Busy times are in UTC:
`"1T09:00/1T10:00"` is the first of December from nine to ten.
"""

from __future__ import annotations


def calendar(*events: str, head: str = "", end: str = "\r\n") -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN", *head.splitlines()]
    for place, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{place}@example", *event.strip().splitlines(), "END:VEVENT"]
    return end.join([*lines, "END:VCALENDAR", ""]).encode()


NINE = "DTSTART:20261201T090000Z\nDTEND:20261201T100000Z"
NINE_TO_TEN = ["1T09:00/1T10:00"]

BERLIN = """\
BEGIN:VTIMEZONE
TZID:Custom Office Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""

MIXED_LINE_ENDS = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\nBEGIN:VEVENT\rUID:1\r\nDTSTART:20261201T090000Z\n"
    b"DTEND:20261201T100000Z\r\nEND:VEVENT\nEND:VCALENDAR"
)
FOLDED = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:caf\xc3\r\n \xa9 and\r\n\t more\r\n"
    b"DTSTART;TZID=Europe/\r\n Berlin:20261201T1\n 00000\r\nDTEND;TZID=Europe/Berlin:20261201\r\n\tT110000\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)
SEVERAL_IN_ONE_FILE = calendar(NINE) + calendar(NINE.replace("1201", "1202"))

READABLE = {
    "utc": (calendar(NINE), NINE_TO_TEN),
    "mixed line ends": (MIXED_LINE_ENDS, NINE_TO_TEN),
    "folded lines, also within characters and values": (FOLDED, NINE_TO_TEN),
    "byte order mark": (b"\xef\xbb\xbf" + calendar(NINE), NINE_TO_TEN),
    "utf-16": (calendar(NINE).decode().encode("utf-16"), NINE_TO_TEN),
    "latin-1": (calendar(NINE + "\nSUMMARY:café").decode().encode("latin-1"), NINE_TO_TEN),
    "null bytes": (calendar(NINE + "\nSUMMARY:a\x00b"), NINE_TO_TEN),
    "names in lower case": (
        calendar(NINE).replace(b"BEGIN:VEVENT", b"begin:vevent").replace(b"DTSTART", b"dtstart"),
        NINE_TO_TEN,
    ),
    "lines that are none": (calendar(NINE + "\nnonsense\n;;;"), NINE_TO_TEN),
    "nothing after the end is read": (calendar(NINE) + b"\r\n<!-- cached -->", NINE_TO_TEN),
    "several calendars in one file": (SEVERAL_IN_ONE_FILE, [*NINE_TO_TEN, "2T09:00/2T10:00"]),
    "no events": (calendar(), []),
    "an IANA zone": (
        calendar("DTSTART;TZID=Europe/Berlin:20261201T100000\nDURATION:PT1H"), NINE_TO_TEN,
    ),
    "a Windows zone": (
        calendar("DTSTART;TZID=W. Europe Standard Time:20261201T100000\nDURATION:PT1H"), NINE_TO_TEN,
    ),
    "a zone with a vendor's prefix": (
        calendar("DTSTART;TZID=/citadel.org/20261107_1/Europe/Berlin:20261201T100000\nDURATION:PT1H"),
        NINE_TO_TEN,
    ),
    "a zone that the file defines": (
        calendar("DTSTART;TZID=Custom Office Time:20261201T100000\nDURATION:PT1H", head=BERLIN),
        NINE_TO_TEN,
    ),
    "an unknown zone is the business's": (
        calendar("DTSTART;TZID=Mars/Olympus:20261201T143000\nDURATION:PT1H"), NINE_TO_TEN,
    ),
    "floating times are the business's": (
        calendar("DTSTART:20261201T143000\nDTEND:20261201T153000"), NINE_TO_TEN,
    ),
    "floating times in a calendar with a zone": (
        calendar("DTSTART:20261201T100000\nDURATION:PT1H", head="X-WR-TIMEZONE:Europe/Berlin"),
        NINE_TO_TEN,
    ),
    "a calendar with an unknown zone": (
        calendar("DTSTART:20261201T143000\nDURATION:PT1H", head="X-WR-TIMEZONE:Nowhere"), NINE_TO_TEN,
    ),
    "all day": (calendar("DTSTART;VALUE=DATE:20261202"), ["1T18:30/2T18:30"]),
    "all day, without saying so": (
        calendar("DTSTART:20261202\nDTEND:20261204"), ["1T18:30/3T18:30"],
    ),
    "a moment blocks nothing": (calendar("DTSTART:20261202T090000Z"), []),
    "the end before the start": (
        calendar("DTSTART:20261201T100000Z\nDTEND:20261201T090000Z"), NINE_TO_TEN,
    ),
    "over midnight, joined": (
        calendar(
            "DTSTART:20261201T220000Z\nDTEND:20261202T020000Z",
            "DTSTART:20261202T010000Z\nDTEND:20261202T030000Z",
        ),
        ["1T22:00/2T03:00"],
    ),
    "cut to the window": (
        calendar("DTSTART:20251201T000000Z\nDTEND:20261201T100000Z"), ["1T00:00/1T10:00"],
    ),
    "past and far ones": (
        calendar(
            "DTSTART:20251201T090000Z\nDTEND:20251201T100000Z", "DTSTART:20200101",
            "DTSTART:20291201T090000Z\nDTEND:20291201T100000Z",
        ), [],
    ),
    "free, cancelled and tentative": (
        calendar(
            NINE + "\nTRANSP:TRANSPARENT", NINE + "\nSTATUS:CANCELLED",
            NINE + "\nX-MICROSOFT-CDO-BUSYSTATUS:FREE",
            NINE.replace("1201", "1202") + "\nSTATUS:TENTATIVE",
        ), ["2T09:00/2T10:00"],
    ),
    "an event without a start": (calendar("SUMMARY:someday", NINE), NINE_TO_TEN),
    "an alarm's own times": (
        calendar(NINE + "\nBEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT9H\nEND:VALARM"), NINE_TO_TEN,
    ),
    "events without ids": (
        calendar(NINE, NINE.replace("1201", "1202")).replace(b"UID:0@example\r\n", b"")
        .replace(b"UID:1@example\r\n", b""), [*NINE_TO_TEN, "2T09:00/2T10:00"],
    ),
    "events with one id": (
        calendar(NINE, NINE.replace("1201", "1202")).replace(b"UID:1@", b"UID:0@"),
        [*NINE_TO_TEN, "2T09:00/2T10:00"],
    ),
    "our own appointments": (
        calendar(NINE).replace(b"0@example", b"appointment-7@smile-dental.kaivox"), [],
    ),
    "weekly, across a change of the clocks before": (
        calendar("DTSTART;TZID=Europe/Berlin:20260602T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=28"),
        ["1T09:00/1T10:00", "8T09:00/8T10:00"],
    ),
    "series that ended, one of them not yet over, one with a moved instance": (
        calendar(
            "DTSTART:20200101T090000Z\nDTEND:20200101T100000Z\nRRULE:FREQ=DAILY;UNTIL=20201201",
            "DTSTART:20261101T090000Z\nDTEND:20261115T090000Z\nRRULE:FREQ=MONTHLY;UNTIL=20261120",
            "DTSTART:20261020T090000Z\nDTEND:20261203T090000Z\nRRULE:FREQ=YEARLY;UNTIL=20261121",
            "RECURRENCE-ID:20201201T090000Z\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z",
        ).replace(b"UID:3@", b"UID:0@"),
        ["1T00:00/3T09:00", "10T09:00/10T10:00"],
    ),
    "a rule with UNTIL as a date": (
        calendar("DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20261202"),
        [*NINE_TO_TEN],
    ),
    "exceptions and more dates": (
        calendar(
            "DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n"
            "EXDATE:20261202T090000Z\nRDATE:20261205T090000Z"
        ),
        [*NINE_TO_TEN, "3T09:00/3T10:00", "5T09:00/5T10:00"],
    ),
    "one of a series moved, one cancelled, one free": (
        calendar(
            "DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4",
            "RECURRENCE-ID:20261202T090000Z\nDTSTART:20261202T150000Z\nDTEND:20261202T160000Z",
            "RECURRENCE-ID:20261203T090000Z\nDTSTART:20261203T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED",
            "RECURRENCE-ID:20261204T090000Z\nDTSTART:20261204T090000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT",
        ).replace(b"UID:1@", b"UID:0@").replace(b"UID:2@", b"UID:0@").replace(b"UID:3@", b"UID:0@"),
        [*NINE_TO_TEN, "2T15:00/2T16:00"],
    ),
    "one of a series moved into the past": (
        calendar(
            "DTSTART:20261201T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
            "RECURRENCE-ID:20261202T090000Z\nDTSTART:20260102T090000Z\nDTEND:20260102T100000Z",
        ).replace(b"UID:1@", b"UID:0@"),
        NINE_TO_TEN,
    ),
}  # fmt: skip

# Refused as a whole: what cannot be read may be busy.
UNREADABLE = {
    "empty": b"",
    "a sign-in page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "JSON": b'{"error": "not found"}',
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "an address book": b"BEGIN:VCARD\r\nFN:Asha\r\nEND:VCARD\r\n",
    "cut off within an event": calendar(NINE)[:-30],
    "cut off between events": calendar(NINE, NINE).rpartition(b"BEGIN:VEVENT")[0],
    "an event without an end": calendar(NINE).replace(b"END:VEVENT\r\n", b""),
    "a start that is no time": calendar("DTSTART:2026130\nDTEND:20261201T100000Z"),
    "an end that is no time": calendar("DTSTART:20261201T090000Z\nDTEND:soon"),
    "a duration that is none": calendar("DTSTART:20261201T090000Z\nDURATION:1 hour"),
    "an unknown rule": calendar(NINE + "\nRRULE:FREQ=OFTEN"),
    "an exception that is no time": calendar(NINE + "\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE:foo"),
    "every second": calendar(NINE + "\nRRULE:FREQ=SECONDLY;COUNT=1000000"),
    "every minute": calendar(NINE + "\nRRULE:FREQ=MINUTELY"),
    "too many events": calendar(*([NINE] * 5_001)),
}
