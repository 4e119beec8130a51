from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.phones import to_e164


class TestToE164:
    @pytest.mark.parametrize(
        ("text", "country", "number"),
        (
            ("098765 43210", "IN", "+919876543210"),
            ("+91 98765-43210", "IN", "+919876543210"),
            ("919876543210", "IN", "+919876543210"),
            ("0091 98765 43210", "IN", "+919876543210"),
            ("(212) 555-0100", "US", "+12125550100"),
            ("+1 500 555 0006", "IN", "+15005550006"),
            ("07911 123456", "GB", "+447911123456"),
            ("١٢٣٤٥٦٧٨٩٠", "IN", "+911234567890"),
        ),
    )
    def test_reads_what_people_write(self, text, country, number):
        assert to_e164(text, country=country) == number

    @pytest.mark.parametrize(
        "text",
        (
            "",
            "+",
            "12345",
            "+91 123",
            "9" * 20,
            "555-0100",
            "call me",
            "+1 212 555 0100 ext 5",
            "1" * 99,
        ),
    )
    def test_refuses_what_is_no_number(self, text):
        with pytest.raises(ValueError, match="phone number"):
            to_e164(text, country="US")

    @given(st.text(max_size=60))
    def test_never_breaks_on_any_text(self, text):
        try:
            number = to_e164(text, country="IN")
        except ValueError:
            return
        assert number.startswith("+")
        assert len(number) <= 16
        assert to_e164(number, country="US") == number
