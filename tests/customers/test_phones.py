"""Parsing of phone numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.phones import to_e164

pytestmark = pytest.mark.once


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
            ("tel:+919876543210", "IN", "+919876543210"),
            ("TEL:098765-43210", "IN", "+919876543210"),
            ("whatsapp:+447911123456", "IN", "+447911123456"),
            ("+52 1 55 1234 5678", "US", "+525512345678"),
            ("+52 55 1234 5678", "US", "+525512345678"),
            ("55 1234 5678", "MX", "+525512345678"),
            ("+54 9 11 2345-6789", "US", "+541123456789"),
            ("+54 11 2345-6789", "US", "+541123456789"),
            ("011 15-2345-6789", "AR", "+541123456789"),
            ("011 2345-6789", "AR", "+541123456789"),
            ("+12125550100.", "US", "+12125550100"),
            ("099999 99999", "IN", "+919999999999"),
        ),
    )
    def test_parses_what_people_write(self, text, country, number):
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
            "0000000000",
            "1111111111",
            "99999 99999",
            "+910000000000",
            "+81" + "9" * 14,
            "+81123456789012345",
            "+81123456789012345678",
            "+49" + "1" * 15,
            "tel:+1-212-555-0100;ext=5",
            "tel:7042;phone-context=example.com",
            "+1 212 555 0100 #5",
            "+1 212 555 0100,5",
            "+1 212 555 0100~5",
            "+1 212 555 0100 x5",
            "+1 212 555 0100x5",
            "+1 212 555 0100;ext=5",
            "+1 212 555 0100 ext. 5",
            "+1 212 555 0100p5",
            "*31#2125550100",
            "client:alice",
            "sip:alice@example.com",
        ),
    )
    def test_rejects_what_is_not_a_number(self, text):
        with pytest.raises(ValueError, match="phone number"):
            to_e164(text, country="US")

    @given(st.text(max_size=60))
    def test_accepts_or_rejects_any_text(self, text):
        try:
            number = to_e164(text, country="IN")
        except ValueError:
            return
        assert number.startswith("+")
        assert len(number) <= 16
        assert to_e164(number, country="US") == number
