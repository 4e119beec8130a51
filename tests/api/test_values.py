"""One parser per kind of value: what each accepts and rejects."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from kaivox.api.values import (
    check_name,
    parse_date,
    parse_id,
    parse_instant,
    parse_mail_date,
    parse_seconds,
    parse_wall_time,
    parse_zone,
)

NINE_THIRTY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class TestInstant:
    @pytest.mark.parametrize(
        "text",
        (
            "2026-03-02T09:30:00Z", "2026-03-02t09:30:00z", "2026-03-02 09:30:00Z", "2026-03-02T09:30Z",
            "2026-03-02T09:30:00.000000Z", "2026-03-02T09:30:00,0Z", "20260302T093000Z", "20260302T0930Z",
            "2026-03-02T09:30:00-00:00", "2026-03-02T09:30:00 Z", "  2026-03-02T09:30:00Z ",
            "2026-03-02T15:00:00+05:30", "2026-03-02T15:00:00+0530", "2026-03-02T14:30:00+05",
            "2026-03-02T15:00:00 05:30", "2026-03-02T15:00:00 0530", "2026-03-02T14:30:00 05",
            "2026-03-02 15:00:00 05:30", "2026-03-02T15:00:00 +05:30", "2026-03-02T04:30:00-05",
            "2026-03-03T09:29:00+23:59", "2026-03-02T09:30:00.000000000000Z",
        ),
    )  # fmt: skip
    def test_is_read_in_any_form(self, text):
        assert parse_instant(text) == NINE_THIRTY

    @pytest.mark.parametrize(
        ("text", "why"),
        (
            ("2026-03-02T09:30:00", "Add the offset"),
            ("2026-03-02 09:30", "Add the offset"),
            ("2026-03-02T24:00:00Z", "Hours go from 00 to 23"),
            ("2026-03-02T09:60:00Z", "Minutes and seconds"),
            ("2016-12-31T23:59:60Z", "leap seconds"),
            ("2026-03-02T09:30:00+24:00", "An offset goes from"),
            ("2026-03-02T09:30:00 24:00", "An offset goes from"),
            ("2026-03-02T09:30:00+05:60", "An offset goes from"),
            ("2026-02-30T09:30:00Z", "no such date"),
            ("0000-03-02T09:30:00Z", "no such date"),
            ("0001-01-01T00:00:00+14:00", "1900 to 2199"),
            ("9999-12-31T23:59:59-14:00", "1900 to 2199"),
            ("2200-01-01T00:00:00Z", "1900 to 2199"),
            ("2026-061T09:30:00Z", "Write a date and time"),
            ("2026-W10-1T09:30:00Z", "Write a date and time"),
            ("2026-03-02T03.5Z", "Write a date and time"),
            ("2026-03-02T09Z", "Write a date and time"),
            ("2026-03-02T09:30:00.Z", "Write a date and time"),
            ("2026-0302T09:30:00Z", "Write a date and time"),
            ("2026-03-02T09:3０:00Z", "Write a date and time"),
            ("٢٠٢٦-03-02T09:30:00Z", "Write a date and time"),
            ("2026-03-02", "Write a date and time"),
            ("now", "Write a date and time"),
            ("", "Write a date and time"),
        ),
    )
    def test_that_is_none_says_why(self, text, why):
        with pytest.raises(ValueError, match=why):
            parse_instant(text)


class TestDateAndTime:
    def test_date(self):
        assert parse_date(" 2026-03-02") == date(2026, 3, 2)

    @pytest.mark.parametrize(
        "text", ("2026-3-2", "20260302", "2026-02-30", "٢٠٢٦-٠٣-٠٢", "2026-03-0２", "1899-12-31", "2200-01-01", "")
    )  # fmt: skip
    def test_that_is_no_date(self, text):
        with pytest.raises(ValueError, match=r"YYYY|1900"):
            parse_date(text)

    @pytest.mark.parametrize(("text", "minute"), (("9:00", 540), ("09:00", 540), ("23:59", 1439)))
    def test_wall_time(self, text, minute):
        assert parse_wall_time(text) == minute

    @pytest.mark.parametrize(
        "text", ("09:3０", "०9:30", "٠٩:٣٠", "𝟎9:30", "9:0", "09:30:00", "9", "0９:30")
    )
    def test_that_is_no_wall_time(self, text):
        with pytest.raises(ValueError, match="HH:MM"):
            parse_wall_time(text)


class TestId:
    @pytest.mark.parametrize(
        "text", ("١", "１", "²", "0", "-1", "+1", " 1", "1.0", str(2**63), "9" * 5000)
    )
    def test_that_is_none(self, text):
        assert parse_id(text) is None


class TestMailDate:
    @pytest.mark.parametrize(
        "text", ("Mon, 02 Mar 2026 09:30:00 GMT", "2 Mar 2026 15:00:00 +0530", "Mon, 02 Mar 2026 09:30:00 -0000")
    )  # fmt: skip
    def test_is_read_as_utc(self, text):
        assert parse_mail_date(text).isoformat() == "2026-03-02T09:30:00+00:00"

    @pytest.mark.parametrize(
        "text",
        (
            "",
            "soon",
            "Mon, 02 Mar 99999999999999999999 09:30:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 -1200",
            "Mon, 02 Mar 2026 09:30:00 +99999999999",
            "Mon, ０2 Mar 2026 09:30:00 GMT",
            "Mon, 02 Mar 2026 99:30:00 GMT",
        ),
    )
    def test_that_is_none(self, text):
        with pytest.raises(ValueError, match="like Sun"):
            parse_mail_date(text)


class TestSeconds:
    @pytest.mark.parametrize(("text", "seconds"), (("67", 67), (" 6.5 ", 6.5), ("-1", -1)))
    def test_is_read(self, text, seconds):
        assert parse_seconds(text) == seconds

    @pytest.mark.parametrize("text", ("", "６7", "٣", "1_0", "nan", "inf", "1e3", "9" * 400, "0x1"))
    def test_that_is_none(self, text):
        with pytest.raises(ValueError, match="number of seconds"):
            parse_seconds(text)


class TestZone:
    def test_is_an_iana_name(self):
        assert parse_zone("Etc/GMT 5").key == "Etc/GMT+5"

    @pytest.mark.parametrize(
        "name", ("localtime", "Factory", "posixrules", "asia/kolkata", "+05:30", "../etc/passwd")
    )
    def test_that_is_none(self, name):
        with pytest.raises(ValueError, match="IANA"):
            parse_zone(name)


class TestName:
    @pytest.mark.parametrize("name", ("Asha", "Élodie", "明", "👩‍👩‍👧", "नमिता", "Ng", "X Æ A-12"))
    def test_is_accepted(self, name):
        assert check_name(name) == name

    @pytest.mark.parametrize(
        "name", ("\u200b", "\u200b\ufeff\u2060", "\u3164", "\u00a0", "\u0301", "")
    )
    def test_without_anything_visible_is_rejected(self, name):
        with pytest.raises(ValueError, match="visible"):
            check_name(name)

    @pytest.mark.parametrize(
        "character", ("\x00", "\x07", "\x1b", "\n", "\t", "\x7f", "\x85", "\u2028")
    )
    def test_with_a_control_character_is_rejected(self, character):
        with pytest.raises(ValueError, match="control"):
            check_name(f"As{character}ha")
